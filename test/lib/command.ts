// The sendoff command as a real child process, in a folder of the test's own that is also its TMPDIR.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { lacks, RUN, runtime } from "./runtime.js";

export const COMMAND = fileURLToPath(new URL("../../cli/sendoff.js", import.meta.url));

/** The runtime's arguments. */
export const FLAGS = runtime === "node" ? ["--no-warnings"] : RUN;

/** A hung command is killed after so many ms: the test fails then by its signal. Nothing else is waited for longer. */
export const WATCHDOG = 60_000;

export interface Result {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Result>;
}

/** Another way to start a command: gets the usual command line. */
export type Wrap = (usual: readonly string[]) => readonly string[];

export function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  wrap: Wrap = (usual) => usual,
  limit = WATCHDOG,
): Running {
  // SENDOFF_* of the test run itself must not affect these tests.
  const { SENDOFF_MODE: _mode, SENDOFF_FFI: _ffi, SENDOFF_AUTH: _auth, ...inherited } = process.env;
  const [program = "", ...rest] = wrap([process.execPath, ...FLAGS, COMMAND, ...args]);
  const child = spawn(program, rest, {
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), limit);
  const ended = new Promise<Result>((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text) => (stderr += text));
    child.once("error", reject);
    child.once("close", (status, signal) => {
      clearTimeout(watchdog);
      resolve({ status, signal, stdout, stderr });
    });
  });
  return { child, ended };
}

export function run(args: readonly string[], env?: NodeJS.ProcessEnv, wrap?: Wrap): Promise<Result> {
  return start(args, env, wrap).ended;
}

/** By a shell that does something first: `script` ends with what becomes the command, as in `exec "$@" > FILE`. */
export function shell(script: string): Wrap {
  return (usual) => ["sh", "-c", script, "sh", ...usual];
}

let called = 0;

/**
 * The command in this process, which is sooner done: for what is over before it does anything, as wrong arguments and
 * help are. Its module is loaded anew each time, as a process would.
 */
export async function call(args: readonly string[]): Promise<Result> {
  if (lacks("a module anew") !== null) return run(args);
  const { argv, exitCode, stdout, stderr } = process;
  const result: Result = { status: 0, signal: null, stdout: "", stderr: "" };
  const writes = [stdout.write, stderr.write] as const;
  const into = (name: "stdout" | "stderr") => (text: string | Uint8Array, done?: unknown) => {
    result[name] += text;
    if (typeof done === "function") done();
    return true;
  };
  stdout.write = into("stdout");
  stderr.write = into("stderr");
  process.argv = [process.execPath, COMMAND, ...args];
  try {
    await import(`${pathToFileURL(COMMAND)}?${called++}`);
    result.status = Number(process.exitCode ?? 0);
  } finally {
    process.argv = argv;
    process.exitCode = exitCode;
    [stdout.write, stderr.write] = writes;
  }
  return result;
}

/** Calls `use` with a new folder, removed afterwards. */
export async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sendoff-test-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Parent and state of a process; null if there is none. */
async function look(pid: number): Promise<{ parent: number; state: string } | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (stat === null) return null;
  const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(parent), state };
}

export async function childrenOf(pid: number): Promise<number[]> {
  const pids = (await readdir("/proc")).map(Number).filter((n) => n > 0);
  const found = await Promise.all(pids.map(look));
  return pids.filter((_, i) => found[i]?.parent === pid);
}

/** The arguments of a process; between fork and exec they are its parent's. */
export async function commandOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
}

/** Whether a process still runs; a zombie does not. */
export async function runs(pid: number): Promise<boolean> {
  const found = await look(pid);
  return found !== null && found.state !== "Z" && found.state !== "X";
}

/** Asks again until the answer is yes. */
export async function until(what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + WATCHDOG;
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
