// Runs the compiled tests on each runtime besides the one of `npm test`: whole on Node, by name where names are given. Deno and Bun are
// runtimes of the exit rows' children; the tests themselves are run by Node.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));
const all = "\\.test\\.js$";
const exits = "exit(?!-core).*\\.test\\.js$";

const runtimes = {
  node22: { test: here("node22/bin/node"), pattern: all },
  node24: { test: here("node24/bin/node"), pattern: all },
  node26: { test: here("node26/bin/node"), pattern: all },
  deno: { test: process.execPath, child: here(".bin/deno"), pattern: exits },
  bun: { test: process.execPath, child: here(".bin/bun"), pattern: exits },
};

const wanted = process.argv.slice(2);
const results = [];
for (const [name, { test, child, pattern }] of Object.entries(runtimes)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const path = child ?? test;
  if (!existsSync(path)) {
    results.push([name, "-", "not installed"]);
    continue;
  }
  const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0];
  console.log(`\n${name}: ${version}`);
  const env = child === undefined ? {} : { SENDOFF_TEST_RUNTIME: name, SENDOFF_TEST_RUNTIME_PATH: child };
  const { status } = spawnSync(test, ["node_modules/uvu/bin.js", "build/test", pattern], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  results.push([name, version, status === 0 ? "passed" : "FAILED"]);
}
console.table(results.map(([runtime, version, result]) => ({ runtime, version, result })));
if (results.some(([, , result]) => result === "FAILED")) process.exitCode = 1;
