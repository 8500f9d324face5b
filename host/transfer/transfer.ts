// One transfer, from the call to its end: drives the core, and waits, writes, counts and throws as it says.

import { AsyncResource } from "node:async_hooks";
import { Action, Fault, Flag } from "../../assembly/abi.js";
import { warn } from "../close.js";
import { SendfileError, something } from "../errors.js";
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
import { Limits } from "./limits.js";
import { onAborted, watchQueue } from "./listeners.js";
import type { Checked, Progress } from "./options.js";
import { after, Event, Phase, Place } from "./phase.js";

/** How a transfer fails; `complete` where all was sent, and only its file could not be given back. */
export type Reject = (error: Error, complete: boolean) => void;

/**
 * Settles itself by `resolve` or `reject`. What lets it go on may belong to another request, or to none: all that is
 * sent, and its end, is in the async context of its caller.
 */
export class Transfer extends AsyncResource implements Job, Running, Task {
  slot = -1;
  protected readonly shared: Shared;
  protected readonly options: Checked;
  protected readonly resolve: (sent: number) => void;
  protected readonly reject: Reject;
  /** Open once `opened` was called, closed by the end. */
  protected source: Source;
  /** Bytes of the file that are to go, once it is open; at most, where only the end will tell. */
  protected count = 0;
  #phase = Phase.Opening;
  #place = Place.None;
  /** Both are there from `attach` on. */
  #queue!: Queue;
  #driver!: Driver;
  readonly #account: Account;
  readonly #limits: Limits | null;
  /** Lets the queue go on. */
  #release: (() => void) | null = null;
  #activity = 0;
  #reported = -1;
  /** Takes back what listens to the AbortSignal, and to the stream. */
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
    this.#account = new Account(options.trailer);
    this.resolve = resolve;
    this.reject = reject;
    const { timeout, deadline } = options;
    this.#limits = timeout > 0 || deadline > 0 ? new Limits(shared.now, timeout, deadline) : null;
  }

  /** The only place where the phase changes. */
  #to(event: Event): void {
    this.#phase = after(this.#phase, event);
  }

  get #over(): boolean {
    return this.#phase >= Phase.Leaving;
  }

  /** Has it sent by this queue, the header first. @throws SendfileError where the core's memory is full. */
  attach(queue: Queue, header: Uint8Array | string): void {
    this.#queue = queue;
    this.#driver = new Driver(this.shared, queue);
    this.#account.attach(this.#driver, queue, header);
    this.#limits?.restart(this.#driver);
  }

  /** Opens the source, and takes a place in the queue where that is not over at once: what is said later comes later. */
  open(): void {
    try {
      this.source.open((error) => this.opened(error));
    } catch (error) {
      return this.end(something(error)); // a stranger's file
    }
    if (this.#phase === Phase.Opening) this.enter();
  }

  /** The source is open, or can't be opened. */
  protected opened(error: unknown): void {
    if (this.#over) return;
    const { offset, mode } = this.options;
    const { size, openEnded, seekable, start = 0 } = this.source;
    if (error) return this.#stop(error);
    // A FIFO or stream has no positions to start from.
    if (!seekable && offset + start !== 0) {
      return this.#stop(new SendfileError("ESPIPE", "ESPIPE: this file can't seek to an offset", { syscall: "lseek" }));
    }
    if (mode !== "native" || !openEnded || !seekable) return this.#sized(size);
    // A regular file of size 0 is empty, or one of /proc, which the kernel won't send: only a read tells.
    this.source.read(offset, 1, false, 0, (error, bytes) => {
      if (error) this.#stop(error);
      else if (!this.#over) this.#sized(bytes.length === 0 ? 0 : size);
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

  /** At most so many bytes of the file are to go. */
  protected bound(most: number): void {
    this.count = Math.min(this.count, most);
    this.#account.total = Math.min(this.#account.total, most);
  }

  /** The source is open, and there is no place in the queue. */
  protected ready(): void {
    this.run();
  }

  /** Goes on. What the caller lent may throw in here: a detached buffer, a source. Nothing of it may stop the queue. */
  run(): void {
    if (this.#over) return;
    try {
      this.runInAsyncScope(this.#phase === Phase.Waiting ? this.send : this.#loop, this);
    } catch (error) {
      this.#stop(something(error));
    }
    this.shared.scheduler.stopTiming();
  }

  /** Begins: at once where nothing is before us that could go on, else when it is our turn. */
  protected send(): void {
    const { mode, onProgress, offset } = this.options;
    const native = mode !== "copy" && nativeBlocker(this.shared, this.source, this.#queue) === null;
    // Who is told of progress may write meanwhile, and that is to come later.
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

  /** Puts it into the queue: it has to wait, and may be ended from elsewhere meanwhile. */
  protected enter(): void {
    const { signal } = this.options;
    this.#activity = this.#queue.activity();
    this.#arm();
    if (signal) this.#unlisten = onAborted(signal, () => this.#stop(aborted(signal, this.#account.sent())));
    this.#place = Place.Queued;
    try {
      this.#queue.enter(this);
    } catch (error) {
      this.end(something(error)); // a stranger's stream, which can't be listened to
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
    if (this.#over) return this.#free();
    this.#limits?.restart(this.#driver);
    this.#arm();
    if (this.#phase === Phase.Running && this.#driver.action === Action.Yield) this.shared.scheduler.schedule(this);
    else if (this.#queue.connecting) this.#watch();
    else if (this.#phase !== Phase.Opening) this.run();
  }

  drop(): boolean {
    if (this.#place !== Place.Queued) return false;
    this.#place = Place.Left;
    if (!this.#over) this.#stop(this.#closed());
    return true;
  }

  /** Told when the stream goes away, or is there at last; only for a transfer that has to wait. */
  #watch(): void {
    // A write under way on a handle calls back by itself; what waits for anything else is told here.
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
        if (this.#over) return;
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

  /** Copies what the core wants: reads it, and writes it past the queue. */
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
    readCopy(driver, this.#queue, this.source, this.options, account, (error, pieces) => {
      if (this.#phase !== Phase.Reading) return;
      if (error) return this.#stop(error);
      if (this.#queue.closed) return this.#stop(this.#closed());
      const missing = account.missing(); // since the file was read
      if (missing !== null) return this.#stop(missing);
      if (pieces.length > 0) return this.#write(pieces, copied);
      driver.ended();
      if (driver.fault !== Fault.None) return this.#stop(this.#faulted());
      account.total = driver.sent;
      copied();
    });
    inLoop = false;
  }

  #write(pieces: Uint8Array[], copied: () => void): void {
    this.#to(Event.Read);
    const account = this.#account;
    account.flight = pieces.reduce((sum, { length }) => sum + length, 0);
    const written = (error?: unknown) => {
      if (this.#phase === Phase.Leaving) {
        this.#to(Event.Copied);
        return this.#free();
      }
      if (this.#phase !== Phase.Writing) return;
      // A stream that was destroyed calls back without an error; what was left of the copy is lost.
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
    this.#look(); // what the kernel took at once has left, even where the write fails later
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

  /** Progress is bytes leaving the process, not a chunk completing; while we wait for our turn, anybody's bytes. */
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

  /** The process is ending, or who is to be answered has gone. */
  abort(error: unknown): void {
    this.#stop(error);
  }

  /** Ends it from outside of its own context. */
  #stop(error: unknown): void {
    this.runInAsyncScope(this.end, this, error);
  }

  /** The only way out: gives everything back, whatever throws meanwhile, then settles. null where all has gone. */
  protected end(error: unknown): void {
    if (this.#over) return;
    const seek = this.options.seek && this.#phase >= Phase.Running;
    this.#to(Event.Ended);
    this.#limits?.stop();
    this.#unlisten?.();
    const sent = this.#account.sent();
    this.#driver?.close();
    const thrown = this.#giveBack(sent, seek);
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

  /** Leaves the stream and the file to their owners, or closes the file; what that has thrown, or null. */
  #giveBack(sent: number, seek: boolean): unknown {
    try {
      try {
        this.#unwatch?.();
        if (seek) this.source.seek(this.options.offset + sent, this.shared.seek);
      } finally {
        this.source.close();
      }
      return null;
    } catch (error) {
      return something(error);
    }
  }

  protected done(sent: number): void {
    this.resolve(sent);
  }

  /** `complete` where all was sent, and only its file could not be given back. */
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
