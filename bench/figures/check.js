// What is stale, unknown or without a source in the records, the pages and the charts: a line each.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { digest, signature } from "./digest.js";
import { shown } from "./format.js";
import { broken, marks, pages } from "./pages.js";
import { FOLDER, figures, read } from "./records.js";

export const CHARTS = "docs/charts";

/** @param {string} root of the project @returns {string[]} */
export function findings(root) {
  const records = read(root);
  return [...sourceless(records), ...stalePages(root, figures(records)), ...staleCharts(root, records)];
}

/** @param {ReturnType<typeof read>} records */
function* sourceless(records) {
  for (const [name, record] of records) {
    const file = `${FOLDER}/${name}.json`;
    for (const part of /** @type {const} */ (["about", "command", "machine"])) {
      if (!record[part]) yield `${file}: no ${part}`;
    }
    if (record.values === undefined && record.figures === undefined) yield `${file}: neither values nor figures`;
  }
  for (const [key, { what, value }] of figures(records)) {
    if (!what) yield `${key}: doesn't say what it is`;
    if (!Number.isFinite(value)) yield `${key}: has no value, and its record's values have none for it`;
  }
}

/** @param {string} root @param {ReturnType<typeof figures>} known */
function* stalePages(root, known) {
  const unused = new Set(known.keys());
  for (const [page, content] of pages(root)) {
    for (const line of broken(content)) yield `${page}:${line}: the mark of a figure is not whole, or begins the line`;
    for (const { line, key, text } of marks(content)) {
      unused.delete(key);
      const figure = known.get(key);
      if (figure === undefined) yield `${page}:${line}: no record has '${key}'`;
      else if (figure.value !== undefined && shown(figure) !== text)
        yield `${page}:${line}: ${key} is ${shown(figure)}, and the page says '${text}'`;
    }
  }
  for (const key of unused) yield `${key}: in no page`;
}

/** @param {string} root @param {ReturnType<typeof read>} records */
function* staleCharts(root, records) {
  const unknown = new Set(readdirSync(join(root, CHARTS)));
  for (const [name, record] of records) {
    if (record.values === undefined) continue;
    unknown.delete(`${name}.svg`);
    if (!fresh(root, name, record)) yield `${CHARTS}/${name}.svg: not drawn from ${FOLDER}/${name}.json as it is`;
  }
  for (const name of unknown) yield `${CHARTS}/${name}: no record has its values`;
}

/** @param {string} root @param {string} name @param {import("./records.js").Published} record */
export function fresh(root, name, record) {
  const file = join(root, CHARTS, `${name}.svg`);
  return existsSync(file) && signature(readFileSync(file, "utf8")) === digest(root, name, record);
}
