// The timer of a transfer that has limits: `timeout`, which progress puts off, and `deadline`. The core judges them.

import { LONGEST } from "../timers.js";
import type { Driver } from "./driver.js";

export class Limits {
  readonly #now: () => number;
  readonly #timeout: number;
  readonly #deadline: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Milliseconds without progress, and milliseconds from now; 0 for no limit. */
  constructor(now: () => number, timeout: number, deadline: number) {
    this.#now = now;
    this.#timeout = timeout;
    this.#deadline = deadline > 0 ? now() + deadline : Number.POSITIVE_INFINITY;
  }

  /** Restarts the count of time without progress. */
  restart(driver: Driver): void {
    driver.limit(this.#timeout, this.#deadline, this.#now());
  }

  /** Calls `expired` once when a limit passes; `look` first reports pending progress to the driver. */
  arm(driver: Driver, look: () => void, expired: () => void): void {
    this.stop();
    const { due } = driver;
    // Checks four times as often, because the progress of a large write is seen only by looking.
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
