// Long work in slices, so that the event loop stays free: one slice a turn, whatever else is under way.

import { setImmediate } from "node:timers";

/** Milliseconds: much more than a turn of the loop costs, and less than a client notices. */
const SLICE = 2;
/** File system calls under way at once, for one piece of work. */
const LANES = 32;

const waiting: (() => void)[] = [];
let began = 0;

/** Whether the slice is over, or something was awaited since: then await `turn`. */
export function due(): boolean {
  return performance.now() - began > SLICE;
}

/** Continues in a later turn of the event loop. @throws the reason of `signal` if that is aborted by then. */
export async function turn(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(next);
  });
  signal.throwIfAborted();
}

function next(): void {
  const resume = waiting.shift();
  if (waiting.length > 0) setImmediate(next);
  began = performance.now();
  resume?.();
}

/** Calls `use` for each index below `count`, a few at a time, until `signal` aborts. `use` never rejects. */
export async function each(count: number, signal: AbortSignal, use: (i: number) => Promise<void>): Promise<void> {
  let i = 0;
  const lane = async () => {
    while (i < count && !signal.aborted) await use(i++);
  };
  await Promise.all(Array.from({ length: Math.min(LANES, count) }, lane));
  signal.throwIfAborted();
}

/** Limits the pieces of work at once; the others wait in a queue. */
export class Limit {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
