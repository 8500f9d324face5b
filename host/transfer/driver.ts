// Drives one record of the core, from its first byte to its last: the only file that names its transfer_ calls. It
// never waits and has no callbacks; its owner carries out the actions it returns.

import { constants } from "node:os";
import { Action, Fault, Flag, Way } from "../../assembly/abi.js";
import type { Core } from "../core.js";
import { SendfileError } from "../errors.js";
import { Bound } from "../libc/lowat.js";
import type { Syscalls } from "../libc/syscalls.js";
import { max } from "../originals.js";
import type { Queue } from "../queue/queue.js";
import type { Shared } from "../shared.js";
import { readCached } from "../source/read.js";

/** The most bytes that can be reported at once: the core takes 32 bits. */
const MOST = 0x7fffffff;

/**
 * Inputs, in their order: `limit`, `room`, `start`, then `step`; after a step that said Copy, `moved` any number of times, then
 * `copied` or `ended`. `start` again begins another extent, unless a step said Fail or, the last one, Copy. At any time:
 * `tick`, `failed`, `append`, `uncork`, and `close` at last.
 * Outputs: `action` and the getters; after a step that said Copy, `doorbell`, too.
 */
export class Driver {
  /** The action that the last step asked for; Yield once it is done. */
  action: Action = Action.Yield;
  /** Whether native calls are to be tried: then a step needs both fds. */
  native = false;
  /** A copy met a byte that was not in the page cache: from there on the source reads, ahead of the writes. */
  cold = false;
  readonly #shared: Shared;
  readonly #core: Core;
  readonly #queue: Queue;
  #record: number;
  #header = 0;
  #offset = 0;
  /** Native bytes already reported to the queue. */
  #counted = 0;
  #bound: Bound | null = null;
  /** Bytes of `append` may be held back until more follows. */
  #appended = false;

  /** @throws SendfileError if the core's memory is full. */
  constructor(shared: Shared, queue: Queue) {
    this.#shared = shared;
    this.#core = shared.core;
    this.#queue = queue;
    this.#record = shared.core.transfer_open(0); // its clocks begin with `limit`
    if (this.#record === 0) throw new SendfileError("ENOMEM", "too many transfers are open");
  }

  /** Milliseconds without progress, counted from `now`, 0 for no limit; and a last moment. */
  limit(timeout: number, deadline: number, now: number): void {
    this.#core.transfer_limit(this.#record, timeout, deadline, now);
  }

  /**
   * Sets the bytes to send: `count` bytes of the file from `offset` on, between a header and a trailer. `later` is how
   * many bytes other extents will have.
   */
  start(header: number, offset: number, count: number, trailer: number, flags: number, later = 0): void {
    const { sys } = this.#shared;
    this.#header = header;
    this.#offset = offset;
    this.native = (flags & Flag.Native) !== 0;
    this.#core.transfer_extent(this.#record, header, offset, count, trailer, flags);
    this.action = Action.Yield;
    if (this.native && sys !== null) this.#limitUnsent(sys, count + later);
  }

  #limitUnsent(sys: Syscalls, count: number): void {
    this.#bound ??= Bound.of(sys, () => this.#queue.fd(), count);
  }

  /**
   * Moves as many bytes as it can now; `header` has the length that `start` was given. Both fds are fresh from their
   * owners, -1 if not needed, or closed. Uses the turn's share of time, from here until `scheduler.stopTiming`.
   */
  step(out: number, file: number, header: Uint8Array | string): Action {
    const { scratch, sys, scheduler } = this.#shared;
    if (!this.native) return (this.action = this.#core.transfer_run(this.#record, -1, -1, scheduler.startTiming()));
    if (out < 0 || file < 0) return this.#gone(file < 0);
    if (header.length > 0) {
      const at = this.at;
      if (at < header.length) scratch.put(header, at);
    }
    if (sys !== null) sys.errno = 0;
    const now = scheduler.startTiming();
    this.#bound?.moved(this.#counted, now);
    this.action = this.#core.transfer_run(this.#record, out, file, now);
    const native = this.#tally(Way.Native);
    if (native > this.#counted) {
      this.#queue.moved(native - this.#counted);
      this.#appended = false;
    }
    this.#counted = native;
    return this.action;
  }

  /** How many bytes the socket takes at once, for sure, if `count` are to be sent in all; 0 or less if that isn't known. */
  room(out: number, count: number): number {
    const { sys } = this.#shared;
    if (sys?.room === undefined) return 0;
    this.#limitUnsent(sys, count);
    return sys.room(out, this.#bound?.most ?? null);
  }

  /** Sends a short text behind the last byte, at once, for more to follow. Returns how much of it the kernel took. */
  append(out: number, text: string): number {
    const { scratch, sys } = this.#shared;
    if (sys === null || out < 0) return 0;
    scratch.put(text, 0);
    const sent = max(sys.send(out, scratch.address, text.length, 1), 0);
    if (sent > 0) {
      this.#queue.moved(sent);
      this.#appended = true;
    }
    return sent;
  }

  /** An fd was closed: the file's, or the socket's. */
  #gone(file: boolean): Action {
    if (this.#shared.sys !== null) {
      this.#shared.sys.errno = file ? constants.errno.EBADF : 0;
      this.#shared.sys.syscall = "sendfile";
    }
    this.failed(file ? Fault.System : Fault.Closed);
    return this.action;
  }

  /**
   * The doorbell: a small write, by the stream, whose callback tells that a full socket has room again. At most `most`
   * bytes from the body's position, in memory of their own. Null if no doorbell is wanted, or the bytes are not cached.
   */
  doorbell(file: number, most: number): Uint8Array | null {
    if (this.#shared.sys === null || this.way !== Way.Doorbell) return null;
    return readCached(this.#shared, file, this.position, most);
  }

  /** `bytes` of a copy were sent, and more of it follows. */
  moved(bytes: number, now: number): void {
    this.#core.transfer_moved(this.#record, bytes, now);
  }

  /** The copy is over, with these last `bytes`: as many as were wanted, or fewer, or more. */
  copied(bytes: number, now: number): void {
    this.#core.transfer_copied(this.#record, bytes, now);
    this.action = Action.Yield;
  }

  /** The same, with the header sent, and the file up to `position`. */
  copiedTo(position: number, now: number): void {
    let bytes = this.headerLeft + position - this.position;
    for (; bytes > MOST; bytes -= MOST) this.moved(MOST, now);
    this.copied(bytes, now);
  }

  /** The copy is over, because the source has no more. */
  ended(): void {
    this.#core.transfer_ended(this.#record);
    this.action = Action.Yield;
  }

  /** It has failed, for a reason that only the host knows. */
  failed(fault: Fault): void {
    this.#core.transfer_failed(this.#record, fault);
    this.action = Action.Fail;
  }

  /** Whether it has just failed by one of its limits. */
  tick(now: number): boolean {
    return this.#core.transfer_tick(this.#record, now) === 1;
  }

  /** Time of the next tick; Infinity for never. */
  get due(): number {
    return this.#core.transfer_due(this.#record);
  }

  /** Bytes of header, body and trailer sent so far. */
  get at(): number {
    return this.#core.transfer_at(this.#record);
  }

  /** Bytes of the header not sent yet. */
  get headerLeft(): number {
    return max(this.#header - this.at, 0);
  }

  /** Bytes of the body sent so far. */
  get sent(): number {
    return this.#core.transfer_sent(this.#record);
  }

  /** The file position of the body's next byte. */
  get position(): number {
    return this.#offset + this.sent;
  }

  /** Bytes to copy, from `at` on. */
  get want(): number {
    return this.#core.transfer_want(this.#record);
  }

  /** Why they must be copied. */
  get way(): Way {
    return this.#core.transfer_way(this.#record);
  }

  #tally(way: Way): number {
    return this.#core.transfer_tally(this.#record, way);
  }

  /** Bytes of header, body and trailer, by the way they were sent. */
  tally(): { native: number; doorbell: number; cold: number; copied: number } {
    return {
      native: this.#tally(Way.Native),
      doorbell: this.#tally(Way.Doorbell),
      cold: this.#tally(Way.Cold),
      copied: this.#tally(Way.Copied),
    };
  }

  /** Why it failed; None if it has not. */
  get fault(): Fault {
    return this.#core.transfer_fault(this.#record);
  }

  /** Sends bytes held back by MSG_MORE: the next ones will take a while. */
  uncork(): void {
    if (!this.#appended && this.#core.transfer_corked(this.#record) !== 1) return;
    this.#appended = false;
    const fd = this.#queue.fd();
    if (fd >= 0) this.#shared.sys?.uncork(fd);
  }

  /** Restores the socket, and frees the record. Does nothing the second time. */
  close(): void {
    if (this.#record === 0) return;
    if (this.action !== Action.Done || this.#appended) this.uncork(); // no extent ends with more to follow
    this.#bound?.lift();
    this.#core.transfer_close(this.#record);
    this.#record = 0;
  }
}
