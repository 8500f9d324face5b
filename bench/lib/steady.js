// Whether the processors run at their full speed. A virtual machine shares them with its neighbours and need not be
// told so: then the same work takes twice as long, for seconds, and no counter of the system shows it.

import { createHash } from "node:crypto";
import { cpus } from "node:os";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

/** As many digests as take some ms: long enough to meet whom a processor is shared with. Native code, which no compiler changes. */
const DIGESTS = 150;
const bytes = Buffer.alloc(64 << 10);
/** Less than this of the best that was seen is a processor that somebody else has. */
export const STEADY = 0.87;
/** Between two looks, and at most so many of them. */
const LOOK_MS = 200;
const LOOKS = 10;

if (!isMainThread) {
  parentPort?.on("message", () => {
    const start = performance.now();
    for (let i = 0; i < DIGESTS; i++) createHash("sha256").update(bytes).digest();
    parentPort?.postMessage({ ms: performance.now() - start });
  });
}

export class Steady {
  #workers = cpus().map(() => new Worker(new URL(import.meta.url)));
  #best = Number.POSITIVE_INFINITY;

  constructor() {
    for (const worker of this.#workers) worker.unref();
  }

  /** How fast the slowest processor is now: 1 is as fast as ever. */
  async look() {
    const times = await Promise.all(
      this.#workers.map(
        (worker) =>
          new Promise((resolve) => {
            worker.once("message", ({ ms }) => resolve(ms));
            worker.postMessage(null);
          }),
      ),
    );
    this.#best = Math.min(this.#best, ...times);
    return this.#best / Math.max(...times);
  }

  /** Waits until all processors are steady, or for some seconds; as `look`. */
  async wait() {
    for (let looks = 1; ; looks++) {
      const speed = await this.look();
      if (speed >= STEADY || looks === LOOKS) return speed;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
