// The project's pages, and their content: code blocks with their markers, links, headings.

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export interface Block {
  /** Its first line: docs/guide/http.md:18. */
  readonly at: string;
  readonly language: string;
  readonly code: string;
  /** The comment `<!-- … -->` just before it, without its brackets; null if there is none. */
  readonly marker: string | null;
}

export interface Page {
  /** From the root of the project: docs/guide/http.md. */
  readonly path: string;
  readonly blocks: readonly Block[];
  /** The text without its blocks and comments. */
  readonly prose: string;
  /** The anchors for links to this page. */
  readonly anchors: ReadonlySet<string>;
}

const FENCE = /^(?:<!--([\s\S]*?)-->\n)?```(.*)\n([\s\S]*?)^```$/gm;
const COMMENT = /<!--[\s\S]*?-->/g;

export function page(file: string): Page {
  const text = fs.readFileSync(path.join(ROOT, file), "utf8");
  const blocks = [...text.matchAll(FENCE)].map(({ index, 0: all, 1: marker, 2: language = "", 3: code = "" }) => {
    const line = text.slice(0, index + all.indexOf("```")).split("\n").length;
    return { at: `${file}:${line}`, language, code, marker: marker === undefined ? null : marker.trim() };
  });
  const prose = text.replace(FENCE, "").replace(COMMENT, "");
  return { path: file, blocks, prose, anchors: anchors(prose) };
}

/** As GitHub makes them: small letters, digits, - and _; a second one of a name gets -1. */
function anchors(prose: string): Set<string> {
  const found = new Set<string>();
  for (const [, title = ""] of prose.matchAll(/^#{1,6} (.+)$/gm)) {
    const name = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = name;
    for (let i = 1; found.has(anchor); i++) anchor = `${name}-${i}`;
    found.add(anchor);
  }
  return found;
}

/** Targets of links and pictures. */
export function links(prose: string): string[] {
  return [...prose.matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = ""]) => target);
}

/** The README, the guide, CONTRIBUTING.md, and those of the examples and benches. */
export function pages(): Page[] {
  const docs = fs.readdirSync(path.join(ROOT, "docs"), { recursive: true, encoding: "utf8" });
  const guide = docs.map((name) => name.replaceAll("\\", "/")).filter((name) => /^[^/]*(\/[^/]*)?\.md$/.test(name));
  const others = [
    "examples/README.md",
    "examples/fleet/README.md",
    "bench/README.md",
    "bench/http/README.md",
    "bench/server/README.md",
    "bench/transfer/README.md",
  ];
  return ["README.md", "CONTRIBUTING.md", ...guide.sort().map((name) => `docs/${name}`), ...others].map(page);
}
