// How much of a long transfer the kernel holds that it can't send yet. Left alone it takes some MiB for each client,
// most of it for nothing where that is a slow one; and once all sockets together hold too much, fast clients suffer.
// HAProxy does the same (tune.notsent-lowat).

import type { Queue } from "./queue.js";
import type { Syscalls } from "./syscalls/linux.js";

/** Bytes: what one run moves at most. At 10 Gbit/s half of it lasts 0.4 ms, until the next run has to come. */
const UNSENT = 1 << 20;

export class Unsent {
  readonly #sys: Syscalls | null;
  readonly #queue: Queue;
  #asked = false;
  #set = false;

  constructor(sys: Syscalls | null, queue: Queue) {
    this.#sys = sys;
    this.#queue = queue;
  }

  /** `left` bytes are still to go natively: where that is much, the kernel takes it bit by bit. */
  limit(left: number): void {
    if (this.#asked || left <= UNSENT) return;
    this.#asked = true;
    this.#set = this.#sys?.limit?.(this.#queue.fd(), UNSENT) === true;
  }

  /** The socket is as it was. */
  release(): void {
    if (!this.#set) return;
    this.#set = this.#asked = false;
    const fd = this.#queue.fd();
    if (fd >= 0) this.#sys?.limit?.(fd, 0);
  }
}
