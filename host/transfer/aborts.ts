// One listener for an AbortSignal, however many transfers it can end: a program's one shutdown signal
// would else warn of a leak at the eleventh.

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Has `onAbort` called when the signal is aborted; the function returned takes it back. */
export function onAborted(signal: AbortSignal, onAbort: () => void): () => void {
  let set = waiting.get(signal);
  if (set === undefined) waiting.set(signal, (set = new Set()));
  if (set.size === 0) signal.addEventListener("abort", run);
  set.add(onAbort);
  return () => {
    if (set.delete(onAbort) && set.size === 0) signal.removeEventListener("abort", run);
  };
}

function run({ target }: Event): void {
  for (const onAbort of [...(waiting.get(target as AbortSignal) ?? [])]) onAbort();
}
