// npm run bench: every benchmark, one after the other, each with its results in a file of JSON; then charts to look at.
// What is not installed is left out, and said; one that fails does not keep the others from running.
//
//   node bench/run.js [--only NAME,…] [--quick] [--out DIR]
//   node bench/run.js NAME [OPTION]...     one alone, with its own options; nothing is kept
//
//   --quick   a round or two each: for a look, not for figures
//   --out     default: build/bench; the charts go to charts/ in it

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { install } from "../install.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MIB = 1 << 20;

/**
 * @typedef {object} Bench
 * @property {string[]} packages folders whose lock file it needs installed
 * @property {string[]} script
 * @property {string[]} full options: the whole should stay under 45 minutes
 * @property {string[]} quick options: the whole should stay under 8
 */

/** @type {Record<string, Bench>} */
const BENCHES = {
  runtimes: {
    packages: ["test/runtimes"],
    script: ["bench/runtimes/run.js"],
    full: [],
    quick: ["--runs", "1", "--size", `${256 * MIB}`],
  },
  transfer: {
    packages: ["bench/transfer"],
    script: ["bench/transfer/run.js"],
    full: ["--runs", "3"],
    quick: ["--only", "2,3,9,10", "--runs", "1", "--size", `${256 * MIB}`, "--transfers", "500"],
  },
  http: {
    packages: ["bench/http", "bench/figures/charts"],
    script: ["bench/http/run.js"],
    full: ["--node", `${process.versions.node.split(".")[0]}`, "--runs", "5"],
    quick: [
      ...["--node", `${process.versions.node.split(".")[0]}`, "--runs", "1", "--scenario", "speed"],
      ...["--only", "respond,serveStatic,nginx,bun,deno,send,send+register"],
    ],
  },
  server: {
    packages: ["bench/http"],
    script: ["bench/server/run.js"],
    full: ["--runs", "3"],
    quick: ["--only", "4k,lag", "--runs", "1"],
  },
  exit: {
    packages: ["bench/exit-compare"],
    script: ["bench/exit-compare/run.js"],
    full: [],
    quick: ["--only", "sendoff"],
  },
  fleet: {
    packages: ["bench/fleet"],
    script: ["bench/fleet/run.js"],
    full: [],
    quick: ["--only", "sendoff", "--rounds", "1"],
  },
  wasi: { packages: [], script: ["bench/wasi.js"], full: [], quick: ["1"] },
};

/** @type {import("node:child_process").ChildProcess | undefined} */
let running;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.on(signal, () => {
    running?.kill(signal); // it has servers to end
    process.exit(1);
  });
}

const [name = "", ...own] = process.argv.slice(2);
if (!name.startsWith("-") && name !== "") {
  known([name], "npm run bench --");
  process.exit(await alone(name, own));
}

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(BENCHES).join() },
    quick: { type: "boolean", default: false },
    out: { type: "string", default: join(ROOT, "build/bench") },
  },
});
const only = values.only.split(",");
known(only, "--only");
const out = resolve(values.out);
mkdirSync(out, { recursive: true });

const seconds = (/** @type {number} */ since) => Math.round((performance.now() - since) / 1e3);
const time = (/** @type {number} */ s) => `${Math.floor(s / 60)} min ${s % 60} s`;

const begin = performance.now();
const benches = [];
for (const name of only) {
  const { packages, script, ...options } = BENCHES[name];
  const json = join(out, `${name}.json`);
  const args = [...script, ...options[values.quick ? "quick" : "full"]];
  const command = ["node", ...args].join(" ");
  console.log(`\n# ${name}: ${command}\n`);
  rmSync(json, { force: true }); // or an older result would pass for this run's
  const start = performance.now();
  await packed(packages);
  const status = await run(...args, "--json", json);
  benches.push({ name, command, status, seconds: seconds(start), load: loadavg()[0] });
}

console.log("\n# charts\n");
const drawn = await run("bench/figures/run.js", "--from", out, "--to", join(out, "charts"));

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const record = { date: new Date().toISOString(), version, commit: commit(), quick: values.quick, benches };
writeFileSync(join(out, "run.json"), `${JSON.stringify(record, null, 2)}\n`);
console.log("");
for (const { name, status, seconds } of benches) {
  console.log(`${name}: ${time(seconds)}${status === 0 ? "" : `, FAILED (${status})`}`);
}
if (drawn !== 0) console.log(`charts: FAILED (${drawn})`);
console.log(
  `${time(seconds(begin))} in all; results in ${out}: npm run figures -- --from ${out} takes them into the documents`,
);
process.exitCode = drawn === 0 && benches.every(({ status }) => status === 0) ? 0 : 1;

/** @param {string[]} names @param {string} who */
function known(names, who) {
  const stranger = names.find((name) => BENCHES[name] === undefined);
  if (stranger !== undefined)
    throw new RangeError(`${who} knows ${Object.keys(BENCHES).join(", ")} (got '${stranger}')`);
}

/** @param {string[]} folders */
async function packed(folders) {
  for (const folder of folders) {
    const missing = await install(folder);
    if (missing !== null) console.log(`${missing}; what it would bring is left out`);
  }
}

/** Runs a script from the root of the project. Returns how it ended: 0, another status or a signal. @param {string[]} args @returns {Promise<number | string>} */
function run(...args) {
  return new Promise((resolve) => {
    running = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
    running.on("error", ({ message }) => resolve(message));
    running.on("exit", (code, signal) => resolve(code ?? /** @type {string} */ (signal)));
  });
}

/** @param {string} name @param {string[]} options */
async function alone(name, options) {
  const { packages, script } = BENCHES[name];
  await packed(packages);
  const status = await run(...script, ...options);
  return typeof status === "number" ? status : 1;
}

/** null outside of a clone. */
function commit() {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  } catch {
    return null;
  }
}
