// What a loop knows: the file that a target leads to, open, and the heads of its answers. Bounded in targets and in
// files, and asked of the file system again after some ms.

import type { Core } from "../core.js";
import { forget, type Identity, idleOf, isAlike, isSame } from "../keep.js";
import type { LoopLibc } from "../libc/epoll.js";
import { isNoRoom } from "../libc/errno.js";
import { type FileStat, Statx } from "../libc/statx.js";
import type { Syscalls } from "../libc/syscalls.js";
import type { Fds } from "./fds.js";
import { fieldOf, Head, lastHead } from "./heads.js";
import type { Answer } from "./messages.js";

/** A target that was looked up this long ago, in ms, is looked up again. */
const AGE = 10;
/** The same once so many others were looked up in the last AGE: where many files are asked for, a look for each is dear. */
const AGE_AT_MOST = 100;
const LOOKS = 10;
/** Targets; then the one that was not used for long is forgotten. */
const MOST = 10_000;

/** On Linux. */
const ENOENT = 2;

/** The calls of the system that it needs. */
export interface FileCalls {
  /** Opens a path that is in the kernel's memory; -1 if it is not, or can't be opened. */
  open(path: string): number;
  close(fd: number): void;
  /** Whether nothing has this name, as far as the kernel knows without a disk. */
  isAbsent(path: string): boolean;
  /** stat(2) of a path that ends with a NUL; null on failure. */
  stat(path: Uint8Array): FileStat | null;
  fstat(fd: number): FileStat | null;
}

/** Its loop's: `makeRoom` frees fds, if it can. */
type Lent = Pick<FileCalls, "close"> & { makeRoom(): void };

export function fileCalls(core: Core, sys: Syscalls, libc: LoopLibc, fds: Fds, { close, makeRoom }: Lent): FileCalls {
  const statx = new Statx(libc, core);
  return {
    close,
    stat: (path) => statx.at(path),
    fstat: (fd) => statx.of(fd),
    open(path) {
      let fd = sys.open(path, false);
      if (fd < 0 && isNoRoom(libc.errno())) {
        makeRoom();
        fd = sys.open(path, false);
      }
      return fd >= 0 && fds.own(fd) ? fd : -1;
    },
    isAbsent(path) {
      const fd = sys.open(path, true);
      if (fd < 0) return libc.errno() === ENOENT;
      libc.close(fd);
      return false;
    },
  };
}

/** One target. Those who send its file count in `users`. */
export class Entry {
  readonly answer: Answer;
  readonly whole: Head;
  readonly last: Head;
  readonly unmodified: Head | null;
  readonly unmodifiedLast: Head | null;
  /** Of 206 for `bytes=0-0`. */
  readonly part: Head | null;
  /** Of the head, as they stand there; "" for none. */
  readonly etag: string;
  readonly modified: string;
  fd = -1;
  /** The file, once it was open. */
  seen: Identity | null = null;
  users = 0;
  /** Since the last sweep. */
  used = true;
  /** Ready for a call: with a NUL at their ends. */
  readonly path: Uint8Array;
  readonly name: Uint8Array;
  /** Another one has its place: closed by its last user. */
  dropped = false;
  /** When the names were last seen to lead here. */
  checked = Number.NEGATIVE_INFINITY;
  /** A whole answer, if there is one for this head, with the `checked` of when it was read; and the head last asked for. */
  readonly ready = { bytes: null as Buffer | null, head: "", checked: Number.NaN, isSettled: false, asked: "" };

  constructor(answer: Answer) {
    this.answer = answer;
    this.path = Buffer.from(`${answer.path}\0`);
    this.name = Buffer.from(`${answer.name}\0`);
    this.whole = new Head(answer.whole);
    this.last = new Head(lastHead(answer.whole));
    const { part = null, unmodified = null } = answer.rest ?? {};
    this.unmodified = unmodified === null ? null : new Head(unmodified);
    this.unmodifiedLast = unmodified === null ? null : new Head(lastHead(unmodified));
    this.part = part === null ? null : new Head(part);
    this.etag = fieldOf(answer.whole, "ETag") ?? "";
    this.modified = fieldOf(answer.whole, "Last-Modified") ?? "";
  }
}

export class Known {
  readonly #calls: FileCalls;
  readonly #most: number;
  readonly #entries = new Map<string, Entry>();
  #open = 0;
  /** Looks since then. */
  #looks = 0;
  #since = Number.NEGATIVE_INFINITY;

  /** `most`: files that may be open. */
  constructor(calls: FileCalls, most: number) {
    this.#calls = calls;
    this.#most = most;
  }

  /** How many files are open. */
  get open(): number {
    return this.#open;
  }

  /** What is known of a target, with its file open, and still so at `now`; null if nothing. */
  find(key: string, now: number): Entry | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    entry.used = true;
    if (now - this.#since >= AGE) {
      this.#since = now;
      this.#looks = 0;
    }
    if (now - entry.checked < (this.#looks < LOOKS ? AGE : AGE_AT_MOST) && entry.fd >= 0) return entry;
    this.#looks++;
    if (this.#look(entry)) {
      entry.checked = now;
      return entry;
    }
    this.#drop(key, entry);
    return null;
  }

  learn(key: string, answer: Answer): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#drop(key, before);
    const forgotten = this.#entries.size >= MOST ? forget(this.#entries) : undefined;
    if (forgotten !== undefined) this.#leave(forgotten);
    this.#entries.set(key, new Entry(answer));
  }

  /** Gives one use back. */
  release(entry: Entry): void {
    entry.users--;
    if (entry.users === 0 && entry.dropped) this.#close(entry);
  }

  /** Closes the files that were not used since the last sweep. */
  sweep(): void {
    for (const entry of this.#entries.values()) {
      if (!entry.used && entry.users === 0) this.#close(entry);
      entry.used = false;
    }
  }

  /** Closes all files that nobody uses. */
  clear(): void {
    for (const entry of this.#entries.values()) if (entry.users === 0) this.#close(entry);
  }

  /** Whether the names lead where they led, with the file open. */
  #look(entry: Entry): boolean {
    const { path, name, absent } = entry.answer;
    try {
      for (const one of absent) if (!this.#calls.isAbsent(one)) return false;
      if (path !== name && this.#calls.stat(entry.name)?.isFile !== true) return false;
      if (entry.fd >= 0) return isSame(entry.seen ?? entry.answer, this.#calls.stat(entry.path) ?? undefined);
      if (this.#open >= this.#most) this.#makeRoom();
      const fd = this.#calls.open(path);
      if (fd < 0) return false;
      entry.fd = fd;
      this.#open++;
      const stat = this.#calls.fstat(fd);
      if (stat?.isFile !== true) return false;
      if (entry.seen !== null) return isSame(entry.seen, stat);
      entry.seen = { ...stat };
      return isAlike(entry.answer, stat);
    } catch {
      return false; // it is gone, or there is no permission: the server behind says which
    }
  }

  #makeRoom(): void {
    const idle = idleOf(this.#entries.values(), ({ fd, users }) => fd >= 0 && users === 0);
    if (idle !== null) this.#close(idle);
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#leave(entry);
  }

  /** Closes it now, or once its last user is over. */
  #leave(entry: Entry): void {
    entry.dropped = true;
    if (entry.users === 0) this.#close(entry);
  }

  #close(entry: Entry): void {
    if (entry.fd < 0) return;
    this.#calls.close(entry.fd);
    entry.fd = -1;
    entry.ready.bytes = null;
    entry.ready.head = "";
    this.#open--;
  }
}
