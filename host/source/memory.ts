// Sources without an fd: bytes, a Blob, a stream or another async iterable. All are copied.

import type { Readable } from "node:stream";
import { isUint8Array } from "node:util/types";
import { argumentError, something } from "../errors.js";
import { bytesOf, detached } from "../validate.js";
import type { Read, Source } from "./source.js";

const NOTHING = new Uint8Array(0);

/** A source that native calls can't read: it has no fd, and no position of its own. */
abstract class FdlessSource {
  readonly native = false;

  fd(): number {
    return -1;
  }

  seek(): void {}
}

/** What can be read at any position, and needs no opening. */
abstract class SizedSource extends FdlessSource {
  readonly size: number;
  readonly openEnded = false;
  readonly seekable = true;

  constructor(size: number) {
    super();
    this.size = size;
  }

  open(done: (error: unknown) => void): void {
    done(null);
  }

  close(): void {}
}

/** Bytes in memory. */
export class BytesSource extends SizedSource implements Source {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super(bytes.byteLength);
    this.#bytes = bytes;
  }

  read(position: number, length: number, _reuse: boolean, _ahead: number, done: Read): void {
    if (this.#bytes.length !== this.size) return done(detached("file"), NOTHING);
    done(null, this.#bytes.subarray(position, position + length));
  }
}

/** A Blob, of memory or of a file (fs.openAsBlob). */
export class BlobSource extends SizedSource implements Source {
  readonly #blob: Blob;

  constructor(blob: Blob) {
    super(blob.size);
    this.#blob = blob;
  }

  read(position: number, length: number, _reuse: boolean, _ahead: number, done: Read): void {
    this.#blob
      .slice(position, position + length)
      .arrayBuffer()
      .then(
        (bytes) => done(null, new Uint8Array(bytes)),
        (error: unknown) => done(something(error), NOTHING),
      );
  }
}

/** A readable stream or async iterable of bytes: destroyed or returned on every way out, as by `for await`. */
export class IterableSource extends FdlessSource implements Source {
  readonly size = Number.POSITIVE_INFINITY;
  readonly openEnded = true;
  readonly seekable = false;
  readonly #iterable: AsyncIterable<Uint8Array>;
  #iterator: AsyncIterator<Uint8Array> | null = null;
  /** The rest of a chunk, and its length before any detaching. */
  #rest: Uint8Array = NOTHING;
  #left = 0;

  constructor(iterable: AsyncIterable<Uint8Array>) {
    super();
    const { readableEncoding, readableObjectMode } = iterable as unknown as Readable;
    if (readableEncoding) throw argumentError(TypeError, "file should be opened in binary mode");
    if (readableObjectMode) throw argumentError(TypeError, "file: a stream in object mode has no bytes");
    this.#iterable = iterable;
  }

  open(done: (error: unknown) => void): void {
    try {
      // Reads report a stream's error; before our turn and after the end, one without a listener would be fatal.
      const { on } = this.#iterable as unknown as Partial<Readable>;
      if (typeof on === "function") on.call(this.#iterable, "error", () => {});
      this.#iterator = this.#iterable[Symbol.asyncIterator]();
    } catch (error) {
      return done(something(error));
    }
    done(null);
  }

  read(_position: number, length: number, _reuse: boolean, _ahead: number, done: Read): void {
    if (this.#left > 0) return this.#deliver(length, done);
    const iterator = this.#iterator as AsyncIterator<Uint8Array>;
    const next = async () => {
      for (;;) {
        const { done: end, value } = await iterator.next();
        if (end) return;
        if (!isUint8Array(value)) throw argumentError(TypeError, "file should be opened in binary mode");
        const chunk = bytesOf("file", value);
        if (chunk.length === 0) continue;
        this.#rest = chunk;
        this.#left = chunk.length;
        return;
      }
    };
    next().then(
      () => this.#deliver(length, done),
      (thrown: unknown) => done(something(thrown), NOTHING),
    );
  }

  #deliver(length: number, done: Read): void {
    if (this.#rest.length !== this.#left) return done(detached("file"), NOTHING);
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(bytes.length);
    this.#left = this.#rest.length;
    done(null, bytes);
  }

  close(): void {
    // A generator that has not begun ignores return(), so a stream is destroyed directly.
    const end = async () => {
      const { destroy } = this.#iterable as unknown as Partial<Readable>;
      if (destroy !== undefined) destroy.call(this.#iterable);
      else await this.#iterator?.return?.();
    };
    end().catch(() => {}); // the transfer is over: nobody is left to tell
  }
}
