// Bytes that go natively are invisible to the handle of their socket, which is what counts them.

import { Socket } from "node:net";
import { call, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } from "../originals.js";

/** Bytes that went to the kernel behind a counter's back. */
export const NATIVE = Symbol("sendoff.native");

/** A socket's handle, where the socket asks it as Node's do; else the socket. */
export interface Counter {
  readonly bytesWritten?: number;
  [NATIVE]?: number;
}

/** A `bytesWritten` that adds native bytes to what the one that `counter` inherits says. */
function counting(counter: object): PropertyDescriptor & ThisType<Counter> {
  let get: ((this: Counter) => number | undefined) | undefined;
  for (let one = counter; one !== null && get === undefined; one = getPrototypeOf(one)) {
    get = getOwnPropertyDescriptor(one, "bytesWritten")?.get;
  }
  return {
    configurable: true,
    get() {
      const bytes = get && call(get, this);
      return bytes === undefined ? bytes : bytes + (this[NATIVE] ?? 0);
    },
  };
}

// One getter for all sockets and one for all handles: with one for each a socket becomes a slow object, 2 KB larger.
const ofSocket = counting(Socket.prototype);
let ofHandle: PropertyDescriptor | undefined;

/** Has a counter's `bytesWritten` include what is added to its {@link NATIVE}. */
export function count(counter: Counter): Counter {
  if (counter[NATIVE] !== undefined) return counter;
  defineProperty(counter, NATIVE, { value: 0, writable: true, configurable: true });
  const property = counter instanceof Socket ? ofSocket : (ofHandle ??= counting(counter));
  defineProperty(counter, "bytesWritten", property);
  return counter;
}
