// Messages to a loop, which has no event loop: each is followed by a write to its eventfd.

import { writeSync } from "node:fs";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";

/** An eventfd adds what is written to it. */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

export function wake(eventfd: number): void {
  try {
    writeSync(eventfd, ONE);
  } catch {} // its count is at its maximum: the loop is awake
}

/** Passes on the messages that have come. */
export function receiveAll<Message>(port: MessagePort, each: (message: Message) => void): void {
  for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) each(got.message);
}
