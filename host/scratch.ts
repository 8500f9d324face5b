// The core's scratch area, as the host sees it: headers go in, bytes read come out. Its content does not outlive a run.

import type { Core } from "./core.js";
import { bufferCopy, bufferFrom, bufferWrite, call, sliceString } from "./originals.js";

export class Scratch {
  /** Its address in the core's memory. */
  readonly address: number;
  /** The most bytes of one read. */
  readonly length: number;
  readonly #core: Core;
  readonly #headerMax: number;
  #bytes: Buffer;

  constructor(core: Core) {
    this.#core = core;
    this.address = core.scratch();
    this.length = core.frame() - this.address;
    this.#headerMax = core.header_max();
    this.#bytes = bufferFrom(core.memory.buffer, this.address, this.length);
  }

  /** Memory may grow when a transfer is opened: its old views are empty then. */
  #view(): Buffer {
    if (this.#bytes.length === 0) this.#bytes = bufferFrom(this.#core.memory.buffer, this.address, this.length);
    return this.#bytes;
  }

  /** Stores a header from `at` on, as much as there is room for; a header that is text is latin1. */
  put(header: Uint8Array | string, at: number): void {
    if (typeof header === "string") {
      call(bufferWrite, this.#view(), at === 0 ? header : call(sliceString, header, at), 0, this.#headerMax, "latin1");
    } else if (at === 0 && header.length <= this.#headerMax) this.#view().set(header);
    else this.#view().set(header.subarray(at, at + this.#headerMax));
  }

  /** Copies the first `length` bytes that were read to `target`, at `at`. */
  take(target: Buffer, at: number, length: number): void {
    call(bufferCopy, this.#view(), target, at, 0, length);
  }
}
