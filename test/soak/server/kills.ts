// The kills of a server's threads, and what they are the reason for.

/** A connection by when it was opened. */
export interface Opened {
  readonly opened: number;
}

export class Kills {
  /** When each was asked for, and over. */
  readonly #all: { asked: number; over: number }[] = [];

  get count(): number {
    return this.#all.length;
  }

  /** Waits for one; false for none after all. */
  async wait(kill: Promise<boolean>): Promise<void> {
    const one = { asked: performance.now(), over: Number.POSITIVE_INFINITY };
    this.#all.push(one);
    if (!(await kill)) this.#all.pop();
    one.over = performance.now();
  }

  /** Whether one may be why a connection has ended. A slow client may notice long after. */
  explain({ opened }: Opened): boolean {
    return this.#all.some(({ over }) => opened <= over);
  }

  /** When the last one was, for a report. */
  toString(): string {
    const last = this.#all.at(-1);
    if (last === undefined) return "no thread was killed so far";
    const ago = (at: number) => `${Math.round(performance.now() - at)} ms ago`;
    return `the last kill was asked for ${ago(last.asked)}, and over ${ago(last.over)}`;
  }
}
