// The WASI command against `cat`: 1 GiB, warm, through a pipe to the same reader, by turns. Prints ratios of
// medians. npm run bench -- wasi [-- RUNS] [--json FILE]

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "./lib/numbers.js";
import { machine, write } from "./lib/rig.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const MiB = 1 << 20;
const SIZE = 1024 * MiB;
const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "string" } } });
const RUNS = Number(positionals[0] ?? 9);

const folder = mkdtempSync(join(tmpdir(), "sendoff-bench-"));
const file = join(folder, "file");
const env = { ...process.env, NODE: process.execPath, FOLDER: folder, FILE: file };
env.RUNNER = here("../test/wasi/hosts/node.js");
env.MODULE = here("../build/core.wasi.wasm");

const command = '"$NODE" --no-warnings "$RUNNER" "$MODULE" "$FOLDER" "$FILE"';
const senders = {
  cat: { line: 'cat "$FILE"', bytes: SIZE },
  command: { line: command, bytes: SIZE },
  start: { line: `${command} --count 1`, bytes: 1 }, // what is left of it without the bytes
};

function wall({ line, bytes }) {
  const begin = performance.now();
  const { stdout } = spawnSync("sh", ["-c", `${line} | wc -c`], { env, encoding: "utf8" });
  const ms = performance.now() - begin;
  if (Number(stdout) !== bytes) throw new Error(`${line}: ${stdout.trim()} of ${bytes} bytes arrived`);
  return ms;
}

try {
  const fd = openSync(file, "w");
  const piece = Buffer.alloc(MiB, "sendoff\n");
  for (let at = 0; at < SIZE; at += MiB) writeSync(fd, piece);
  closeSync(fd);
  const times = Object.fromEntries(Object.keys(senders).map((name) => [name, []]));
  for (let run = -1; run < RUNS; run++) {
    for (const [name, sender] of Object.entries(senders)) {
      const ms = wall(sender);
      if (run >= 0) times[name].push(ms); // the first warms up
    }
  }
  const { cat, command, start } = Object.fromEntries(Object.entries(times).map(([k, v]) => [k, median(v)]));
  const ms = (value) => `${value.toFixed(0)} ms`;
  console.log(
    `node:wasi of Node ${process.version}, module of ${readFileSync(env.MODULE).length} bytes, ${RUNS} runs each`,
  );
  console.log(`cat ${ms(cat)}, command ${ms(command)}, of which ${ms(start)} are the start of Node and the module`);
  console.log(
    `wall over cat: ${(command / cat).toFixed(2)}; without the start: ${((command - start) / cat).toFixed(2)}`,
  );
  if (values.json !== undefined) {
    const over = (ms) => ms.map((value, i) => value / times.cat[i]);
    const figures = [
      {
        node: process.versions.node.split(".")[0],
        whole: over(times.command),
        started: over(times.command.map((value, i) => value - times.start[i])),
      },
    ];
    write(values.json, "bench/wasi.js", { machine: machine(), runs: RUNS, size: SIZE, ms: times, figures });
  }
} finally {
  rmSync(folder, { recursive: true });
}
