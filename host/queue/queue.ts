// Puts jobs into a Writable's own queue. A job is written as a unique empty Buffer; our `_write` recognises it, starts
// the job, and calls back when the job is over. So order is kept among writes, jobs and end().

import { Socket } from "node:net";
import { Writable } from "node:stream";
import { argumentError } from "../errors.js";
import { call, defineProperty, getPrototypeOf, hasOwn, isExtensible } from "../originals.js";
import { type Counter, count, NATIVE } from "./counter.js";

/** A queued task: a transfer. */
export interface Job {
  /** Starts the job, whose turn it is; it must call `release` once, which lets the queue go on. */
  start(release: () => void): void;
  /** The stream was destroyed. Returns true if the job had not started, and never will. */
  drop(): boolean;
}

/** Called once the kernel has the bytes, or with an error. */
export type Done = (error?: Error | null) => void;
type Write = (chunk: Uint8Array, encoding: BufferEncoding, done: Done) => void;
type Writev = (chunks: { chunk: Uint8Array; encoding: BufferEncoding }[], done: Done) => void;

/** The part of a socket's handle that we use; undocumented, so each member is checked for. */
interface Handle extends Counter {
  fd?: number;
  writeQueueSize?: number;
  writeBuffer?: unknown;
  writev?: unknown;
  writeUtf8String?: unknown;
  writeLatin1String?: unknown;
  writeAsciiString?: unknown;
  writeUcs2String?: unknown;
}

interface Inner extends Counter {
  _write: Write;
  _writev?: Writev | null;
  _writeGeneric?: unknown;
  _handle?: Handle | null;
  _unrefTimer?: () => void;
  encrypted?: boolean;
}

const JOB = Symbol("sendoff.job");
const QUEUE = Symbol("sendoff.queue");

/** The stream or connection that a job writes to. */
export interface Queue {
  /** True once end() was called. */
  readonly ended: boolean;
  /** True once nothing more can be written. */
  readonly closed: boolean;
  /** Why it was closed, if known. */
  readonly errored: Error | null;
  /** True while the connection is being made. */
  readonly connecting: boolean;
  /** Whether the next byte would go straight to the kernel. */
  readonly idle: boolean;
  /** Calls `listener` once. */
  once(event: "connect" | "close", listener: () => void): void;
  /** Removes a listener. */
  off(event: "connect" | "close", listener: () => void): void;
  /** Queues a job behind all pending writes. */
  enter(job: Job): void;
  /** Writes through the stream's own writer, ahead of the queue: for the job whose turn it is. */
  write(chunks: Uint8Array[], done: Done): void;
  /** The socket's fd for native calls, -1 if there is none; must be read immediately before each call. */
  fd(): number;
  /** Bytes of the last write that are still in the process; NaN if unknown. */
  pending(): number;
  /** A number that changes whenever bytes leave the process by this stream, including those of other writers. */
  activity(): number;
  /** The stream may keep a chunk after its write has called back, so buffers can't be reused. */
  readonly retainsChunks: boolean;
  /** The socket's fd if it passes `check`, asked once, and native calls may write to it now; else -1. */
  native(check: (fd: number) => boolean): number;
  /** Counts bytes that were sent without the stream's knowledge. */
  moved(bytes: number): void;
}

const { write: WRITE } = Writable.prototype;
const { _write: DEFAULT_WRITE } = Writable.prototype as unknown as Inner;

/** The _write of a stream that has only _writev. */
function one(writev: Writev): Write {
  return function (this: unknown, chunk, encoding, done) {
    call(writev, this, [{ chunk, encoding }], done);
  };
}
const {
  _write: SOCKET_WRITE,
  _writev: SOCKET_WRITEV,
  _writeGeneric: SOCKET_WRITE_GENERIC,
} = Socket.prototype as unknown as Inner;

/**
 * Whether a method that the socket's own `_write` calls, on the socket or its handle, was replaced. The replacement may
 * change the bytes.
 */
function replaced({ _writeGeneric, _handle }: Inner): boolean {
  if (_writeGeneric !== SOCKET_WRITE_GENERIC) return true;
  if (_handle == null) return false;
  const own = getPrototypeOf(_handle) as Handle;
  return (
    _handle.writeBuffer !== own.writeBuffer ||
    _handle.writev !== own.writev ||
    _handle.writeUtf8String !== own.writeUtf8String ||
    _handle.writeLatin1String !== own.writeLatin1String ||
    _handle.writeAsciiString !== own.writeAsciiString ||
    _handle.writeUcs2String !== own.writeUcs2String
  );
}

/** Replaces a method without making it enumerable. */
function install(stream: Inner, name: "_write" | "_writev", value: unknown): void {
  if (hasOwn(stream, name)) stream[name] = value as Write & Writev;
  else defineProperty(stream, name, { value, writable: true, configurable: true });
}

/** Whether the stream has a queue of its own, and its write() was not replaced. */
const queues = (stream: Writable): boolean => stream.write === WRITE && stream instanceof Writable;

/**
 * The queue of a stream: one for its life, unless the stream's `write` or `_write` is replaced meanwhile. The
 * replacement may change chunks (encrypt, compress, count), so then everything goes through it.
 */
export function queueOf(stream: Writable, fdOf: FdOf = nodeFd): Queue {
  const known = (stream as { [QUEUE]?: StreamQueue | CallQueue })[QUEUE];
  if (known?.current) return known;
  if (!isExtensible(stream))
    throw argumentError(TypeError, "socket must not be frozen, or else closed to new properties");
  const queue = queues(stream) ? new StreamQueue(stream, known, fdOf) : new CallQueue(stream);
  defineProperty(stream, QUEUE, { value: queue, configurable: true });
  return queue;
}

/**
 * The fd of a net.Socket's handle, -1 if it has none. Called immediately before each native call, for a socket that is
 * neither destroyed nor encrypted.
 */
export type FdOf = (handle: object) => number;

/** Only Node's TCP and Pipe handles: the effect of native calls on others is unknown. */
const nodeFd: FdOf = (handle: Handle) => {
  const kind = handle.constructor;
  if (kind !== lastKind) {
    if (kind.name !== "TCP" && kind.name !== "Pipe") return -1;
    lastKind = kind; // looking up the name takes longer than all the rest here
  }
  return typeof handle.fd === "number" ? handle.fd : -1;
};
let lastKind: unknown;

/** The common part of all queues of a stream. */
abstract class Base {
  protected readonly stream: Writable;

  constructor(stream: Writable) {
    this.stream = stream;
  }

  get ended(): boolean {
    return this.stream.writableEnded;
  }

  get errored(): Error | null {
    return this.stream.errored ?? null;
  }

  once(event: "connect" | "close", listener: () => void): void {
    this.stream.once(event, listener);
  }

  off(event: "connect" | "close", listener: () => void): void {
    this.stream.removeListener?.(event, listener); // not every wrapper has it
  }
}

/** For a stream.Writable, a socket among them. */
class StreamQueue extends Base implements Queue {
  readonly #inner: Inner;
  readonly #write: Write;
  /** Our own `_write`, unless it was replaced. */
  readonly #installed: Write;
  /** Jobs in the stream's queue, and the `_writev` that it has without them. */
  readonly #batch: { jobs: number; writev: Writev | null | undefined };
  /** The handle that was found suitable for native calls, and its byte counter. */
  #checked: Handle | null = null;
  #counter: Counter | null = null;
  readonly #fdOf: FdOf;

  constructor(stream: Writable, former: Queue | undefined, fdOf: FdOf) {
    super(stream);
    this.#fdOf = fdOf;
    this.#inner = stream as unknown as Inner;
    // The default _write needs the _writev, which is removed while a job is in the queue.
    const { _write, _writev } = this.#inner;
    this.#write = _write === DEFAULT_WRITE && _writev ? one(_writev) : _write;
    const busy = former instanceof StreamQueue && former.#batch.jobs > 0;
    this.#batch = busy ? former.#batch : { jobs: 0, writev: this.#inner._writev };
    const write = this.#write;
    const leave = (done: Done) => () => {
      this.#leave();
      done();
    };
    this.#installed = function (this: Inner, chunk, encoding, done) {
      const job = (chunk as { [JOB]?: Job })[JOB];
      if (job === undefined) call(write, this, chunk, encoding, done);
      else job.start(leave(done));
    };
    install(this.#inner, "_write", this.#installed);
  }

  get current(): boolean {
    return this.stream.write === WRITE && this.#inner._write === this.#installed;
  }

  get closed(): boolean {
    return this.stream.destroyed;
  }

  /** A foreign writer between the stream and its handle may keep chunks. */
  get retainsChunks(): boolean {
    return this.#write !== SOCKET_WRITE || replaced(this.#inner);
  }

  get connecting(): boolean {
    return (this.stream as Socket).connecting === true;
  }

  get idle(): boolean {
    const { stream, closed, connecting } = this;
    const waits = stream.writableLength > 0 || stream.writableCorked > 0 || this.#batch.jobs > 0;
    return !closed && !connecting && !waits;
  }

  enter(job: Job): void {
    // A batch would pass the marker to _writev, so there is no batching while a job is in the queue.
    const batch = this.#batch;
    if (batch.jobs++ === 0) {
      batch.writev = this.#inner._writev;
      install(this.#inner, "_writev", null);
    }
    const marker: Buffer & { [JOB]?: Job } = Buffer.alloc(0);
    marker[JOB] = job;
    this.stream.write(marker, (error) => {
      if (error && job.drop()) this.#leave();
    });
  }

  #leave(): void {
    if (--this.#batch.jobs === 0) this.#inner._writev = this.#batch.writev as Writev;
  }

  write(chunks: Uint8Array[], done: Done): void {
    const { stream } = this;
    // A replaced _write must not be bypassed by the socket's _writev.
    const writev = this.#write !== SOCKET_WRITE && this.#batch.writev === SOCKET_WRITEV ? null : this.#batch.writev;
    if (chunks.length === 1) this.#write.call(stream, chunks[0] as Uint8Array, "buffer" as BufferEncoding, done);
    else if (writev)
      writev.call(
        stream,
        chunks.map((chunk) => ({ chunk, encoding: "buffer" as BufferEncoding })),
        done,
      );
    else this.#write.call(stream, Buffer.concat(chunks), "buffer" as BufferEncoding, done);
  }

  fd(): number {
    const handle = this.#inner._handle;
    if (this.#write !== SOCKET_WRITE || this.stream.destroyed || handle == null || this.#inner.encrypted === true)
      return -1;
    return this.#fdOf(handle);
  }

  native(check: (fd: number) => boolean): number {
    const fd = this.fd();
    const handle = this.#inner._handle as Handle;
    // Bytes in the handle's own queue must go first: then everything is copied behind them.
    // A handle that reports none has none: all earlier writes have called back.
    if (fd < 0 || this.retainsChunks || (handle.writeQueueSize ?? 0) > 0) return -1;
    if (this.#checked !== handle && check(fd)) {
      this.#checked = handle;
      this.#counter = count(this.#fdOf === nodeFd ? handle : this.#inner);
    }
    return this.#checked === handle ? fd : -1;
  }

  pending(): number {
    if (this.retainsChunks || this.#inner.encrypted === true) return Number.NaN;
    return this.#inner._handle?.writeQueueSize ?? Number.NaN;
  }

  activity(): number {
    const { bytesWritten = 0, writeQueueSize = 0 } = this.#inner._handle ?? {};
    return (this.#inner[NATIVE] ?? 0) + bytesWritten - writeQueueSize - this.stream.writableLength;
  }

  moved(bytes: number): void {
    const counter = this.#counter as Counter;
    counter[NATIVE] = (counter[NATIVE] as number) + bytes;
    this.#inner._unrefTimer?.();
  }
}

/**
 * For objects that have only write(): an http.ServerResponse and the like. Jobs wait for one another, not for
 * writes. As pipe() does, it relies on the result of write() and on 'drain': wrappers of a response
 * (`compression`) never call write's callback.
 */
class CallQueue extends Base implements Queue {
  readonly #jobs: Job[] = [];
  #waiting: Done | null = null;
  #listening = false;
  #watched = false;

  get current(): boolean {
    return !queues(this.stream);
  }

  get closed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  get connecting(): boolean {
    return false;
  }

  /** A wrapper's use of the chunks can't be seen. */
  get idle(): boolean {
    return false;
  }

  get retainsChunks(): boolean {
    return true;
  }

  native(): number {
    return -1;
  }

  enter(job: Job): void {
    if (!this.#watched) this.stream.once("close", this.#onClose);
    this.#watched = true;
    if (this.#jobs.push(job) === 1) this.#next();
  }

  /** A closed stream never drains: the waiting job is told, and those behind it are dropped. */
  readonly #onClose = (): void => {
    const next = this.#waiting;
    this.#waiting = null;
    next?.();
    for (const job of this.#jobs.splice(0)) job.drop();
  };

  #next(): void {
    this.#jobs[0]?.start(() => {
      this.#jobs.shift();
      this.#next();
    });
  }

  write(chunks: Uint8Array[], done: Done): void {
    let more = true;
    for (const chunk of chunks) more = this.stream.write(chunk);
    if (more !== false) done();
    else this.#wait(done);
  }

  /** One permanent listener, as in pipe(): a wrapper may pass it to a stream from which it can't be removed. */
  #wait(done: Done): void {
    this.#waiting = done;
    if (this.#listening) return;
    this.#listening = true;
    this.stream.on("drain", () => {
      const next = this.#waiting;
      this.#waiting = null;
      next?.();
    });
  }

  fd(): number {
    return -1;
  }

  pending(): number {
    return Number.NaN;
  }

  activity(): number {
    return -this.stream.writableLength;
  }

  moved(): void {}
}
