// npm run soak:transfers -- --minutes N [--seed S] [--out DIR]: mixed load on `sendoff serve` and on bare sockets, with files
// replaced and workers restarted under it. Every whole body is checked, and in the end all is as it was.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { random } from "../lib/bytes.js";
import { COMMAND, childrenOf, until } from "../lib/command.js";
import { Clients, Cut } from "./clients.js";
import { Files, type Stock } from "./files.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    out: { type: "string", default: "build/soak" },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new RangeError(`--minutes must be a number above 0 (got '${values.minutes}')`);
const seed = Number(values.seed);
const out = resolve(values.out);

const CLIENTS = 12;
const WORKERS = 2;
/** A worker that lives for less than 5 s is a failure to `sendoff serve`. */
const RESTART_MS = 10_000;
const REPLACE_MS = 700;
/** As long after a restart a connection may be cut: what running downloads get, and a margin. */
const CUT_MS = 12_000;
/** What a server may hold on to that it did not have when it was warm: V8 gives freed pages back late, malloc in part. */
const RSS_TOLERANCE = 64 << 20;

interface Sample {
  seconds: number;
  process: string;
  pid: number;
  rss: number;
  fds: number;
  open: number | null;
  wasm: number | null;
}

const folder = fs.mkdtempSync(join(os.tmpdir(), "sendoff-soak-"));
const probes = join(folder, "probes");
fs.mkdirSync(probes);
const files = new Files(folder);
const children: ChildProcess[] = [];
const problems: string[] = [];
let stderr = "";

function start(args: string[]): ChildProcess {
  const probe = new URL("./probe.js", import.meta.url).href;
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: `--no-warnings --import ${probe}`, SOAK_PROBE: probes },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  children.push(child);
  return child;
}

/** What /proc and the probe say of a process; null where it has gone. */
function look(name: string, pid: number, seconds: number): Sample | null {
  try {
    const rss = Number(/^VmRSS:\s*(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
    const fds = fs.readdirSync(`/proc/${pid}/fd`).length;
    let said = { open: null, wasm: null };
    try {
      said = JSON.parse(fs.readFileSync(join(probes, String(pid)), "utf8"));
    } catch {} // it has not spoken yet, or is just speaking
    return { seconds, process: name, pid, rss, fds, ...said };
  } catch {
    return null;
  }
}

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

async function main(): Promise<void> {
  await files.make();
  const serve = start([COMMAND, "serve", "-p", "0", "-w", String(WORKERS), "--quiet", files.root]);
  await until("sendoff serve listens", () => /http:\/\/\S+:(\d+)\//.test(stderr) && /workers/.test(stderr));
  const port = Number(/http:\/\/\S+:(\d+)\//.exec(stderr)?.[1]);
  const bare = start([fileURLToPath(new URL("./bare.js", import.meta.url))]);
  const [line] = (await once(bare.stdout as NodeJS.EventEmitter, "data")) as [Buffer];
  const clients = new Clients(files, port, Number(line.toString()));
  const primary = serve.pid as number;
  /** This one is never restarted: it shows what the whole time does to a server. */
  const [lasting] = await childrenOf(primary);
  if (lasting === undefined) throw new Error("no worker");

  const began = performance.now();
  const clock = () => (performance.now() - began) / 1000;
  const samples: Sample[] = [];
  const sample = async (): Promise<Sample[]> => {
    const seconds = Math.round(clock() * 10) / 10;
    const workers = await childrenOf(primary);
    const all = [
      look("lasting worker", lasting, seconds),
      ...workers.filter((pid) => pid !== lasting).map((pid) => look("restarted worker", pid, seconds)),
      look("bare sockets", bare.pid as number, seconds),
    ].filter((one) => one !== null);
    samples.push(...all);
    return all;
  };

  // What each has open when it has answered some requests and is left alone.
  const some = random(seed);
  for (let i = 0; i < 20; i++) await clients.small(some);
  clients.close();
  await pause(1000);
  const first = Object.fromEntries((await sample()).map(({ process, fds }) => [process, fds]));

  let stopping = false;
  let restarts = 0;
  let restarted = Number.NEGATIVE_INFINITY;
  const unexplained: string[] = [];
  const load = async (i: number) => {
    const dice = random(seed * 1000 + i + 1);
    while (!stopping && problems.length < 10) {
      try {
        await clients.one(dice);
      } catch (error) {
        const { message } = error as Error;
        if (!(error instanceof Cut)) problems.push((error as Error).stack ?? message);
        else if (performance.now() - restarted < CUT_MS) clients.tally.cut++;
        else unexplained.push(message);
      }
    }
  };
  const replacing = async () => {
    const dice = random(seed + 7);
    while (!stopping) {
      await files.replace(files.all[dice(files.all.length)] as Stock);
      await pause(REPLACE_MS);
    }
  };
  const restarting = async () => {
    for (let i = 0; !stopping; i++) {
      await pause(RESTART_MS);
      const other = (await childrenOf(primary)).find((pid) => pid !== lasting);
      if (stopping || other === undefined) continue;
      restarted = performance.now();
      restarts++;
      process.kill(other, i % 2 === 0 ? "SIGTERM" : "SIGKILL");
    }
  };
  const sampling = async () => {
    while (!stopping) {
      await sample();
      await pause(1000);
    }
  };

  // Warm: every code path has been run, and the heap has found its size.
  const warming = Math.min(30, minutes * 15) * 1000;
  const running = [...Array.from({ length: CLIENTS }, (_, i) => load(i)), replacing(), sampling()];
  await pause(warming);
  const warm = Math.max(...samples.filter(({ process }) => process === "lasting worker").map(({ rss }) => rss));
  const warmBare = Math.max(...samples.filter(({ process }) => process === "bare sockets").map(({ rss }) => rss));
  running.push(restarting());
  await pause(minutes * 60_000 - warming);
  stopping = true;
  await Promise.all(running);
  clients.close();

  // The end: nothing is asked for any more.
  let last: Sample[] = [];
  const late = performance.now() + 30_000;
  do {
    await pause(1000);
    last = await sample();
  } while (
    last.some(({ open, fds, process }) => open !== 0 || fds > (first[process] ?? 0)) &&
    performance.now() < late
  );
  for (const { process, fds, open, rss } of last) {
    const atRest = first[process] as number;
    if (fds > atRest) problems.push(`${process}: ${fds} descriptors, ${atRest} at the start`);
    if (open !== 0) problems.push(`${process}: ${open} transfers are open`);
    const before = process === "bare sockets" ? warmBare : warm;
    if (rss > before + RSS_TOLERANCE)
      problems.push(`${process}: ${rss >> 20} MiB of memory, ${before >> 20} when warm`);
  }
  if (unexplained.length > 0)
    problems.push(`${unexplained.length} connections cut without a restart: ${unexplained[0]}`);

  const { tally } = clients;
  const report = {
    command: `npm run soak:transfers -- --minutes ${minutes} --seed ${seed}`,
    date: new Date().toISOString(),
    machine: { cpus: os.cpus().length, model: os.cpus()[0]?.model, kernel: os.release(), node: process.version },
    minutes,
    seed,
    restarts,
    replaced: files.replaced,
    tally,
    warm: { worker: warm, bare: warmBare, fds: first },
    end: last,
    problems,
    samples,
  };
  fs.mkdirSync(out, { recursive: true });
  const json = join(out, "soak.json");
  fs.writeFileSync(json, `${JSON.stringify(report)}\n`);
  const draw = fileURLToPath(new URL("../../../test/soak/draw.js", import.meta.url));
  execFileSync(process.execPath, [draw, json, join(out, "soak.svg")], { stdio: "inherit" });

  const gib = (tally.bytes / 2 ** 30).toFixed(1);
  console.log(`${report.command}\n${tally.whole} bodies, ${gib} GiB, each with the right digest`);
  console.log(JSON.stringify({ ...tally, restarts, replaced: files.replaced }));
  for (const { process, rss, fds, open, wasm } of last) {
    const before = process === "bare sockets" ? warmBare : warm;
    const memory = `${rss >> 20} MiB of memory (at most ${before >> 20} when warm)`;
    console.log(
      `${process}: ${memory}, ${fds} descriptors (${first[process]}), ${open} transfers open, ${wasm} bytes of Wasm`,
    );
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

try {
  await main();
} finally {
  for (const child of children) child.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true, force: true });
}
