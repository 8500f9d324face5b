// What a transfer costs as there are more of them at once, from 1 to 10,000.

import { lines } from "./lines.js";
import { picture, title } from "./picture.js";
import { bytes, median } from "./values.js";

const SCENARIO = 9;
/** With fewer, what the collector leaves of the process itself is more than they need. */
const FEW = 100;

/** @param {any} data what bench/transfer/run.js writes */
export function values({ results }) {
  const { size, readers, rows } = results[SCENARIO] ?? { rows: [] };
  return rows.map((/** @type {any} */ { what, count, way, node, ms, memory }) => ({
    what,
    count,
    way,
    node,
    size,
    readers,
    ms: median(ms),
    kb: memory.length > 0 && count >= FEW ? median(memory.map((/** @type {number} */ each) => each / 1000)) : null,
  }));
}

/** @param {any} record @returns {Promise<string>} */
export function draw({ values, about }) {
  const [{ size, readers }] = values;
  const of = (/** @type {string} */ kind) => values.filter((/** @type {any} */ { what }) => what === kind);
  const x = (/** @type {string} */ title, /** @type {number} */ from) => ({
    field: "count",
    title,
    scale: { type: "log", domain: [from, 10_000] },
    axis: { values: [1, 10, 100, 1000, 10_000], format: "~s", labelOverlap: false },
  });
  const ms = { field: "ms", scale: { zero: true } };
  return picture({
    title: title(
      "What one transfer costs the sender as concurrency grows",
      `${about}; ${bytes(size)} each, warm; lower is better`,
    ),
    hconcat: [
      lines({
        width: 205,
        title: "All of them read",
        values: of("active"),
        x: x("transfers at once", 1),
        y: ms,
        unit: "CPU, ms per transfer",
      }),
      lines({
        width: 205,
        title: `${readers} read, beside so many that stall`,
        values: of("beside"),
        x: x("stalled transfers", 1),
        y: ms,
        unit: "CPU, ms per transfer",
      }),
      lines({
        width: 205,
        title: "Memory of each that stalls",
        values: of("beside").filter((/** @type {any} */ { kb }) => kb !== null),
        x: x("stalled transfers", FEW),
        y: { field: "kb", scale: { zero: true } },
        unit: "RSS, kB per transfer",
      }),
    ],
    bounds: "flush",
    spacing: 75,
  });
}
