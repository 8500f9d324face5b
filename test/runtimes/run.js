// Runs the compiled tests on each runtime besides the one of `npm test`, or on those that are named:
// whole on Node; on Deno and Bun the files listed here, each in a process of its own, as plain programs.
//
//   node run.js [node22 | node24 | node26 | deno | bun]... [-- FILE...]
//
// What a runtime lacks, and why, is in test/lib/runtime.ts.

import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

/** Longer than any file takes on a busy machine: it ends one that hangs, nothing else. */
const WATCHDOG_MS = 600_000;

/** The suite: the core, the exit half, transfers, the web half. */
const core = ["abi", "core.faults", "core.records", "core.transitions", "simulation", "exit-core"];
const exits = ["exit-recipe", "exit-ways"];
const transfers = ["conformance", "pitfalls.files", "pitfalls.kernel", "pitfalls.sockets", "pitfalls.streams", "drain"];
const web = ["respond", "static", "register", "register.flow"];
const suite = [...core, ...exits, ...transfers, ...web];

/** The exit rows are about children and their wait status: Node watches, the runtime is the child's. */
const watched = ["exit"];

const runtimes = {
  node22: { path: here("node22/bin/node") },
  node24: { path: here("node24/bin/node") },
  node26: { path: here("node26/bin/node") },
  deno: { path: here(".bin/deno"), args: ["run", "-A", "--no-lock"], files: [...suite, "deno"], watched },
  bun: { path: here(".bin/bun"), args: [], files: [...suite, "bun"], watched },
};

/**
 * Runs a program and lets its output through. One that ends without uvu's totals, by a crash or because
 * nothing keeps it alive, or without a test, has failed whatever its exit code, and counts as one failed test.
 */
async function passes(path, args, env = {}) {
  const child = spawn(path, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, FORCE_COLOR: "1", ...env },
  });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), WATCHDOG_MS);
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    process.stdout.write(text);
    out = (out + text).slice(-10_000);
  });
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal ?? code));
  });
  clearTimeout(watchdog);
  const total = /^ {2}Total: +[1-9]/m.test(out);
  if (!total) console.log(`\nended without totals: ${status}\n\n  Total:     1\n  Passed:    0\n  Skipped:   0`);
  return total && status === 0;
}

const separator = process.argv.indexOf("--");
const wanted = process.argv.slice(2, separator < 0 ? undefined : separator);
const named = separator < 0 ? null : process.argv.slice(separator + 1);
const chosen = (files) => files.filter((file) => named === null || named.includes(file));

const results = [];
for (const [name, { path, args, files, watched }] of Object.entries(runtimes)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (!existsSync(path)) {
    results.push({ runtime: name, version: "-", result: "not installed" });
    continue;
  }
  const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0];
  const failed = [];
  const run = async (what, ...command) => {
    console.log(`\n${name} (${version}): ${what}`);
    if (!(await passes(...command))) failed.push(what);
  };
  const uvu = (pattern) => ["node_modules/uvu/bin.js", "build/test", pattern];
  if (files === undefined) {
    await run("all", path, uvu(named === null ? "\\.test\\.js$" : `(${named.join("|")})\\.test\\.js$`));
  } else {
    const env = { SENDOFF_TEST_RUNTIME: name, SENDOFF_TEST_RUNTIME_PATH: path };
    for (const file of chosen(files)) await run(file, path, [...args, `build/test/${file}.test.js`], env);
    for (const file of chosen(watched)) await run(file, process.execPath, uvu(`^${file}\\.test\\.js$`), env);
  }
  results.push({ runtime: name, version, result: failed.length === 0 ? "passed" : `FAILED: ${failed.join(", ")}` });
}
console.table(results);
if (results.some(({ result }) => result.startsWith("FAILED"))) process.exitCode = 1;
