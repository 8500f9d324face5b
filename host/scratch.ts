// The core's scratch area, as the host sees it: headers go in, bytes that were read come out. Nothing in it
// outlives a run.

import type { Core } from "./core.js";

export class Scratch {
  readonly #core: Core;
  readonly #start: number;
  readonly #length: number;
  #bytes: Buffer;

  constructor(core: Core) {
    this.#core = core;
    this.#start = core.scratch();
    this.#length = core.header_max();
    this.#bytes = Buffer.from(core.memory.buffer, this.#start, this.#length);
  }

  /** Memory may grow when a transfer is opened: its old views are empty then. */
  #view(): Buffer {
    if (this.#bytes.length === 0) this.#bytes = Buffer.from(this.#core.memory.buffer, this.#start, this.#length);
    return this.#bytes;
  }

  /** As much of the header as there is room for. */
  put(header: Uint8Array): void {
    this.#view().set(header.length > this.#length ? header.subarray(0, this.#length) : header);
  }

  /** The same, of a header that is text. */
  write(header: string): void {
    this.#view().write(header, 0, this.#length, "latin1");
  }

  /** A copy of the first `length` bytes, at most `header_max`. */
  take(length: number): Uint8Array {
    return Buffer.from(this.#view().subarray(0, length));
  }
}
