// Bounds the unsent bytes of a long transfer in the kernel.

import { LONG, LOWAT } from "../libc/lowat.js";
import type { Syscalls } from "../libc/syscalls.js";
import type { Queue } from "../queue/queue.js";

/** Sets the bound for a transfer of `count` bytes. Returns an undo; null if nothing was done. */
export function boundNotSent(sys: Syscalls, queue: Queue, count: number): (() => void) | null {
  if (count <= LONG || sys.limit?.(queue.fd(), LOWAT) !== true) return null;
  return () => {
    const fd = queue.fd();
    if (fd >= 0) sys.limit?.(fd, 0);
  };
}
