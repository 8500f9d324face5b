// A read that waits for the disk: for bytes that are promised already.

import { readSync } from "../originals.js";

/** Fills `bytes` from `position` on. Returns how many there are: fewer at the end of the file, or where it fails. */
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
