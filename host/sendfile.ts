// sendfile(): has the arguments checked, takes a place in the socket's queue, and then one loop: run, act,
// run again. What to do next is the core's decision; to wait and to throw is done here.

import { AsyncResource } from "node:async_hooks";
import { constants } from "node:os";
import type { Writable } from "node:stream";
import { Action, Fault, Flag, Way } from "../assembly/abi.js";
import { onAborted } from "./aborts.js";
import type { Core } from "./core.js";
import type { Running, Transfers } from "./drain.js";
import { SendfileError, type SendfileErrorCode, WORDS } from "./errors.js";
import type { Opener } from "./open.js";
import { type Checked, check, type Mode, type Progress, type SendfileOptions } from "./options.js";
import { type FdOf, type Job, type Queue, queueOf } from "./queue.js";
import type { Scratch } from "./scratch.js";
import { type File, type Lseek, type Source, sourceOf } from "./source.js";
import type { Syscalls } from "./syscalls/contract.js";
import { nameOf } from "./syscalls/errno.js";
import type { Turns, Waiting } from "./turns.js";
import { Unsent } from "./unsent.js";
import { checkSocket, MAX } from "./validate.js";

/** What the transfers of one host share. */
export interface Shared {
  readonly core: Core;
  readonly turns: Turns;
  readonly scratch: Scratch;
  /** null where native calls can't be had, or must not be made: SENDOFF_MODE=copy holds for mode 'native' too. */
  readonly sys: Syscalls | null;
  /** Why that is so. */
  readonly reason: string | null;
  /** lseek(2), which moves no byte: null only where it can't be had. */
  readonly seek: Lseek | null;
  readonly opener: Opener;
  /** SENDOFF_MODE: what 'auto' means in this process. */
  readonly auto: Mode;
  readonly now: () => number;
  /** The queue of a socket, the source of a file, of a kind that only this runtime has; else null. */
  readonly queue: (socket: unknown) => Queue | null;
  readonly source: (file: unknown) => Source | null;
  /** The fd of a net.Socket's handle, where it is not as Node's. */
  readonly fdOf: FdOf | undefined;
  /** Those that run; none may start once the process is ending. */
  readonly transfers: Transfers;
}

const EMPTY = new Uint8Array(0);

/** See the public docstring in index.ts. */
export function sendfile(
  shared: Shared,
  socket: unknown,
  file: unknown,
  options: SendfileOptions = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const own = shared.queue(socket);
    if (own === null) checkSocket(socket as Writable);
    const source = shared.source(file) ?? sourceOf(file as File);
    const checked = check(options, shared.auto);
    const queue = own ?? queueOf(socket as Writable, shared.fdOf);
    try {
      if (queue.closed || queue.ended) throw new SendfileError("ERR_SENDFILE_CLOSED", "the socket is closed or ended");
      if (checked.signal?.aborted) throw aborted(checked.signal, 0);
      shared.transfers.check();
    } catch (refusal) {
      source.close();
      throw refusal;
    }
    new Transfer(shared, queue, source, checked, resolve, reject);
  });
}

export function aborted(signal: AbortSignal, sent: number): SendfileError {
  const [code, why] = WORDS[Fault.Aborted] as (typeof WORDS)[number];
  return new SendfileError(code, why, { sent, cause: signal.reason });
}

/** What a stream says when its peer, or itself, has gone. */
const GONE = new Set<string | undefined>([
  "EPIPE",
  "ECONNRESET",
  "ECONNABORTED",
  "ENOTCONN",
  "EBADF",
  "ECANCELED",
  "ERR_SOCKET_CLOSED",
  "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** Timers take a 32-bit number of milliseconds. */
const LONGEST = 0x7fffffff;

/**
 * One transfer, from its place in the queue to its end; it settles itself by `resolve` or `reject`. Where it goes on
 * with what `before` has begun, its source is open. What lets it go on may belong to another request, or to none: all
 * that is sent, and its end, is in the async context of its caller.
 */
export class Transfer extends AsyncResource implements Job, Running, Waiting {
  place = -1;
  readonly #shared: Shared;
  readonly #queue: Queue;
  readonly #source: Source;
  readonly #options: Checked;
  readonly #resolve: (sent: number) => void;
  readonly #reject: (error: Error) => void;
  readonly #handle: number;
  readonly #deadline: number;
  /** Lets the queue go on; null before our turn and after it. */
  #release: (() => void) | null = null;
  #started = false;
  #opened = false;
  #begun = false;
  #native = false;
  /** What a look into a file of size 0 said; null where nobody had to look. */
  #empty: boolean | null = null;
  #over = false;
  /** Bytes of a copy that were given to the stream's writer and are not known to have left. */
  #flight = 0;
  #activity: number;
  /** A write is under way: the queue must not go on before it is over. */
  #writing = false;
  #total = 0;
  #nativeSeen = 0;
  #progressSeen = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watching = false;
  readonly #unsent: Unsent;
  /** Stops listening to the AbortSignal. */
  #deaf: (() => void) | null = null;

  constructor(
    shared: Shared,
    queue: Queue,
    source: Source,
    options: Checked,
    resolve: (sent: number) => void,
    reject: (error: Error) => void,
    before: Running | null = null,
  ) {
    super("sendoff.Transfer");
    this.#shared = shared;
    this.#queue = queue;
    this.#source = source;
    this.#options = options;
    this.#activity = queue.activity();
    this.#unsent = new Unsent(shared.sys, queue);
    this.#resolve = resolve;
    this.#reject = reject;
    const { core } = shared;
    const now = shared.now();
    this.#handle = core.transfer_open(now);
    if (this.#handle === 0) {
      source.close();
      throw new SendfileError("ENOMEM", "too many transfers are open");
    }
    if (before === null) shared.transfers.enter(this);
    else shared.transfers.follow(before, this);
    this.#deadline = options.deadline > 0 ? now + options.deadline : Number.POSITIVE_INFINITY;
    core.transfer_limit(this.#handle, options.timeout, this.#deadline, now);
    if (options.signal) this.#deaf = onAborted(options.signal, this.#onAbort);
    this.#arm();
    const ready = (error: unknown) => {
      this.#opened = true;
      if (this.#over) return;
      const refusal = error ?? this.#unseekable();
      if (refusal) this.#end(refusal);
      else if (this.#started && !queue.connecting) this.#begin();
    };
    if (before !== null) ready(null);
    else source.open(ready);
    if (this.#over) return;
    try {
      queue.enter(this);
    } catch (error) {
      this.#end(error ?? new Error(`${error} was thrown`)); // a stranger's stream, which can't be listened to
    }
  }

  /** A FIFO or stream has no positions to start from. */
  #unseekable(): Error | null {
    const { positioned, start = 0 } = this.#source;
    if (positioned || this.#options.offset + start === 0) return null;
    return new SendfileError("ESPIPE", "ESPIPE: this file can't seek to an offset", { syscall: "lseek" });
  }

  // Job: what the queue calls.

  start(release: () => void): void {
    this.#started = true;
    if (this.#over) return release();
    this.#release = release;
    const { core, now } = this.#shared;
    core.transfer_limit(this.#handle, this.#options.timeout, this.#deadline, now());
    this.#arm();
    if (this.#queue.connecting) {
      this.#watch();
      this.#queue.once("connect", this.#onConnect);
    } else if (this.#opened) this.#begin();
  }

  drop(): boolean {
    if (this.#started) return false;
    this.#stop(this.#closed());
    return true;
  }

  readonly #onConnect = (): void => {
    if (!this.#over && this.#opened) this.#begin();
  };

  readonly #onClose = (): void => {
    // A write under way on a handle calls back by itself; what waits for anything else is told here.
    this.#stop(this.#closed());
  };

  readonly #onAbort = (): void => {
    this.#stop(aborted(this.#options.signal as AbortSignal, this.#sent()));
  };

  /** The process is ending. */
  abort(error: SendfileError): void {
    this.#stop(error);
  }

  /** It is our turn, and the source is open: says what is to be sent, and runs. */
  #begin(): void {
    const { core } = this.#shared;
    const { offset, header, trailer, mode } = this.#options;
    const source = this.#source;
    if (mode === "native" && source.early && source.positioned && this.#empty === null) return this.#peek();
    this.#begun = true;
    const there = this.#empty ? 0 : Math.max(0, Math.min(source.size, MAX) - offset);
    const count = Math.min(there, this.#options.count);
    this.#total =
      source.size === Number.POSITIVE_INFINITY && this.#options.count > MAX && !this.#empty
        ? Number.POSITIVE_INFINITY
        : count;
    let flags = source.early ? Flag.Eof : 0;
    if (mode === "native" && count > 0) flags |= Flag.Only;
    if (mode !== "copy" && this.#obstacle() === null) {
      flags |= Flag.Native | Flag.Probe;
      this.#native = true;
      this.#unsent.limit(count);
    }
    core.transfer_extent(this.#handle, header.length, offset + (source.start ?? 0), count, trailer.length, flags);
    this.turn();
  }

  /** A regular file of size 0 is empty, or one of /proc, which the kernel won't send: only a read tells. */
  #peek(): void {
    this.#watch();
    this.#source.read(this.#options.offset, 1, false, 0, (error, bytes) => {
      if (this.#over) return;
      if (error) return this.#end(error as Error);
      this.#empty = bytes.length === 0;
      this.#begin();
    });
  }

  /** Why the kernel's way can't be taken from here; null where it can be tried. */
  #obstacle(): string | null {
    const { sys, reason } = this.#shared;
    if (sys === null) return reason;
    if (!this.#source.native) return "this file is not a regular one";
    if (this.#queue.native(sys.isStream) < 0) return "this socket is not a plain TCP or Unix stream socket";
    return null;
  }

  /** Goes on. What the caller lent may throw in here: a detached buffer, a source. Nothing of it may stop the queue. */
  turn(): void {
    try {
      this.runInAsyncScope(this.#loop, this);
    } catch (error) {
      this.#stop(error ?? new Error(`${error} was thrown`));
    }
    this.#shared.turns.leave();
  }

  /** The loop: run, act, run again. */
  #loop(): void {
    const { core, turns } = this.#shared;
    while (!this.#over) {
      if (this.#queue.closed) return this.#end(this.#closed());
      const now = turns.enter();
      const action = this.#run(now);
      if (this.#options.onProgress !== undefined && action !== Action.Fail) this.#report(this.#options.onProgress);
      if (this.#over) return;
      switch (action) {
        case Action.Done:
          return this.#end(null);
        case Action.Fail:
          return this.#end(this.#failure(core.transfer_fault(this.#handle)));
        case Action.Yield:
          return turns.wait(this);
        case Action.Copy:
          if (!this.#copy()) return;
      }
    }
  }

  /** One run of the core, with both fds fresh from their owners. */
  #run(now: number): Action {
    const { core, scratch } = this.#shared;
    if (!this.#native) return core.transfer_run(this.#handle, -1, -1, now);
    const sys = this.#shared.sys as Syscalls;
    const out = this.#queue.fd();
    const file = this.#source.fd();
    sys.errno = 0;
    if (out < 0 || file < 0) {
      if (file < 0) Object.assign(sys, { errno: constants.errno.EBADF, syscall: "sendfile" });
      core.transfer_failed(this.#handle, file < 0 ? Fault.System : Fault.Closed);
      return Action.Fail;
    }
    const { header } = this.#options;
    const at = header.length === 0 ? 0 : core.transfer_at(this.#handle);
    if (at < header.length) {
      scratch.put(header.subarray(at));
    }
    const action = core.transfer_run(this.#handle, out, file, now);
    const native = core.transfer_tally(this.#handle, Way.Native);
    if (native > this.#nativeSeen) {
      this.#queue.moved(native - this.#nativeSeen);
      this.#nativeSeen = native;
    }
    return action;
  }

  /** Copies what the core wants. True where that is over already, and the loop can go on. */
  #copy(): boolean {
    const { core } = this.#shared;
    const { header, trailer } = this.#options;
    const handle = this.#handle;
    const at = core.transfer_at(handle);
    const want = core.transfer_want(handle);
    const bodyAt = Math.max(at - header.length, 0);
    const head = header.subarray(Math.min(at, header.length), Math.min(at + want, header.length));
    const bodyLeft = Math.min(this.#total, MAX) - bodyAt;
    const body = Math.max(0, Math.min(want - head.length, bodyLeft));
    const tailAt = Math.max(0, at - header.length - this.#total);
    const tail = trailer.subarray(tailAt, tailAt + Math.max(0, want - head.length - body));

    this.#watch();
    let inside = true;
    let again = false;
    const write = (bytes: Uint8Array) => {
      if (this.#over) return this.#free();
      if (this.#queue.closed) return this.#end(this.#closed());
      if (body > 0 && bytes.length === 0) {
        core.transfer_ended(handle);
        if (core.transfer_fault(handle) !== Fault.None) return this.#end(this.#failure(core.transfer_fault(handle)));
        this.#total = bodyAt;
        again = true;
        if (!inside) this.turn();
        return;
      }
      const chunks = [head, bytes, bytes.length === body ? tail : EMPTY].filter((chunk) => chunk.length > 0);
      this.#flight = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      this.#writing = true;
      const written = (error?: Error | null) => {
        this.#writing = false;
        if (this.#over) return this.#free();
        // A stream that was destroyed calls back without an error; what was left of the copy is lost.
        if (error) this.#flight = 0;
        if (error || this.#queue.closed) return this.#end(this.#closed(error));
        const left = this.#flight;
        this.#flight = 0;
        core.transfer_copied(handle, left, this.#shared.now());
        again = true;
        if (!inside) this.turn();
      };
      try {
        this.#queue.write(chunks, written);
      } catch (error) {
        written(error as Error);
      }
      this.#activity = this.#queue.activity();
      this.#lookAtFlight(); // what the kernel took at once has left, even where the write fails later
    };
    if (body === 0) write(EMPTY);
    else this.#read(bodyAt, body, write);
    inside = false;
    return again;
  }

  /** Reads what a copy carries: from the page cache where it is there, else by the source. */
  #read(bodyAt: number, length: number, done: (bytes: Uint8Array) => void): void {
    const { core, sys, scratch } = this.#shared;
    const position = this.#options.offset + bodyAt;
    const way = core.transfer_way(this.#handle);
    if (way === Way.Doorbell && sys !== null) {
      this.#source.forget?.();
      const n = sys.read(this.#source.fd(), core.scratch(), position + (this.#source.start ?? 0), length);
      if (n > 0) return done(scratch.take(n));
    }
    const left = this.#total - bodyAt - length;
    // Cold bytes are read ahead by the kernel itself.
    const reuse = way !== Way.Doorbell && !this.#queue.keeps;
    const ahead = way === Way.Copied && reuse ? Math.min(left, length) : 0;
    this.#source.read(position, length, reuse, ahead, (error, bytes) => {
      if (error && !this.#over) return this.#end(error as Error);
      done(bytes);
    });
  }

  /** Bytes of the file that have left, or can't be called back: those in a living socket's own queue. */
  #sent(): number {
    const flight = this.#queue.closed ? 0 : this.#flight;
    const at = this.#shared.core.transfer_at(this.#handle) + flight - this.#options.header.length;
    return Math.max(0, Math.min(at, this.#total));
  }

  #report(onProgress: (progress: Progress) => void): void {
    const { core } = this.#shared;
    const handle = this.#handle;
    const sent = this.#sent();
    if (sent === this.#progressSeen) return;
    this.#progressSeen = sent;
    try {
      onProgress({
        sent,
        total: this.#total,
        native: core.transfer_tally(handle, Way.Native),
        doorbell: core.transfer_tally(handle, Way.Doorbell),
        cold: core.transfer_tally(handle, Way.Cold),
        copied: core.transfer_tally(handle, Way.Copied),
      });
    } catch (thrown) {
      this.#end(SendfileError.after(sent, thrown));
    }
  }

  // Limits.

  #arm(): void {
    clearTimeout(this.#timer);
    const { core, now } = this.#shared;
    const due = core.transfer_due(this.#handle);
    if (due === Number.POSITIVE_INFINITY) return;
    // Looked at four times as often, because the progress of a large write shows only then.
    const { timeout } = this.#options;
    const wait = Math.min(due - now(), timeout > 0 ? timeout / 4 : LONGEST, LONGEST);
    this.#timer = setTimeout(this.#onTimer, Math.max(1, wait));
  }

  readonly #onTimer = (): void => {
    if (this.#over) return;
    this.#lookAtFlight();
    const { core, now } = this.#shared;
    if (core.transfer_tick(this.#handle, now()) === 0) return this.#arm();
    const fault = core.transfer_fault(this.#handle);
    this.#stop(this.#failure(fault));
  };

  /** Progress is bytes leaving the process, not a chunk completing; while we wait for our turn, anybody's bytes. */
  #lookAtFlight(): void {
    const { core, now } = this.#shared;
    const activity = this.#queue.activity();
    const active = activity !== this.#activity;
    this.#activity = activity;
    if (!this.#started) {
      if (active) core.transfer_limit(this.#handle, this.#options.timeout, this.#deadline, now());
    } else if (this.#writing) {
      const pending = this.#queue.pending();
      const gone = Number.isNaN(pending) ? 0 : Math.max(0, this.#flight - pending);
      if (gone > 0 || (active && Number.isNaN(pending))) core.transfer_moved(this.#handle, gone, now());
      this.#flight -= gone;
    }
  }

  // Ends.

  #closed(failed?: NodeJS.ErrnoException | null): SendfileError {
    const sent = this.#sent();
    // A write that was cancelled says only that the stream went away: why, the stream knows.
    const cause = failed && failed.code !== "ECANCELED" ? failed : this.#queue.errored;
    const { errno, syscall, code } = (cause ?? {}) as NodeJS.ErrnoException;
    if (cause && typeof code === "string" && !GONE.has(code)) return SendfileError.after(sent, cause);
    const why = `${WORDS[Fault.Closed]?.[1]}${cause ? ` (${cause.message})` : ""}`;
    return new SendfileError("ERR_SENDFILE_CLOSED", why, { sent, errno, syscall, cause: cause ?? undefined });
  }

  #failure(fault: Fault): SendfileError {
    const sent = this.#sent();
    const words = WORDS[fault];
    const { sys } = this.#shared;
    const { errno, syscall } = sys ?? { errno: 0, syscall: "" };
    const told = fault === Fault.System || fault === Fault.Closed || (fault === Fault.NotAvailable && this.#native);
    if (told && errno !== 0) {
      const name = (sys?.nameOf ?? nameOf)(errno);
      const [code, why] = words ?? [name as SendfileErrorCode, "the system call failed"];
      return new SendfileError(code, `${name}: ${why}, ${syscall}`, { sent, errno: -errno, syscall });
    }
    if (words === undefined || fault === Fault.Closed) return this.#closed();
    const obstacle = fault === Fault.NotAvailable ? this.#obstacle() : null;
    return new SendfileError(words[0], obstacle === null ? words[1] : `${words[1]}: ${obstacle}`, { sent });
  }

  /** Ends it from outside of its own context. */
  #stop(error: unknown): void {
    this.runInAsyncScope(this.#end, this, error);
  }

  /** The only way out: gives everything back, then settles the promise. */
  #end(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const { core, sys, seek, transfers } = this.#shared;
    clearTimeout(this.#timer);
    this.#deaf?.();
    if (this.#watching) {
      this.#queue.off("close", this.#onClose);
      this.#queue.off("connect", this.#onConnect);
    }
    const sent = this.#sent();
    if (sys !== null && core.transfer_corked(this.#handle) === 1) {
      const fd = this.#queue.fd();
      if (fd >= 0) sys.push(fd);
    }
    this.#unsent.release();
    core.transfer_close(this.#handle);
    if (this.#options.seek && this.#begun) this.#source.seek(this.#options.offset + sent, seek);
    this.#source.close();
    this.#free();
    transfers.leave(this);
    if (error === null) this.#resolve(sent);
    else this.#reject(error instanceof SendfileError && error.sent === sent ? error : SendfileError.after(sent, error));
  }

  /** Lets the queue go on, once nothing of ours is being written. */
  #free(): void {
    if (this.#writing) return;
    const release = this.#release;
    this.#release = null;
    release?.();
  }

  /** Told when the stream goes away; only for a transfer that has to wait. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#queue.once("close", this.#onClose);
  }
}
