// The thread that waits for disks, so that a loop doesn't: it reads what is not in the page cache, once, for the kernel to
// have it there.

import { type MessagePort, parentPort } from "node:worker_threads";
import type { Memory } from "../core.js";
import { type LoopLibc, wake } from "../libc/epoll.js";
import type { FromReader, ToReader } from "./messages.js";

/** Bytes that are read at once. */
export const READER_ROOM = 256 * 1024;

/** A loop to read for; null: there are none any more. */
type Told = { port: MessagePort; eventfd: number } | null;

/** Reads for the loops that the main thread tells of, to `memory`, whose calls `libc` has: those alone do not keep it. */
export function read(libc: LoopLibc, memory: Memory): void {
  parentPort?.on("message", (told: Told) => {
    if (told === null) return process.exit();
    const { port, eventfd } = told;
    port.on("message", ({ id, fd, position, length }: ToReader) => {
      // Less than 0 is an error of the disk: the loop ends the connection.
      const read = libc.pread(fd, 0, Math.min(length, memory.buffer.byteLength), position);
      port.postMessage({ id, read } satisfies FromReader);
      wake(libc, eventfd);
    });
  });
}
