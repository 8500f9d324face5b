// Where a figure stands in results: { "at": ["figures"], "where": { "row": "serve" }, "field": "ratios" }.

import { median, quantile } from "../lib/numbers.js";

/**
 * @typedef {object} Query
 * @property {string[]} [at] the way to a list of results; "*" is every entry of one. Default: ["values"], a chart's
 * @property {Record<string, any>} [where] what the list's entries must have; of an array, one of
 * @property {string} [field] of each entry, a number or one for each round: "ratios", "lag.p99", "user + system".
 *   Left out where the entries are numbers
 * @property {Query} [over] divides each by another; has what it leaves out from this one
 * @property {number} [times] a factor, of units: 0.001 makes ms of µs
 * @property {number} [per] divides this by each: 1e6 makes requests a second of µs a request
 * @property {"median" | "least" | "most"} [take] default: median
 */

const TAKE = {
  median,
  least: (/** @type {number[]} */ values) => Math.min(...values),
  most: (/** @type {number[]} */ values) => Math.max(...values),
};

/** undefined where it was not measured. @param {any} data @param {Query} [query] @returns {{ value: number, quartiles?: [number, number] } | undefined} */
export function taken(data, query) {
  if (query === undefined) return undefined;
  const values = numbers(data, query);
  if (values.length === 0 || !values.every(Number.isFinite)) return undefined;
  const { take = "median" } = query;
  const value = round(TAKE[take](values));
  if (take !== "median" || values.length < 3) return { value };
  return { value, quartiles: [round(quantile(values, 0.25)), round(quantile(values, 0.75))] };
}

/** @param {any} data @param {Query} query @returns {number[]} */
function numbers(data, query) {
  const { at = ["values"], where = {}, field, over, times = 1, per, ...rest } = query;
  const values = at
    .reduce(
      (found, step) => found.flatMap((one) => (step === "*" ? Object.values(one ?? {}) : (one?.[step] ?? []))),
      [data],
    )
    .filter((one) => Object.entries(where).every(([key, wanted]) => [wanted].flat().includes(one[key])))
    .flatMap((one) => (field === undefined ? one : (sum(one, field) ?? [])))
    .map((value) => (per === undefined ? value * times : per / value));
  if (over === undefined) return values;
  const under = numbers(data, { ...rest, at, field, ...over, where: { ...where, ...over.where } });
  return values.length === under.length ? values.map((value, i) => value / under[i]) : [];
}

/** @param {any} entry @param {string} field @returns {number | number[] | undefined} */
function sum(entry, field) {
  const parts = field.split(" + ").map((part) => part.split(".").reduce((within, step) => within?.[step], entry));
  return parts.length === 1 ? parts[0] : parts.reduce((all, part) => all + part, 0);
}

const round = (/** @type {number} */ value) => Number(value.toPrecision(4));
