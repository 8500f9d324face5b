// Wakes a loop, after a message to it.

import { writeSync } from "node:fs";

/** An eventfd adds what is written to it. */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

export function wake(eventfd: number): void {
  try {
    writeSync(eventfd, ONE);
  } catch {} // its count is at its maximum: the loop is awake
}
