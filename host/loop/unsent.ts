// Bounds what the kernel holds unsent of long answers, until a client is seen to be fast.

import type { Core } from "../core.js";
import { LONG, LOWAT, Pace } from "../libc/lowat.js";
import type { Syscalls } from "../libc/syscalls.js";

export class Unsent {
  readonly #core: Core;
  readonly #sys: Syscalls;
  /** By handle, of all connections that had a long answer; null where there is no bound, or none any more. */
  readonly #paces = new Map<number, Pace | null>();

  constructor(core: Core, sys: Syscalls) {
    this.#core = core;
    this.#sys = sys;
  }

  /** Before an answer of `count` bytes is sent. */
  begin(handle: number, count: number, now: number): void {
    if (count <= LONG) return;
    const pace = this.#paces.get(handle);
    if (pace === null) return;
    const isBound = pace !== undefined || this.#sys.limit?.(this.#core.connection_fd(handle), LOWAT) === true;
    this.#paces.set(handle, isBound ? new Pace(0, now) : null);
  }

  /** After some of it was. */
  moved(handle: number, now: number): void {
    const pace = this.#paces.get(handle) ?? null;
    if (pace === null || !pace.isFast(this.#core.connection_at(handle), now)) return;
    this.#sys.limit?.(this.#core.connection_fd(handle), 0);
    this.#paces.set(handle, null);
  }

  /** The connection is gone, or somebody else's, who may bind it anew. */
  forget(handle: number): void {
    if (this.#paces.size === 0) return;
    if (this.#paces.get(handle) instanceof Pace) this.#sys.limit?.(this.#core.connection_fd(handle), 0);
    this.#paces.delete(handle);
  }
}
