// Lines of an access log that a loop has made in this turn, as bytes: the last one may still be dropped.

import { isPlain } from "./log-line.js";

/** Bytes. */
const SIZE = 1 << 16;
/** Bytes of the longest line, PIPE_BUF. */
const LONGEST = 4096;

/** Of each byte: 1 if a line has it as it is. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, c) => Number(isPlain(String.fromCharCode(c), 1)));

export class Sheet {
  readonly #bytes = Buffer.alloc(SIZE);
  /** Where the last line begins, and where it goes on. */
  #start = 0;
  #at = 0;
  /** Those that are kept. */
  lines = 0;

  get isFull(): boolean {
    return this.#start > SIZE - LONGEST;
  }

  /** A line of latin1 text. */
  line(text: string): void {
    this.drop();
    this.#at += this.#bytes.write(text, this.#at, "latin1");
    this.keep();
  }

  add(bytes: Uint8Array): void {
    const to = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < bytes.length; i++) to[at++] = bytes[i] as number;
    this.#at = at;
  }

  /** A whole number, not below 0. */
  addNumber(value: number): void {
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    let rest = value;
    for (let at = this.#at + digits; at > this.#at; rest = Math.floor(rest / 10))
      this.#bytes[--at] = 0x30 + (rest % 10);
    this.#at += digits;
  }

  /** What stands from `at` to `end`; false for a byte that is to be escaped. */
  addPlain(bytes: Uint8Array, at: number, end: number): boolean {
    const to = this.#bytes;
    let next = this.#at;
    for (let i = at; i < end; i++) {
      const byte = bytes[i] as number;
      if (PLAIN[byte] === 0) return false;
      to[next++] = byte;
    }
    this.#at = next;
    return true;
  }

  keep(): void {
    this.#start = this.#at;
    this.lines++;
  }

  drop(): void {
    this.#at = this.#start;
  }

  /** The lines that are kept, until the next one: a new sheet. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#start);
    this.#start = 0;
    this.#at = 0;
    this.lines = 0;
    return bytes;
  }
}
