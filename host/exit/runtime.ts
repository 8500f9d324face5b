// The interface between exit registry and runtime: signals, the other ways out, and ending.

import type { Core } from "../core.js";

/** The functions that a runtime provides. */
export interface Runtime {
  readonly pid: number;
  /** False in a worker thread: it gets no signals, and its exit is its own. */
  readonly main: boolean;
  /** Whether the process can kill itself by a signal. */
  readonly mortal: boolean;
  /** Names and numbers of this system. A number may have several names; only its first one is sure to be emitted. */
  readonly signals: Readonly<Record<string, number>>;
  boot(): Core;
  /** Milliseconds of a monotonic clock, from any start. */
  now(): number;
  /** Writes a line to stderr if it can; never throws. */
  write(line: string): void;
  /** Whether the process was started with this signal ignored, and the runtime has kept that. */
  ignored(signal: number): boolean;
  /** Listens for a signal, and holds foreign listeners back. */
  listen(signal: string, heard: (args: unknown[]) => void): Listening;
  /** Listens for the other ways out. Returns an undo. */
  watch(watcher: Watcher): () => void;
  /** Calls back once pending output is written, or can't be. */
  flush(done: () => void): void;
  /** Resets the signal of these names to its default, and sends it to the process; returns after 100 ms without effect. */
  kill(names: readonly string[]): void;
  /** Ends the process; without a code, as if nobody had called exit. */
  exit(code: number | undefined): void;
}

export interface Listening {
  /** The foreign listeners, in their order. */
  others(): ((...args: unknown[]) => unknown)[];
  /** Puts them back. */
  stop(): void;
}

export interface Watcher {
  /** The event loop is empty. */
  ended(code: number): void;
  /** The runtime is leaving: everything must be done before this returns, with the code to leave with. */
  leaving(code: number, error?: unknown): number;
}
