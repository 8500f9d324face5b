// node draw.js FROM.json TO.svg: memory, descriptors and open transfers of each server process, over the time of a soak.

import { readFileSync, writeFileSync } from "node:fs";
import { parse, View } from "vega";
import { compile } from "vega-lite";

const [from = "", to = ""] = process.argv.slice(2);
const { samples, command, machine, restarts } = JSON.parse(readFileSync(from, "utf8"));

const PROCESSES = ["lasting worker", "restarted worker", "bare sockets"];
const ROWS = [
  ["resident memory, MiB", (/** @type {any} */ one) => one.rss / 2 ** 20],
  ["descriptors", (/** @type {any} */ one) => one.fds],
  ["open transfers", (/** @type {any} */ one) => one.open],
];

/** @param {any} row @param {boolean} last */
const panel = ([title, value], last) => ({
  width: 640,
  height: 130,
  data: {
    values: samples
      .filter((/** @type {any} */ one) => value(one) !== null)
      .map((/** @type {any} */ one) => ({
        t: one.seconds / 60,
        process: one.process,
        pid: one.pid,
        value: value(one),
      })),
  },
  mark: { type: "line", strokeWidth: 1.5 },
  encoding: {
    x: { field: "t", type: "quantitative", title: last ? "minutes" : null, axis: { grid: false } },
    y: { field: "value", type: "quantitative", title, axis: { tickCount: 5 } },
    detail: { field: "pid" },
    color: {
      field: "process",
      type: "nominal",
      title: null,
      scale: { domain: PROCESSES, range: ["#d9480f", "#f59f3a", "#7a8794"] },
      legend: last ? { orient: "bottom" } : null,
    },
  },
});

/** @type {any} */
const spec = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  title: {
    text: "Soak: sendoff serve with two workers, and a server on bare sockets",
    subtitle: `${command}; Node ${machine.node}, Linux ${machine.kernel}, ${machine.cpus} cores; ${restarts} restarts of one worker`,
    subtitlePadding: 4,
    offset: 12,
    anchor: "start",
  },
  vconcat: ROWS.map((row, i) => panel(row, i === ROWS.length - 1)),
  resolve: { scale: { color: "independent" } },
  padding: 16,
  background: "#ffffff",
  config: {
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: { titleFontWeight: "normal" },
  },
};

/** The picture brings its own background, so that it fits itself whatever page it is on. */
const DARK = `@media (prefers-color-scheme: dark) {
  svg > rect { fill: #0d1117 }
  text { fill: #e6edf3 }
  .role-axis-grid line { stroke: #30363d }
  .role-axis-tick line, .role-axis-domain line { stroke: #8b949e }
}`;

const svg = await new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
writeFileSync(to, `${svg.replace(/<svg[^>]*>/, (open) => `${open}<style>${DARK}</style>`)}\n`);
