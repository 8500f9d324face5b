// The front door for Node >= 20.

import type { Writable } from "node:stream";
import { type Log, type Off, onExit } from "sendoff/exit";
import { drain, type Listener } from "./drain.js";
import type { Capabilities } from "./index.js";
import { node } from "./process.js";
import type { SendfileOptions } from "./sendfile.js";
import { milliseconds } from "./sendfile.js";
import type { File } from "./source.js";

export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "sendoff/exit";
export { configureExit, exitNow, onExit } from "sendoff/exit";
export type { Listener } from "./drain.js";
export { SendfileError, type SendfileErrorCode } from "./errors.js";
export type { Capabilities } from "./index.js";
export type { Mode, Progress, SendfileOptions } from "./sendfile.js";
export type { File } from "./source.js";

/**
 * Sends a file over a socket: by the kernel's sendfile(2) where that can be had, else by copies.
 *
 * The transfer takes its place among the socket's writes: what was written before goes out before,
 * what is written after, after, and a second transfer waits for the first. The socket is left open.
 *
 * A path is opened and closed by the call. A `FileHandle` and an fd stay open, with their position
 * at `offset` + the bytes sent, on success and on failure, where native calls can be had. A stream is
 * read from where it is, and used up.
 *
 * @param socket a `net.Socket` (TCP or Unix), a `tls.TLSSocket` or any other `Writable`.
 * @param file path, file URL, `FileHandle`, fd, `Blob`, bytes, readable stream or async iterable of bytes.
 * @returns the bytes of the file that were sent, header and trailer not counted. As CPython's
 *   socket.sendfile(), but a file that is shorter than it was at the start is an error, not a short count.
 * @throws TypeError or RangeError for a bad argument, before anything is opened or sent;
 *   {@link SendfileError} for everything else, with the bytes `sent`.
 */
export function sendfile(socket: Writable, file: File, options?: SendfileOptions): Promise<number> {
  return node().sendfile(socket, file, options);
}

/**
 * One sendfile(2) system call, as pysendfile's: moves up to `count` bytes from the fd `file` to the fd
 * `out`, and returns how many; 0 at the end of the file. With `offset` null it reads at the file's own
 * position, and advances it.
 *
 * @throws SendfileError with the system's `code`, EAGAIN included; ERR_SENDFILE_NOT_AVAILABLE where
 *   there is no native binding.
 */
export function sendfileSync(out: number, file: number, offset: number | null, count: number): number {
  return node().sendfileSync(out, file, offset, count);
}

/** What was found on this host: how libc is called, what the kernel has, and why native is off. */
export function capabilities(): Capabilities {
  return node().capabilities();
}

export interface DrainOptions {
  /** Milliseconds that open transfers get to finish. Default: 5000. */
  timeout?: number | undefined;
  /** Servers that take no more clients from then on: their `close()` is called, and idle connections are closed. */
  listeners?: readonly Listener[] | undefined;
  /** As of `onExit`. Default: SIGTERM, SIGINT, SIGHUP and, on Windows, SIGBREAK. */
  signals?: readonly string[] | undefined;
  log?: Log | null | undefined;
}

/**
 * Lets transfers finish when the process is told to end: from the signal on no new one begins (it fails with
 * ERR_SENDFILE_ABORTED), and those that are open get `timeout` ms; then they fail with ERR_SENDFILE_ABORTED and
 * the bytes `sent`. An exit function like any other: `configureExit({ deadline })`, 8 s by default, bounds it too.
 *
 * @returns what takes it back, as `onExit` does.
 */
export function drainOnExit({ timeout = 5000, listeners = [], signals, log }: DrainOptions = {}): Off {
  milliseconds("timeout", timeout);
  // A moment more than the transfers have, so that they can still fail and be told.
  const settings = { name: "drainOnExit", timeout: timeout + 1000, signals, log };
  return onExit(() => drain(node().shared, timeout, listeners), settings);
}
