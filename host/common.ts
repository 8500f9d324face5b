// The common part of all entry points: calls that take no runtime-specific socket or file, and the types.

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
 * @throws SendfileError with the system's `code`, EAGAIN included; ERR_SENDFILE_NOT_AVAILABLE if
 *   there is no native binding.
 */
export function sendfileSync(out: number, file: number, offset: number | null, count: number): number {
  return host().sendfileSync(out, file, offset, count);
}

/** The capabilities of this host: how libc is called, the kernel's calls, and why native is off. */
export function capabilities(): Capabilities {
  return host().capabilities();
}

/**
 * Registers an exit function that stops new transfers, and gives running ones `timeout` ms to finish; then
 * they fail with ERR_SENDFILE_ABORTED and the bytes `sent`. The sooner it is registered, the later it runs.
 * The `deadline` of `configureExit` limits it too.
 *
 * @returns a function that unregisters it.
 */
export function drainOnExit(options: DrainOptions & Pick<OnExitOptions, "signals" | "log"> = {}): Off {
  checkDrain(options);
  const { signals, log } = options;
  const settings = { name: "drainOnExit", timeout: Number.POSITIVE_INFINITY, signals, log };
  return onExit(() => host().drain(options), settings);
}
