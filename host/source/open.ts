// Opening without waiting: where the kernel has all of a path at hand the file is opened at once, and the
// thread pool is spared a trip. As io_uring does it: openat2(2) with RESOLVE_CACHED, else a thread.

import type fs from "node:fs";
import { closeFd } from "../close.js";
import type { Syscalls } from "../libc/syscalls.js";
import { SafeMap, SafeSet, statfs } from "../originals.js";
import { fstat } from "./stat.js";

export interface Opened {
  readonly path: string;
  readonly fd: number;
  readonly stat: fs.Stats;
}

/** How many paths are remembered; then it begins anew. */
const MOST = 10_000;

/**
 * File systems that ask nobody when a file is opened, by their numbers of statfs(2). Others do: a network, or a
 * process behind FUSE, which may take its time, or be this one.
 */
const LOCAL = new SafeSet([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0xca451a4e, // bcachefs
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x794c7630, // overlayfs
  0x73717368, // SquashFS
  0xe0f5e1e2, // EROFS
]);

/** fs.statfs(). */
type StatFs = (path: string, done: (error: Error | null, found: { type: number }) => void) => void;

export class Opener {
  readonly #sys: Syscalls | null;
  /** Paths that were regular files when they were last met, and on which device: to open a FIFO is an event for its writer. */
  readonly #met = new SafeMap<string, number>();
  /** Devices, and whether their file system is a local one; false until that is known. */
  readonly #local = new SafeMap<number, boolean>();

  readonly #statfs: StatFs;

  constructor(sys: Syscalls | null, ask: StatFs = statfs) {
    this.#statfs = ask;
    // Node's permission model asks nobody who opens files by himself.
    const guarded = (process as { permission?: unknown }).permission !== undefined;
    this.#sys = guarded ? null : sys;
  }

  /** There is a regular file at this path, on this device. */
  met(path: string, { dev }: Pick<fs.Stats, "dev">): void {
    if (this.#sys === null) return;
    if (!this.#local.has(dev)) this.#ask(path, dev);
    if (this.#met.size >= MOST) this.#met.clear();
    this.#met.set(path, dev);
  }

  #ask(path: string, dev: number): void {
    this.#local.set(dev, false);
    this.#statfs(path, (error, found) => {
      if (error) this.#local.delete(dev);
      else this.#local.set(dev, LOCAL.has(found.type));
    });
  }

  /** The file at a path that was `met`, open for reading: the caller's to close. Null where it takes a thread. */
  open(path: string): Opened | null {
    const fd = this.#reach(path, false);
    if (fd < 0) return null;
    const stat = fstat(fd);
    if (stat?.isFile()) {
      if (stat.dev !== this.#met.get(path)) this.met(path, stat); // behind another link, say
      return { path, fd, stat };
    }
    closeFd(fd);
    if (stat !== null) this.#met.delete(path);
    return null;
  }

  /** What is at a path that was `met`, as by fs.stat; the file itself is not opened. Null where it takes a thread. */
  stat(path: string): fs.Stats | null {
    const fd = this.#reach(path, true);
    if (fd < 0) return null;
    const stat = fstat(fd);
    closeFd(fd);
    return stat;
  }

  #reach(path: string, look: boolean): number {
    const dev = this.#met.get(path);
    return this.#sys === null || dev === undefined || this.#local.get(dev) !== true ? -1 : this.#sys.open(path, look);
  }
}
