// Servers of folders: requests per second, a panel a size, a bar a server.

import { rates } from "./rates.js";
import { median } from "./values.js";

/** Rows of bench/server, and their panels. */
const PANELS = { "peers-4k": "4 KiB", "peers-64k": "64 KiB" };
/** Not what anybody can install. */
const BEFORE = "sendoff serve, before";

/** @param {any} data what bench/server/run.js writes */
export function values({ labels, results }) {
  const node = labels["sendoff serve"].match(/Node \d+/)[0];
  return Object.entries(PANELS).flatMap(([row, size]) =>
    Object.entries(results[row] ?? {})
      .filter(([server, runs]) => server !== BEFORE && runs.length > 0)
      .map(([server, runs]) => ({
        label: labels[server].replace(" -q", "").replace(`, ${node}`, ""),
        group: server === "loop" || server.startsWith("sendoff") ? "sendoff" : "others",
        node,
        size,
        rate: median(runs.map((/** @type {any} */ { rate }) => rate)),
      })),
  );
}

/** @param {any} record @returns {Promise<string>} */
export function draw({ values, about }) {
  const first = values.filter((/** @type {any} */ { size }) => size === values[0].size);
  const labels = first
    .toSorted((/** @type {any} */ a, /** @type {any} */ b) => b.rate - a.rate)
    .map((/** @type {any} */ { label }) => label);
  return rates({
    values,
    what: "A folder over HTTP",
    how: `${about}; ${values[0].node}`,
    labels,
    sizes: Object.values(PANELS),
    layout: { width: 270, step: 23, spacing: 60, ticks: 4 },
  });
}
