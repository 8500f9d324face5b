// What a loop knows: the file that a target leads to, open, and the heads of its answers. Bounded in targets and in
// files, and asked of the file system again after some ms.

import { fstatSync, type Stats, statSync } from "node:fs";
import type { LoopLibc } from "../libc/epoll.js";
import type { Syscalls } from "../libc/syscalls.js";
import type { Fds } from "./fds.js";
import { Head, lastHead } from "./heads.js";
import type { Answer, Identity } from "./messages.js";

/** A target that was looked up this long ago, in ms, is looked up again. */
const AGE = 10;
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
}

export function fileCalls(sys: Syscalls, libc: LoopLibc, fds: Fds, close: (fd: number) => void): FileCalls {
  return {
    close,
    open(path) {
      const fd = sys.open(path, false);
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
  /** Of the head, as they stand there; "" for none. */
  readonly etag: string;
  readonly modified: string;
  fd = -1;
  users = 0;
  /** Since the last sweep. */
  used = true;
  /** Another one has its place: closed by its last user. */
  dropped = false;
  /** When the names were last seen to lead here. */
  checked = Number.NEGATIVE_INFINITY;

  constructor(answer: Answer) {
    this.answer = answer;
    this.whole = new Head(answer.whole);
    this.last = new Head(lastHead(answer.whole));
    this.unmodified = answer.unmodified === null ? null : new Head(answer.unmodified);
    this.unmodifiedLast = answer.unmodified === null ? null : new Head(lastHead(answer.unmodified));
    this.etag = field(answer.whole, "ETag");
    this.modified = field(answer.whole, "Last-Modified");
  }
}

function field(head: string, name: string): string {
  const at = head.indexOf(`\r\n${name}: `);
  return at < 0 ? "" : head.slice(at + name.length + 4, head.indexOf("\r\n", at + 2));
}

export class Known {
  readonly #calls: FileCalls;
  readonly #most: number;
  readonly #entries = new Map<string, Entry>();
  #open = 0;

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
    if (now - entry.checked < AGE && entry.fd >= 0) return entry;
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
    if (this.#entries.size >= MOST) this.#forget();
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
      if (path !== name && !statSync(name).isFile()) return false;
      if (entry.fd >= 0) return same(entry.answer, statSync(path));
      if (this.#open >= this.#most) this.#makeRoom();
      const fd = this.#calls.open(path);
      if (fd < 0) return false;
      entry.fd = fd;
      this.#open++;
      const stat = fstatSync(fd);
      return stat.isFile() && same(entry.answer, stat);
    } catch {
      return false; // it is gone, or there is no permission: the server behind says which
    }
  }

  /** Closes a file that nobody uses: the first that was not used since the last sweep, else the first. */
  #makeRoom(): void {
    let idle: Entry | null = null;
    for (const entry of this.#entries.values()) {
      if (entry.fd < 0 || entry.users > 0) continue;
      idle ??= entry;
      if (entry.used) continue;
      idle = entry;
      break;
    }
    if (idle !== null) this.#close(idle);
  }

  /** As a clock's hand: those that were used since it last came by get another round. */
  #forget(): void {
    for (const [key, entry] of this.#entries) {
      if (!entry.used) return this.#drop(key, entry);
      entry.used = false;
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    const [first] = this.#entries;
    if (first !== undefined) this.#drop(...first);
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key);
    entry.dropped = true;
    if (entry.users === 0) this.#close(entry);
  }

  #close(entry: Entry): void {
    if (entry.fd < 0) return;
    this.#calls.close(entry.fd);
    entry.fd = -1;
    this.#open--;
  }
}

function same(was: Identity, now: Stats): boolean {
  return (
    was.ino === now.ino &&
    was.dev === now.dev &&
    was.size === now.size &&
    was.mtimeMs === now.mtimeMs &&
    was.ctimeMs === now.ctimeMs
  );
}
