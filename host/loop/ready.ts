// Whole small answers, head and body in one piece: of a file that is asked for again within a second. It saves a read of the
// page cache for each. The time in its head makes it a second old at the most. Till then it holds as long as the file is
// seen to be the same, if its times would tell; else only until the file is looked at anew.

import { changedAt, isSettled } from "../keep.js";
import type { Syscalls } from "../libc/syscalls.js";
import type { Scratch } from "../scratch.js";
import type { Entry } from "./known.js";

/** Bytes of an answer: what the core sends from its scratch area. */
const MOST = 16 << 10;

export class Ready {
  readonly #sys: Syscalls;
  readonly #scratch: Scratch;

  constructor(sys: Syscalls, scratch: Scratch) {
    this.#sys = sys;
    this.#scratch = scratch;
  }

  /** The answer of this head and all of the file; null if it is long, seldom asked for, or not in the page cache. */
  find(entry: Entry, head: string): Buffer | null {
    const { ready, checked, answer } = entry;
    if (ready.head === head && (ready.isSettled || ready.checked === checked)) return ready.bytes;
    const isFirst = ready.asked !== head;
    ready.asked = head;
    const { size } = answer;
    if (isFirst || head.length + size > MOST) return null;
    ready.bytes = this.#read(entry, size, head);
    ready.head = head;
    ready.checked = checked;
    ready.isSettled = isSettled(changedAt(answer));
    return ready.bytes;
  }

  #read({ fd, users, ready }: Entry, size: number, head: string): Buffer | null {
    if (this.#sys.read(fd, this.#scratch.address, 0, size) !== size) return null;
    const length = head.length + size;
    // Nobody sends the former one.
    const isFree = users === 0 && ready.bytes?.length === length;
    const bytes = isFree ? (ready.bytes as Buffer) : Buffer.allocUnsafeSlow(length);
    bytes.write(head, 0, "latin1");
    this.#scratch.take(bytes, head.length, size);
    return bytes;
  }
}
