// One listener for the end of the process, whatever the number of servers.

const all = new Set<() => void>();

const leave = (): void => {
  for (const one of all) one();
};

/** Calls `each` when the process ends. Returns an undo. */
export function onLeaving(each: () => void): () => void {
  if (all.size === 0) process.on("exit", leave);
  all.add(each);
  return () => {
    all.delete(each);
    if (all.size === 0) process.off("exit", leave);
  };
}
