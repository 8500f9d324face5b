// The thread that waits for disks, so that a loop doesn't: it reads what is not in the page cache, once, for the kernel
// to have it there.

import { readSync } from "node:fs";
import { type MessagePort, parentPort } from "node:worker_threads";
import type { FromReader, ToReader } from "./messages.js";
import { wake } from "./wake.js";

const room = new Uint8Array(256 * 1024);

/** A loop to read for; null: there are none any more. */
type Told = { port: MessagePort; eventfd: number } | null;

parentPort?.on("message", (told: Told) => {
  if (told === null) return process.exit();
  const { port, eventfd } = told;
  port.on("message", ({ id, fd, position, length }: ToReader) => {
    let read = -1;
    try {
      read = readSync(fd, room, 0, Math.min(length, room.length), position);
    } catch {} // an error of the disk: the loop ends the connection
    port.postMessage({ id, read } satisfies FromReader);
    wake(eventfd);
  });
});
