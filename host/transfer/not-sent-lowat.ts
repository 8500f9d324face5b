// Bounds the unsent bytes of a long transfer in the kernel (TCP_NOTSENT_LOWAT). Unbounded, the kernel buffers some MiB
// for each client, mostly in vain if the client is slow; and once all sockets together hold too much, fast clients
// suffer. HAProxy does the same (tune.notsent-lowat).

import type { Syscalls } from "../libc/syscalls.js";
import type { Queue } from "../queue/queue.js";

/** Bytes. Shorter transfers are left alone: one run moves as much. */
const LONG = 1 << 20;

/**
 * Bytes. The kernel asks for more once half is left, which at 1 Gbit/s lasts 2 ms: an event loop with longer turns
 * leaves such a line idle, as with any writer.
 */
export const LOWAT = 512 << 10;

/** Sets the bound for a transfer of `count` bytes. Returns an undo; null if nothing was done. */
export function boundNotSent(sys: Syscalls, queue: Queue, count: number): (() => void) | null {
  if (count <= LONG || sys.limit?.(queue.fd(), LOWAT) !== true) return null;
  return () => {
    const fd = queue.fd();
    if (fd >= 0) sys.limit?.(fd, 0);
  };
}
