// Medians, quantiles, an interval for a median, and tables.

/** Linear between the nearest two; NaN values are left out. @param {number[]} values @param {number} p 0 to 1 */
export function quantile(values, p) {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const at = (sorted.length - 1) * p;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

/** @param {number[]} values */
export const median = (values) => quantile(values, 0.5);

/** Median, and quartiles, as text. @param {number[]} values */
export function spread(values) {
  if (values.length === 0) return ["", ""];
  const [low, middle, high] = [0.25, 0.5, 0.75].map((p) => quantile(values, p).toFixed(2));
  return [middle, `${low}-${high}`];
}

/**
 * The 95 % confidence interval of the median, by order statistics: no distribution is assumed. From 6 values on; NaN below.
 *
 * @param {number[]} values
 * @returns {[number, number]}
 */
export function interval(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  // The chance that the median lies outside of the k smallest and the k largest values: 2 * P(B(n, 1/2) < k).
  let chance = 2 ** -n;
  let below = 0;
  let k = 0;
  while (2 * (below + chance) <= 0.05) {
    below += chance;
    k++;
    chance *= (n - k + 1) / k;
  }
  return k === 0 ? [Number.NaN, Number.NaN] : [sorted[k - 1], sorted[n - k]];
}

/** Columns as wide as they have to be; numbers to the right. @param {string[]} head @param {(string | number)[][]} rows */
export function table(head, rows) {
  const cells = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const line = (/** @type {string[]} */ row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join("  ")
      .trimEnd();
  console.log(
    [line(cells[0]), widths.map((width) => "-".repeat(width)).join("  "), ...cells.slice(1).map(line)].join("\n"),
  );
}

/** 1 KiB, 4 GiB. @param {number} size */
export function bytes(size) {
  const unit = Math.min(3, Math.floor(Math.log2(size) / 10));
  return `${size / 1024 ** unit} ${["B", "KiB", "MiB", "GiB"][unit]}`;
}
