// What a scenario says of its senders: medians, and figures with their targets.

import { median, table } from "../lib/numbers.js";

/** The median over a sender's runs of what `pick` takes from each. @param {Map<string, import("./rig.js").Result[]>} results @param {string} name @param {(result: import("./rig.js").Result) => number} pick */
export function middle(results, name, pick) {
  return median((results.get(name) ?? []).map(pick));
}

export const cpu = (/** @type {import("./rig.js").Result} */ { user, system }) => user + system;
export const wall = (/** @type {import("./rig.js").Result} */ result) => result.wall;
export const p99 = (/** @type {import("./rig.js").Result} */ { lag }) => lag?.p99 ?? Number.NaN;
export const worst = (/** @type {import("./rig.js").Result} */ { lag }) => lag?.max ?? Number.NaN;

export const netP99 = (/** @type {import("./rig.js").Result} */ { net }) => net?.p99 ?? Number.NaN;
export const netWorst = (/** @type {import("./rig.js").Result} */ { net }) => net?.max ?? Number.NaN;

/** The medians of every sender, in the order in which they ran. @param {Map<string, import("./rig.js").Result[]>} results */
export function medians(results) {
  const fixed = (/** @type {number} */ value, /** @type {number} */ digits) =>
    Number.isNaN(value) || value === undefined ? "" : value.toFixed(digits);
  table(
    [
      "medians",
      "CPU s",
      "user",
      "system",
      "wall s",
      "wall min-max",
      "lag p50 ms",
      "p99",
      "max",
      "net p99",
      "max",
      "max RSS MB",
    ],
    [...results].map(([name, runs]) => [
      name,
      fixed(median(runs.map(cpu)), 3),
      fixed(median(runs.map((run) => run.user)), 3),
      fixed(median(runs.map((run) => run.system)), 3),
      fixed(median(runs.map(wall)), 3),
      `${Math.min(...runs.map(wall)).toFixed(2)}-${Math.max(...runs.map(wall)).toFixed(2)}`,
      fixed(median(runs.map((run) => run.lag?.p50 ?? Number.NaN)), 1),
      fixed(median(runs.map(p99)), 1),
      fixed(median(runs.map(worst)), 1),
      fixed(median(runs.map(netP99)), 1),
      fixed(median(runs.map(netWorst)), 1),
      fixed(median(runs.map((run) => run.rss / 1e6)), 0),
    ]),
  );
}

/**
 * A figure of the table "Figures to reach".
 *
 * @typedef {{ measure: string, value: number, target: number, reached: boolean }} Verdict
 * @param {string} measure
 * @param {number} value
 * @param {number} target at most
 * @returns {Verdict[]} none where a part of it was not at hand
 */
export function verdict(measure, value, target) {
  return value === undefined || Number.isNaN(value) ? [] : [{ measure, value, target, reached: value <= target }];
}

/** @param {Verdict[]} verdicts */
export function verdicts(verdicts) {
  table(
    ["figure", "value", "at most", ""],
    verdicts.map(({ measure, value, target, reached }) => [
      measure,
      value < 10 ? value.toFixed(3) : value.toFixed(1),
      target,
      reached ? "reached" : "MISSED",
    ]),
  );
}
