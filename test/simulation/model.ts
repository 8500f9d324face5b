// What a transfer has to do next, in BigInt: the reference that every answer of the core is compared
// with. The place of each byte is Stream's matter; here are sizes of copies, limits and faults.

import { Action, Fault, Flag, Way } from "../../assembly/abi.js";
import { type Extent, Stream } from "../lib/stream.js";

/** An answer of the core to `transfer_run`. */
export interface Must {
  action: Action;
  /** Of Copy. */
  want?: bigint;
  way?: Way;
  /** Of Fail. */
  fault?: Fault;
}

const MiB = 1048576n;
const STRETCH = 4n * MiB;
const FAR = 32n * MiB;
/** What fits into the scratch area in front of a body. */
const HEADER = 16384n;

/** Calls of each kind in one run. */
const CALLS = 16;

const least = (a: bigint, b: bigint) => (a < b ? a : b);
const upTo = (unit: bigint, position: bigint) => unit - (position % unit);

/** What is known of the whole process: calls that are missing. */
export interface Process {
  sendfileMissing: boolean;
  readMissing: boolean;
}

export class Model extends Stream {
  readonly #process: Process;
  native: boolean;
  probe: boolean;
  timeout = 0;
  deadline = Number.POSITIVE_INFINITY;
  progress: number;
  /** Up to here everything is taken to be cold; 0 where nothing is. */
  coldUntil = 0n;

  // Of the run that is under way, or the last one.
  /** What is known of its end: once it is, no call may follow. */
  must: Must | null = null;
  moved = 0;
  /** Questions about a byte far ahead, other reads, and calls that send. */
  readonly calls = { far: 0, read: 0, send: 0, sendfile: 0 };
  #now = 0;

  // Of its whole life.
  allCalls = 0;
  /** What may cost calls: bytes that moved, interruptions, answers. */
  events = 0;

  constructor(id: number, said: Extent, process: Process, now: number) {
    super(id, said);
    this.#process = process;
    this.native = (said.flags & Flag.Native) !== 0;
    this.probe = (said.flags & Flag.Probe) !== 0;
    this.progress = now;
  }

  limit(timeout: number, deadline: number, now: number): void {
    this.timeout = timeout;
    this.deadline = deadline;
    this.progress = now;
  }

  get due(): number {
    return Math.min(this.timeout > 0 ? this.progress + this.timeout : Number.POSITIVE_INFINITY, this.deadline);
  }

  expired(now: number): Fault {
    if (now < this.due) return Fault.None;
    return now >= this.deadline ? Fault.Expired : Fault.Stalled;
  }

  /** A run begins. */
  begin(now: number, spent: boolean): void {
    this.moved = 0;
    this.calls.far = this.calls.read = this.calls.send = this.calls.sendfile = 0;
    this.#now = now;
    this.events++;
    this.must = this.#before(spent);
  }

  /** What is known before a call was made. */
  #before(spent: boolean): Must | null {
    if (this.left === 0n) return { action: Action.Done };
    const fault = this.expired(this.#now);
    if (fault !== Fault.None) return { action: Action.Fail, fault };
    if (spent) return { action: Action.Yield };
    if (!this.native || this.#process.sendfileMissing) return this.#without();
    const asks = this.probe && !this.#process.readMissing && this.bodyLeft > 0n && this.headLeft <= HEADER;
    const isCold = this.coldUntil > 0n && (this.position < this.coldUntil || this.bodyLeft <= FAR);
    return asks && isCold ? this.#cold() : null;
  }

  /** A call is about to be made. Returns the mistake, where it is one. */
  call(kind: "read" | "send" | "sendfile", offset: number): string | null {
    this.allCalls++;
    if (this.must !== null) return `${kind} after what ends the run`;
    if (!this.native || this.#process.sendfileMissing) return "the kernel's way is tried again";
    if (kind !== "read") return ++this.calls[kind] > CALLS ? `${CALLS + 1} calls of ${kind} in one run` : null;
    if (!this.probe || this.#process.readMissing) return "read is asked again";
    const far = this.coldUntil > 0n;
    if (BigInt(offset) !== (far ? this.position + FAR : this.position)) return `read asks about ${offset}`;
    return ++this.calls[far ? "far" : "read"] > (far ? 1 : CALLS) ? `${CALLS + 1} reads in one run` : null;
  }

  /** The answer of send or sendfile, and what has to come of it. */
  answered(n: number): void {
    if (n > 0) {
      this.progress = this.#now;
      this.events++;
      this.moved += n;
    } else if (n === 0) this.must = this.#doorbellSize(Way.Copied);
    else if (n === -Fault.Interrupted) this.events++;
    else if (n === -Fault.WouldBlock) this.must = this.#doorbellSize(Way.Doorbell);
    else if (n === -Fault.Missing || n === -Fault.Unsupported) {
      if (n === -Fault.Missing) this.#process.sendfileMissing = true;
      this.native = false;
      this.must = this.#without();
    } else this.must = { action: Action.Fail, fault: -n };
  }

  /** The answer of read, and what has to come of it. */
  found(n: number): void {
    if (this.coldUntil > 0n) {
      if (n > 0) this.coldUntil = 0n;
      else this.must = this.#cold();
      return;
    }
    if (n > 0) return;
    this.events++;
    if (n === 0) {
      const fault = this.ended();
      if (fault !== Fault.None) this.must = { action: Action.Fail, fault };
    } else if (n === -Fault.WouldBlock) this.must = this.#cold();
    else if (n === -Fault.Missing) this.#process.readMissing = true;
    else if (n === -Fault.Unsupported) this.probe = false;
    else if (n !== -Fault.Interrupted) this.must = { action: Action.Fail, fault: -n };
  }

  /** What the run has to answer. `action` is looked at only where both of two are right. */
  answer(action: Action): Must {
    if (this.must !== null) return this.must;
    if (this.left === 0n) return { action: Action.Done };
    const { far, read, send, sendfile } = this.calls;
    const enough = this.moved >= 1048576 || far + read + send + sendfile >= CALLS;
    // A run that has its limit of calls may stop before it has seen that only a copy is left.
    if (enough && action === Action.Yield) return { action };
    const most = (n: bigint): Must => ({ action: Action.Copy, want: least(n, MiB), way: Way.Copied });
    if (this.bodyLeft === 0n) return most(this.left);
    if (this.headLeft > HEADER) return most(this.headLeft);
    // Neither a limit nor the end: it has to go on. No answer is right, and the nearest one is shown.
    return enough ? { action: Action.Yield } : { action: Action.Copy, want: 0n, way: Way.Copied };
  }

  /** Copies `body` bytes, and what is left of the header before them. */
  #copy(body: bigint, way: Way): Must {
    return { action: Action.Copy, want: this.headLeft + least(body, this.bodyLeft), way };
  }
  #doorbellSize(way: Way): Must {
    return this.#copy(upTo(512n, this.position), way);
  }
  /** Cold bytes are met, or have to be expected still. */
  #cold(): Must {
    const { position } = this;
    if (position >= this.coldUntil) this.coldUntil = position + STRETCH;
    return this.#copy(((position + 262144n) / 4096n) * 4096n - position, Way.Cold);
  }
  #without(): Must {
    if (this.flags & Flag.Only) return { action: Action.Fail, fault: Fault.NotAvailable };
    const must = this.#copy(upTo(524288n, this.position), Way.Copied);
    const all = must.want === this.headLeft + this.bodyLeft;
    return { ...must, want: least(all ? this.left : (must.want as bigint), 2n ** 31n - 1n) };
  }
}
