// Chooses the queue for a stream by its kind.

import type { Writable } from "node:stream";
import { argumentError } from "../errors.js";
import { defineProperty, isExtensible } from "../originals.js";
import type { FdOf, Queue } from "./queue.js";
import { hasQueue, nodeFd, StreamQueue } from "./stream.js";
import { WriteOnlyQueue } from "./write-only.js";

const QUEUE = Symbol("sendoff.queue");

/**
 * The queue of a stream: one for its life, unless the stream's `write` or `_write` is replaced meanwhile. The
 * replacement may change chunks (encrypt, compress, count), so then everything goes through it.
 */
export function queueOf(stream: Writable, fdOf: FdOf = nodeFd): Queue {
  const known = (stream as { [QUEUE]?: StreamQueue | WriteOnlyQueue })[QUEUE];
  if (known?.current) return known;
  if (!isExtensible(stream))
    throw argumentError(TypeError, "socket must not be frozen, or else closed to new properties");
  const queue = hasQueue(stream) ? new StreamQueue(stream, known, fdOf) : new WriteOnlyQueue(stream);
  defineProperty(stream, QUEUE, { value: queue, configurable: true });
  return queue;
}
