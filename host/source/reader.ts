// A source for files with promise-based reads, as connQueue is for connections.

import { warn } from "../close.js";
import { something } from "../errors.js";
import type { Read, Source } from "./source.js";

/** A file, as an adapter implements it. */
export interface Reader {
  /** Opens it if necessary, and resolves with its size in bytes: Infinity if unknown until the end. */
  open(): number | Promise<number>;
  /** At most `length` bytes at `position`, at least one, and in memory of their own; none at the end. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** The fd of a regular file for native calls, -1 if there is none; called immediately before each of them. */
  fd(): number;
  /** Releases what `open` acquired: on every way out, and not during a read. */
  close?(): void;
  /** Sets the file's own position, if it has one. */
  seek?(position: number): void;
}

/** A new source: one for each transfer. */
export function readerSource(reader: Reader): Source {
  return new ReaderSource(reader);
}

const NOTHING = new Uint8Array(0);

class ReaderSource implements Source {
  readonly seekable = true;
  size = 0;
  openEnded = false;
  native = false;
  readonly #reader: Reader;
  /** The reader is opening, or reading. */
  #busy = false;
  #closed = false;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  open(done: (error: unknown) => void): void {
    this.#use(async () => this.#reader.open()).then(
      (size) => {
        this.size = size;
        this.openEnded = size === Number.POSITIVE_INFINITY;
        this.native = !this.openEnded && this.#reader.fd() >= 0;
        done(null);
      },
      (error: unknown) => done(something(error)),
    );
  }

  fd(): number {
    return this.#reader.fd();
  }

  read(position: number, length: number, _reuse: boolean, _ahead: number, done: Read): void {
    this.#use(async () => this.#reader.read(position, length)).then(
      (bytes) => done(null, bytes),
      (error: unknown) => done(something(error), NOTHING),
    );
  }

  async #use<T>(job: () => Promise<T>): Promise<T> {
    this.#busy = true;
    try {
      return await job();
    } finally {
      this.#busy = false;
      if (this.#closed) this.#closeLate();
    }
  }

  /** Nobody waits for it from now on. */
  #closeLate(): void {
    try {
      this.#reader.close?.();
    } catch (error) {
      warn(error);
    }
  }

  seek(position: number): void {
    this.#reader.seek?.(position);
  }

  close(): void {
    this.#closed = true;
    if (!this.#busy) this.#reader.close?.();
  }
}
