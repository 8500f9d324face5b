// Files by their fd: opened by us, by the caller as a FileHandle, or as a bare number.

import * as fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { warn } from "../close.js";
import { argumentError, SendfileError, something } from "../errors.js";
import type { Files } from "./files.js";
import type { Lseek, Read, Source } from "./source.js";
import { fstat, hasTrueSize, type Stat } from "./stat.js";

const NOTHING = new Uint8Array(0);

/** A prefetch: a read on its way, or done and not used yet. */
interface Ahead {
  position: number;
  buffer: Uint8Array;
  bytes: number;
  error: unknown;
  over: boolean;
  waiter: (() => void) | null;
}

/** A file by its fd. */
export abstract class FdSource implements Source {
  size = 0;
  openEnded = false;
  native = false;
  /** False for FIFOs, sockets, character devices. */
  seekable = true;
  readonly start: number;
  readonly #most: number;
  #ahead: Ahead | null = null;
  /** The idle one of two buffers that are filled in turn. */
  #spare: Uint8Array | null = null;
  #pending = 0;
  #closing = false;

  /** A part of the file: at most `most` bytes from `start` on. */
  constructor(start = 0, most = Number.POSITIVE_INFINITY) {
    this.start = start;
    this.#most = most;
  }

  abstract open(done: (error: unknown) => void): void;
  abstract fd(): number;
  protected abstract release(): void;

  /** fs.read on the fd, which stays open meanwhile; else to be made safe against a reused fd number. */
  protected fetch(
    buffer: Uint8Array,
    length: number,
    position: number | null,
    done: (error: unknown, bytes: number) => void,
  ): void {
    fs.read(this.fd(), buffer, 0, length, position, done);
  }

  /** fstat(2) of the fd, not of the path, so it never blocks. */
  protected fstat(fd: number): fs.Stats {
    if (fd < 0) throw new SendfileError("EBADF", "EBADF: the file is closed", { syscall: "fstat" });
    const stat = fs.fstatSync(fd);
    this.applyStat(stat);
    return stat;
  }

  /** Takes size and kind of the file from its stat. */
  protected applyStat(stat: Stat): void {
    if (stat.isDirectory()) {
      throw new SendfileError("EISDIR", "EISDIR: illegal operation on a directory, sendfile", { syscall: "read" });
    }
    const isFile = stat.isFile();
    this.seekable = isFile || stat.isBlockDevice();
    this.native = isFile && hasTrueSize(stat);
    this.openEnded = !this.native; // unknown until the end
    const believable = isFile && stat.size > 0;
    // A file that claims size 0, as in /proc, has made a range of it empty: then it is read to its end.
    const most = believable || this.#most > 0 ? this.#most : Number.POSITIVE_INFINITY;
    this.size = Math.max(0, Math.min(believable ? stat.size - this.start : Number.POSITIVE_INFINITY, most));
  }

  read(position: number, length: number, reuse: boolean, ahead: number, done: Read): void {
    if (this.#closing) return done(closedFile(), NOTHING);
    const known = this.#ahead;
    this.#ahead = null;
    if (known !== null && known.position === position && this.seekable) {
      const deliver = () => {
        if (known.error) return done(known.error, NOTHING);
        const bytes = known.buffer.subarray(0, Math.min(known.bytes, length));
        this.#prefetch(position + bytes.length, ahead);
        this.#spare = reuse ? known.buffer : null;
        done(null, bytes);
      };
      if (known.over) deliver();
      else known.waiter = deliver;
      return;
    }
    const buffer = reuse ? this.#take(length) : Buffer.allocUnsafeSlow(length);
    this.#read(buffer, length, position, (error, bytes) => {
      if (error) return done(error, NOTHING);
      if (bytes > 0) this.#prefetch(position + bytes, ahead);
      if (reuse) this.#spare = buffer;
      done(null, buffer.subarray(0, bytes));
    });
  }

  dropBuffers(): void {
    this.#spare = null;
  }

  #take(length: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = null;
    return spare !== null && spare.length >= length ? spare : Buffer.allocUnsafeSlow(length);
  }

  /** Starts the next read while the bytes of this one are being written. */
  #prefetch(position: number, length: number): void {
    if (length === 0 || !this.seekable || this.#closing) return;
    const ahead: Ahead = { position, buffer: this.#take(length), bytes: 0, error: null, over: false, waiter: null };
    this.#ahead = ahead;
    this.#read(ahead.buffer, length, position, (error, bytes) => {
      ahead.error = error;
      ahead.bytes = bytes;
      ahead.over = true;
      ahead.waiter?.();
    });
  }

  #read(buffer: Uint8Array, length: number, position: number, done: (error: unknown, bytes: number) => void): void {
    this.#pending++;
    this.fetch(buffer, length, this.seekable ? this.start + position : null, (error, bytes) => {
      this.#pending--;
      if (this.#closing && this.#pending === 0) this.releaseLate();
      done(error, bytes);
    });
  }

  /** Nobody waits for it from now on. */
  protected releaseLate(): void {
    try {
      this.release();
    } catch (error) {
      warn(error);
    }
  }

  seek(position: number, lseek: Lseek | null): void {
    if (lseek === null || !this.seekable) return;
    const fd = this.fd();
    if (fd >= 0) lseek(fd, this.start + position);
  }

  close(): void {
    this.#closing = true;
    if (this.#pending === 0) this.release();
  }
}

/** A file that is opened here, by a thread perhaps. */
export abstract class OpenedSource extends FdSource {
  #fd: number;
  #closed = false;

  constructor(fd = -1, start?: number, most?: number) {
    super(start, most);
    this.#fd = fd;
  }

  /** It is open now. False if nobody waits for it any more: it was released. */
  protected has(fd: number): boolean {
    this.#fd = fd;
    if (this.#closed) this.releaseLate();
    return !this.#closed;
  }

  fd(): number {
    return this.#fd;
  }

  override seek(): void {}

  protected release(): void {
    this.#closed = true;
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) this.closeFd(fd);
  }

  protected closeFd(fd: number): void {
    fs.closeSync(fd);
  }
}

/** Known facts of a path: the file, open already, and its fresh stat; where files stay open; a part of it. */
interface Known {
  file?: Lent | undefined;
  stat?: Stat | undefined;
  files?: Files;
  start?: number;
  most?: number;
}

/** An open file that is released, not closed. */
export interface Lent {
  readonly fd: number;
  release(): void;
}

/** Releases a file when nobody waits for it. */
export function releaseAlone(file: Lent): void {
  try {
    file.release();
  } catch (error) {
    warn(error);
  }
}

/** A path that we open: once, with fstat on the fd, so that no other file can slip in between. */
export class PathSource extends OpenedSource {
  readonly #path: string | URL;
  readonly #files: Files | null;
  #file: Lent | null;
  readonly #stat: Stat | null;

  constructor(path: string | URL, { file, stat, files, start, most }: Known = {}) {
    super(file?.fd, start, most);
    this.#file = file ?? null;
    this.#files = files ?? null;
    this.#stat = stat ?? null;
    if (path instanceof URL && path.protocol !== "file:") {
      throw argumentError(TypeError, `file must be a file URL (got ${path.protocol})`);
    }
    if (String(path).includes("\0")) throw argumentError(TypeError, "file must be a path without null bytes");
    this.#path = path;
  }

  isKept(): boolean {
    return this.fd() < 0 && this.#files !== null && this.#files.has(this.#absolute(this.#files));
  }

  open(done: (error: unknown) => void, turn = false): void {
    if (this.fd() >= 0) return this.#met(this.#stat, done);
    const path = this.#files === null ? "" : this.#absolute(this.#files);
    const known = this.#files?.get(path, turn) ?? null;
    if (known !== null) {
      this.#file = known;
      this.has(known.fd);
      return this.#met(known.stat, done);
    }
    this.#openByThread((error, fd) => {
      if (error) return done(error);
      if (!this.has(fd)) return done(null);
      const stat = fstat(fd);
      if (stat !== null) this.#file = this.#files?.keep(path, fd, stat) ?? null;
      this.#met(stat, done);
    });
  }

  /** As open(2) would find it now. Files that are open are known by such paths. */
  #absolute(files: Files): string {
    const path = typeof this.#path === "string" ? this.#path : fileURLToPath(this.#path);
    return files.has(path) ? path : resolve(path);
  }

  #openByThread(done: (error: unknown, fd: number) => void): void {
    fs.open(this.#path, "r", (error, fd) => {
      if (error?.code === "EMFILE" && this.#files?.clear()) fs.open(this.#path, "r", done);
      else done(error, fd);
    });
  }

  #met(stat: Stat | null, done: (error: unknown) => void): void {
    try {
      if (stat !== null) this.applyStat(stat);
      else this.fstat(this.fd());
    } catch (failure) {
      return done(failure);
    }
    done(null);
  }

  protected override closeFd(fd: number): void {
    if (this.#file !== null) this.#file.release();
    else super.closeFd(fd);
  }
}

/** The caller's FileHandle: its own read() keeps it open during the read. */
export class HandleSource extends FdSource {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
  }

  open(done: (error: unknown) => void): void {
    try {
      if (this.#handle.fd < 0) throw closedFile();
      this.fstat(this.#handle.fd);
    } catch (error) {
      return done(something(error));
    }
    done(null);
  }

  fd(): number {
    return this.#handle.fd;
  }

  assumeSize(size: number): void {
    this.size = size;
    this.native = true;
  }

  protected override fetch(
    buffer: Uint8Array,
    length: number,
    position: number | null,
    done: (error: unknown, bytes: number) => void,
  ): void {
    const read = async () => (await this.#handle.read(buffer, 0, length, position)).bytesRead;
    read().then(
      (bytes) => done(null, bytes),
      (error: unknown) => done(something(error), 0),
    );
  }

  protected release(): void {}
}

/**
 * The caller's fd number. A number can be closed and reused, so the file behind it is compared with the first one
 * whenever time has passed: bytes of another file are never sent.
 */
export class NumberSource extends FdSource {
  readonly #fd: number;
  #dev = 0;
  #ino = 0;

  constructor(fd: number, start?: number, most?: number) {
    super(start, most);
    if (!Number.isInteger(fd)) throw argumentError(TypeError, `file: a file descriptor must be an integer (got ${fd})`);
    if (fd < 0 || fd > 0x7fffffff) throw argumentError(RangeError, `file: no file descriptor can be ${fd}`);
    this.#fd = fd;
  }

  open(done: (error: unknown) => void): void {
    try {
      ({ dev: this.#dev, ino: this.#ino } = this.fstat(this.#fd));
    } catch (error) {
      return done(error);
    }
    done(null);
  }

  fd(): number {
    const stat = fstat(this.#fd);
    return stat?.dev === this.#dev && stat.ino === this.#ino ? this.#fd : -1;
  }

  protected override fetch(
    buffer: Uint8Array,
    length: number,
    position: number | null,
    done: (error: unknown, bytes: number) => void,
  ): void {
    fs.read(this.#fd, buffer, 0, length, position, (error, bytes) => {
      if (error || this.fd() >= 0) done(error, bytes);
      else done(closedFile(), 0);
    });
  }

  protected release(): void {}
}

function closedFile(): SendfileError {
  return new SendfileError("EBADF", "EBADF: the file is closed", { syscall: "read" });
}
