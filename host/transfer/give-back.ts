// Returns what a transfer has used to its owners, whatever throws.

import { something } from "../errors.js";
import type { Lseek, Source } from "../source/source.js";

/**
 * Removes the listeners of the stream, sets the file's own position unless it is null, and closes the file or leaves it
 * to its owner. Returns the error thrown, or null.
 */
export function giveBack(
  unwatch: (() => void) | null,
  source: Source,
  position: number | null,
  lseek: Lseek | null,
): unknown {
  try {
    try {
      unwatch?.();
      if (position !== null) source.seek(position, lseek);
    } finally {
      source.close();
    }
    return null;
  } catch (error) {
    return something(error);
  }
}
