// One transfer, from the call to its end: drives the core, and waits, writes, counts and throws as the core says.

import { Action, Fault, Flag } from "../../assembly/abi.js";
import { warn } from "../close.js";
import { SendfileError, something } from "../errors.js";
import { SafeAsyncResource } from "../originals.js";
import type { Job, Queue } from "../queue/queue.js";
import type { Task } from "../scheduler.js";
import type { Shared } from "../shared.js";
import type { Source } from "../source/source.js";
import { MAX } from "../validate.js";
import { Account } from "./account.js";
import type { Running } from "./active.js";
import { nativeBlocker } from "./blocker.js";
import { readCopy } from "./copy.js";
import { Driver } from "./driver.js";
import { aborted, closed, faulted } from "./failure.js";
import { giveBack } from "./give-back.js";
import { Limits } from "./limits.js";
import { onAborted, watchQueue } from "./listeners.js";
import type { Checked, Progress } from "./options.js";
import { after, Event, Phase, Place } from "./phase.js";

/** How a transfer fails; `complete` if all bytes were sent, and only closing its file failed. */
export type Reject = (error: Error, complete: boolean) => void;

/**
 * Settles by `resolve` or `reject`. It sends and ends in the async context of its caller, because the event that
 * resumes it may belong to another request, or to none.
 */
export class Transfer extends SafeAsyncResource implements Job, Running, Task {
  slot = -1;
  protected readonly shared: Shared;
  protected readonly options: Checked;
  protected readonly resolve: (sent: number) => void;
  protected readonly reject: Reject;
  /** Open once `opened` was called, until the end. */
  protected source: Source;
  /** Bytes of the file to send, once it is open; an upper bound if unknown until the end. */
  protected count = 0;
  #phase = Phase.Opening;
  #place = Place.None;
  /** Both are set from `attach` on. */
  #queue!: Queue;
  #driver!: Driver;
  readonly #account = new Account();
  readonly #limits: Limits | null;
  /** Lets the queue go on. */
  #release: (() => void) | null = null;
  #activity = 0;
  #reported = -1;
  /** Remove the listeners of the AbortSignal, and of the stream. */
  #unlisten: (() => void) | null = null;
  #unwatch: (() => void) | null = null;

  constructor(
    type: string,
    shared: Shared,
    source: Source,
    options: Checked,
    resolve: (sent: number) => void,
    reject: Reject,
  ) {
    super(type);
    this.shared = shared;
    this.source = source;
    this.options = options;
    this.resolve = resolve;
    this.reject = reject;
    const { timeout, deadline } = options;
    this.#limits = timeout > 0 || deadline > 0 ? new Limits(shared.now, timeout, deadline) : null;
  }

  /** The only place where the phase changes. */
  #to(event: Event): void {
    this.#phase = after(this.#phase, event);
  }

  #over(): boolean {
    return this.#phase >= Phase.Leaving;
  }

  /** Sets the queue to send by, header and trailer. @throws SendfileError if the core's memory is full. */
  attach(queue: Queue, header: Uint8Array | string, trailer: Uint8Array): void {
    this.#queue = queue;
    this.#driver = new Driver(this.shared, queue);
    this.#account.attach(this.#driver, queue, header, trailer);
    this.#limits?.restart(this.#driver);
  }

  /** Opens the source; if that takes time, takes a place in the queue, so that later writes come later. */
  open(): void {
    try {
      this.source.open((error) => this.opened(error));
    } catch (error) {
      return this.end(something(error)); // a custom source
    }
    if (this.#phase === Phase.Opening) this.enter();
  }

  /** Opens the source of one that has scheduled itself for that. */
  protected reach(): void {}

  /** The source is open, or can't be opened. */
  protected opened(error: unknown): void {
    if (this.#over()) return;
    const { offset, mode } = this.options;
    const { size, openEnded, seekable, start = 0 } = this.source;
    if (error) return this.#stop(error);
    // A FIFO or stream can't seek.
    if (!seekable && offset + start !== 0) {
      return this.#stop(new SendfileError("ESPIPE", "ESPIPE: this file can't seek to an offset", { syscall: "lseek" }));
    }
    if (mode !== "native" || !openEnded || !seekable) return this.#sized(size);
    // A regular file of size 0 is empty, or in /proc, which sendfile refuses: only a read tells.
    this.source.read(offset, 1, false, 0, (error, bytes) => {
      if (error) this.#stop(error);
      else if (!this.#over()) this.#sized(bytes.length === 0 ? 0 : size);
    });
  }

  #sized(size: number): void {
    const { offset, count } = this.options;
    this.#to(Event.Opened);
    this.count = Math.min(Math.max(0, Math.min(size, MAX) - offset), count);
    this.#account.total = size === Number.POSITIVE_INFINITY && count > MAX ? size : this.count;
    if (this.#place === Place.None) this.ready();
    else if (this.#place === Place.Held && !this.#queue.connecting) this.run();
  }

  /** Sets the most bytes of the file to send. */
  protected bound(most: number): void {
    this.count = Math.min(this.count, most);
    this.#account.total = Math.min(this.#account.total, most);
  }

  /** The source is open, and no place in the queue was taken. */
  protected ready(): void {
    this.run();
  }

  /** Continues. The caller's buffers and sources may throw in here, which must not stop the queue. */
  run(): void {
    if (this.#over()) return;
    try {
      const isSending = this.#phase === Phase.Waiting;
      this.runInAsyncScope(isSending ? this.send : this.#phase === Phase.Opening ? this.reach : this.#loop, this);
    } catch (error) {
      this.#stop(something(error));
    }
    this.shared.scheduler.stopTiming();
  }

  /** Begins: at once if nothing before us in the queue could go on, else when it is our turn. */
  protected send(): void {
    const { mode, onProgress, offset } = this.options;
    const native = mode !== "copy" && nativeBlocker(this.shared, this.source, this.#queue) === null;
    // onProgress may write meanwhile; these writes must come later.
    const atOnce = native && onProgress === undefined && this.#queue.idle;
    if (this.#place === Place.None && !atOnce) return this.enter();
    const { openEnded, start = 0 } = this.source;
    let flags = native ? Flag.Native | Flag.Probe : 0;
    if (openEnded) flags |= Flag.Eof;
    if (mode === "native" && this.count > 0) flags |= Flag.Only;
    this.#to(Event.Began);
    const { headerLength, trailerLength } = this.#account;
    this.#driver.start(headerLength, offset + start, this.count, trailerLength, flags);
    this.#loop();
  }

  /** Queues it: it has to wait, and may be aborted meanwhile. */
  protected enter(): void {
    const { signal } = this.options;
    this.#activity = this.#queue.activity();
    this.#arm();
    if (signal) this.#unlisten = onAborted(signal, () => this.#stop(aborted(signal, this.#account.sent())));
    this.#place = Place.Queued;
    try {
      this.#queue.enter(this);
    } catch (error) {
      this.end(something(error)); // a custom stream that can't be listened to
    }
  }

  #arm(): void {
    if (this.#limits === null) return;
    const expired = () => this.#stop(this.#faulted());
    this.#limits.arm(this.#driver, () => this.#look(), expired);
  }

  // Job: what the queue calls.

  start(release: () => void): void {
    this.#place = Place.Held;
    this.#release = release;
    if (this.#over()) return this.#free();
    this.#limits?.restart(this.#driver);
    this.#arm();
    if (this.#phase === Phase.Running && this.#driver.action === Action.Yield) this.shared.scheduler.schedule(this);
    else if (this.#queue.connecting) this.#watch();
    else if (this.#phase !== Phase.Opening) this.run();
  }

  drop(): boolean {
    if (this.#place !== Place.Queued) return false;
    this.#place = Place.Left;
    if (!this.#over()) this.#stop(this.#closed());
    return true;
  }

  /** Called when the stream has closed, or connected; only if the transfer has to wait. */
  #watch(): void {
    // A write under way on a handle calls back by itself; any other wait ends here.
    this.#unwatch ??= watchQueue(
      this.#queue,
      () => this.#stop(this.#closed()),
      () => {
        if (this.#phase === Phase.Waiting) this.run();
      },
    );
  }

  /** The loop: step, act, step again. */
  #loop(): void {
    const driver = this.#driver;
    const { onProgress } = this.options;
    while (this.#phase === Phase.Running) {
      if (this.#queue.closed) return this.end(this.#closed());
      const missing = this.#account.missing();
      if (missing !== null) return this.end(missing);
      if (driver.action !== Action.Copy) {
        this.#step();
        if (onProgress !== undefined && driver.action !== Action.Fail) this.#report(onProgress);
        if (this.#over()) return;
      }
      switch (driver.action) {
        case Action.Done:
          return this.end(null);
        case Action.Fail:
          return this.end(this.#faulted());
        case Action.Yield:
          return this.#place === Place.None ? this.enter() : this.shared.scheduler.schedule(this);
        case Action.Copy:
          if (this.#place === Place.None) return this.enter();
          this.#copy();
      }
    }
  }

  /** One step of the core, with both fds fresh from their owners. */
  #step(): void {
    const driver = this.#driver;
    const out = driver.native ? this.#queue.fd() : -1;
    const file = driver.native ? this.source.fd() : -1;
    driver.step(out, file, this.#account.header);
  }

  /** Copies the bytes that the core wants: reads them, and writes them ahead of the queue. */
  #copy(): void {
    const driver = this.#driver;
    const account = this.#account;
    this.#watch();
    this.#to(Event.Wanted);
    let inLoop = true;
    const copied = () => {
      this.#to(Event.Copied);
      if (!inLoop) this.run();
    };
    readCopy(this.shared, driver, this.#queue, this.source, this.options, account, (error, pieces, buffer) => {
      if (this.#phase !== Phase.Reading) return;
      if (error) return this.#stop(error);
      if (this.#queue.closed) return this.#stop(this.#closed());
      const missing = account.missing(); // detached since the file was read
      if (missing !== null) return this.#stop(missing);
      if (pieces.length > 0) return this.#write(pieces, buffer, copied);
      driver.ended();
      if (driver.fault !== Fault.None) return this.#stop(this.#faulted());
      account.total = driver.sent;
      copied();
    });
    inLoop = false;
  }

  #write(pieces: Uint8Array[], buffer: Buffer | null, copied: () => void): void {
    this.#to(Event.Read);
    const account = this.#account;
    account.flight = pieces.reduce((sum, { length }) => sum + length, 0);
    const written = (error?: unknown) => {
      if (buffer !== null && !error && !this.#queue.closed) this.shared.chunks.give(buffer);
      if (this.#phase === Phase.Leaving) {
        this.#to(Event.Copied);
        return this.#free();
      }
      if (this.#phase !== Phase.Writing) return;
      // A destroyed stream calls back without an error; the rest of the copy is lost.
      if (error) account.flight = 0;
      if (error || this.#queue.closed) {
        this.#to(Event.Copied);
        return this.#stop(this.#closed(error));
      }
      this.#driver.copied(account.flight, this.shared.now());
      account.flight = 0;
      copied();
    };
    try {
      this.#queue.write(pieces, written);
    } catch (error) {
      written(something(error));
    }
    this.#activity = this.#queue.activity();
    this.#look(); // bytes the kernel took at once are sent, even if the write fails later
  }

  #report(onProgress: (progress: Progress) => void): void {
    const sent = this.#account.sent();
    if (sent === this.#reported) return;
    this.#reported = sent;
    try {
      onProgress({ sent, total: this.#account.total, ...this.#driver.tally() });
    } catch (thrown) {
      this.end(SendfileError.after(sent, thrown));
    }
  }

  /** Progress is bytes leaving the process, not a chunk completing; until our turn, anybody's bytes count. */
  #look(): void {
    const activity = this.#queue.activity();
    const active = activity !== this.#activity;
    this.#activity = activity;
    if (this.#phase === Phase.Writing) this.#account.look(active, this.shared.now());
    else if (active && this.#place === Place.Queued) this.#limits?.restart(this.#driver);
  }

  #closed(failed?: unknown): SendfileError {
    return closed(this.#queue, this.#account.sent(), failed);
  }

  #faulted(): SendfileError {
    const blocker =
      this.#driver.fault === Fault.NotAvailable ? nativeBlocker(this.shared, this.source, this.#queue) : null;
    return faulted(this.shared.sys, this.#queue, this.#driver, this.#account.sent(), blocker);
  }

  /** Aborts it: the process is ending, or the client has gone. */
  abort(error: unknown): void {
    this.#stop(error);
  }

  /** Ends it from another async context. */
  #stop(error: unknown): void {
    this.runInAsyncScope(this.end, this, error);
  }

  /** The only way out: releases everything, whatever throws meanwhile, then settles. null if all was sent. */
  protected end(error: unknown): void {
    if (this.#over()) return;
    const seek = this.options.seek && this.#phase >= Phase.Running;
    this.#to(Event.Ended);
    this.#limits?.stop();
    this.#unlisten?.();
    const sent = this.#account.sent();
    this.#driver?.close();
    const thrown = giveBack(this.#unwatch, this.source, seek ? this.options.offset + sent : null, this.shared.seek);
    try {
      this.#free();
    } finally {
      this.shared.transfers.remove(this);
      const failure = error ?? thrown;
      if (failure === null) this.done(sent);
      else this.failed(failure, sent, error === null);
      if (thrown !== null && failure !== thrown) warn(thrown);
    }
  }

  protected done(sent: number): void {
    this.resolve(sent);
  }

  /** `complete` if all bytes were sent, and only closing its file failed. */
  protected failed(failure: unknown, sent: number, complete: boolean): void {
    this.reject(SendfileError.after(sent, failure), complete);
  }

  /** Lets the queue go on, once nothing of ours is being written. */
  #free(): void {
    if (this.#place !== Place.Held || this.#phase === Phase.Leaving) return;
    this.#place = Place.Left;
    this.#release?.();
  }
}
