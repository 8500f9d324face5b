// npm run bench:runtimes: 1 GiB from the page cache to one client, in each runtime, against that runtime's own
// best way and a C loop.
//
//   node bench/runtimes/run.js [--only bun] [--runs N] [--size BYTES] [--json FILE]

import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Rig } from "../transfer/rig.js";
import { table, verdicts } from "../transfer/table.js";
import * as bun from "./bun.js";

/** @type {Record<string, typeof bun>} */
const RUNTIMES = { bun };

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(RUNTIMES).join() },
    runs: { type: "string", default: "5" },
    size: { type: "string", default: String(2 ** 30) },
    json: { type: "string" },
  },
});
const runs = Number(values.runs);
const size = Number(values.size);
const only = values.only.split(",");
if (!(runs >= 1 && runs <= 1000)) throw new RangeError(`--runs must be 1 to 1000 (got ${values.runs})`);
if (!(size >= 2 ** 20 && size <= 2 ** 34)) throw new RangeError(`--size must be 1 MiB to 16 GiB (got ${values.size})`);
if (only.some((name) => !(name in RUNTIMES))) throw new RangeError(`--only knows ${Object.keys(RUNTIMES).join()}`);
if (!existsSync(new URL("../../build/core.wasm", import.meta.url))) throw new Error("npm run build comes first");

const rig = new Rig();
const machine = rig.machine();
table(
  ["machine", ""],
  Object.entries(machine).map(([name, value]) => [name, value ?? "not at hand"]),
);

/** @type {Record<string, unknown>} */
const raw = {};
/** @type {import("../transfer/table.js").Verdict[]} */
const all = [];
for (const name of only) {
  console.log(`\n## ${RUNTIMES[name].title}\n`);
  const found = await RUNTIMES[name].run(rig, { runs, size });
  if (found === null) {
    console.log("not installed: npm ci --prefix test/runtimes");
    continue;
  }
  raw[name] = Object.fromEntries(found.results);
  console.log("");
  verdicts(found.verdicts);
  all.push(...found.verdicts);
}
if (values.json !== undefined) {
  const date = new Date().toISOString();
  const text = JSON.stringify({ date, machine, runs, size, verdicts: all, results: raw }, null, 2);
  writeFileSync(values.json, `${text}\n`);
}
process.exit();
