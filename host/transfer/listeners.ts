// The listeners of a transfer: on its AbortSignal, and on its stream.

import { callEach } from "../errors.js";
import type { Queue } from "../queue/queue.js";

/** One listener for each signal: else a program's one shutdown signal would warn of a leak at the eleventh transfer. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `onAbort` when the signal is aborted; returns a function that removes the listener. */
export function onAborted(signal: AbortSignal, onAbort: () => void): () => void {
  let set = waiting.get(signal);
  if (set === undefined) waiting.set(signal, (set = new Set()));
  if (set.size === 0) signal.addEventListener("abort", run);
  set.add(onAbort);
  return () => {
    if (set.delete(onAbort) && set.size === 0) signal.removeEventListener("abort", run);
  };
}

/** An error from one, such as from a user's destroy(), must not keep the others. */
function run({ target }: Event): void {
  callEach([...(waiting.get(target as AbortSignal) ?? [])]);
}

/** Calls `onClose` when the stream closes, `onConnect` when it has connected; returns a function that removes both. */
export function watchQueue(queue: Queue, onClose: () => void, onConnect: () => void): () => void {
  queue.once("close", onClose);
  if (queue.connecting) queue.once("connect", onConnect);
  return () => {
    queue.off("close", onClose);
    queue.off("connect", onConnect);
  };
}
