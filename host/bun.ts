// The front door for Bun >= 1.2.

import type { Writable } from "node:stream";
import { type Off, type OnExitOptions, onExit } from "sendoff/exit";
import type { TCPSocket } from "./bun/socket.js";
import { checkDrain, type DrainOptions } from "./drain.js";
import type { Capabilities } from "./index.js";
import { host } from "./process/bun.js";
import type { SendfileOptions } from "./sendfile.js";
import type { File } from "./source.js";

export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "sendoff/exit";
export { configureExit, exitNow, onExit } from "sendoff/exit";
export { drained, type TCPSocket } from "./bun/socket.js";
export type { DrainOptions, Listener } from "./drain.js";
export { SendfileError, type SendfileErrorCode, type SendfileErrorDetails } from "./errors.js";
export type { Capabilities } from "./index.js";
export type { Mode, Progress, SendfileOptions } from "./sendfile.js";
export type { File } from "./source.js";

/**
 * Sends a file over a socket: by the kernel's sendfile(2) where that can be had, else by copies.
 *
 * The transfer takes its place among the socket's writes: what was written before goes out before,
 * what is written after, after, and a second transfer waits for the first. On a socket of `Bun.listen` or
 * `Bun.connect`, which has no queue, what is written or ended before the transfer is over gets in between.
 * The socket is left open.
 *
 * A path is opened and closed by the call. A `FileHandle` and an fd stay open, with their position
 * at `offset` + the bytes sent, on success and on failure, where native calls can be had. A stream is
 * read from where it is, and used up.
 *
 * @param socket a `net.Socket` (TCP or Unix), a socket of `Bun.listen` or `Bun.connect`, a `tls.TLSSocket` or any
 *   other `Writable`.
 * @param file path, file URL, `Bun.file`, a slice of one, `FileHandle`, fd, `Blob`, bytes, readable stream or async iterable of bytes.
 * @returns the bytes of the file that were sent, header and trailer not counted. As CPython's
 *   socket.sendfile(), but a file that is shorter than it was at the start is an error, not a short count.
 * @throws TypeError or RangeError for a bad argument, before anything is opened or sent;
 *   {@link SendfileError} for everything else, with the bytes `sent`.
 */
export function sendfile(socket: Writable | TCPSocket, file: File, options?: SendfileOptions): Promise<number> {
  return host().sendfile(socket, file, options);
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
