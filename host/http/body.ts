// The owner of a response's body: two senders would put more on the wire than its header announces, and the client
// would take the rest for its next response.
//
// Once the header has gone, Node does not tell whether write() or only flushHeaders() was called: it counts the bytes
// of a body only under strictContentLength. So its write() is replaced by one that leaves a mark.

import { ServerResponse } from "node:http";
import { call } from "../originals.js";

/** All copies of this package in a process know the mark: true, or the one that has claimed the body. */
const BODY = Symbol.for("sendoff.body");

interface Marked {
  [BODY]?: unknown;
}

type Write = (this: object, chunk: unknown, encoding?: unknown, callback?: unknown) => boolean;

/** Called after each write() to a response. */
type OnWrite = (response: object, chunk: unknown) => void;
let onWrite: OnWrite | null = null;

/** Sets the one that is told of writes; it is told of none if another copy of this package marks them. */
export function watchWrites(told: OnWrite): void {
  onWrite = told;
}

/** The prototype that has write(): OutgoingMessage's, in Node. */
let proto = ServerResponse.prototype as object;
while (!Object.hasOwn(proto, "write")) proto = Object.getPrototypeOf(proto);
const { write } = proto as { write: Write & Marked };

if (write[BODY] === undefined) {
  const marks: Write & Marked = function write_(chunk, encoding, callback) {
    const more = call(write, this, chunk, encoding, callback);
    if ((chunk as string | Uint8Array).length > 0) (this as Marked)[BODY] = true;
    onWrite?.(this, chunk);
    return more;
  };
  marks[BODY] = true;
  Object.defineProperty(marks, "name", { value: "write" });
  Reflect.set(proto, "write", marks); // does nothing if it is frozen
}

/** Claims the body for `sender`; false if it is claimed already, or has begun. */
export function claim(response: object, sender: object): boolean {
  const res: Marked = response;
  if (res[BODY] !== undefined) return false;
  res[BODY] = sender;
  return true;
}

/** Whether `sender`'s claim still holds: nobody else has begun the body. */
export function isClaimed(response: object, sender: object): boolean {
  return (response as Marked)[BODY] === sender;
}

/** Releases the claim; false if it was not `sender`'s. */
export function disclaim(response: object, sender: object): boolean {
  const res: Marked = response;
  if (res[BODY] !== sender) return false;
  res[BODY] = undefined;
  return true;
}

/** Marks an unclaimed body as begun, for a sender that bypasses write() and needs no claim. */
export function begin(response: object): void {
  (response as Marked)[BODY] ??= true;
}
