// Cleanup that must run however the process ends.

import { onExit } from "sendoff";

/** Calls `undo` once, at the latest when the process ends; the function returned calls it now. Synchronous. */
export function atEnd(undo: () => void): () => void {
  const off = onExit(undo, { log: null });
  let over = false;
  return () => {
    if (over) return;
    over = true;
    off();
    undo();
  };
}
