// node build/test/simulation/run.js --schedules N --seed S [--exhaustive] [--connections] [--core FILE]: plays N schedules,
// or N lives of connections, the first by seed S, to the release build. At the first that fails it prints a row of a test,
// or the seed, and exits with 1.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Connections } from "./connections.js";
import { DEPTH, exhaustive } from "./exhaustive.js";
import { type Schedule, schedule } from "./schedule.js";
import { compile, play, report, shrink } from "./simulate.js";

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Date.now()) },
    connections: { type: "boolean", default: false },
    exhaustive: { type: "boolean", default: false },
    core: { type: "string" },
  },
});
const schedules = integer("schedules");
const seed = integer("seed");
const core = compile(readFileSync(values.core ?? new URL("../../core.wasm", import.meta.url)));

const began = performance.now();
let played = 0;
if (values.connections) for (; played < schedules; played++) live(seed + played);
else if (values.exhaustive)
  for (const each of exhaustive(DEPTH)) check(each, "node build/test/simulation/run.js --exhaustive");
else {
  for (; played < schedules; ) {
    const at = seed + played;
    check(schedule(at), `node build/test/simulation/run.js --schedules 1 --seed ${at}`);
  }
}
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const from = values.exhaustive ? `all to depth ${DEPTH}` : `seeds ${seed} to ${seed + played - 1}`;
const what = values.connections ? "lives of connections" : "schedules";
console.log(`${played} ${what} in ${seconds} s, ${from}: no byte lost, none sent twice`);

function check(each: Schedule, command: string): void {
  // A long run says how far it is: who ends it knows what was played.
  if (++played % 50_000 === 0) console.error(`${played - 1} schedules were right`);
  const wrong = play(core, each);
  if (wrong === null) return;
  console.error(`schedule ${played}: ${wrong}\n${command}\n\n${report(core, shrink(core, each))}`);
  process.exit(1);
}

function live(seed: number): void {
  try {
    new Connections(core, seed).play();
  } catch (error) {
    console.error(`seed ${seed}: ${(error as Error).stack}`);
    process.exit(1);
  }
}

function integer(name: "schedules" | "seed"): number {
  const n = Number(values[name]);
  if (Number.isSafeInteger(n) && n >= 0 && values[name] !== "") return n;
  console.error(`--${name} must be an integer from 0 to 2^53 - 1`);
  process.exit(2);
}
