// Bounds what the kernel holds unsent of long answers, until a client is seen to be fast: from then on its kernel may
// have more, which costs less CPU.

import type { Core } from "../core.js";
import { LONG, LOWAT } from "../libc/lowat.js";
import type { Syscalls } from "../libc/syscalls.js";

/** Who takes LONG bytes within so many ms is fast: some 20 MiB/s. */
const FAST = 50;

/** How far an answer had come, and when. */
interface Mark {
  sent: number;
  at: number;
}

export class Unsent {
  readonly #core: Core;
  readonly #sys: Syscalls;
  /** By handle, of all connections that had a long answer; null where there is no bound, or none any more. */
  readonly #marks = new Map<number, Mark | null>();

  constructor(core: Core, sys: Syscalls) {
    this.#core = core;
    this.#sys = sys;
  }

  /** Before an answer of `count` bytes is sent. */
  begin(handle: number, count: number, now: number): void {
    if (count <= LONG) return;
    const mark = this.#marks.get(handle);
    if (mark === null) return;
    const isBound = mark !== undefined || this.#sys.limit?.(this.#core.connection_fd(handle), LOWAT) === true;
    this.#marks.set(handle, isBound ? { sent: 0, at: now } : null);
  }

  /** After some of it was. */
  moved(handle: number, now: number): void {
    const mark = this.#marks.get(handle) ?? null;
    if (mark === null) return;
    const sent = this.#core.connection_at(handle);
    if (sent - mark.sent < LONG) return;
    if (now - mark.at <= FAST) {
      this.#sys.limit?.(this.#core.connection_fd(handle), 0);
      this.#marks.set(handle, null);
    }
    mark.sent = sent;
    mark.at = now;
  }

  /** The connection is gone. */
  forget(handle: number): void {
    if (this.#marks.size > 0) this.#marks.delete(handle);
  }
}
