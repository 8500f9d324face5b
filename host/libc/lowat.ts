// How much of a long answer or transfer a TCP socket may hold unsent (TCP_NOTSENT_LOWAT). Unbounded, the kernel buffers some
// MiB for each client, mostly in vain if the client is slow; and once all sockets together hold too much (tcp_mem), fast
// clients suffer. HAProxy does the same (tune.notsent-lowat).

import { isNotANumber } from "../originals.js";
import type { Syscalls } from "./syscalls.js";

/** Bytes. Shorter ones are left alone: one run moves as much. */
export const LONG = 1 << 20;

/**
 * Bytes. The kernel asks for more once half is left, which at 1 Gbit/s lasts 2 ms: an event loop with longer turns
 * leaves such a line idle, as with any writer.
 */
export const LOWAT = 512 << 10;

/** ms. Who takes LONG bytes within this is fast: some 20 MiB/s. */
const FAST = 50;

/** A bound of what the kernel holds unsent for a peer. Who is fast has none any more: that costs less CPU. */
export class Bound {
  readonly #sys: Pick<Syscalls, "limit">;
  readonly #fd: () => number;
  #sent = 0;
  #at = Number.NaN;
  /** Unsent bytes that the kernel may hold now; Infinity once the bound is lifted. */
  most = LOWAT;

  private constructor(sys: Pick<Syscalls, "limit">, fd: () => number) {
    this.#sys = sys;
    this.#fd = fd;
  }

  /** For `count` bytes to the socket that `fd` gives. null if they are few, or it can't be bound, or has a bound of its own. */
  static of(sys: Pick<Syscalls, "limit">, fd: () => number, count: number): Bound | null {
    return count > LONG && sys.limit?.(fd(), LOWAT) === true ? new Bound(sys, fd) : null;
  }

  /** The pace is taken from here on. */
  begin(sent: number, now: number): void {
    this.#sent = sent;
    this.#at = now;
  }

  /** `sent` bytes have gone. The first time begins, if nobody has. */
  moved(sent: number, now: number): void {
    if (isNotANumber(this.#at)) this.begin(sent, now);
    if (sent - this.#sent < LONG) return;
    const isFast = now - this.#at <= FAST;
    this.begin(sent, now);
    if (isFast) this.lift();
  }

  /** Leaves the socket as it was. */
  lift(): void {
    const fd = this.#fd();
    if (this.most === LOWAT && fd >= 0) this.#sys.limit?.(fd, 0);
    this.most = Number.POSITIVE_INFINITY;
  }
}
