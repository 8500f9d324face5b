// Files that stay open for the next who asks for the same path, as with nginx's open_file_cache. A file is looked at
// whenever it is asked for, so a rename, a truncation or a removal is seen at once, and closed soon after its last use.

import { AsyncResource } from "node:async_hooks";
import * as fs from "node:fs";
import { warn } from "../close.js";
import { idleOf, isSame } from "../keep.js";
import type { Statx } from "../libc/statx.js";
import { clearInterval, SafeMap, setInterval, statSync } from "../originals.js";
import type { Scheduler } from "../scheduler.js";
import type { Opener } from "./open.js";
import { unchanged } from "./unchanged.js";

/** An open file. Those who got it read it by offset, and release it, once each. */
export class OpenFile {
  readonly path: string;
  /** The path for a call: with a NUL at its end. */
  readonly bytes: Uint8Array;
  readonly fd: number;
  /** As it was when the file was opened, and still is but for the access time. */
  readonly stat: fs.Stats;
  users = 1;
  /** Since the last sweep. */
  used = true;
  /** The turn of the event loop in which the path was last seen to be this file. */
  turn = Number.NaN;
  /** Another file has its path, or there is no room for it: closed by its last user. */
  dropped = false;

  constructor(path: string, fd: number, stat: fs.Stats) {
    this.path = path;
    this.bytes = Buffer.from(`${path}\0`);
    this.fd = fd;
    this.stat = stat;
  }

  /** @throws the error of close(2), if it is closed now. */
  release(): void {
    this.users--;
    if (this.users === 0 && this.dropped) fs.closeSync(this.fd);
  }
}

/** How long a file stays open after its last use: this, or twice as long, in ms. */
const SWEEP = 1000;

/** The most files that stay open: few enough to leave a process of 256 fds its own. */
const MOST = 128;

export class Files {
  readonly #opener: Opener;
  readonly #scheduler: Scheduler;
  readonly #most: number;
  readonly #statx: Statx | null;
  readonly #files = new SafeMap<string, OpenFile>();
  #timer: NodeJS.Timeout | null = null;
  /** The sweep belongs to no request. */
  readonly #scope = new AsyncResource("sendoff.Files", { requireManualDestroy: true });

  /** `most` 0: each file is opened for its use alone. */
  constructor(opener: Opener, scheduler: Scheduler, most = MOST, statx: Statx | null = null) {
    this.#opener = opener;
    this.#scheduler = scheduler;
    this.#most = most;
    this.#statx = statx;
  }

  /** Whether a file is open by this absolute path. */
  has(path: string): boolean {
    return this.#files.has(path);
  }

  /**
   * The file that is at this absolute path now; the caller releases it. Null if it has to be opened by a thread. With
   * `turn` a look in the same turn of the event loop is enough; without `open` only a file that is open is given.
   */
  get(path: string, turn: boolean, open = true): OpenFile | null {
    if (!unchanged()) return null;
    const known = this.#files.get(path);
    if (known !== undefined && ((turn && known.turn === this.#scheduler.turn) || this.#same(known))) {
      known.users++;
      known.used = true;
      return known;
    }
    const opened = open ? this.#opener.open(path) : null;
    return opened && this.#add(new OpenFile(path, opened.fd, opened.stat));
  }

  /** Takes over a file that was just opened at an absolute path, for its opener to release. Null if it is not kept. */
  keep(path: string, fd: number, stat: fs.Stats): OpenFile | null {
    if (!stat.isFile() || !unchanged()) return null;
    this.#opener.met(path, stat);
    return this.#opener.isLocal(stat.dev) ? this.#add(new OpenFile(path, fd, stat)) : null;
  }

  /** Closes all that nobody uses, and the others once nobody does. Whether there were any. */
  clear(): boolean {
    const any = this.#files.size > 0;
    for (const file of this.#files.values()) this.#drop(file);
    return any;
  }

  /** The path of a file that is open, and so with all its folders in the kernel's memory: stat(2) does not wait. */
  #same(file: OpenFile): boolean {
    try {
      const statx = this.#statx;
      const now = statx === null ? statSync(file.path, { throwIfNoEntry: false }) : (statx.at(file.bytes) ?? undefined);
      if (isSame(file.stat, now)) {
        file.turn = this.#scheduler.turn;
        return true;
      }
    } catch {} // a loop of links, or no permission: open(2) will say so
    this.#drop(file);
    return false;
  }

  #add(file: OpenFile): OpenFile {
    const before = this.#files.get(file.path);
    if (before !== undefined) this.#drop(before);
    if (this.#files.size >= this.#most) this.#makeRoom();
    if (this.#files.size >= this.#most) file.dropped = true;
    else this.#files.set(file.path, file);
    file.turn = this.#scheduler.turn;
    if (!file.dropped) this.#timer ??= this.#scope.runInAsyncScope(() => setInterval(this.#sweep, SWEEP).unref());
    return file;
  }

  /** Drops one that nobody uses: the first that was not used since the last sweep, else the first. */
  #makeRoom(): void {
    const idle = idleOf(this.#files.values(), ({ users }) => users === 0);
    if (idle !== null) this.#drop(idle);
  }

  #drop(file: OpenFile): void {
    file.dropped = true;
    this.#files.delete(file.path);
    if (file.users > 0) return;
    try {
      fs.closeSync(file.fd);
    } catch (error) {
      warn(error);
    }
  }

  readonly #sweep = (): void => {
    for (const file of this.#files.values()) {
      if (!file.used) this.#drop(file);
      file.used = false;
    }
    if (this.#files.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  };
}
