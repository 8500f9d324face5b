// Every row on every package, in real processes; prints a table, and what was seen instead where a row fails.
//
//   node bench/exit-compare/run.js [--only PACKAGE,…] [--json FILE]

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machine, write } from "../lib/rig.js";
import { names } from "./packages.mjs";
import { rows, sleep } from "./rows.mjs";

const PROGRAM = fileURLToPath(new URL("program.mjs", import.meta.url));
/** Longer than every limit that the packages were given. */
const WATCHDOG_MS = 5000;

const { values } = parseArgs({
  options: { only: { type: "string", default: names.join() }, json: { type: "string" } },
});
const chosen = values.only.split(",");
if (chosen.some((name) => !names.includes(name))) throw new RangeError(`--only knows ${names.join(", ")}`);

async function once(name, row) {
  const { act, pause } = rows[row];
  const folder = mkdtempSync(join(tmpdir(), "exit-compare-"));
  const file = join(folder, "said");
  const lines = () => {
    try {
      return readFileSync(file, "utf8").split("\n").slice(0, -1);
    } catch {
      return [];
    }
  };
  const env = { ...process.env, SAID: file };
  const child = spawn(process.execPath, [PROGRAM, name, row], { env, stdio: ["ignore", "pipe", "pipe"] });
  let hung = false;
  const watchdog = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, WATCHDOG_MS);
  const said = async (line) => {
    while (!lines().includes(line) && child.exitCode === null && child.signalCode === null) await sleep(2);
  };
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const first = stdout === "";
    stdout += text;
    if (!first || act === undefined) return;
    if (pause) {
      child.stdout.pause();
      setTimeout(() => child.stdout.resume(), 300);
    }
    act(child, said);
  });
  const status = await new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  clearTimeout(watchdog);
  const ended = { lines: lines(), status, stdout, stderr, hung };
  rmSync(folder, { recursive: true, force: true });
  return ended;
}

/** null, or what was seen instead. */
function fault(row, { lines, status, stdout, stderr, hung }) {
  const wanted = rows[row];
  if (hung) return `did not end; said ${lines}`;
  if (lines.join() !== wanted.said.join()) return `said ${lines.join(" ") || "nothing"}, status ${status}`;
  if (wanted.status !== null && status !== wanted.status) return `status ${status}`;
  if (wanted.stderr !== undefined && !wanted.stderr.test(stderr)) return "stderr";
  if (wanted.stdout !== undefined && stdout.length !== wanted.stdout) return `${stdout.length} bytes`;
  return null;
}

const failures = [];
const table = [];
/** What became of each row, in the order of `chosen`. */
const results = {};
for (const row of Object.keys(rows)) {
  const cells = [];
  for (const name of chosen) {
    const times = rows[row].times ?? 1;
    let bad = 0;
    let last = null;
    for (let i = 0; i < times; i++) {
      const why = fault(row, await once(name, row));
      if (why !== null) bad++;
      last = why ?? last;
    }
    cells.push(bad === 0 ? "yes" : times === 1 ? "no" : `no: ${bad} of ${times} lost`);
    if (bad > 0) failures.push(`${name}: ${row}: ${last}`);
  }
  results[row] = cells;
  table.push(`| ${row} | ${cells.join(" | ")} |`);
}
console.log(`Node ${process.version}, ${process.platform}\n`);
console.log(`| row | ${chosen.join(" | ")} |\n|${" --- |".repeat(chosen.length + 1)}`);
console.log(table.join("\n"));
console.log(`\n${failures.join("\n")}`);
if (values.json !== undefined) {
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
  const record = { machine: machine(), dependencies, packages: chosen, results, failures };
  write(values.json, "bench/exit-compare/run.js", record);
}
