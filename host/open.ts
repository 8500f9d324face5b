// Opening without waiting: where the kernel has all of a path at hand the file is opened at once, and the
// thread pool is spared a trip. As io_uring does it: openat2(2) with RESOLVE_CACHED, else a thread.

import * as fs from "node:fs";
import type { Syscalls } from "./syscalls/linux.js";

export interface Opened {
  readonly path: string;
  readonly fd: number;
  readonly stat: fs.Stats;
}

/** How many paths are remembered; then it begins anew. */
const MOST = 10_000;

export class Opener {
  readonly #sys: Syscalls | null;
  /** Paths that were regular files when they were last met: to open a FIFO is an event for its writer. */
  readonly #met = new Set<string>();

  constructor(sys: Syscalls | null) {
    // Node's permission model asks nobody who opens files by himself.
    const guarded = (process as { permission?: unknown }).permission !== undefined;
    this.#sys = guarded ? null : sys;
  }

  /** There is a regular file at this path. */
  met(path: string): void {
    if (this.#sys === null) return;
    if (this.#met.size >= MOST) this.#met.clear();
    this.#met.add(path);
  }

  /** The file at a path that was `met`, open for reading: the caller's to close. Null where it takes a thread. */
  open(path: string): Opened | null {
    if (this.#sys === null || !this.#met.has(path)) return null;
    const fd = this.#sys.open(path);
    if (fd < 0) return null;
    let stat: fs.Stats | null = null;
    try {
      stat = fs.fstatSync(fd);
    } catch {} // it can't be told what this is
    if (stat?.isFile()) return { path, fd, stat };
    fs.closeSync(fd);
    this.#met.delete(path);
    return null;
  }
}
