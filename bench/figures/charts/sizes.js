// What a transfer costs as the file grows, from 1 byte to 4 GiB.

import { lines } from "./lines.js";
import { picture, title } from "./picture.js";
import { bytes, median } from "./values.js";

const SCENARIO = 10;

/** @param {any} data what bench/transfer/run.js writes */
export function values({ results }) {
  const { rows } = results[SCENARIO] ?? { rows: [] };
  return rows.map((/** @type {any} */ { size, way, node, ms }) => ({
    size,
    way,
    node,
    ms: median(ms),
  }));
}

/** @param {any} record @returns {Promise<string>} */
export function draw({ values, about }) {
  const sizes = [...new Set(values.map((/** @type {any} */ { size }) => size))];
  const labels = Object.fromEntries(sizes.map((size) => [size, bytes(size)]));
  const x = {
    field: "size",
    title: "size of the file",
    scale: { type: "log", base: 2 },
    axis: { values: sizes, labelExpr: `${JSON.stringify(labels)}[datum.value]`, labelAngle: -45, labelOverlap: false },
  };
  const decades = [0.01, 0.1, 1, 10, 100, 1000, 10_000];
  const pipe = (/** @type {any} */ { size, node }) =>
    values.find((/** @type {any} */ row) => row.way === "pipe()" && row.size === size && row.node === node).ms;
  return picture({
    title: title(
      "What one transfer costs the sender as the file grows",
      `${about}; one after the other, warm; lower is better`,
    ),
    hconcat: [
      lines({
        width: 330,
        title: "CPU; both axes logarithmic",
        values,
        x,
        y: { field: "ms", scale: { type: "log" }, axis: { values: decades, format: "~g" } },
        unit: "CPU, ms per transfer",
      }),
      lines({
        width: 330,
        title: "The same, over that of pipe()",
        values: values.map((/** @type {any} */ row) => ({ ...row, ratio: row.ms / pipe(row) })),
        x,
        y: { field: "ratio", scale: { zero: true } },
        unit: "ratio of CPU times",
      }),
    ],
    bounds: "flush",
    spacing: 85,
  });
}
