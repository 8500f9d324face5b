// The event loop's lag, warm and cold: median, 99th percentile and maximum of each sender, on a line.

import { COLOURS, picture, title } from "./picture.js";
import { bytes, median, ours } from "./values.js";

/** Numbers of the scenarios in bench/transfer, and what they are. */
const PANELS = { 2: "64 clients, warm", 3: "one client, cold disk" };
const MARKS = ["p50", "p99", "max"];

/** @param {any} data what bench/transfer/run.js writes */
export function values({ size, results }) {
  return Object.entries(PANELS).flatMap(([scenario, panel]) =>
    Object.entries(results[scenario] ?? {})
      .filter(([sender]) => !sender.includes("unprobed")) // not what anybody runs
      .flatMap(([sender, runs]) =>
        MARKS.map((mark) => ({
          panel,
          size,
          sender,
          mark,
          ms: median(runs.map((/** @type {any} */ { lag }) => lag[mark])),
        })),
      ),
  );
}

/** @param {any} record @returns {Promise<string>} */
export function draw({ values, about }) {
  const senders = [...new Set(values.map((/** @type {any} */ { sender }) => sender))];
  const y = { field: "sender", type: "nominal", sort: senders, title: null };
  const axis = {
    values: [0, 0.5, 1, 2, 5, 10, 20, 50, 100],
    grid: true,
    labelOverlap: false,
    tickSize: 6,
    format: "~g",
  };
  /** @param {string} mark @param {object} place */
  const value = (mark, place) => ({
    transform: [{ filter: `datum.mark === '${mark}'` }],
    mark: { type: "text", fontSize: 11, ...place },
    encoding: { text: { field: "ms", type: "quantitative", format: ".2r" }, color: { value: "black" } },
  });
  const color = {
    condition: { test: "datum.ours", value: COLOURS.sendoff },
    value: COLOURS.other,
  };
  return picture({
    title: title(
      `How long the event loop is held up while ${bytes(values[0].size)} is sent`,
      `${about}; medians of each trial's p50, p99 and maximum`,
      "further left is better; orange: sendoff; p99 and maximum have their numbers",
      "the axis is logarithmic from 1 ms on",
    ),
    data: { values: values.map((/** @type {any} */ row) => ({ ...row, ours: ours(row.sender) })) },
    facet: { column: { field: "panel", type: "nominal", sort: Object.values(PANELS), header: { title: null } } },
    bounds: "flush",
    spacing: 50,
    spec: {
      width: 270,
      height: { step: 32 },
      encoding: {
        y,
        x: {
          field: "ms",
          type: "quantitative",
          title: "event loop's lag, ms",
          scale: { type: "symlog", constant: 1 },
          axis,
        },
        color,
      },
      layer: [
        { mark: { type: "line", strokeWidth: 2, opacity: 0.6 }, encoding: { detail: { field: "sender" } } },
        {
          mark: { type: "point", filled: true, size: 90, opacity: 1 },
          encoding: {
            shape: {
              field: "mark",
              title: null,
              sort: MARKS,
              scale: { domain: MARKS, range: ["circle", "diamond", "triangle-left"] },
              legend: { orient: "bottom", symbolFillColor: COLOURS.other, symbolStrokeColor: COLOURS.other },
            },
          },
        },
        value("p99", { dy: -11 }),
        value("max", { align: "left", dx: 8 }),
      ],
    },
  });
}
