// The buffers of copies from the page cache. New memory costs a page fault every 4 KiB, so a buffer is kept for the next
// copy, once its write is over.

/** The most bytes of a file that one buffer takes. */
export const CHUNK = 256 << 10;

/** Room before them, for the header of a response: both are one write, and one TLS record if they are short. */
export const HEADER = 4 << 10;

/** The smallest buffer holds so much of a file, and each next size twice as much. */
const LEAST = 4 << 10;

/** The most bytes of buffers kept. */
const KEPT = 4 << 20;

export class Chunks {
  /** Those kept, by their size. */
  readonly #kept: Buffer[][] = [];
  #bytes = 0;

  /** A buffer for HEADER bytes and `length` of a file, or more. */
  take(length: number): Buffer {
    const size = sizeOf(length);
    const buffer = this.#kept[size]?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(HEADER + (LEAST << size));
    this.#bytes -= buffer.length;
    return buffer;
  }

  /** Nobody reads this buffer any more. */
  give(buffer: Buffer): void {
    if (this.#bytes + buffer.length > KEPT) return;
    this.#bytes += buffer.length;
    (this.#kept[sizeOf(buffer.length - HEADER)] ??= []).push(buffer);
  }
}

/** 0 for LEAST bytes, 1 for twice as many. */
function sizeOf(length: number): number {
  return Math.max(0, 32 - Math.clz32((length - 1) / LEAST));
}
