// What has to be undone however the process ends: at a signal, then it dies by that signal; at exit.

import { constants } from "node:os";

type Signal = "SIGINT" | "SIGTERM" | "SIGHUP";
const SIGNALS: readonly Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
const pending = new Set<() => void>();

/** Has `undo` called once, at the latest when the process ends; the function returned calls it now. Synchronous. */
export function atEnd(undo: () => void): () => void {
  if (pending.size === 0) listen("on");
  pending.add(undo);
  return () => {
    if (!pending.delete(undo)) return;
    if (pending.size === 0) listen("off");
    undo();
  };
}

function listen(which: "on" | "off"): void {
  for (const signal of SIGNALS) process[which](signal, die);
  process[which]("exit", undoAll);
}

/** Last in, first out. */
function undoAll(): void {
  const undos = [...pending].reverse();
  pending.clear();
  for (const undo of undos) undo();
}

function die(signal: Signal): void {
  undoAll();
  listen("off");
  // By the signal itself, so that a parent sees it and a shell's loop stops.
  process.kill(process.pid, signal);
  // PID 1 is not killed by its own signal.
  setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
}
