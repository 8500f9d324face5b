// Bounds what the kernel holds unsent of long answers, until a client is seen to be fast.

import type { Core } from "../core.js";
import { Bound, LONG } from "../libc/lowat.js";
import type { Syscalls } from "../libc/syscalls.js";

export class Unsent {
  readonly #core: Core;
  readonly #sys: Syscalls;
  /** By handle, of all connections that had a long answer; null where there can be none. */
  readonly #bounds = new Map<number, Bound | null>();

  constructor(core: Core, sys: Syscalls) {
    this.#core = core;
    this.#sys = sys;
  }

  /** Before an answer of `count` bytes is sent. */
  begin(handle: number, count: number, now: number): void {
    if (count <= LONG) return;
    if (!this.#bounds.has(handle)) {
      const fd = this.#core.connection_fd(handle);
      this.#bounds.set(
        handle,
        Bound.of(this.#sys, () => fd, count),
      );
    }
    this.#bounds.get(handle)?.begin(0, now);
  }

  /** After some of it was. */
  moved(handle: number, now: number): void {
    this.#bounds.get(handle)?.moved(this.#core.connection_at(handle), now);
  }

  /** The connection is gone, or somebody else's, who may bind it anew. */
  forget(handle: number): void {
    if (this.#bounds.size === 0) return;
    this.#bounds.get(handle)?.lift();
    this.#bounds.delete(handle);
  }
}
