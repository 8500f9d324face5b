// Figures in the pages stand in comments, which no reader sees: <!--figure RECORD.FIGURE-->1.39<!--/-->.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { shown } from "./format.js";

/**
 * @typedef {object} Mark
 * @property {number} line from 1 on
 * @property {string} key
 * @property {string} text
 *
 * @typedef {ReturnType<typeof import("./records.js").figures>} Figures
 */

/** What it shows is no comment: a mark that lacks its end takes nothing of the next one. */
const MARK = /<!--figure (\S+?)-->((?:(?!<!--).)*)<!--\/-->/g;
const BEGINS = /^\s*<!--figure\b/;
const HALF = /<!--\s*(?:figure\b|\/\s*-->)/;

/** The README and the guide, by their paths. @param {string} root of the project @returns {Map<string, string>} */
export function pages(root) {
  const guide = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((name) => `docs/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".md") && !name.includes("node_modules"));
  return new Map(["README.md", ...guide.sort()].map((name) => [name, readFileSync(join(root, name), "utf8")]));
}

/** @param {string} page @returns {Mark[]} */
export function marks(page) {
  return page
    .split("\n")
    .flatMap((text, i) => [...text.matchAll(MARK)].map(([, key, text]) => ({ line: i + 1, key, text })));
}

/** Lines with a mark that is not whole, or that begin with one: Markdown takes all of such a line for HTML. @param {string} page */
export function broken(page) {
  const lines = page.split("\n").map((line, i) => ({ line, number: i + 1 }));
  const wrong = lines.filter(({ line }) => HALF.test(line.replace(MARK, "")) || BEGINS.test(line));
  return wrong.map(({ number }) => number);
}

/** With the figures that there are; the others stay as they are. @param {string} page @param {Figures} figures */
export function filled(page, figures) {
  return page.replace(MARK, (whole, key) => {
    const figure = figures.get(key);
    return figure?.value === undefined ? whole : `<!--figure ${key}-->${shown(figure)}<!--/-->`;
  });
}
