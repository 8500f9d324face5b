// How long a server's end may take. Told again, it may be shorter.

import type { Duplex } from "node:stream";
import { LONGEST } from "../timers.js";
import { callable, milliseconds, object } from "../validate.js";

/** How a server ends: what is still answered, and for how long. */
export interface CloseOptions {
  /**
   * Milliseconds for which connections are still taken, so that a balancer sees that `health` fails, and sends no more.
   * Answers end their connections already. Default: 0.
   */
  delay?: number;
  /**
   * Milliseconds since its last answer, or since it was accepted, in which a connection may still ask: a request that is
   * under way comes too late otherwise. Default: 100.
   */
  idle?: number;
  /** Milliseconds that answers under way, and upgraded connections, get after `delay`. Default: 5000. */
  timeout?: number;
  /** Called after `delay` with the socket of each upgraded connection (a WebSocket's, say), to say goodbye. */
  upgraded?: (socket: Duplex) => void;
}

/** @throws TypeError or RangeError that names the option. */
export function checkClose(options: CloseOptions): void {
  object("options", options);
  const { delay = 0, idle = 0, timeout = 0, upgraded } = options;
  milliseconds("delay", delay);
  milliseconds("idle", idle);
  milliseconds("timeout", timeout);
  if (upgraded !== undefined) callable("upgraded", upgraded);
}

export class Closing {
  /** Both in ms of performance.now(). */
  #open = Number.POSITIVE_INFINITY;
  #cut = Number.POSITIVE_INFINITY;
  #idle = Number.POSITIVE_INFINITY;
  #hurry: () => void = () => {};

  /** True if it is to end earlier than was told before. @throws TypeError or RangeError that names the option. */
  add(options: CloseOptions): boolean {
    checkClose(options);
    const { delay = 0, idle = 100, timeout = 5000 } = options;
    const open = performance.now() + delay;
    const isEarlier = open < this.#open || open + timeout < this.#cut || idle < this.#idle;
    this.#open = Math.min(open, this.#open);
    this.#cut = Math.min(open + timeout, this.#cut);
    this.#idle = Math.min(idle, this.#idle);
    this.#hurry();
    return isEarlier;
  }

  /** ms since its last answer in which a connection may still ask. */
  get idle(): number {
    return this.#idle;
  }

  /** ms until everything is cut. */
  get left(): number {
    return Math.max(this.#cut - performance.now(), 0);
  }

  /** Resolves when no more connections are to be taken. */
  async delayed(): Promise<void> {
    for (let left = this.#rest; left > 0; left = this.#rest) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, LONGEST));
        this.#hurry = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  get #rest(): number {
    return this.#open - performance.now();
  }
}
