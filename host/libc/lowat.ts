// How much of a long answer or transfer a TCP socket may hold unsent (TCP_NOTSENT_LOWAT). Unbounded, the kernel buffers some
// MiB for each client, mostly in vain if the client is slow; and once all sockets together hold too much (tcp_mem), fast
// clients suffer. HAProxy does the same (tune.notsent-lowat).

/** Bytes. Shorter ones are left alone: one run moves as much. */
export const LONG = 1 << 20;

/**
 * Bytes. The kernel asks for more once half is left, which at 1 Gbit/s lasts 2 ms: an event loop with longer turns
 * leaves such a line idle, as with any writer.
 */
export const LOWAT = 512 << 10;

/** ms. Who takes LONG bytes within this is fast: some 20 MiB/s. */
const FAST = 50;

/** Tells who is fast: for them the kernel may hold more, which costs less CPU. */
export class Pace {
  #sent: number;
  #at: number;

  constructor(sent: number, now: number) {
    this.#sent = sent;
    this.#at = now;
  }

  /** Whether the last LONG bytes, of `sent` so far, went fast. */
  isFast(sent: number, now: number): boolean {
    if (sent - this.#sent < LONG) return false;
    const isFast = now - this.#at <= FAST;
    this.#sent = sent;
    this.#at = now;
    return isFast;
  }
}
