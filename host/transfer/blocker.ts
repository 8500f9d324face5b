// Whether a transfer can use native calls at all.

import type { Queue } from "../queue/queue.js";
import type { Shared } from "../shared.js";
import type { Source } from "../source/source.js";

/** Why native calls can't move this file to this queue; null if they can be tried. */
export function nativeBlocker({ sys, reason }: Shared, source: Source, queue: Queue): string | null {
  if (sys === null) return reason;
  if (!source.native) return "this file is not a regular one";
  return queue.native(sys.isStream) < 0 ? "this socket is not a plain TCP or Unix stream socket" : null;
}
