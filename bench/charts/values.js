// From many runs to what a chart shows of them.

/** Rounded, so that what is kept of a run stays small. @param {number[]} values */
export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const half = sorted.length >> 1;
  const middle = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return Number(middle.toPrecision(4));
}

export const ours = (/** @type {string} */ name) => name.startsWith("sendoff");

/** 1 KiB, 4 GiB. @param {number} size */
export function bytes(size) {
  const unit = Math.min(3, Math.floor(Math.log2(size) / 10));
  return `${size / 1024 ** unit} ${["B", "KiB", "MiB", "GiB"][unit]}`;
}
