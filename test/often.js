// npm run test:often: the tests again and again, under conditions that find what fails once in a hundred. By hand:
// all of it takes hours.
//
//   node test/often.js [CONDITION | FILE]... [--times N]
//
//   CONDITION  which (--help names them), several at once by a plus. Default: each once, all in two
//   FILE       only the files of this name
//   --times    how often each file is run under each. Default: 20

import { spawn } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  symlinkSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ANY, ROOT } from "./suites.js";
import { watch } from "./watch.js";

/**
 * @typedef {object} Condition
 * @property {string} about
 * @property {() => string | null} lacks why it can't be had here
 * @property {(scratch: string) => { setting?: Parameters<typeof watch>[1], end?: () => void }} begin `scratch` is a folder for its use
 */

const CORES = availableParallelism();
const PATH = (process.env.PATH ?? "").split(delimiter);
const linux = () => (process.platform === "linux" ? null : "needs Linux");
const needs = (program) => (find(program) === null ? `no ${program} on this machine` : linux());

function find(program) {
  for (const folder of PATH) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {} // the next one
  }
  return null;
}

/** The first of these folders that is on a file system of this magic number: statfs(2). */
function on(magic, folders) {
  return folders.find((folder) => {
    try {
      return statfsSync(folder).type === magic;
    } catch {
      return false;
    }
  });
}

/** TMPDIR on such a file system. @returns {Condition} */
function temp(name, magic) {
  const where = on(magic, [tmpdir(), "/dev/shm", "/var/tmp", ROOT]);
  let folder = "";
  return {
    about: `TMPDIR on ${name}`,
    lacks: () => (where === undefined ? `no ${name} was found` : null),
    begin() {
      folder = mkdtempSync(join(where, "sendoff-often-"));
      chmodSync(folder, 0o777);
      return { setting: { env: { TMPDIR: folder } }, end: () => rmSync(folder, { recursive: true, force: true }) };
    },
  };
}

const MISSING = ["openssl", "mkfifo", "curl", "python", "python3", "cc", "c99", "gcc", "clang", "musl-gcc"];

/** @type {Record<string, Condition>} */
const CONDITIONS = {
  quiet: { about: "nothing else", lacks: () => null, begin: () => ({}) },
  busy: {
    about: "a busy loop on each core",
    lacks: () => null,
    begin() {
      const loops = Array.from({ length: CORES }, () =>
        spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
      );
      const end = () => {
        for (const loop of loops) loop.kill("SIGKILL");
      };
      process.once("exit", end);
      return { end };
    },
  },
  core: {
    about: "all on one core",
    lacks: () => needs("taskset"),
    begin: () => ({ setting: { within: ["taskset", "-c", "0"] } }),
  },
  tmpfs: temp("tmpfs", 0x01021994),
  ext4: temp("ext4", 0xef53),
  user: {
    about: "as another user than root",
    lacks: () => (process.getuid?.() === 0 ? needs("setpriv") : "only root can be another user"),
    begin(scratch) {
      const within = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      return { setting: { within, env: { TMPDIR: scratch, HOME: scratch } } };
    },
  },
  files: {
    about: "256 descriptors",
    lacks: linux,
    begin: () => ({ setting: { within: ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh"] } }),
  },
  path: {
    about: "in a path with a space and an umlaut",
    lacks: () => null,
    begin(scratch) {
      const root = join(scratch, "a path with ü");
      const filter = (path) => !/(^|[\\/])(node_modules|\.git)$/.test(path);
      cpSync(ROOT, root, { recursive: true, filter });
      symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"), "junction");
      return { setting: { root } };
    },
  },
  bare: {
    about: `without ${MISSING.join(", ")}`,
    lacks: linux,
    begin(scratch) {
      const folder = join(scratch, "bin");
      mkdirSync(folder);
      const names = new Set(PATH.flatMap((path) => entries(path)).filter((name) => !MISSING.includes(name)));
      for (const name of names) {
        const found = find(name);
        if (found !== null) symlinkSync(found, join(folder, name));
      }
      return { setting: { env: { PATH: folder } } };
    },
  },
};

/** Each condition once, in as few runs as they allow: what fails under several is looked for under each alone. */
const ALL = ["busy+user+files+bare+tmpfs", "core+path+ext4"];

/** All that is joined by a plus. @param {string} names @returns {Condition} */
function condition(names) {
  const parts = names.split("+").map((name) => CONDITIONS[name]);
  return {
    about: parts.map(({ about }) => about).join(", "),
    lacks: () => parts.map(({ lacks }) => lacks()).find((reason) => reason !== null) ?? null,
    begin(scratch) {
      const begun = parts.map(({ begin }) => begin(scratch));
      const settings = begun.map(({ setting = {} }) => setting);
      return {
        setting: {
          ...Object.assign({}, ...settings),
          within: settings.flatMap(({ within = [] }) => within),
          env: Object.assign({}, ...settings.map(({ env }) => env)),
        },
        end() {
          for (const { end } of begun) end?.();
        },
      };
    },
  };
}

const isCondition = (word) => word.split("+").every((name) => CONDITIONS[name] !== undefined);

function entries(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return []; // PATH may name what is not there
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: "string", default: "20" }, help: { type: "boolean", short: "h", default: false } },
});
if (values.help) {
  console.log("node test/often.js [CONDITION | FILE]... [--times N]\n");
  for (const [name, { about }] of Object.entries(CONDITIONS)) console.log(`  ${name.padEnd(8)}${about}`);
  process.exit();
}
const times = Number(values.times);
if (!(Number.isInteger(times) && times > 0))
  throw new RangeError(`--times must be a whole number (got '${values.times}')`);
const chosen = positionals.filter(isCondition);
const files = positionals.filter((word) => !isCondition(word));
const all = ANY.entries().filter(({ name }) => files.length === 0 || files.includes(name));
if (all.length === 0) throw new RangeError(`no test file is called ${files.join(", ")}`);

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
let runs = 0;
/** @type {string[]} */
const failures = [];
/** @type {string[]} */
const lines = [];

for (const name of chosen.length > 0 ? chosen : ALL) {
  const { about, lacks, begin } = condition(name);
  console.log(`\n${name}: ${about}`);
  const reason = lacks();
  if (reason !== null) {
    lines.push(`${name}: skipped, ${reason}`);
    console.log(`skipped: ${reason}`);
    continue;
  }
  const scratch = mkdtempSync(join(tmpdir(), "sendoff-often-"));
  chmodSync(scratch, 0o777);
  const { setting = {}, end = () => {} } = begin(scratch);
  const told = new Map(all.map((entry) => [entry.name, { runs: 0, failed: 0, skipped: 0, ms: 0 }]));
  const waiting = Array.from({ length: times }, () => all).flat();
  const worker = async () => {
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      const { failed, skipped, ms, output } = await watch(entry, setting);
      const count = told.get(entry.name);
      count.runs++;
      count.skipped = skipped.length;
      count.ms += ms;
      if (failed.length > 0) {
        count.failed++;
        for (const { test, message } of failed)
          failures.push(`${name}, ${entry.name}: ${test}: ${message.trim().split("\n", 1)[0]}`);
        console.log(`\n${entry.name}, run ${count.runs}\n${output.trimEnd()}\n`);
      }
      if (count.runs < times) continue;
      const counts = `${count.runs} runs, ${count.failed} failed, ${count.skipped} tests skipped`;
      console.log(`${entry.name.padEnd(28)} ${seconds(count.ms / times).padStart(7)}  ${counts}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: CORES }, worker));
  } finally {
    end();
    rmSync(scratch, { recursive: true, force: true });
  }
  const counts = [...told.values()];
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
  runs += sum("runs");
  lines.push(`${name}: ${sum("runs")} runs of ${all.length} files, ${sum("failed")} failed`);
}

console.log(`\n${lines.join("\n")}`);
if (failures.length > 0) console.log(`\nFailed:\n  ${failures.join("\n  ")}`);
console.log(`\n${runs} runs, ${failures.length} failures`);
if (failures.length > 0) process.exitCode = 1;
