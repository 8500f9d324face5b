// node draw.js FROM.json TO.svg: memory, descriptors and open transfers of each server process, over the time of a soak.

import { readFileSync, writeFileSync } from "node:fs";
import { COLOURS, picture, title } from "../../bench/figures/charts/picture.js";

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
      scale: { domain: PROCESSES, range: [COLOURS.sendoff, COLOURS.register, COLOURS.other] },
      legend: last ? { orient: "bottom" } : null,
    },
  },
});

const svg = await picture(
  /** @type {any} */ ({
    title: title(
      "Soak: sendoff serve with two workers, and a server on bare sockets",
      `${command}; Node ${machine.node}, Linux ${machine.kernel}, ${machine.cpus} cores; ${restarts} restarts of one worker`,
    ),
    vconcat: ROWS.map((row, i) => panel(row, i === ROWS.length - 1)),
    resolve: { scale: { color: "independent" } },
  }),
);
writeFileSync(to, svg);
