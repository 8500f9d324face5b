// What the exit registry asks of a runtime: signals, the other ways out, and how to end.

import type { Core } from "../core.js";

/** What a runtime lends. */
export interface Runtime {
  readonly pid: number;
  /** False in a worker thread: it gets no signals, and its exit is its own. */
  readonly main: boolean;
  /** Whether the process can die by a signal of its own. */
  readonly mortal: boolean;
  /** Names and numbers of this system. A number may have several names; its first one is sure to be emitted. */
  readonly signals: Readonly<Record<string, number>>;
  boot(): Core;
  /** Milliseconds, from any start, that only grow. */
  now(): number;
  /** A line on stderr, or nowhere: never an error. */
  write(line: string): void;
  /** Whether the process was started to ignore this signal, and the runtime has left it so. */
  ignored(signal: number): boolean;
  /** Listens for a signal, and holds the listeners of others back. */
  listen(signal: string, heard: (args: unknown[]) => void): Listening;
  /** Tells of the other ways out. Returns how to stop. */
  watch(watcher: Watcher): () => void;
  /** Calls back once pending output has left, or can't. */
  flush(done: () => void): void;
  /** Sends the signal of these names to the process, with its default disposition; returns where that did nothing for 100 ms. */
  kill(names: readonly string[]): void;
  /** Without a code, as if nobody had asked for it. */
  exit(code: number | undefined): void;
}

export interface Listening {
  /** The listeners of others, in their order. */
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
