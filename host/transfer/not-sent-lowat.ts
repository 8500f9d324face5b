// Bounds the unsent bytes of a long transfer in the kernel, until the peer is seen to be fast.

import { LONG, LOWAT, Pace } from "../libc/lowat.js";
import type { Syscalls } from "../libc/syscalls.js";
import type { Queue } from "../queue/queue.js";

export class Bound {
  readonly #sys: Syscalls;
  readonly #queue: Queue;
  #pace: Pace | null = null;
  /** Unsent bytes that the kernel may hold now. */
  most = LOWAT;

  private constructor(sys: Syscalls, queue: Queue) {
    this.#sys = sys;
    this.#queue = queue;
  }

  /** For a transfer of `count` bytes; null if it is short, or the socket can't be bound, or has a bound of its own. */
  static of(sys: Syscalls, queue: Queue, count: number): Bound | null {
    return count > LONG && sys.limit?.(queue.fd(), LOWAT) === true ? new Bound(sys, queue) : null;
  }

  /** `sent` bytes have gone. */
  moved(sent: number, now: number): void {
    this.#pace ??= new Pace(sent, now);
    if (this.#pace.isFast(sent, now)) this.lift();
  }

  /** Leaves the socket as it was. */
  lift(): void {
    const fd = this.#queue.fd();
    if (this.most === LOWAT && fd >= 0) this.#sys.limit?.(fd, 0);
    this.most = Number.POSITIVE_INFINITY;
  }
}
