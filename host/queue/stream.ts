// Puts jobs into a Writable's own queue. A job is written as a unique empty Buffer; our `_write` recognises it, starts
// the job, and calls back when the job is over. So order is kept among writes, jobs and end().

import { Socket } from "node:net";
import { Writable } from "node:stream";
import { call, defineProperty, getPrototypeOf, hasOwn, SafeWeakMap, textOf } from "../originals.js";
import { type Counter, count, NATIVE } from "./counter.js";
import { type Done, type FdOf, type Job, type Queue, StreamBase } from "./queue.js";

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

const WRITES = [
  "writeBuffer",
  "writev",
  "writeUtf8String",
  "writeLatin1String",
  "writeAsciiString",
  "writeUcs2String",
] as const;

type Writes = Pick<Handle, (typeof WRITES)[number]>;

/** The write methods of each kind of handle as its first one had them; without those that were replaced by then. */
const kinds = new SafeWeakMap<object, Writes>();

function writesOf(handle: Handle): Writes {
  const kind = getPrototypeOf(handle) as Handle;
  let writes = kinds.get(kind);
  if (writes !== undefined) return writes;
  writes = {};
  const native = isNative(kind.constructor, kind.constructor.name); // not under Deno
  for (let i = 0; i < WRITES.length; i++) {
    const name = WRITES[i] as keyof Writes;
    if (!native || isNative(kind[name], name)) writes[name] = kind[name];
  }
  kinds.set(kind, writes);
  return writes;
}

/** Whether it is C++. A bound function has no name here. */
const isNative = (method: unknown, name: string): boolean =>
  typeof method === "function" && call(textOf, method) === `function ${name}() { [native code] }`;

/**
 * Whether a method that the socket's own `_write` calls, on the socket or its handle, was replaced. The replacement may
 * change the bytes.
 */
function replaced({ _writeGeneric, _handle }: Inner): boolean {
  if (_writeGeneric !== SOCKET_WRITE_GENERIC) return true;
  if (_handle == null) return false;
  const own = writesOf(_handle);
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
export const hasQueue = (stream: Writable): boolean => stream.write === WRITE && stream instanceof Writable;

/** Only Node's TCP and Pipe handles: the effect of native calls on others is unknown. */
export const nodeFd: FdOf = (handle: Handle) => {
  const kind = handle.constructor;
  if (kind !== lastKind) {
    if (kind.name !== "TCP" && kind.name !== "Pipe") return -1;
    lastKind = kind; // looking up the name takes longer than all the rest here
  }
  const { fd } = handle; // a getter of C++
  return typeof fd === "number" ? fd : -1;
};
let lastKind: unknown;

/** For a stream.Writable, a socket among them. */
export class StreamQueue extends StreamBase implements Queue {
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
