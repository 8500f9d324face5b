// Starts the process that takes the place of this one, with its listening sockets.

import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { SendfileError } from "../errors.js";
import { LONGEST } from "../timers.js";
import { milliseconds } from "../validate.js";
import { type CloseOptions, checkClose } from "./closing.js";
import { FIRST, type ListenFd } from "./inherited.js";

/** The new process, and how the old server ends once that one serves. */
export interface HandOverOptions extends CloseOptions {
  /** The program. Default: this one, process.execPath. */
  command?: string;
  /** Its arguments. Default: those of this process. */
  args?: readonly string[];
  /** Its environment. Default: that of this process. */
  env?: NodeJS.ProcessEnv;
  /** Its working directory. Default: that of this process. */
  cwd?: string;
  /** Milliseconds until the new process has to serve; it is ended otherwise. Default: 30000. */
  within?: number;
}

const NAMES = ["http", "metrics"] as const;

/**
 * The sockets as they are handed over. `lacks`: why this runtime can't inherit them. `isLoop`: a Unix socket keeps its name.
 *
 * @throws SendfileError that says why it can't be done.
 */
export function toHandOver(
  lacks: string | null,
  fds: readonly number[],
  address: unknown,
  isLoop: boolean,
): ListenFd[] {
  let reason = lacks;
  if (typeof address === "string" && !isLoop) reason ??= "node:http removes the name of a Unix socket that it closes";
  if (fds.some((fd) => fd < 0)) reason ??= "the fd of a listening socket is not told here";
  if (reason !== null) throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", `can't hand over: ${reason}`);
  const path = typeof address === "string" ? { path: address } : {};
  return fds.map((fd, i) => ({ fd, name: NAMES[i] as string, ...(i === 0 ? path : {}) }));
}

/** The process id, once the new process serves. Rejects if it ends, does not serve in time, or `signal` is aborted. */
export function startSuccessor(
  fds: readonly ListenFd[],
  options: HandOverOptions,
  signal: AbortSignal,
): Promise<number> {
  const {
    command = process.execPath,
    args = [...process.execArgv, ...process.argv.slice(1)],
    env = process.env,
    cwd,
    within = 30_000,
  } = options;
  const [{ path } = {}] = fds;
  const told = FIRST + fds.length;
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ["inherit", "inherit", "inherit", ...fds.map(({ fd }) => fd), "pipe"],
    env: {
      ...env,
      LISTEN_FDS: String(fds.length),
      LISTEN_FDNAMES: fds.map(({ name }) => name).join(":"),
      // In place of LISTEN_PID, which nobody knows before it has begun.
      SENDOFF_HANDED_OVER: [process.pid, told, ...(path === undefined ? [] : [path])].join(" "),
    },
  });
  return new Promise((resolve, reject) => {
    // Without fds for them there are no pipes at all: its error tells.
    const pipe = (child.stdio as typeof child.stdio | undefined)?.[told] as Readable | undefined;
    const giveUp = (why: string) => {
      child.kill("SIGTERM");
      over(new Error(why));
    };
    const late = setTimeout(
      () => giveUp(`the new process did not serve within ${within} ms`),
      Math.min(within, LONGEST),
    );
    const abort = () => giveUp("the server was closed meanwhile");
    signal.addEventListener("abort", abort);
    const over = (error: Error | null) => {
      clearTimeout(late);
      signal.removeEventListener("abort", abort);
      pipe?.destroy();
      child.unref();
      if (error === null) resolve(child.pid as number);
      else reject(error);
    };
    child.once("error", over);
    child.once("exit", (code, signal) => over(new Error(`the new process ended (${signal ?? `status ${code}`})`)));
    pipe?.once("data", () => over(null));
    pipe?.on("error", () => {}); // its end tells
  });
}

/** @throws TypeError or RangeError that names the option. */
export function checkHandOver(options: HandOverOptions): void {
  checkClose(options);
  const { within = 0 } = options;
  milliseconds("within", within);
}
