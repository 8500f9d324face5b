// The bytes of one transfer as the world sees them: header, body and trailer are one run, and each
// byte has to leave once and in order. Every system call and every copy is checked against it; what
// a call answers is the test's choice. Positions are BigInt, so that nothing is rounded in silence.

import * as assert from "uvu/assert";
import { Fault, Flag, Way } from "../../assembly/abi.js";
import type { Core } from "../../host/core.js";

/** Answers a call that can move at most `most` bytes: a count from 1 to `most`, or minus a Fault. */
export type Outcome = (most: number) => number;

export interface Extent {
  header: number;
  offset: number;
  count: number;
  trailer: number;
  flags: number;
  /** Bytes that the file really has from `offset` on. */
  there: number;
}

const CHUNK = 1 << 20;
const SCRATCH = 32 << 10;

/** Byte i of the run is i % 251: a prime, so that no shift by pages or words looks right. */
const PERIOD = 251;
const PATTERN = Buffer.from(Array.from({ length: PERIOD + SCRATCH }, (_, i) => i % PERIOD));

const least = (...values: bigint[]) => values.reduce((a, b) => (a < b ? a : b));

export class Stream {
  readonly out: number;
  readonly file: number;
  readonly header: bigint;
  readonly offset: bigint;
  readonly trailer: bigint;
  readonly flags: number;
  /** Bytes that the file has from `offset` on: a test may truncate it, or let it grow. */
  there: bigint;
  /** The count, until Flag.Eof and the end of the file make it less. */
  body: bigint;
  /** Bytes of the run sent so far. */
  done = 0n;
  readonly tally = [0n, 0n, 0n, 0n];
  /** The last bytes went with MSG_MORE. */
  corked = false;

  constructor(id: number, extent: Extent) {
    this.out = id;
    this.file = id + 1_000_000;
    this.header = BigInt(extent.header);
    this.offset = BigInt(extent.offset);
    this.body = BigInt(extent.count);
    this.trailer = BigInt(extent.trailer);
    this.flags = extent.flags;
    this.there = BigInt(extent.there);
  }

  get left(): bigint {
    return this.header + this.body + this.trailer - this.done;
  }
  get headLeft(): bigint {
    return this.done < this.header ? this.header - this.done : 0n;
  }
  get sent(): bigint {
    return this.done < this.header ? 0n : least(this.done - this.header, this.body);
  }
  get bodyLeft(): bigint {
    return this.body - this.sent;
  }
  get position(): bigint {
    return this.offset + this.sent;
  }
  /** Bytes of the body's rest that the file really has. */
  get thereLeft(): bigint {
    return this.there > this.sent ? least(this.there - this.sent, this.bodyLeft) : 0n;
  }

  #bytes(index: bigint, length: number): Buffer {
    const from = Number(index % BigInt(PERIOD));
    return PATTERN.subarray(from, from + length);
  }

  leave(bytes: number, way: Way): void {
    assert.ok(bytes > 0 && BigInt(bytes) <= this.left, `${bytes} bytes leave, ${this.left} are left`);
    this.done += BigInt(bytes);
    this.tally[way] = (this.tally[way] as bigint) + BigInt(bytes);
    this.corked = false;
  }

  /** The host's work before a run. */
  putHeader(core: Core): void {
    const rest = this.#bytes(this.done, Number(least(this.headLeft, BigInt(core.header_max()))));
    if (this.headLeft > 0n) Buffer.from(core.memory.buffer, core.scratch(), rest.length).set(rest);
  }

  sendfile(file: number, offset: number, count: number, outcome: Outcome): number {
    assert.is(file, this.file);
    assert.is(this.headLeft, 0n, "the header goes first");
    assert.is(BigInt(offset), this.position);
    assert.ok(count > 0 && count <= CHUNK && BigInt(count) <= this.bodyLeft, `sendfile of ${count} bytes`);
    const most = Number(least(BigInt(count), this.thereLeft));
    const n = most === 0 ? 0 : outcome(most);
    if (n > 0) this.leave(n, Way.Native);
    return n;
  }

  read(core: Core, ptr: number, offset: number, count: number, outcome: Outcome): number {
    const start = BigInt(offset) - this.offset;
    const end = start + BigInt(count);
    const from = ptr - core.scratch();
    assert.ok(count > 0 && start >= this.sent && end <= this.body, `read of ${count} bytes at ${offset}`);
    assert.ok(from >= 0 && from + count <= SCRATCH, `read of ${count} bytes to scratch + ${from}`);
    const most = this.there > start ? Number(least(BigInt(count), this.there - start)) : 0;
    const n = most === 0 ? 0 : outcome(most);
    if (n > 0) Buffer.from(core.memory.buffer, ptr, n).set(this.#bytes(this.header + start, n));
    return n;
  }

  send(core: Core, ptr: number, count: number, more: number, outcome: Outcome): number {
    const sendable = this.headLeft + this.bodyLeft;
    assert.ok(count > 0 && BigInt(count) <= sendable, `send of ${count} bytes`);
    assert.is(more, BigInt(count) < sendable ? 1 : 0, "MSG_MORE where more of the body follows, and only there");
    const bytes = Buffer.from(core.memory.buffer, ptr, count);
    if (!bytes.equals(this.#bytes(this.done, count))) assert.unreachable(`send of the wrong bytes at ${this.done}`);
    const n = outcome(count);
    if (n > 0) {
      this.leave(n, Way.Native);
      this.corked = more === 1;
    }
    return n;
  }

  /** The bytes of a copy of `want` that the host can write, 0 at the end of the file. */
  copyable(want: number): number {
    assert.ok(want > 0 && BigInt(want) <= this.left, `${want} bytes wanted, ${this.left} are left`);
    const head = least(BigInt(want), this.headLeft);
    const body = least(BigInt(want) - head, this.bodyLeft);
    if (body === 0n) return want;
    if (this.thereLeft === 0n) return 0;
    return this.thereLeft < body ? Number(head + this.thereLeft) : want;
  }

  /** The file is at its end. Returns the fault, if it is one. */
  ended(): Fault {
    if (!(this.flags & Flag.Eof)) return Fault.Truncated;
    this.body = this.sent;
    return Fault.None;
  }

  /** The core counts as the world does. */
  agrees(core: Core, handle: number): void {
    assert.is(core.transfer_at(handle), Number(this.done));
    assert.is(core.transfer_sent(handle), Number(this.sent));
    assert.is(core.transfer_corked(handle), this.corked ? 1 : 0);
    for (const way of [0, 1, 2, 3]) assert.is(core.transfer_tally(handle, way), Number(this.tally[way]));
  }
}
