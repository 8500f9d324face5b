// Requests per second: a panel a size, each with its own scale; a bar a server.

import { BARE, bars, picture, title } from "./picture.js";

/**
 * @param {object} chart
 * @param {any[]} chart.values have "label", "size", "rate" and "group"
 * @param {string} chart.what is served
 * @param {string} chart.how it was measured
 * @param {string[]} chart.labels in their order
 * @param {string[]} chart.sizes in theirs
 * @param {{ width: number, step: number, bar?: number, spacing: number, ticks: number }} chart.layout
 * @param {Record<string, string>} [chart.groups] colours
 */
export function rates({ values, what, how, labels, sizes, layout: { width, step, bar, spacing, ticks }, groups }) {
  return picture({
    data: { values },
    title: title(
      `${what}: requests per second of one server process`,
      `${how}, 16 connections, loopback`,
      "longer is better; each size has its own scale",
    ),
    facet: { column: { field: "size", sort: sizes, header: { title: null } } },
    bounds: "flush",
    spacing,
    spec: {
      width,
      height: { step },
      encoding: {
        y: { field: "label", type: "nominal", sort: labels, title: null },
        x: {
          field: "rate",
          type: "quantitative",
          title: "requests / s",
          axis: { ...BARE, format: "~s", labelExpr: "datum.value === 0 ? '0' : datum.label", tickCount: ticks },
        },
      },
      layer: bars("rate", ".3~s", groups, bar),
    },
    resolve: { scale: { x: "independent" } },
  });
}
