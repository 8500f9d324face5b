// The clock of a transfer that has limits: `timeout`, which progress puts off, and `deadline`. What they mean the core says.

import type { Driver } from "./driver.js";

/** Timers take a 32-bit number of milliseconds. */
const LONGEST = 0x7fffffff;

export class Limits {
  readonly #now: () => number;
  readonly #timeout: number;
  readonly #deadline: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Milliseconds without progress, and from now on; 0 for no limit. */
  constructor(now: () => number, timeout: number, deadline: number) {
    this.#now = now;
    this.#timeout = timeout;
    this.#deadline = deadline > 0 ? now() + deadline : Number.POSITIVE_INFINITY;
  }

  /** Counts what is without progress from now on. */
  restart(driver: Driver): void {
    driver.limit(this.#timeout, this.#deadline, this.#now());
  }

  /** Calls `expired` once by a limit; before it is asked `look` tells the driver of progress that nobody has told. */
  arm(driver: Driver, look: () => void, expired: () => void): void {
    this.stop();
    const { due } = driver;
    // Looked at four times as often, because the progress of a large write shows only then.
    const wait = Math.min(due - this.#now(), this.#timeout > 0 ? this.#timeout / 4 : LONGEST, LONGEST);
    const onTimer = () => {
      look();
      if (driver.tick(this.#now())) expired();
      else this.arm(driver, look, expired);
    };
    this.#timer = setTimeout(onTimer, Math.max(1, wait));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
