// From many runs to what a chart shows of them.

import { median as middle } from "../../lib/numbers.js";

export { bytes } from "../../lib/numbers.js";

/** Rounded, so that what is kept of a run stays small; null where nothing was measured. @param {number[]} values */
export function median(values) {
  const measured = values.filter(Number.isFinite);
  return measured.length === 0 ? null : Number(middle(measured).toPrecision(4));
}

export const ours = (/** @type {string} */ name) => name.startsWith("sendoff");
