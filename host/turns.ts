// Fairness: all transfers together get a share of each turn of the event loop, in rounds. The core
// says how large the share is; here is the queue of those that wait for the next one.

import type { Core } from "./core.js";

export class Turns {
  readonly #core: Core;
  readonly #now: () => number;
  readonly #defer: (next: () => void) => void;
  #open = false;
  #waiting: (() => void)[] = [];

  /** `defer` calls its argument once, after the pending I/O of this turn: setImmediate. */
  constructor(core: Core, now: () => number, defer: (next: () => void) => void) {
    this.#core = core;
    this.#now = now;
    this.#defer = defer;
  }

  /** To be called before a run: opens the turn's account where it is not open yet. Returns the time. */
  enter(): number {
    const now = this.#now();
    if (!this.#open) {
      this.#open = true;
      this.#core.turn_begin(now);
      this.#defer(this.#next);
    }
    return now;
  }

  /** Calls `run` in the next turn, after those that wait already. */
  wait(run: () => void): void {
    this.#waiting.push(run);
  }

  readonly #next = (): void => {
    this.#open = false;
    if (this.#waiting.length === 0) return;
    this.enter();
    const waiting = this.#waiting;
    let i = 0;
    // What a run puts back goes to the end of the same queue, so a lone transfer uses the whole share.
    while (i < waiting.length && this.#core.turn_spent(this.#now()) === 0) waiting[i++]?.();
    this.#waiting = waiting.slice(i);
  };
}
