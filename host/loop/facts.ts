// What the core has recognized of a head, read from its memory: docs/internals/abi.md has the layout.

import type { Core } from "../core.js";

const HEAD = 1;
const LAST = 2;

/** Values that are only told on: words of the facts. */
export enum Told {
  Referer = 10,
  UserAgent = 12,
}

export class Facts {
  readonly #core: Core;
  readonly #address: number;
  #words = new Int32Array();
  #numbers = new Float64Array();
  #bytes = Buffer.alloc(0);

  constructor(core: Core) {
    this.#core = core;
    this.#address = core.request_facts();
  }

  /** Before a head is read: memory may have grown, and old views are empty then. */
  refreshed(): this {
    if (this.#words.length > 0) return this;
    const { buffer } = this.#core.memory;
    this.#words = new Int32Array(buffer, this.#address, 14);
    this.#numbers = new Float64Array(buffer, this.#address + 56, 2);
    this.#bytes = Buffer.from(buffer);
    return this;
  }

  get isHead(): boolean {
    return ((this.#words[0] as number) & HEAD) !== 0;
  }

  /** Connection: close. */
  get isLast(): boolean {
    return ((this.#words[0] as number) & LAST) !== 0;
  }

  /** The path as it was sent, without the query. */
  get target(): string {
    return this.#text(1) as string;
  }

  /** The same with the query. */
  get wholeTarget(): string {
    return this.#bytes.toString("latin1", this.targetAt, this.targetEnd);
  }

  /** Where that is in `bytes`. */
  get targetAt(): number {
    return this.#words[1] as number;
  }

  get targetEnd(): number {
    let end = this.targetAt + (this.#words[2] as number);
    while (this.#bytes[end] !== 0x20) end++;
    return end;
  }

  /** The core's memory. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Where a value is in `bytes`; 0 if it is missing. */
  at(value: Told): number {
    return this.#words[value] as number;
  }

  length(value: Told): number {
    return this.#words[value + 1] as number;
  }

  /** The head from the target on, without the empty line. */
  get text(): string {
    const at = this.#words[1] as number;
    return this.#bytes.toString("latin1", at, this.#bytes.indexOf("\r\n\r\n", at));
  }

  /** 0 for none, 1 for `first`-`last`, 2 for `first`-, 3 for the last `first` bytes. */
  get range(): number {
    return this.#words[3] as number;
  }

  get first(): number {
    return this.#numbers[0] as number;
  }

  get last(): number {
    return this.#numbers[1] as number;
  }

  get isConditional(): boolean {
    return this.#words[4] !== 0 || this.#words[6] !== 0;
  }

  /** Whether it asks for more than the whole. RFC 9110, section 14.2: ranges are for GET alone. */
  get isRest(): boolean {
    return this.isConditional || (this.range !== 0 && !this.isHead);
  }

  get ifNoneMatch(): string | null {
    return this.#text(4);
  }

  get ifModifiedSince(): string | null {
    return this.#text(6);
  }

  get acceptEncoding(): string | null {
    return this.#text(8);
  }

  get referer(): string | null {
    return this.#text(Told.Referer);
  }

  get userAgent(): string | null {
    return this.#text(Told.UserAgent);
  }

  #text(word: number): string | null {
    const at = this.#words[word] as number;
    return at === 0 ? null : this.#bytes.toString("latin1", at, at + (this.#words[word + 1] as number));
  }
}
