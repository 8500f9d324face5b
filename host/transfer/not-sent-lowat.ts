// How much of a long transfer the kernel holds that it can't send yet (TCP_NOTSENT_LOWAT). Left alone it takes some MiB
// for each client, most of it for nothing where that is a slow one; and once all sockets together hold too much, fast
// clients suffer. HAProxy does the same (tune.notsent-lowat).

import type { Syscalls } from "../libc/syscalls.js";
import type { Queue } from "../queue/queue.js";

/** Bytes. Up to here a transfer is left alone: one run moves as much. */
const LONG = 1 << 20;

/**
 * Bytes. The kernel asks for more once half is left, which at 1 Gbit/s lasts 2 ms: a loop whose turns are longer leaves
 * such a line idle, as any writer's does.
 */
const LOWAT = 512 << 10;

/** Bounds what is held of a transfer of `count` bytes. Returns how to take it back; null where nothing was done. */
export function boundNotSent(sys: Syscalls, queue: Queue, count: number): (() => void) | null {
  if (count <= LONG || sys.limit?.(queue.fd(), LOWAT) !== true) return null;
  return () => {
    const fd = queue.fd();
    if (fd >= 0) sys.limit?.(fd, 0);
  };
}
