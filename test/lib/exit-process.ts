// Real children: a program of test/fixtures/exit is started on the runtime under test, says `ready` on
// its stdout, gets signals, and its wait status is read. What its functions say goes to a file, because
// a pipe can be full.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** node, deno or bun: the children's runtime. */
export const RUNTIME = process.env.SENDOFF_TEST_RUNTIME ?? "node";
const PATH = process.env.SENDOFF_TEST_RUNTIME_PATH ?? process.execPath;

/** The runtime with what it needs before a program's path. */
export const COMMAND: readonly string[] = RUNTIME === "deno" ? [PATH, "run", "-A", "--no-lock"] : [PATH];

const FIXTURES = new URL("../../../test/fixtures/exit/", import.meta.url);
const COMPILED = new URL("../fixtures/exit/", import.meta.url);

/** A terminal ends lines in its own way. */
const READY = /^ready\r?\n/m;

/** A hung child is killed after this long, and its test fails. */
const WATCHDOG_MS = 60_000;

export interface Ended {
  /** The functions' messages, a line each. */
  lines: string[];
  /** The name of the signal it died by, or its exit code. */
  status: string | number;
  stdout: string;
  stderr: string;
}

export interface Child {
  readonly process: ChildProcess;
  /** The messages so far. */
  lines(): string[];
  /** Resolves once the functions have said this. */
  said(line: string): Promise<void>;
}

export interface Start {
  args?: readonly string[];
  /** The action once it is ready. */
  act?: (child: Child) => unknown;
  /** Another way to start it: gets the usual command line. */
  command?: (usual: readonly string[]) => readonly string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Leave its stdout unread. */
  unread?: boolean;
  stdin?: "pipe";
  detached?: boolean;
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(name, name.endsWith(".js") ? COMPILED : FIXTURES));
}

export async function run(program: string, start: Start = {}): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "sendoff-exit-"));
  const file = join(folder, "said");
  const usual = [...COMMAND, fixture(program), ...(start.args ?? [])];
  const [command, ...args] = start.command?.(usual) ?? usual;
  const child = spawn(command as string, args, {
    env: {
      ...process.env,
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
      NODE_TEST_CONTEXT: undefined,
      ...start.env,
      SAID: file,
    },
    cwd: start.cwd,
    stdio: [start.stdin ?? "ignore", "pipe", "pipe"],
    detached: start.detached ?? false,
  });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), WATCHDOG_MS);
  const lines = () => {
    try {
      return readFileSync(file, "utf8").split("\n").slice(0, -1);
    } catch {
      return [];
    }
  };
  const said = async (line: string) => {
    while (!lines().includes(line)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended before it said ${line}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  try {
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8");
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    let acted: unknown;
    const onData = (text: string) => {
      const before = READY.test(stdout);
      stdout += text;
      if (before || !READY.test(stdout)) return;
      if (start.unread) child.stdout?.pause();
      acted = Promise.resolve(start.act?.({ process: child, lines, said })).catch((error: unknown) => {
        child.kill("SIGKILL");
        throw error;
      });
    };
    child.stdout?.on("data", onData);
    const status = await new Promise<string | number>((resolve, reject) => {
      child.on("error", reject);
      // 'close' waits for the pipes, and so for grandchildren; an unread one never comes.
      child.on(start.unread ? "exit" : "close", (code, signal) => resolve(signal ?? code ?? -1));
    });
    await acted;
    return { lines: lines(), status, stdout, stderr };
  } finally {
    clearTimeout(watchdog);
    child.stdout?.destroy();
    child.stderr?.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sends signals to the child itself. */
export function kill(...signals: NodeJS.Signals[]): (child: Child) => void {
  return ({ process }) => {
    for (const signal of signals) process.kill(signal);
  };
}

/** Sends a signal `times` times, `apart` ms each from the one before: by looking at the clock, as no timer is so fine. */
export function burst(signal: NodeJS.Signals, times: number, apart: number): (child: Child) => void {
  return ({ process }) => {
    let next = performance.now();
    for (let i = 0; i < times; i++) {
      while (performance.now() < next);
      process.kill(signal);
      next += apart;
    }
  };
}

/** Runs at most `width` jobs at a time. */
export function pool(width: number): <T>(job: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (job) => {
    if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await job();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}
