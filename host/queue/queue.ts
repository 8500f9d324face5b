// A place in a Writable's own queue. A job is written as an empty Buffer of its own identity; an own
// `_write` recognises it, starts the job, and calls back when the job is over. So everything written
// before goes out before, everything after, after, end() included, and jobs wait for one another.

import { Socket } from "node:net";
import { Writable } from "node:stream";
import { argumentError } from "../errors.js";
import { call, defineProperty, getPrototypeOf, hasOwn, isExtensible } from "../originals.js";
import { type Counter, count, NATIVE } from "./counter.js";

/** What stands in a queue: a transfer. */
export interface Job {
  /** It is this job's turn; `release` lets the queue go on and must be called once. */
  start(release: () => void): void;
  /** The stream was destroyed. True where the job had not started, and never will be. */
  drop(): boolean;
}

/** Called once the kernel has the bytes, or with why it will not. */
export type Done = (error?: Error | null) => void;
type Write = (chunk: Uint8Array, encoding: BufferEncoding, done: Done) => void;
type Writev = (chunks: { chunk: Uint8Array; encoding: BufferEncoding }[], done: Done) => void;

/** What is used of a socket's handle; none of it is documented, so each piece is looked for. */
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

/** The methods a job needs of the stream, or connection, that it writes to. */
export interface Queue {
  /** True once nothing more may be asked to be written: end() has been called. */
  readonly ended: boolean;
  /** True once nothing can be written any more. */
  readonly closed: boolean;
  /** Why it was closed, where it is known. */
  readonly errored: Error | null;
  /** True while the connection is being made. */
  readonly connecting: boolean;
  /** Whether nothing stands between the next byte and the kernel. */
  readonly idle: boolean;
  /** Calls `listener` once. */
  once(event: "connect" | "close", listener: () => void): void;
  /** Takes a listener back. */
  off(event: "connect" | "close", listener: () => void): void;
  /** Puts a job behind all that is waiting to be written. */
  enter(job: Job): void;
  /** Writes through the stream's own writer, past the queue: for the job whose turn it is. */
  write(chunks: Uint8Array[], done: Done): void;
  /** The socket's fd for native calls, -1 where there is none; to be read immediately before each call. */
  fd(): number;
  /** Bytes of the last write that are still in the process; NaN where nobody knows. */
  pending(): number;
  /** A figure that changes whenever bytes leave the process by this stream, whoever wrote them. */
  activity(): number;
  /** The stream may hold on to a chunk after its write has called back, so no buffer is used twice. */
  readonly retainsChunks: boolean;
  /** The socket's fd where, once asked by `check`, native calls can write to it, and may now; else -1. */
  native(check: (fd: number) => boolean): number;
  /** Bytes went to the kernel behind the stream's back. */
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
 * Whether somebody replaced what a socket's own `_write` calls, of this socket or of its handle. Who did so may do as he
 * likes with the bytes.
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

/** Replaces a method so that nobody who enumerates the stream sees more than before. */
function install(stream: Inner, name: "_write" | "_writev", value: unknown): void {
  if (hasOwn(stream, name)) stream[name] = value as Write & Writev;
  else defineProperty(stream, name, { value, writable: true, configurable: true });
}

/** Whether the stream has a queue of its own, and nobody stands before it. */
const queues = (stream: Writable): boolean => stream.write === WRITE && stream instanceof Writable;

/**
 * The queue of a stream: one for its life, unless somebody replaces the stream's `write` or `_write`
 * meanwhile. That one may do as it likes with a chunk (encrypt, compress, count), so then everything goes
 * through it.
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
 * The fd of a net.Socket's handle, -1 where it tells none. It is asked immediately before each call, and of a
 * socket that was not destroyed and is not encrypted.
 */
export type FdOf = (handle: object) => number;

/** Node's handles are a TCP or a Pipe; of others nobody knows what a native call would do to them. */
const nodeFd: FdOf = (handle: Handle) => {
  const kind = handle.constructor;
  if (kind !== lastKind) {
    if (kind.name !== "TCP" && kind.name !== "Pipe") return -1;
    lastKind = kind; // a name takes longer to look up than all the rest here
  }
  return typeof handle.fd === "number" ? handle.fd : -1;
};
let lastKind: unknown;

/** What all queues say of the stream behind them. */
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
  /** Our own `_write`, as long as nobody puts another in its place. */
  readonly #installed: Write;
  /** How many jobs are in the stream's queue, and the `_writev` that it has without them. */
  readonly #batch: { jobs: number; writev: Writev | null | undefined };
  /** The handle that was found fit for native calls, and what counts their bytes. */
  #checked: Handle | null = null;
  #counter: Counter | null = null;
  readonly #fdOf: FdOf;

  constructor(stream: Writable, former: Queue | undefined, fdOf: FdOf) {
    super(stream);
    this.#fdOf = fdOf;
    this.#inner = stream as unknown as Inner;
    // The default _write looks for the _writev that is taken away while a job is in the queue.
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

  /** A writer of somebody else's between the stream and its handle may do as it likes. */
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
    // A batch would hand the marker to _writev: none is made while a job is in the queue.
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
    // Somebody's own _write is not to be passed by through the socket's _writev.
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
    // Bytes that wait in the handle's own queue must go first: then everything is copied behind them.
    // A handle that does not tell of any has none: what was written before has called back.
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
 * For what has only write(): an http.ServerResponse and the like. Jobs wait for one another, not for
 * writes. As pipe() does, it goes by what write() returns and 'drain': wrappers of a response
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

  /** What a wrapper does with the bytes is not to be seen. */
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

  /** A stream that has gone never drains: the job that waits is told, and those behind it are dropped. */
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

  /** One listener for good, as pipe() has: a wrapper may hand it to a stream that it can't be taken from. */
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
