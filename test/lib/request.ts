// Asking the core about a request head, and what it says.

import { Odd, RequestFlag } from "../../assembly/abi.js";
import type { Core } from "../../host/core.js";
import type { Facts } from "./request-reference.js";

/** Where heads are put, so that there is room before and behind. */
const OFFSET = 32;

/** A core, and the head in its memory. */
export class Recognizer {
  readonly #core: Core;
  readonly #at: number;
  readonly #bytes: Buffer;

  constructor(core: Core) {
    this.#core = core;
    this.#at = core.request_input() + OFFSET;
    this.#bytes = Buffer.from(core.memory.buffer); // no transfer is opened: it does not grow
  }

  /** `head`: latin1, at most 8192 bytes. `behind`: bytes after its end. The facts, or why there are none. */
  ask(head: string, behind = ""): Facts | Odd {
    const core = this.#core;
    const end = this.#at + this.#bytes.write(head, this.#at, "latin1");
    this.#bytes.write(behind, end, "latin1");
    const next = core.request_recognize(this.#at, end);
    if (next === 0) return core.request_odd();
    if (core.request_odd() !== Odd.None) throw new Error("recognized, and odd");
    const facts = core.request_facts();
    const word = (i: number) => this.#bytes.readInt32LE(facts + 4 * i);
    const text = (i: number) => this.#bytes.toString("latin1", word(i), word(i) + word(i + 1));
    const value = (i: number) => (word(i) === 0 ? null : text(i));
    return {
      length: next - this.#at,
      head: (word(0) & RequestFlag.Head) !== 0,
      last: (word(0) & RequestFlag.Last) !== 0,
      target: text(1),
      range: word(3),
      first: this.#bytes.readDoubleLE(facts + 56),
      end: this.#bytes.readDoubleLE(facts + 64),
      noneMatch: value(4),
      modifiedSince: value(6),
      acceptEncoding: value(8),
      referer: value(10),
      userAgent: value(12),
    };
  }
}
