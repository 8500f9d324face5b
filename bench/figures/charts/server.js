// Servers of folders: requests per second, a panel a size, a bar a server.

import { BARE, bars, picture, title } from "./picture.js";
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
  return picture({
    data: { values },
    title: title(
      "A folder over HTTP: requests per second of one server process",
      `${about}; ${values[0].node}, 16 connections, loopback`,
      "longer is better; each size has its own scale",
    ),
    facet: { column: { field: "size", sort: Object.values(PANELS), header: { title: null } } },
    bounds: "flush",
    spacing: 60,
    spec: {
      width: 270,
      height: { step: 23 },
      encoding: {
        y: { field: "label", type: "nominal", sort: labels, title: null },
        x: {
          field: "rate",
          type: "quantitative",
          title: "requests / s",
          axis: { ...BARE, format: "~s", labelExpr: "datum.value === 0 ? '0' : datum.label", tickCount: 4 },
        },
      },
      layer: bars("rate", ".3~s"),
    },
    resolve: { scale: { x: "independent" } },
  });
}
