// Messages to a loop, which has no event loop: each is followed by a write to its eventfd.

import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";

/** Passes on the messages that have come. */
export function receiveAll<Message>(port: MessagePort, each: (message: Message) => void): void {
  for (let got = receive(port); got !== undefined; got = receive(port)) each(got.message as Message);
}

function receive(port: MessagePort): { message: unknown } | undefined {
  try {
    return receiveMessageOnPort(port);
  } catch {
    return undefined; // Deno's, of a port whose other side is closed
  }
}
