// The chart of docs/http-bench.svg, drawn from the JSON of a run: a panel a size, a bar a server.

import { parse, View } from "vega";
import { compile } from "vega-lite";
import { bytes, median } from "./table.js";

/** Requests per second of every server at every size, as an SVG that is readable on light and on dark. @param {any} data */
export async function chart(data) {
  const values = data.speed.flatMap((/** @type {any} */ { label, name, results }) =>
    Object.entries(results).map(([size, all]) => ({
      label,
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
      text: "Files over HTTP: requests per second, one server process, 16 connections",
      subtitle: `medians of ${data.runs} rounds; longer is better; each size has its own scale`,
      anchor: "start",
    },
    facet: { column: { field: "size", sort: sizes, header: { title: null, labelFontSize: 12 } } },
    spec: {
      width: 170,
      height: { step: 19 },
      mark: { type: "bar" },
      encoding: {
        y: { field: "label", type: "nominal", sort: labels, title: null },
        x: { field: "rate", type: "quantitative", title: "requests/s", axis: { format: "~s", tickCount: 3 } },
        color: {
          field: "group",
          type: "nominal",
          title: null,
          scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
          legend: { orient: "bottom" },
        },
      },
    },
    resolve: { scale: { x: "independent" } },
    padding: 16,
    background: "#ffffff",
    config: { font: "system-ui, sans-serif", view: { stroke: null }, axis: { labelLimit: 260 } },
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
