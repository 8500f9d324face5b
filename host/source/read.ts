// Reads of an fd without the thread pool: of what is in the page cache, and of what is promised already.

import type { Syscalls } from "../libc/syscalls.js";
import { allocUnsafeSlow, bufferSubarray, call, min, readSync } from "../originals.js";
import type { Scratch } from "../scratch.js";

/** What a read from the page cache needs. */
interface Cached {
  readonly sys: Syscalls | null;
  readonly scratch: Scratch;
}

/**
 * Reads at most `most` bytes from `position` into `target`, at `at`: those in the page cache, so it never waits for a
 * disk. Returns their count; 0 if the next one is not there, or if the system can't tell.
 */
export function readWarm(
  { sys, scratch }: Cached,
  fd: number,
  position: number,
  target: Buffer,
  at: number,
  most: number,
): number {
  if (sys === null || fd < 0) return 0;
  let length = 0;
  while (length < most) {
    const want = min(most - length, scratch.length);
    const n = sys.read(fd, scratch.address, position + length, want);
    if (n <= 0) break;
    scratch.take(target, at + length, n);
    length += n;
    if (n < want) break;
  }
  return length;
}

/** The same, in memory of its own; null for none. */
export function readCached(shared: Cached, fd: number, position: number, most: number): Buffer | null {
  const bytes = allocUnsafeSlow(most);
  const length = readWarm(shared, fd, position, bytes, 0, most);
  return length === 0 ? null : call(bufferSubarray, bytes, 0, length);
}

/**
 * Fills `bytes` from `position` on; it may wait for a disk. Returns how many there are: fewer at the end of the file, or
 * where it fails.
 */
export function readNow(fd: number, bytes: Uint8Array, position: number): number {
  let length = 0;
  try {
    while (length < bytes.length) {
      const n = readSync(fd, bytes, length, bytes.length - length, position + length);
      if (n === 0) break;
      length += n;
    }
  } catch {} // the caller has promised more than there is
  return length;
}
