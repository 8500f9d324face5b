// The records of published runs, docs/figures/NAME.json: what was run, where, and what it found.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { taken } from "./query.js";

/**
 * @typedef {object} Figure
 * @property {string} what in words
 * @property {number} [value] left out where the record's own `values` have it
 * @property {[number, number]} [quartiles]
 * @property {string} [unit] left out of a ratio
 * @property {number} [digits] significant ones that the pages show: see format.js
 * @property {import("./query.js").Query} [from] where it stands in the record's `values`, or in what its bench writes
 *
 * @typedef {object} Published
 * @property {string} [bench] whose --json it is made of; left out where nothing writes it
 * @property {string} about
 * @property {string} [date]
 * @property {string} command
 * @property {Record<string, string | null> | string} machine
 * @property {any[]} [values] what a chart is drawn from
 * @property {Record<string, Figure>} [figures] those of the pages
 */

export const FOLDER = "docs/figures";

/** By name. @param {string} root of the project @returns {Map<string, Published>} */
export function read(root) {
  const names = readdirSync(join(root, FOLDER)).filter((name) => name.endsWith(".json"));
  return new Map(names.sort().map((name) => [name.slice(0, -".json".length), parsed(join(root, FOLDER, name))]));
}

/** @param {string} file @returns {any} an object */
export function parsed(file) {
  try {
    const value = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value !== "object" || value === null) throw new TypeError("no object");
    return value;
  } catch (error) {
    throw new Error(`${file}: ${/** @type {Error} */ (error).message}`, { cause: error });
  }
}

/** All figures by the keys that pages have, "RECORD.FIGURE", each with its value. @param {Map<string, Published>} records */
export function figures(records) {
  return new Map(
    [...records].flatMap(([name, record]) =>
      Object.entries(record.figures ?? {}).map(([key, figure]) => [
        `${name}.${key}`,
        { ...figure, value: figure.value ?? (record.values && taken(record, figure.from)?.value) },
      ]),
    ),
  );
}

/** A line a value and a figure: a changed one is seen. @param {Published} record */
export function text({ values, figures, ...rest }) {
  const list = values?.map((row) => `    ${JSON.stringify(row)}`).join(",\n");
  const entries = Object.entries(figures ?? {}).map(
    ([key, one]) => `    ${JSON.stringify(key)}: ${JSON.stringify(one)}`,
  );
  return [
    JSON.stringify(rest, null, 2).slice(0, -2),
    ...(list ? [`  "values": [\n${list}\n  ]`] : []),
    ...(entries.length > 0 ? [`  "figures": {\n${entries.join(",\n")}\n  }`] : []),
  ]
    .join(",\n")
    .concat("\n}\n");
}
