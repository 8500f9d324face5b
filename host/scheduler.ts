// Fairness: all transfers together get a share of each turn of the event loop, in rounds. The core sets the share; this
// file counts the time used of it, and queues the transfers that wait for the next one.

import type { Core } from "./core.js";
import { call, sliceArray } from "./originals.js";

/** A task that continues in a later turn. */
export interface Task {
  /** Called in any async context; the task must restore its own. */
  run(): void;
}

export class Scheduler {
  readonly #core: Core;
  readonly #now: () => number;
  readonly #defer: (next: () => void) => void;
  /** Time that transfers took since the last round began, in ms. */
  #used = 0;
  /** The next round is scheduled: once half of the share is used, so it mostly begins before all is. */
  #asked = false;
  #round = 0;
  /** When the time of the running task was last counted; NaN if none runs. */
  #since = Number.NaN;
  #waiting: Task[] = [];

  /** `defer` calls its argument once, after the pending I/O of this turn: setImmediate. */
  constructor(core: Core, now: () => number, defer: (next: () => void) => void) {
    this.#core = core;
    this.#now = now;
    this.#defer = defer;
  }

  /** Call it before a run: tells the core how much of the share is left. Returns the time. */
  startTiming(): number {
    const now = this.#now();
    if (this.#since <= now) this.#used += now - this.#since;
    this.#since = now;
    this.#core.turn_begin(now - this.#used);
    return now;
  }

  /** Call it after the last run. */
  stopTiming(): void {
    const now = this.#now();
    if (this.#since <= now) this.#used += now - this.#since;
    this.#since = Number.NaN;
    if (!this.#asked && this.#over(2 * this.#used)) this.#ask();
  }

  /** A number that is another one in each turn of the event loop. */
  get turn(): number {
    if (!this.#asked) this.#ask();
    return this.#round;
  }

  /** Whether nothing is left of this turn's share. */
  spent(): boolean {
    return this.#over(this.#used);
  }

  /** Whether a turn that has lasted `ms` is over. */
  #over(ms: number): boolean {
    this.#core.turn_begin(-ms);
    return this.#core.turn_spent(0) === 1;
  }

  /**
   * Runs `one` in the next turn, after those already waiting. If scheduled during a run it may still run in this turn,
   * so `one` must use its share, by startTiming and stopTiming.
   */
  schedule(one: Task): void {
    this.#waiting[this.#waiting.length] = one;
    if (!this.#asked) this.#ask();
  }

  #ask(): void {
    this.#asked = true;
    this.#defer(this.#next);
  }

  readonly #next = (): void => {
    this.#used = 0;
    this.#asked = false;
    this.#round++;
    const waiting = this.#waiting;
    let i = 0;
    // A task that schedules itself again joins the end of the same queue, so a lone transfer uses the whole share.
    try {
      while (i < waiting.length && !this.spent()) (waiting[i++] as Task).run();
    } finally {
      // One that throws, in a process that survives it, must not leave the others waiting for ever.
      this.#waiting = call(sliceArray, waiting, i) as Task[];
      if (this.#waiting.length > 0 && !this.#asked) this.#ask();
    }
  };
}
