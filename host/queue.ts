// A place in a Writable's own queue. A job is written as an empty Buffer of its own identity; an own
// `_write` recognises it, starts the job, and calls back when the job is over. So everything written
// before goes out before, everything after, after, end() included, and jobs wait for one another.

import { Socket } from "node:net";
import { Writable } from "node:stream";
import type { Syscalls } from "./syscalls/linux.js";

export interface Job {
  /** It is this job's turn; `release` lets the queue go on and must be called once. */
  start(release: () => void): void;
  /** The stream was destroyed. True where the job had not started, and never will be. */
  drop(): boolean;
}

type Done = (error?: Error | null) => void;
type Write = (chunk: Uint8Array, encoding: BufferEncoding, done: Done) => void;
type Writev = (chunks: { chunk: Uint8Array; encoding: BufferEncoding }[], done: Done) => void;

/** What is used of a socket's handle; none of it is documented, so each piece is looked for. */
interface Handle {
  fd?: number;
  writeQueueSize?: number;
}

interface Inner {
  _write: Write;
  _writev?: Writev | null;
  _handle?: Handle | null;
  _unrefTimer?: () => void;
  encrypted?: boolean;
}

const JOB = Symbol("sendoff.job");
const QUEUE = Symbol.for("sendoff.queue.1");

/** The methods a job needs of the stream it writes to. */
export interface Queue {
  readonly stream: Writable;
  /** True once nothing can be written any more. */
  readonly closed: boolean;
  /** True while the connection is being made. */
  readonly connecting: boolean;
  enter(job: Job): void;
  /** Writes through the stream's own writer, past the queue: for the job whose turn it is. */
  write(chunks: Uint8Array[], done: Done): void;
  /** Bytes may still be needed when `write` has called back. */
  readonly keeps: boolean;
  /** The socket's fd for native calls, -1 where there is none; to be read immediately before each call. */
  fd(): number;
  /** Whether that fd is a stream socket: asked of the system once. */
  isStream(sys: Syscalls): boolean;
  /** Bytes of the last write that are still in the process; NaN where nobody knows. */
  pending(): number;
  /** A figure that changes as bytes leave the process, where `pending` can't be known exactly. */
  activity(): number;
  /** Bytes went to the kernel behind the stream's back. */
  moved(bytes: number): void;
}

/** The queue of a stream: one for its life. */
export function queueOf(stream: Writable): Queue {
  const known = (stream as { [QUEUE]?: Queue })[QUEUE];
  if (known !== undefined) return known;
  const queue =
    (stream as unknown) instanceof Writable || (stream as unknown) instanceof Socket
      ? new StreamQueue(stream)
      : new CallQueue(stream);
  Object.defineProperty(stream, QUEUE, { value: queue });
  return queue;
}

/** For a stream.Writable, a socket among them. */
class StreamQueue implements Queue {
  readonly stream: Writable;
  readonly #inner: Inner;
  readonly #write: Write;
  readonly #writev: Writev | null | undefined;
  /** Nobody has put a writer of his own between the stream and its handle. */
  readonly #plain: boolean;
  readonly keeps = false;
  #jobs = 0;
  #native = 0;
  #asked: Handle | null = null;

  constructor(stream: Writable) {
    this.stream = stream;
    this.#inner = stream as unknown as Inner;
    this.#write = this.#inner._write;
    this.#writev = this.#inner._writev;
    const proto = Socket.prototype as unknown as Inner & Writable;
    this.#plain = stream instanceof Socket && this.#write === proto._write && stream.write === proto.write;
    const write = this.#write;
    const leave = (done: Done) => () => {
      this.#leave();
      done();
    };
    this.#inner._write = function (this: Inner, chunk, encoding, done) {
      const job = (chunk as { [JOB]?: Job })[JOB];
      if (job === undefined) write.call(this, chunk, encoding, done);
      else job.start(leave(done));
    };
    if (stream instanceof Socket) this.#countNative(stream);
  }

  get closed(): boolean {
    return this.stream.destroyed;
  }

  get connecting(): boolean {
    return (this.stream as Socket).connecting === true;
  }

  enter(job: Job): void {
    // A batch would hand the marker to _writev: none is made while a job is in the queue.
    if (this.#jobs++ === 0) this.#inner._writev = null;
    const marker = Object.assign(Buffer.alloc(0), { [JOB]: job });
    this.stream.write(marker, (error) => {
      if (error && job.drop()) this.#leave();
    });
  }

  #leave(): void {
    if (--this.#jobs === 0) this.#inner._writev = this.#writev as Writev;
  }

  write(chunks: Uint8Array[], done: Done): void {
    const { stream } = this;
    if (chunks.length === 1) this.#write.call(stream, chunks[0] as Uint8Array, "buffer" as BufferEncoding, done);
    else if (this.#writev)
      this.#writev.call(
        stream,
        chunks.map((chunk) => ({ chunk, encoding: "buffer" as BufferEncoding })),
        done,
      );
    else this.#write.call(stream, Buffer.concat(chunks), "buffer" as BufferEncoding, done);
  }

  fd(): number {
    const handle = this.#inner._handle;
    if (!this.#plain || this.stream.destroyed || handle == null || this.#inner.encrypted === true) return -1;
    const kind = handle.constructor.name;
    if (kind !== "TCP" && kind !== "Pipe") return -1;
    return typeof handle.fd === "number" ? handle.fd : -1;
  }

  isStream(sys: Syscalls): boolean {
    const handle = this.#inner._handle ?? null;
    if (handle === null || handle === this.#asked) return handle !== null;
    if (!sys.isStream(this.fd())) return false;
    this.#asked = handle;
    return true;
  }

  pending(): number {
    return this.#plain && this.#inner.encrypted !== true ? this.activity() : Number.NaN;
  }

  activity(): number {
    return this.#inner._handle?.writeQueueSize ?? Number.NaN;
  }

  moved(bytes: number): void {
    this.#native += bytes;
    this.#inner._unrefTimer?.();
  }

  /** Native bytes are invisible to the handle: `bytesWritten` counts them too. */
  #countNative(socket: Socket): void {
    const getter = Object.getOwnPropertyDescriptor(Socket.prototype, "bytesWritten")?.get;
    if (getter === undefined) return;
    Object.defineProperty(socket, "bytesWritten", {
      configurable: true,
      get: () => {
        const bytes = getter.call(socket) as number | undefined;
        return bytes === undefined ? bytes : bytes + this.#native;
      },
    });
  }
}

/**
 * For what has only write(): an http.ServerResponse and the like. Jobs wait for one another, not for
 * writes. As pipe() does, it goes by what write() returns and 'drain': wrappers of a response
 * (`compression`) never call write's callback.
 */
class CallQueue implements Queue {
  readonly stream: Writable;
  readonly keeps = true;
  readonly #jobs: Job[] = [];
  #waiting: Done | null = null;
  #listening = false;

  constructor(stream: Writable) {
    this.stream = stream;
  }

  get closed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  get connecting(): boolean {
    return false;
  }

  enter(job: Job): void {
    if (this.#jobs.push(job) === 1) this.#next();
  }

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

  isStream(): boolean {
    return false;
  }

  pending(): number {
    return Number.NaN;
  }

  activity(): number {
    return this.stream.writableLength;
  }

  moved(): void {}
}
