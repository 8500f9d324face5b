// Whether a chart is drawn from what is there: its SVG names a digest of its values, and of all that draws them.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const CHARTS = "bench/figures/charts";
const IMPORT = /\bfrom "(\.[^"]+)"/g;
const SIGNED = /<!-- drawn from ([0-9a-f]+) -->\s*$/;

/** @param {string} root of the project @param {string} name @param {import("./records.js").Published} record */
export function digest(root, name, { about, values }) {
  const hash = createHash("sha256").update(JSON.stringify({ about, values }));
  for (const file of [...sources(root, `${CHARTS}/${name}.js`), `${CHARTS}/package-lock.json`]) {
    hash.update(source(root, file));
  }
  return hash.digest("hex").slice(0, 16);
}

/** A module, and all that it imports of ours. @param {string} root @param {string} file @param {Set<string>} found */
function sources(root, file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, path] of source(root, file).matchAll(IMPORT)) {
    sources(root, join(dirname(file), path).replaceAll("\\", "/"), found);
  }
  return found;
}

/** @param {string} root @param {string} file */
const source = (root, file) => readFileSync(join(root, file), "utf8").replaceAll("\r\n", "\n");

/** @param {string} svg @param {string} digest */
export const signed = (svg, digest) => `${svg.trimEnd()}\n<!-- drawn from ${digest} -->\n`;

/** The digest that an SVG names. @param {string} svg */
export const signature = (svg) => svg.match(SIGNED)?.[1];
