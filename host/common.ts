// What all entry points have: the calls that take no socket or file of a runtime's own kind, and the types.

import { type Off, type OnExitOptions, onExit } from "sendoff/exit";
import { host } from "#process";
import type { Capabilities } from "./index.js";
import { checkDrain, type DrainOptions } from "./transfer/active.js";

export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "sendoff/exit";
export { configureExit, exitNow, onExit } from "sendoff/exit";
export { SendfileError, type SendfileErrorCode, type SendfileErrorDetails } from "./errors.js";
export type { Capabilities } from "./index.js";
export type { File } from "./source/source.js";
export type { DrainOptions, Listener } from "./transfer/active.js";
export type { Mode, Progress, SendfileOptions } from "./transfer/options.js";

/**
 * One sendfile(2) system call, as pysendfile's: moves up to `count` bytes from the fd `file` to the fd
 * `out`, and returns how many; 0 at the end of the file. With `offset` null it reads at the file's own
 * position, and advances it.
 *
 * @throws SendfileError with the system's `code`, EAGAIN included; ERR_SENDFILE_NOT_AVAILABLE where
 *   there is no native binding.
 */
export function sendfileSync(out: number, file: number, offset: number | null, count: number): number {
  return host().sendfileSync(out, file, offset, count);
}

/** What was found on this host: how libc is called, what the kernel has, and why native is off. */
export function capabilities(): Capabilities {
  return host().capabilities();
}

/**
 * At the end of the process no transfer starts any more, and running ones get `timeout` ms to finish; then
 * they fail with ERR_SENDFILE_ABORTED and the bytes `sent`. An exit function: the sooner it is
 * registered, the later it runs. What `configureExit` has as `deadline` holds for it too.
 *
 * @returns how to take it back.
 */
export function drainOnExit(options: DrainOptions & Pick<OnExitOptions, "signals" | "log"> = {}): Off {
  checkDrain(options);
  const { signals, log } = options;
  const settings = { name: "drainOnExit", timeout: Number.POSITIVE_INFINITY, signals, log };
  return onExit(() => host().drain(options), settings);
}
