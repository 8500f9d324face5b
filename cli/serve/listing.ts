// Listings of folders: each folder is read once for all clients that request it meanwhile, and cached while it is
// unchanged.

import fs, { type BigIntStats } from "node:fs";
import { type Catalog, type Files, type Listing, type Order, read } from "./catalog.js";
import { Flights } from "./flights.js";

/** Limits of the cache: folders, and bytes of all of them. */
const BOUNDS = { folders: 100, bytes: 64 << 20 };

/** The cache's time to live, in ms: some file systems, a bucket by FUSE, say, don't update a folder's times. */
const KEPT = 60_000;

/**
 * The resolution of file system timestamps, in ms: 2 s on FAT, else some ms, as of the kernel's clock. A folder changed
 * within that before it was read may change again with the same timestamp.
 */
const GRANULE = 2000;

export const FILES: Files = {
  opendir: (path) => fs.promises.opendir(path, { bufferSize: 256 }),
  realpath: (path) => fs.promises.realpath(path),
  // Half of what fs.promises.lstat() costs.
  lstat: (path) =>
    new Promise((resolve, reject) => {
      fs.lstat(path, (error, stat) => (error ? reject(error) : resolve(stat)));
    }),
};

/** Changes whenever the folder does: adding or removing a name, or setting the time back, gives a new ctime. */
export function versionOf({ dev, ino, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${mtimeNs} ${ctimeNs}`;
}

interface Kept {
  readonly version: string;
  /** When it was read. */
  readonly at: number;
  readonly catalog: Catalog;
}

export class Listings {
  readonly #root: string;
  readonly #dotfiles: boolean;
  readonly #files: Files;
  readonly #now: () => number;
  readonly #bounds: typeof BOUNDS;
  readonly #reading = new Flights<Catalog>();
  /** By folder; the most recently used comes last. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /** @param root is a real path; `now` is the time of the file system, in ms. */
  constructor(root: string, dotfiles: boolean, files = FILES, now = Date.now, bounds = BOUNDS) {
    this.#root = root;
    this.#dotfiles = dotfiles;
    this.#files = files;
    this.#now = now;
    this.#bounds = bounds;
  }

  /** A page of a folder, by its real path. @throws the reason of `signal`, if that aborts. */
  async list(folder: string, order: Order, page: number, signal: AbortSignal, filter = ""): Promise<Listing> {
    const catalog = await this.#catalog(folder, signal);
    return catalog.list(order, page, signal, filter);
  }

  async #catalog(folder: string, signal: AbortSignal): Promise<Catalog> {
    for (;;) {
      const at = this.#now();
      const stat = await fs.promises.stat(folder, { bigint: true });
      const version = versionOf(stat);
      const kept = this.#kept.get(folder);
      if (kept?.version === version && at - kept.at < KEPT) {
        this.#kept.delete(folder);
        this.#kept.set(folder, kept);
        return kept.catalog;
      }
      this.#drop(folder);
      const under = this.#reading.get(folder);
      if (under === undefined || under.version === version) {
        const changed = Number(stat.mtimeMs > stat.ctimeMs ? stat.mtimeMs : stat.ctimeMs);
        const settled = at - changed > GRANULE;
        const work = async (signal: AbortSignal) => {
          const place = { root: this.#root, folder, dotfiles: this.#dotfiles, files: this.#files, now: this.#now };
          const catalog = await read(place, signal);
          if (settled) this.#keep(folder, { version, at, catalog });
          return catalog;
        };
        return this.#reading.share(folder, signal, work, version);
      }
      // Read before a change: one read at a time, and the next one for all who wait for its end.
      await under.result.catch(() => {});
      signal.throwIfAborted();
    }
  }

  #keep(folder: string, read: Kept): void {
    const { folders, bytes } = this.#bounds;
    if (read.catalog.weight > bytes) return;
    this.#drop(folder);
    this.#kept.set(folder, read);
    this.#bytes += read.catalog.weight;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= folders && this.#bytes <= bytes) return;
      this.#drop(oldest);
    }
  }

  #drop(folder: string): void {
    this.#bytes -= this.#kept.get(folder)?.catalog.weight ?? 0;
    this.#kept.delete(folder);
  }
}
