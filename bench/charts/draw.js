// Draws the charts: NAME.svg, and beside it NAME.json, which holds no more than what it is drawn from.
//
//   node bench/charts/draw.js --from build/bench    from what the benchmarks wrote
//   node bench/charts/draw.js                       again, from docs/charts/*.json
//
//   [--to DIR]       default: docs/charts
//   [--only NAME,…]  default: every chart whose data are there

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as concurrency from "./concurrency.js";
import * as cpu from "./cpu.js";
import * as lag from "./lag.js";
import { record } from "./record.js";
import * as requests from "./requests.js";
import * as server from "./server.js";
import * as sizes from "./sizes.js";

/** @type {Record<string, { bench: string, values: (data: any) => any[], draw: (record: any) => Promise<string> }>} */
const CHARTS = { cpu, requests, server, lag, concurrency, sizes };

const { values } = parseArgs({
  options: {
    from: { type: "string" },
    to: { type: "string", default: fileURLToPath(new URL("../../docs/charts", import.meta.url)) },
    only: { type: "string", default: Object.keys(CHARTS).join() },
  },
});
const only = values.only.split(",");
if (only.some((name) => CHARTS[name] === undefined))
  throw new RangeError(`--only knows ${Object.keys(CHARTS).join(", ")}`);

const read = (/** @type {string} */ path) => JSON.parse(readFileSync(path, "utf8"));
mkdirSync(values.to, { recursive: true });
for (const name of only) {
  const chart = CHARTS[name];
  const json = join(values.to, `${name}.json`);
  const source = values.from === undefined ? json : join(values.from, `${chart.bench}.json`);
  if (!existsSync(source)) {
    console.log(`${name}: left out, there is no ${source}`);
    continue;
  }
  const data = values.from === undefined ? read(source) : record(read(source), chart.values);
  if (data.values.length === 0) {
    console.log(`${name}: left out, not measured in ${source}`);
    continue;
  }
  writeFileSync(join(values.to, `${name}.svg`), await chart.draw(data));
  if (values.from !== undefined) writeFileSync(json, text(data));
  console.log(`${name}: ${join(values.to, `${name}.svg`)}`);
}

/** A line a value: small, and a changed one is seen. @param {any} data */
function text({ values, ...rest }) {
  const rows = values.map((/** @type {any} */ row) => `    ${JSON.stringify(row)}`).join(",\n");
  return `${JSON.stringify(rest, null, 2).slice(0, -2)},\n  "values": [\n${rows}\n  ]\n}\n`;
}
