// npm run bench -- transfer: runs the scenarios one after the other, and says which figures were reached.
//
//   node bench/transfer/run.js [--only 1,5] [--runs N] [--tries N] [--size BYTES] [--transfers N]
//                               [--against CHECKOUT] [--json FILE]

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { table } from "../lib/numbers.js";
import { write } from "../lib/rig.js";
import { TransferRig } from "./rig.js";
import * as call from "./scenarios/call.js";
import * as chunk from "./scenarios/chunk.js";
import * as cold from "./scenarios/cold.js";
import * as concurrency from "./scenarios/concurrency.js";
import * as copy from "./scenarios/copy.js";
import * as many from "./scenarios/many.js";
import * as sizes from "./scenarios/sizes.js";
import * as stalled from "./scenarios/stalled.js";
import * as threshold from "./scenarios/threshold.js";
import * as warm from "./scenarios/warm.js";
import { verdicts } from "./table.js";

/**
 * @typedef {object} Options
 * @property {number} runs rounds of every comparison
 * @property {number} size bytes of the large transfers
 * @property {string | undefined} against another checkout, whose sendoff is measured beside ours by the first scenario
 * @property {number} transfers small ones of each measurement in the scenarios that grow
 */

const SCENARIOS = [warm, many, cold, stalled, copy, call, threshold, chunk, concurrency, sizes];

const { values } = parseArgs({
  options: {
    only: { type: "string", default: SCENARIOS.map((_, i) => i + 1).join() },
    runs: { type: "string", default: "5" },
    size: { type: "string", default: String(2 ** 30) },
    transfers: { type: "string", default: "4000" },
    tries: { type: "string", default: "1" },
    against: { type: "string" },
    json: { type: "string" },
  },
});
const runs = Number(values.runs);
const size = Number(values.size);
const tries = Number(values.tries);
const transfers = Number(values.transfers);
const only = values.only.split(",").map(Number);
if (!(runs >= 1 && runs <= 1000)) throw new RangeError(`--runs must be 1 to 1000 (got ${values.runs})`);
if (!(tries >= 1 && tries <= 100)) throw new RangeError(`--tries must be 1 to 100 (got ${values.tries})`);
if (!(size >= 2 ** 20 && size <= 2 ** 34)) throw new RangeError(`--size must be 1 MiB to 16 GiB (got ${values.size})`);
if (!(transfers >= 100 && transfers <= 1e6)) throw new RangeError(`--transfers must be 100 to 1e6`);
if (only.some((n) => SCENARIOS[n - 1] === undefined)) throw new RangeError(`--only knows 1 to ${SCENARIOS.length}`);
if (!existsSync(new URL("../../build/core.wasm", import.meta.url))) throw new Error("npm run build comes first");

const against = values.against && resolve(values.against);
const rig = new TransferRig({ tries });
const machine = rig.machine();
table(
  ["machine", ""],
  Object.entries(machine).map(([name, value]) => [name, value ?? "not at hand"]),
);

/** @type {Record<string, unknown>} */
const raw = {};
/** @type {import("./table.js").Verdict[]} */
const all = [];
for (const n of only) {
  const scenario = SCENARIOS[n - 1];
  console.log(`\n## ${n}. ${scenario.title}\n`);
  try {
    const { results, verdicts: reached } = await scenario.run(rig, { runs, size, transfers, against });
    raw[n] = results instanceof Map ? Object.fromEntries(results) : results;
    if (reached.length > 0) {
      console.log("");
      verdicts(reached);
    }
    all.push(...reached.map((verdict) => ({ scenario: scenario.title, ...verdict })));
  } catch (error) {
    console.error(error); // the others are worth having
    process.exitCode = 1;
  }
}
if (values.json !== undefined) {
  const record = { machine, runs, size, transfers, verdicts: all, results: raw };
  write(values.json, "bench/transfer/run.js", record);
}
process.exit();
