// What a transfer reads from: a file by its fd, or bytes that come from elsewhere. A source says
// where its bytes are; how many go, and when, is the core's business.

import * as fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { argumentError, SendfileError } from "./errors.js";
import { fstat, hasTrueSize, type Stat } from "./source/stat.js";

/**
 * What can be sent: a path, a file URL, a `FileHandle`, an fd, a `Blob`, bytes, a readable stream or an async
 * iterable of bytes.
 */
export type File =
  | string
  | URL
  | FileHandle
  | number
  | Blob
  | NodeJS.ArrayBufferView
  | ArrayBuffer
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** How a read ends: with an error, or with bytes, none at the end. */
export type Read = (error: unknown, bytes: Uint8Array) => void;

/** lseek(2) from the start, where native calls can be had. */
export type Lseek = (fd: number, position: number) => void;

/** A file, as a transfer reads it: {@link readerSource} makes one of a few functions. */
export interface Source {
  /** Bytes from position 0 to the end, Infinity where only the end will tell; known once `open` has called back. */
  readonly size: number;
  /** The end may come before `size`, and is no truncation. */
  readonly early: boolean;
  /** A regular file: the kernel may read it. */
  readonly native: boolean;
  /** Bytes can be asked for by position; else only in their order, from 0. */
  readonly positioned: boolean;
  /** Where position 0 is in the file behind the fd. Default: 0, and more for a slice of a file. */
  readonly start?: number;
  /** In place of `open`: what is there is a regular file of at least `size` bytes, says the caller. */
  believe?(size: number): void;
  /** Opens what has to be opened; calls back at once where nothing has. */
  open(done: (error: unknown) => void): void;
  /** The fd for native calls, read from its owner: -1 where it has gone, or there is none. */
  fd(): number;
  /**
   * Reads at most `length` bytes at `position`; none mean the end. Calls back at once where it can.
   * Where `ahead` is not 0, as many bytes are fetched behind them meanwhile. With `reuse` the bytes given
   * stay as they are only until the next read.
   */
  read(position: number, length: number, reuse: boolean, ahead: number, done: Read): void;
  /** Lets go of what is kept for the next read: it will not come soon. */
  forget?(): void;
  /** Leaves the file's own position there, where it has one. */
  seek(position: number, lseek: Lseek | null): void;
  /** Gives back what `open` took, once a pending read is over. */
  close(): void;
}

/** Checks the type and makes the source; opens nothing. */
export function sourceOf(file: File): Source {
  if (typeof file === "string" || file instanceof URL) return new PathSource(file);
  if (typeof file === "number") return new NumberSource(file);
  if (typeof file === "object" && file !== null) {
    if (isFileHandle(file)) return new HandleSource(file);
    if (file instanceof Blob) return new BlobSource(file);
    if (ArrayBuffer.isView(file) || file instanceof ArrayBuffer) return new BytesSource(bytesOf(file));
    if (Symbol.asyncIterator in file) return new IterableSource(file as AsyncIterable<Uint8Array>);
  }
  const wanted = "a path, file URL, FileHandle, file descriptor, Blob, bytes or a readable stream";
  throw argumentError(TypeError, `file must be ${wanted} (got ${describe(file)})`);
}

/** A part of a file, by path or fd: at most `most` bytes from `start` on. */
export function partOf(file: string | number, start: number, most: number): Source {
  return typeof file === "string" ? new PathSource(file, { start, most }) : new NumberSource(file, start, most);
}

function bytesOf(file: ArrayBufferView | ArrayBuffer): Uint8Array {
  try {
    return ArrayBuffer.isView(file)
      ? new Uint8Array(file.buffer, file.byteOffset, file.byteLength)
      : new Uint8Array(file);
  } catch {
    throw argumentError(TypeError, "file: these bytes have been transferred, their ArrayBuffer is detached");
  }
}

/** FileHandle's class is not exported by Node: it is known by what it has. */
function isFileHandle(file: object): file is FileHandle {
  const { fd, read, stat } = file as Partial<FileHandle>;
  return typeof fd === "number" && typeof read === "function" && typeof stat === "function";
}

/** A value as it stands in a message: 'text', 12, [object Foo]. */
export function describe(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "[function]";
  if (typeof value === "object" && value !== null) return `[object ${kind(value)}]`;
  return String(value);
}

/** The name of a value's class; a stranger's may be no text, or throw. */
function kind(value: object): string {
  try {
    const { name } = value.constructor;
    return typeof name === "string" ? name : "Object";
  } catch {
    return "Object";
  }
}

const NOTHING = new Uint8Array(0);

/** A read on its way, or done and not yet asked for. */
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
  early = false;
  native = false;
  /** False for FIFOs, sockets, character devices. */
  positioned = true;
  readonly start: number;
  readonly #most: number;
  #ahead: Ahead | null = null;
  /** The buffer that is not being filled, of the pair that takes turns. */
  #spare: Uint8Array | null = null;
  #pending = 0;
  #closing = false;

  /** Of the file, at most `most` bytes from `start` on. */
  constructor(start = 0, most = Number.POSITIVE_INFINITY) {
    this.start = start;
    this.#most = most;
  }

  abstract open(done: (error: unknown) => void): void;
  abstract fd(): number;
  /** fs.read on the fd, in a way that can't meet a stranger's file. */
  protected abstract fetch(
    buffer: Uint8Array,
    length: number,
    position: number | null,
    done: (error: unknown, bytes: number) => void,
  ): void;
  protected abstract release(): void;

  /** Asks the fd, not the path, what it is. On an open file this waits for nothing. */
  protected look(fd: number): fs.Stats {
    if (fd < 0) throw new SendfileError("EBADF", "EBADF: the file is closed", { syscall: "fstat" });
    const stat = fs.fstatSync(fd);
    this.judge(stat);
    return stat;
  }

  /** What the kernel says of the file: how much there is, and who may read it. */
  protected judge(stat: Stat): void {
    if (stat.isDirectory()) {
      throw new SendfileError("EISDIR", "EISDIR: illegal operation on a directory, sendfile", { syscall: "read" });
    }
    this.positioned = stat.isFile() || stat.isBlockDevice();
    this.native = hasTrueSize(stat);
    this.early = !this.native; // only the end tells
    const believable = stat.isFile() && stat.size > 0;
    // A part of what claims size 0 was cut by that claim.
    const most = believable || this.#most > 0 ? this.#most : Number.POSITIVE_INFINITY;
    this.size = Math.max(0, Math.min(believable ? stat.size - this.start : Number.POSITIVE_INFINITY, most));
  }

  read(position: number, length: number, reuse: boolean, ahead: number, done: Read): void {
    if (this.#closing) return done(closedFile(), NOTHING);
    const known = this.#ahead;
    this.#ahead = null;
    if (known !== null && known.position === position && this.positioned) {
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

  forget(): void {
    this.#spare = null;
  }

  #take(length: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = null;
    return spare !== null && spare.length >= length ? spare : Buffer.allocUnsafeSlow(length);
  }

  /** Starts the next read while the bytes of this one are being written. */
  #prefetch(position: number, length: number): void {
    if (length === 0 || !this.positioned || this.#closing) return;
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
    this.fetch(buffer, length, this.positioned ? this.start + position : null, (error, bytes) => {
      this.#pending--;
      if (this.#closing && this.#pending === 0) this.release();
      done(error, bytes);
    });
  }

  seek(position: number, lseek: Lseek | null): void {
    if (lseek === null || !this.positioned) return;
    const fd = this.fd();
    if (fd >= 0) lseek(fd, this.start + position);
  }

  close(): void {
    this.#closing = true;
    if (this.#pending === 0) this.release();
  }
}

/** What is known of a path: an fd that is open already, and what fstat has just said of it; a part of the file. */
interface Known {
  fd?: number;
  stat?: Stat | undefined;
  start?: number;
  most?: number;
}

/** Ours: opened once, and stat by fd, so that nobody can put another file in between. */
export class PathSource extends FdSource {
  readonly #path: string | URL;
  #fd: number;
  readonly #stat: Stat | null;
  #closed = false;

  constructor(path: string | URL, { fd = -1, stat, start, most }: Known = {}) {
    super(start, most);
    this.#fd = fd;
    this.#stat = stat ?? null;
    if (path instanceof URL && path.protocol !== "file:") {
      throw argumentError(TypeError, `file must be a file URL (got ${path.protocol})`);
    }
    if (String(path).includes("\0")) throw argumentError(TypeError, "file must be a path without null bytes");
    this.#path = path;
  }

  open(done: (error: unknown) => void): void {
    if (this.#fd >= 0) return this.#met(done);
    fs.open(this.#path, "r", (error, fd) => {
      if (error) return done(error);
      this.#fd = fd;
      if (this.#closed) this.release();
      this.#met(done);
    });
  }

  #met(done: (error: unknown) => void): void {
    try {
      if (this.#stat !== null) this.judge(this.#stat);
      else if (this.#fd >= 0) this.look(this.#fd);
    } catch (failure) {
      return done(failure);
    }
    done(null);
  }

  fd(): number {
    return this.#fd;
  }

  protected fetch(
    buffer: Uint8Array,
    length: number,
    position: number | null,
    done: (error: unknown, bytes: number) => void,
  ): void {
    fs.read(this.#fd, buffer, 0, length, position, done);
  }

  override seek(): void {}

  protected release(): void {
    this.#closed = true;
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) fs.closeSync(fd);
  }
}

/** The caller's FileHandle: its own read() keeps it open as long as the read lasts. */
class HandleSource extends FdSource {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
  }

  open(done: (error: unknown) => void): void {
    if (this.#handle.fd < 0) return done(closedFile());
    try {
      this.look(this.#handle.fd);
    } catch (error) {
      return done(error);
    }
    done(null);
  }

  fd(): number {
    return this.#handle.fd;
  }

  believe(size: number): void {
    this.size = size;
    this.native = true;
  }

  protected fetch(
    buffer: Uint8Array,
    length: number,
    position: number | null,
    done: (error: unknown, bytes: number) => void,
  ): void {
    this.#handle.read(buffer, 0, length, position).then(
      ({ bytesRead }) => done(null, bytesRead),
      (error: unknown) => done(error, 0),
    );
  }

  protected release(): void {}
}

/**
 * The caller's fd number. A number has no owner to ask, so the file behind it is compared with the
 * first one whenever time has passed: bytes of a file that took its place are never sent.
 */
class NumberSource extends FdSource {
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
      ({ dev: this.#dev, ino: this.#ino } = this.look(this.#fd));
    } catch (error) {
      return done(error);
    }
    done(null);
  }

  fd(): number {
    const stat = fstat(this.#fd);
    return stat?.dev === this.#dev && stat.ino === this.#ino ? this.#fd : -1;
  }

  protected fetch(
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

/** What the kernel can't read: it has no fd, and no position of its own. */
abstract class FdlessSource {
  readonly native = false;

  fd(): number {
    return -1;
  }

  seek(): void {}
}

/** Bytes that are in memory. */
class BytesSource extends FdlessSource implements Source {
  readonly #bytes: Uint8Array;
  readonly size: number;
  readonly early = false;
  readonly positioned = true;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
    this.size = bytes.byteLength;
  }

  open(done: (error: unknown) => void): void {
    done(null);
  }

  read(position: number, length: number, _reuse: boolean, _ahead: number, done: Read): void {
    done(null, this.#bytes.subarray(position, position + length));
  }

  close(): void {}
}

/** A Blob, of memory or of a file (fs.openAsBlob). */
class BlobSource extends FdlessSource implements Source {
  readonly #blob: Blob;
  readonly size: number;
  readonly early = false;
  readonly positioned = true;

  constructor(blob: Blob) {
    super();
    this.#blob = blob;
    this.size = blob.size;
  }

  open(done: (error: unknown) => void): void {
    done(null);
  }

  read(position: number, length: number, _reuse: boolean, _ahead: number, done: Read): void {
    this.#blob
      .slice(position, position + length)
      .arrayBuffer()
      .then(
        (bytes) => done(null, new Uint8Array(bytes)),
        (error: unknown) => done(error, NOTHING),
      );
  }

  close(): void {}
}

/** A readable stream or async iterable of bytes: destroyed or returned on every way out, as by `for await`. */
class IterableSource extends FdlessSource implements Source {
  readonly size = Number.POSITIVE_INFINITY;
  readonly early = true;
  readonly positioned = false;
  readonly #iterable: AsyncIterable<Uint8Array>;
  #iterator: AsyncIterator<Uint8Array> | null = null;
  #rest: Uint8Array = NOTHING;

  constructor(iterable: AsyncIterable<Uint8Array>) {
    super();
    const { readableEncoding, readableObjectMode } = iterable as unknown as Readable;
    if (readableEncoding) throw argumentError(TypeError, "file should be opened in binary mode");
    if (readableObjectMode) throw argumentError(TypeError, "file: a stream in object mode has no bytes");
    this.#iterable = iterable;
  }

  open(done: (error: unknown) => void): void {
    try {
      // Reading tells a stream's error; before our turn and after the end nobody would listen, and that is fatal.
      const { on } = this.#iterable as unknown as Partial<Readable>;
      if (typeof on === "function") on.call(this.#iterable, "error", () => {});
      this.#iterator = this.#iterable[Symbol.asyncIterator]();
    } catch (error) {
      return done(error);
    }
    done(null);
  }

  read(_position: number, length: number, _reuse: boolean, _ahead: number, done: Read): void {
    if (this.#rest.length > 0) return this.#deliver(length, done);
    const iterator = this.#iterator as AsyncIterator<Uint8Array>;
    const next = async () => {
      for (;;) {
        const { done: end, value } = await iterator.next();
        if (end) return;
        if (!(value instanceof Uint8Array)) throw argumentError(TypeError, "file should be opened in binary mode");
        if (value.length === 0) continue;
        this.#rest = value;
        return;
      }
    };
    next().then(
      () => this.#deliver(length, done),
      (thrown: unknown) => done(thrown || new Error(`the source threw ${thrown}`), NOTHING),
    );
  }

  #deliver(length: number, done: Read): void {
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(bytes.length);
    done(null, bytes);
  }

  close(): void {
    // A generator that has not begun does nothing on return(): a stream is told by itself.
    const end = async () => {
      const { destroy } = this.#iterable as unknown as Partial<Readable>;
      if (destroy !== undefined) destroy.call(this.#iterable);
      else await this.#iterator?.return?.();
    };
    end().catch(() => {}); // the transfer is over: nobody is left to tell
  }
}
