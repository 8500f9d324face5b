// What the charts of growing costs have in common: a line a sender, by colour, and a dash for the second Node.

import { COLOURS } from "./picture.js";

/**
 * @param {object} panel
 * @param {string} panel.title
 * @param {object} panel.x encoding
 * @param {object} panel.y encoding
 * @param {any[]} panel.values with `way` and `node`
 * @param {string} panel.unit the y axis's title
 * @param {number} panel.width
 */
export function lines({ title, x, y, values, unit, width }) {
  const rows = values.map((row) => ({ ...row, series: `${row.way}, ${row.node}` }));
  const nodes = [...new Set(values.map(({ node }) => node))];
  const series = ["sendoff", "pipe()"].flatMap((way) => nodes.map((node) => ({ way, node, name: `${way}, ${node}` })));
  const field = { field: "series", type: "nominal", title: null };
  const domain = series.map(({ name }) => name);
  const colours = series.map(({ way }) => (way === "sendoff" ? COLOURS.sendoff : COLOURS.other));
  const dashes = series.map(({ node }) => (node === nodes[0] ? [1, 0] : [5, 3]));
  const legend = { orient: "bottom", columns: 4, symbolType: "stroke", symbolSize: 500, symbolStrokeWidth: 2.5 };
  // A mark, which stands at the same height in all panels: a title makes room for what stands out of its plot.
  const heading = {
    data: { values: [{}] },
    mark: { type: "text", text: title, align: "left", fontSize: 13, fontWeight: "bold" },
    encoding: { x: { value: 0 }, y: { value: -18 }, color: { value: "black" } },
  };
  return {
    data: { values: rows },
    width,
    height: 230,
    encoding: {
      x: { type: "quantitative", ...x },
      y: { type: "quantitative", title: unit, ...y },
      color: { ...field, scale: { domain, range: colours }, legend },
    },
    layer: [
      {
        mark: { type: "line", strokeWidth: 2.5 },
        encoding: { strokeDash: { ...field, scale: { domain, range: dashes }, legend } },
      },
      { mark: { type: "point", filled: true, size: 45, opacity: 1 } },
      heading,
    ],
  };
}
