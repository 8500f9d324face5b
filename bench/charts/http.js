// The chart of docs/http-bench.svg, drawn from the JSON of a run: a panel a size, a bar a server.

import { parse, View } from "vega";
import { compile } from "vega-lite";
import { bytes, median } from "./table.js";

/**
 * Requests per second at every size of the servers on one Node, and of those that need none.
 *
 * @param {any} data what run.js writes
 * @param {string} major the Node's version
 * @returns {Promise<string>} SVG, readable on light and on dark
 */
export async function chart(data, major) {
  const shown = data.speed.filter((/** @type {any} */ { node }) => node === null || node === major);
  if (shown.length === 0) throw new RangeError(`nothing was measured on Node ${major}`);
  const values = shown.flatMap((/** @type {any} */ { label, name, results }) =>
    Object.entries(results).map(([size, all]) => ({
      label: label.replace(`, Node ${major}`, "").replace("+register", " + register"),
      group: group(name),
      size: bytes(Number(size)),
      rate: median(all.map((/** @type {any} */ { rate }) => rate)),
    })),
  );
  const sizes = [...new Set(values.map(({ size }) => size))];
  const labels = [...new Set(values.map(({ label }) => label))];

  /** @type {import("vega-lite").TopLevelSpec} */
  const spec = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    data: { values },
    title: {
      text: "Files over HTTP: requests per second of one server process",
      subtitle: `Node ${major}, 16 connections, loopback; medians of ${data.runs}; longer is better; each size has its own scale`,
      subtitlePadding: 4,
      offset: 12,
      anchor: "start",
    },
    facet: { column: { field: "size", sort: sizes, header: { title: null, labelFontSize: 12 } } },
    spec: {
      width: 130,
      height: { step: 19 },
      mark: { type: "bar" },
      encoding: {
        y: { field: "label", type: "nominal", sort: labels, title: null },
        x: {
          field: "rate",
          type: "quantitative",
          title: "requests / s",
          axis: { format: "~s", labelExpr: "datum.value === 0 ? '0' : datum.label", tickCount: 3 },
        },
        color: {
          field: "group",
          type: "nominal",
          title: null,
          scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
          legend: { orient: "bottom", labelLimit: 300 },
        },
      },
    },
    resolve: { scale: { x: "independent" } },
    padding: 16,
    background: "#ffffff",
    config: {
      font: "system-ui, sans-serif",
      view: { stroke: null },
      axis: { labelLimit: 260, titleFontWeight: "normal" },
    },
  };
  const svg = await new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
  return `${svg.replace(/<svg[^>]*>/, (open) => `${open}<style>${DARK}</style>`)}\n`;
}

/** Told apart by lightness as well, and each of them seen on white and on black. */
const COLOURS = {
  sendoff: "#d9480f",
  "with --import sendoff/register": "#f59f3a",
  "without sendoff": "#7a8794",
};

/** The picture brings its own background, so that it fits itself whatever page it is on. */
const DARK = `@media (prefers-color-scheme: dark) {
  svg > rect { fill: #0d1117 }
  text { fill: #e6edf3 }
  .role-axis-grid line { stroke: #30363d }
  .role-axis-tick line, .role-axis-domain line { stroke: #8b949e }
}`;

/** @param {string} name */
function group(name) {
  if (name.endsWith("+register")) return "with --import sendoff/register";
  return ["respond", "serveStatic", "accelerate"].includes(name) ? "sendoff" : "without sendoff";
}
