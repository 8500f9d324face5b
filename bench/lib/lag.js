// How late the event loop of this thread is: plain, and less what is no fault of the thread.

import { closeSync, openSync, readSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** The interval of the samplers in ms; it is part of every sample, so it is subtracted. */
const RESOLUTION = 1;

/** From now on, until `end`. Of the main thread alone: its schedstat is read. */
export class Lag {
  #plain = monitorEventLoopDelay({ resolution: RESOLUTION });
  #own = new OwnLag();

  constructor() {
    this.#plain.enable();
  }

  /** Both in ms. */
  end() {
    this.#plain.disable();
    const beyond = (/** @type {number} */ ns) => Math.max(0, ns / 1e6 - RESOLUTION);
    const [p50, p99] = [50, 99].map((percent) => beyond(this.#plain.percentile(percent)));
    return {
      lag: { p50, p99, max: beyond(this.#plain.max), samples: this.#plain.count },
      net: this.#own.end(),
    };
  }
}

/**
 * The loop's lag less the time for which this thread was ready and had no CPU, which the kernel counts in
 * schedstat: what is left is work and waiting of the loop's own, whoever else uses the machine.
 */
class OwnLag {
  #fd = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  #buffer = Buffer.alloc(64);
  #at = performance.now();
  #queued = this.#read();
  /** @type {number[]} */
  #lags = [];
  #timer = setInterval(() => {
    const at = performance.now();
    const queued = this.#read();
    this.#lags.push(Math.max(0, at - this.#at - RESOLUTION - (queued - this.#queued)));
    this.#at = at;
    this.#queued = queued;
  }, RESOLUTION);

  /** ms in the run queue so far. */
  #read() {
    const length = readSync(this.#fd, this.#buffer, 0, 64, 0);
    return Number(this.#buffer.toString("latin1", 0, length).split(" ")[1]) / 1e6;
  }

  end() {
    clearInterval(this.#timer);
    closeSync(this.#fd);
    const sorted = this.#lags.sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: at(1), samples: sorted.length };
  }
}
