// A delayed hash: received bytes wait in memory that was touched beforehand, and are hashed at the end, or when
// their memory is needed. So hashing does not slow the sender down.

import { createHash } from "node:crypto";

/** Bytes taken by one read, and hashed at once. */
const SLICE = 256 << 10;

export class Backlog {
  readonly #slice: number;
  readonly #ring: Buffer;
  readonly #hash = createHash("sha256");
  #hashed = 0;
  /** Bytes received. */
  bytes = 0;

  /** Keeps up to about `capacity` bytes waiting. */
  constructor(capacity: number, slice = SLICE) {
    this.#slice = slice;
    // Filled, because the first touch of a page costs more than the copy into it.
    this.#ring = Buffer.allocUnsafeSlow(Math.max(1, Math.ceil(capacity / slice)) * slice).fill(1);
  }

  /** The memory for the next bytes. */
  room(): Buffer {
    const size = this.#ring.length;
    if (this.bytes - this.#hashed === size) this.#hashSome();
    const at = this.bytes % size;
    const free = size - (this.bytes - this.#hashed);
    return this.#ring.subarray(at, at + Math.min(this.#slice, free, size - at));
  }

  /** The first `bytes` of the last room were filled. */
  took(bytes: number): void {
    this.bytes += bytes;
  }

  /** The SHA-256 of all bytes, in hex; once. */
  digest(): string {
    while (this.#hashed < this.bytes) this.#hashSome();
    return this.#hash.digest("hex");
  }

  #hashSome(): void {
    const at = this.#hashed % this.#ring.length;
    const bytes = Math.min(this.#slice, this.bytes - this.#hashed);
    this.#hash.update(this.#ring.subarray(at, at + bytes));
    this.#hashed += bytes;
  }
}

/** Bytes that nobody looks at. */
export class Counted {
  readonly #room = Buffer.allocUnsafeSlow(SLICE).fill(1);
  /** Bytes received. */
  bytes = 0;

  room(): Buffer {
    return this.#room;
  }

  took(bytes: number): void {
    this.bytes += bytes;
  }

  digest(): null {
    return null;
  }
}
