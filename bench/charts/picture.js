// From a Vega-Lite specification to an SVG that is readable on light and on dark pages: it brings its own background,
// and both follow the reader's colour scheme.

import { parse, View } from "vega";
import { compile } from "vega-lite";

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
    frame: /** @type {const} */ ("bounds"),
  };
}

/** Bars of `sendoff` and of `others`, by a field "group", with their values at the ends. @param {string} field @param {string} format */
export const bars = (field, format) => [
  {
    mark: { type: /** @type {const} */ ("bar"), height: 16 },
    encoding: {
      color: {
        field: "group",
        type: /** @type {const} */ ("nominal"),
        title: null,
        scale: { domain: ["sendoff", "others"], range: [COLOURS.sendoff, COLOURS.other] },
        legend: { orient: /** @type {const} */ ("bottom") },
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
      axis: { labelLimit: 280, labelFontSize: 12, titleFontSize: 12.5, titleFontWeight: "normal", titlePadding: 8 },
      legend: { labelFontSize: 12.5, labelLimit: 320, symbolSize: 110 },
      header: { labelFontSize: 13, labelFontWeight: "bold" },
    },
  });
  const svg = await new View(parse(compile(whole).spec), { renderer: "none" }).toSVG();
  return `${svg.replace(/<svg[^>]*>/, (open) => `${open}<style>${DARK}</style>`)}\n`;
}
