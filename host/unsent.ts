// How much of a long transfer the kernel holds that it can't send yet. Left alone it takes some MiB for each client,
// most of it for nothing where that is a slow one; and once all sockets together hold too much, fast clients suffer.
// HAProxy does the same (tune.notsent-lowat).

import type { Queue } from "./queue.js";
import type { Syscalls } from "./syscalls/contract.js";

/** Bytes. Up to here a transfer is left alone: one run moves as much. */
const LONG = 1 << 20;

/**
 * Bytes. The kernel asks for more once half is left, which at 1 Gbit/s lasts 2 ms: a loop whose turns are longer leaves
 * such a line idle, as any writer's does.
 */
const UNSENT = 512 << 10;

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
    if (this.#asked || left <= LONG) return;
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
