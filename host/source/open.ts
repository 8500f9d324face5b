// Opening without the thread pool: if the kernel has a path cached the file is opened at once. As in io_uring: first
// openat2(2) with RESOLVE_CACHED, else a thread.

import type fs from "node:fs";
import { isMainThread } from "node:worker_threads";
import { closeFd } from "../close.js";
import type { Syscalls } from "../libc/syscalls.js";
import { SafeMap, SafeSet, statfs } from "../originals.js";
import { fstat, isFile } from "./stat.js";

export interface Opened {
  readonly path: string;
  readonly fd: number;
  readonly stat: fs.Stats;
}

/** Paths remembered; then the list is emptied. */
const MOST = 10_000;

/**
 * Local file systems, by their numbers of statfs(2). On others, open(2) may wait for a network, or for a process behind
 * FUSE, which may be this one.
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
  /** Node's permission model, which native opens, and files that stay open, would bypass. */
  readonly #guarded = (process as { permission?: unknown }).permission !== undefined;
  /** Paths last seen as regular files, with their devices: opening a FIFO would wake its writer. */
  readonly #met = new SafeMap<string, number>();
  /** Devices, and whether their file system is local; false until known. */
  readonly #local = new SafeMap<number, boolean>();

  readonly #statfs: StatFs;

  constructor(sys: Syscalls | null, ask: StatFs = statfs) {
    this.#statfs = ask;
    // A worker knows the fds that it has opened: it warns of others that are closed, and leaves them open at its end.
    this.#sys = this.#guarded || !isMainThread ? null : sys;
  }

  /** Records a regular file at this path, on this device. */
  met(path: string, { dev }: Pick<fs.Stats, "dev">): void {
    if (this.#guarded) return;
    if (!this.#local.has(dev)) this.#ask(path, dev);
    if (this.#met.size >= MOST) this.#met.clear();
    this.#met.set(path, dev);
  }

  /** Whether a device's file system is known to be local. */
  isLocal(dev: number): boolean {
    return this.#local.get(dev) === true;
  }

  #ask(path: string, dev: number): void {
    this.#local.set(dev, false);
    this.#statfs(path, (error, found) => {
      if (error) this.#local.delete(dev);
      else this.#local.set(dev, LOCAL.has(found.type));
    });
  }

  /** Opens a path that was `met`, for reading; the caller closes it. Null if it needs a thread. */
  open(path: string): Opened | null {
    const fd = this.#reach(path, false);
    if (fd < 0) return null;
    const stat = fstat(fd);
    if (stat !== null && isFile(stat)) {
      if (stat.dev !== this.#met.get(path)) this.met(path, stat); // behind another link, say
      return { path, fd, stat };
    }
    closeFd(fd);
    if (stat !== null) this.#met.delete(path);
    return null;
  }

  /** The stat of a path that was `met`, as by fs.stat; the file itself is not opened. Null if it needs a thread. */
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
