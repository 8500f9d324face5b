// A test file in a process of its own, watched from outside: what it told of its tests (test/lib/suite.ts), and which
// one ran when it hung or died.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./suites.js";

/** Nothing was told for so long: it hangs where no timer of its own helps. More than test/lib/suite.ts allows a test. */
const SILENT_MS = 180_000;
/** All of a file, and of a program. */
const FILE_MS = 600_000;
const PROGRAM_MS = 1_800_000;
/** What is kept of its output, in characters. */
const KEPT = 1 << 20;

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {number} passed
 * @property {{ test: string, message: string }[]} failed
 * @property {string[]} skipped
 * @property {[test: string, ms: number, cpu: number][]} times
 * @property {number} ms
 * @property {number} cpu ms of its processes, where that is known
 * @property {string} output
 */

/** Groups of processes that run: a test's own children are in its group, and end with it. @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

function kill(child) {
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {} // all have ended
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    for (const child of running) kill(child);
    process.kill(process.pid, signal);
  });
}

/**
 * How an entry is run: `within` is put before its command, `root` is the folder of another copy of the project.
 *
 * @typedef {object} Setting
 * @property {string[]} [within]
 * @property {Record<string, string>} [env]
 * @property {string} [root]
 * @property {number} [silent] ms
 */

/** Runs an entry of a suite. @param {import("./suites.js").Entry} entry @param {Setting} setting @returns {Promise<Result>} */
export async function watch(entry, { within = [], env = {}, root = ROOT, silent = SILENT_MS } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "sendoff-run-"));
  chmodSync(folder, 0o777); // it may run as another user
  const journal = join(folder, "journal");
  const [command, ...args] = [...within, ...entry.command];
  const begin = performance.now();
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...entry.env, ...env, ...(entry.program ? {} : { SENDOFF_TEST_JOURNAL: journal }) },
    stdio: ["ignore", "pipe", "pipe"],
    detached: process.platform !== "win32",
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output = (output + text).slice(-KEPT);
      if (entry.program) process.stdout.write(text);
    });
  }
  const hung = watchdog(child, entry.program ? null : journal, silent);
  const status = await new Promise((resolve) => {
    child.once("error", ({ message }) => resolve(message));
    child.once("exit", () => kill(child)); // who it has left behind
    child.once("close", (code, signal) => resolve(signal ?? code));
  });
  running.delete(child);
  const reason = hung() ?? `ended by ${status}`;
  const { name } = entry;
  const ms = performance.now() - begin;
  const told = entry.program ? totals(output, status, name) : judge(read(journal), status, reason);
  rmSync(folder, { recursive: true, force: true });
  return { name, ms, output, ...told };
}

/** Kills what hangs. Returns a function that ends the watch, and tells why it was killed; null where it was not. */
function watchdog(child, journal, silent) {
  const begin = performance.now();
  const limit = journal === null ? PROGRAM_MS : FILE_MS;
  let reason = null;
  let size = 0;
  let last = begin;
  const look = () => {
    const now = performance.now();
    const told = journal === null ? 0 : (statSync(journal, { throwIfNoEntry: false })?.size ?? 0);
    if (told !== size) [size, last] = [told, now];
    if (now - begin > limit) reason = `hung: the whole is not over after ${limit} ms`;
    else if (journal !== null && now - last > (told === 0 ? SILENT_MS : silent))
      reason = `hung: no word for ${silent} ms`;
    if (reason !== null) kill(child);
  };
  const timer = setInterval(look, Math.min(1000, silent));
  return () => {
    clearInterval(timer);
    return reason;
  };
}

function read(journal) {
  try {
    return readFileSync(journal, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  } catch {
    return []; // it died before it wrote a line
  }
}

/** What became of the tests. A file that dies, or runs no test, has failed whatever its status. */
function judge(events, status, reason) {
  const of = (kind) => events.filter(({ event }) => event === kind);
  const failed = of("fail").map(({ name, message }) => ({ test: name, message }));
  const skipped = of("skip").map(({ name }) => name);
  const passed = of("pass").length;
  const last = events.at(-1);
  if (last?.event === "begin") failed.push({ test: last.name, message: `the process ${reason} while it ran` });
  else if (status !== 0 && failed.length === 0) {
    failed.push({ test: last === undefined ? "(before its first test)" : `(after ${last.name})`, message: reason });
  } else if (passed + failed.length + skipped.length === 0) failed.push({ test: "(none)", message: "it has no test" });
  const begun = new Map();
  const times = [];
  for (const { event, name, at, cpu } of events) {
    if (event === "begin") begun.set(name, { at, cpu });
    else if (begun.has(name)) times.push([name, at - begun.get(name).at, cpu - begun.get(name).cpu]);
  }
  return { passed, failed, skipped, times, cpu: last?.cpu ?? 0 };
}

/** Of a program: uvu's lines at its end; or it is one test itself. */
function totals(output, status, name) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const number = (key) => Number(new RegExp(`^ *${key}: +(\\d+)`, "m").exec(plain)?.[1] ?? Number.NaN);
  const [total, passed, skips] = [number("Total"), number("Passed"), number("Skipped")];
  if (Number.isNaN(total)) {
    const failed = status === 0 ? [] : [{ test: name, message: `status ${status}` }];
    return { passed: status === 0 ? 1 : 0, failed, skipped: [], times: [], cpu: 0 };
  }
  const said = [...plain.matchAll(/^(.*?) *(?:[\d.]+ s +)?NOT CAUGHT: (.*)$/gm)];
  const failed = Array.from({ length: total - passed }, (_, i) => {
    const [, test, message] = said[i] ?? ["", "see its output", "above"];
    return { test: test || "(a test)", message };
  });
  if (status !== 0 && failed.length === 0) failed.push({ test: name, message: `status ${status}` });
  return { passed, failed, skipped: Array.from({ length: skips }, () => "see its output"), times: [], cpu: 0 };
}
