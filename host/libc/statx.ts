// stat(2) of a path, for a loop that asks all the time: without an object for each answer.

import { constants, fstatSync, type Stats, statSync } from "node:fs";
import { Fault } from "../../assembly/abi.js";
import type { Core } from "../core.js";
import type { Identity } from "../keep.js";
import { sort } from "./errno.js";
import type { Libc } from "./libc.js";
import { AT_FDCWD, PATH_MAX } from "./linux.js";

const { S_IFMT, S_IFREG } = constants;
const AT_EMPTY_PATH = 0x1000;
/** Types, inode, size and times: all of stat(2). */
const STATX_BASIC_STATS = 0x7ff;

/** A path of none. */
const EMPTY = Buffer.from("\0");

/** Bytes of struct statx: the same on every architecture. It is behind the path and its NUL. */
const SIZE = 256;
/** Places in it, in words of 32 bits; those of 64 have the lower one first. */
const MODE = 7;
const INO = 8;
const LENGTH = 10;
const CTIME = 24;
const MTIME = 28;
const DEV_MAJOR = 34;
const DEV_MINOR = 35;

export interface FileStat extends Identity {
  readonly isFile: boolean;
}

type StatxLibc = Required<Pick<Libc, "statx" | "errno">>;

export class Statx {
  readonly #libc: StatxLibc;
  readonly #core: Core;
  readonly #address: number;
  #bytes = new Uint8Array();
  #words = new Uint32Array();
  readonly #found = { dev: 0, ino: 0, size: 0, mtimeMs: 0, ctimeMs: 0, isFile: false };

  /** Uses the scratch area. */
  constructor(libc: StatxLibc, core: Core) {
    this.#libc = libc;
    this.#core = core;
    this.#address = core.scratch();
  }

  /** Null where it would be no faster than fs.statSync: by other bindings than koffi. */
  static quick(libc: Partial<Libc>, core: Core): Statx | null {
    return libc.name === "koffi" && libc.statx !== undefined ? new Statx(libc as StatxLibc, core) : null;
  }

  /** What `path` leads to, with the numbers of fs.Stats; null on failure. It ends with a NUL. The next call overwrites it. */
  at(path: Uint8Array): FileStat | null {
    if (path.length > PATH_MAX) return null;
    return this.#ask(AT_FDCWD, path, 0, () => statSync(Buffer.from(path.subarray(0, -1)), { throwIfNoEntry: false }));
  }

  /** The same of an open file, as fstat(2). */
  of(fd: number): FileStat | null {
    return this.#ask(fd, EMPTY, AT_EMPTY_PATH, () => fstatSync(fd));
  }

  /** `without`: for a libc that has no such function, as musl before 1.2.5. */
  #ask(dir: number, path: Uint8Array, flags: number, without: () => Stats | undefined): FileStat | null {
    if (this.#words.length === 0) {
      const { buffer } = this.#core.memory;
      this.#bytes = new Uint8Array(buffer, this.#address, PATH_MAX);
      this.#words = new Uint32Array(buffer, this.#address + PATH_MAX, SIZE / 4);
    }
    this.#bytes.set(path);
    const struct = this.#address + PATH_MAX;
    const found = this.#found;
    if (this.#libc.statx(dir, this.#address, flags, STATX_BASIC_STATS, struct) !== 0) {
      return sort(this.#libc.errno()) === Fault.Missing ? this.#copy(without()) : null;
    }
    const major = this.#word(DEV_MAJOR);
    const minor = this.#word(DEV_MINOR);
    // makedev(3)
    found.dev = (major >>> 12) * 2 ** 44 + (major & 0xfff) * 256 + (minor >>> 8) * 2 ** 20 + (minor & 0xff);
    found.ino = this.#wide(INO);
    found.size = this.#wide(LENGTH);
    found.ctimeMs = this.#milliseconds(CTIME);
    found.mtimeMs = this.#milliseconds(MTIME);
    found.isFile = (this.#word(MODE) & S_IFMT) === S_IFREG;
    return found;
  }

  #copy(stat: Stats | undefined): FileStat | null {
    if (stat === undefined) return null;
    const { dev, ino, size, mtimeMs, ctimeMs } = stat;
    return Object.assign(this.#found, { dev, ino, size, mtimeMs, ctimeMs, isFile: stat.isFile() });
  }

  #word(at: number): number {
    return this.#words[at] as number;
  }

  #wide(at: number): number {
    return this.#word(at) + (this.#word(at + 1) | 0) * 2 ** 32;
  }

  #milliseconds(at: number): number {
    return this.#wide(at) * 1000 + this.#word(at + 2) / 1e6;
  }
}
