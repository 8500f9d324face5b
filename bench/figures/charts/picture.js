// From a Vega-Lite specification to an SVG that is readable on light and on dark pages: it brings its own background,
// and both follow the reader's colour scheme.

import { parse, View } from "vega";
import { compile } from "vega-lite";
import { textMetrics } from "vega-scenegraph";

/** Of a character, in parts of its height: wide sans-serif fonts have that. Vega's own 0.8 leaves margins everywhere. */
const CHARACTER = 0.6;
textMetrics.width = (item, text) => CHARACTER * String(text ?? "").length * textMetrics.height(item);

/** Told apart by lightness as well, and each of them seen on white and on black. */
export const COLOURS = { sendoff: "#d9480f", register: "#f59f3a", other: "#7a8794" };

const DARK = `@media (prefers-color-scheme: dark) {
  svg > rect { fill: #0d1117 }
  text { fill: #e6edf3 }
  .role-axis-grid line { stroke: #30363d }
  .role-axis-tick line, .role-axis-domain line { stroke: #8b949e }
}`;

/**
 * @param {string} text
 * @param {string[]} subtitle lines: what was measured, and which way is better
 */
export function title(text, ...subtitle) {
  return {
    text,
    subtitle,
    subtitlePadding: 5,
    subtitleLineHeight: 17,
    fontSize: 16,
    subtitleFontSize: 12.5,
    offset: 14,
    anchor: /** @type {const} */ ("start"),
    frame: /** @type {const} */ ("group"), // in line with the plot and its panels' headings
  };
}

/** Without a grid: the values stand at the bars. */
export const BARE = { grid: false };

const TWO = { sendoff: COLOURS.sendoff, others: COLOURS.other };

/**
 * Bars with their values at the ends, by a field "group".
 *
 * @param {string} field
 * @param {string} format
 * @param {Record<string, string>} [groups] colours
 * @param {number} [height]
 */
export const bars = (field, format, groups = TWO, height = 16) => [
  {
    mark: { type: /** @type {const} */ ("bar"), height },
    encoding: {
      color: {
        field: "group",
        type: /** @type {const} */ ("nominal"),
        title: null,
        scale: { domain: Object.keys(groups), range: Object.values(groups) },
        legend: { orient: /** @type {const} */ ("bottom"), gridAlign: /** @type {const} */ ("none") },
      },
    },
  },
  {
    mark: { type: /** @type {const} */ ("text"), align: /** @type {const} */ ("left"), dx: 5, fontSize: 12 },
    encoding: { text: { field, type: /** @type {const} */ ("quantitative"), format } },
  },
];

/** @param {Omit<import("vega-lite").TopLevelSpec, "$schema">} spec @returns {Promise<string>} */
export async function picture(spec) {
  const whole = /** @type {import("vega-lite").TopLevelSpec} */ ({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    padding: 16,
    background: "#ffffff",
    ...spec,
    config: {
      font: "system-ui, -apple-system, sans-serif",
      view: { stroke: null },
      axis: {
        labelLimit: 280,
        labelFlush: false,
        labelFontSize: 12,
        titleFontSize: 12.5,
        titleFontWeight: "normal",
        titlePadding: 8,
      },
      legend: { labelFontSize: 12.5, labelLimit: 320, symbolSize: 110 },
      header: { labelFontSize: 13, labelFontWeight: "bold", labelAnchor: "start" },
    },
  });
  const svg = await new View(parse(compile(whole).spec), { renderer: "none" }).toSVG();
  return `${svg.replace(/<svg[^>]*>/, (open) => `${open}<style>${DARK}</style>`)}\n`;
}
