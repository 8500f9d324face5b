// Adds natively sent bytes to `bytesWritten`: a socket's handle counts only the bytes it writes itself.

import { Socket } from "node:net";
import { call, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } from "../originals.js";

/** Bytes that were sent without the counter's knowledge. */
export const NATIVE = Symbol("sendoff.native");

/** A socket's handle if the socket takes `bytesWritten` from it, as in Node; else the socket. */
export interface Counter {
  readonly bytesWritten?: number;
  [NATIVE]?: number;
}

/** A `bytesWritten` that adds native bytes to the inherited one of `counter`. */
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

// One getter for all sockets and one for all handles: one for each would make a socket a slow object, 2 KB larger.
const ofSocket = counting(Socket.prototype);
let ofHandle: PropertyDescriptor | undefined;

/** Makes a counter's `bytesWritten` include its {@link NATIVE} bytes. */
export function count(counter: Counter): Counter {
  if (counter[NATIVE] !== undefined) return counter;
  defineProperty(counter, NATIVE, { value: 0, writable: true, configurable: true });
  const property = counter instanceof Socket ? ofSocket : (ofHandle ??= counting(counter));
  defineProperty(counter, "bytesWritten", property);
  return counter;
}
