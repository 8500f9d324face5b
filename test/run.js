// Runs suites of tests: npm test, or npm test -- SUITE... Each file is a process of its own, two at a time for
// each core. What failed, and what was skipped and why, is said again at the end.
//
//   node test/run.js [SUITE | FILE]... [--times]
//
//   SUITE    test/suites.js has them. Default: fast
//   FILE     only the files of this name, or whose names have this in them: of these suites, or of all that need Node alone
//   --times  how much CPU time each file took, and which tests took longest and most, too

import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { install } from "../install.js";
import { ANY, GROUPS, SUITES } from "./suites.js";
import { watch } from "./watch.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
});
if (values.help) {
  console.log("node test/run.js [SUITE | FILE]... [--times]\n");
  for (const [name, { about }] of Object.entries(SUITES)) console.log(`  ${name.padEnd(11)}${about}`);
  for (const [name, suites] of Object.entries(GROUPS)) console.log(`  ${name.padEnd(11)}${suites.join(", ")}`);
  process.exit();
}

const suites = positionals.flatMap((word) => GROUPS[word] ?? (SUITES[word] === undefined ? [] : [word]));
const words = positionals.filter((word) => GROUPS[word] === undefined && SUITES[word] === undefined);
if (suites.length === 0) suites.push(words.length === 0 ? "fast" : "files");

/** How many files run at a time: each waits, for processes and timers, for almost half of its time. */
const AT_ONCE = 2 * availableParallelism();

const line = (text) => text.trim().split("\n", 1)[0];
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const begin = performance.now();

/** @type {import("./watch.js").Result[]} */
const results = [];
/** How long each suite took. @type {string[]} */
const parts = [];

function tell(result) {
  const { name, passed, failed, skipped, ms, cpu, output } = result;
  results.push(result);
  const counts = [`${passed} passed`];
  if (failed.length > 0) counts.unshift(`${failed.length} FAILED`);
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
  const took = values.times ? `${seconds(ms).padStart(7)} ${seconds(cpu).padStart(7)} CPU` : seconds(ms).padStart(7);
  console.log(`${name.padEnd(28)} ${took}  ${counts.join(", ")}`);
  if (failed.length > 0) console.log(`\n${output.trimEnd()}\n`);
}

const nothing = { passed: 0, failed: [], skipped: [], times: [], ms: 0, cpu: 0, output: "" };

/** One that could not be run at all. */
const lost = (name, message) => tell({ ...nothing, name, failed: [{ test: "(all)", message }], output: message });

for (const name of suites) {
  const start = performance.now();
  const { packages, lacks, entries } = SUITES[name] ?? ANY;
  const reason = lacks?.() ?? null;
  if (reason !== null) {
    tell({ ...nothing, name, skipped: [`(all) (${reason})`] });
    continue;
  }
  const missing = [];
  for (const folder of packages) missing.push(await install(folder));
  const wrong = missing.find((reason) => reason !== null);
  const all = wrong === undefined ? entries() : [];
  const named = (word) => all.filter((entry) => entry.name === word || entry.name === `${name} ${word}`);
  const like = (word) => (named(word).length > 0 ? named(word) : all.filter((entry) => entry.name.includes(word)));
  const waiting = words.length === 0 ? [...all] : [...new Set(words.flatMap(like))];
  if (all.length === 0) lost(name, wrong ?? "there is nothing to run");
  const worker = async () => {
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) tell(await watch(entry));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  parts.push(`${name.padEnd(28)} ${seconds(performance.now() - start).padStart(7)}`);
  console.log("");
}
if (results.length === 0) lost(words.join(" "), "no file has such a name");

function most(title, of) {
  const times = results.flatMap(({ name, times }) => times.map((time) => ({ name, test: time[0], ms: of(time) })));
  console.log(title);
  for (const { name, test, ms } of times.sort((a, b) => b.ms - a.ms).slice(0, 40)) {
    console.log(`  ${seconds(ms).padStart(7)}  ${name}: ${test}`);
  }
  console.log("");
}

if (values.times) {
  most("What took longest:", ([, ms]) => ms);
  most("What took most CPU time:", ([, , cpu]) => cpu);
}

const skipped = results.flatMap(({ name, skipped }) => skipped.map((test) => `  ${name}: ${test}`));
const failed = results.flatMap(({ name, failed }) =>
  failed.map(({ test, message }) => `  ${name}: ${test}: ${line(message)}`),
);
const passed = results.reduce((sum, { passed }) => sum + passed, 0);
if (skipped.length > 0) console.log(`Skipped:\n${skipped.join("\n")}\n`);
if (failed.length > 0) console.log(`Failed:\n${failed.join("\n")}\n`);
console.log([...parts, `${"".padEnd(28)} ${seconds(performance.now() - begin).padStart(7)}`].join("\n"));
console.log(`\n${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
if (failed.length > 0) process.exitCode = 1;
