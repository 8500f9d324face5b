// Existing pipes by the kernel: fs.ReadStream's _read, which pipe() and pipeline() both end in, first
// moves natively what it can, and then does what it always did. All events are Node's own: pipe(),
// 'end', 'close' and the rest run as they are, they only find that less is left to read.
//
// A file that went natively as a whole is an end of file to the stream. Where the disk is cold it reads one
// chunk in its old way; where the socket is full, a few bytes, and once they have left the kernel goes on.

import { AsyncResource } from "node:async_hooks";
import fs from "node:fs";
import { OutgoingMessage } from "node:http";
import { Socket } from "node:net";
import { Readable } from "node:stream";
import { Action } from "../assembly/abi.js";
import { dash } from "./dash.js";
import { known } from "./http/files.js";
import { announces, giveBack, lengthOf, obstacle, type Response, renderHeader, takeHeader } from "./http/message.js";
import { setImmediate } from "./immediate.js";
import { type Queue, queueOf } from "./queue.js";
import type { Shared } from "./sendfile.js";
import type { Syscalls } from "./syscalls/contract.js";
import type { Waiting } from "./turns.js";
import { Unsent } from "./unsent.js";

/** What is used of a ReadStream; what is not documented is looked for. */
interface Stream extends Omit<fs.ReadStream, "pending"> {
  fd?: number | null;
  flags?: unknown;
  open?: unknown;
  _construct(callback: (error?: Error) => void): void;
  _destroy(error: Error | null, callback: (error?: Error | null) => void): void;
  pos?: number;
  end?: number;
  _readableState: { pipes?: unknown; dataEmitted?: boolean; autoDestroy?: boolean };
  _read(size: number): void;
}

type Leave = (reason: string) => void;

const PAGE = 4096;

// As they are when this is loaded: who replaces them wants to see the bytes.
const { push, read, emit } = Readable.prototype;
const { open } = fs.ReadStream.prototype as unknown as Stream;
const { open: fsOpen, close: fsClose, stat: fsStat } = fs;
const socketWrite = Socket.prototype.write;

/** Patches fs.ReadStream and fs.stat for the whole process; `leave` hears why a pipe was left alone. Returns an undo. */
export function install(shared: Shared, leave: Leave): () => void {
  const proto = fs.ReadStream.prototype as unknown as Stream;
  const { _construct, _read: original, _destroy } = proto;
  const runs = new WeakMap<Stream, Pipe | null>();

  proto._read = function _read(this: Stream, size: number): void {
    let run = runs.get(this);
    if (run === undefined) {
      const refusal = shared.sys === null ? "no native calls here" : refuse(this, _read);
      if (refusal !== null && destinations(this).length > 0) leave(refusal);
      run = refusal === null ? new Pipe(shared, this, original, leave) : null;
      runs.set(this, run);
    }
    if (run === null) original.call(this, size);
    else run.read(size);
  };

  // Opened and closed at once where that takes no thread. Who listens is told in a later turn, as ever.
  proto._construct = function (this: Stream, callback): void {
    const own = this.flags === "r" && typeof this.fd !== "number" && this.open === open && usesFs(this);
    const opened = own && typeof this.path === "string" && fs.open === fsOpen ? shared.opener.open(this.path) : null;
    if (opened === null) return _construct.call(this, callback);
    setImmediate(() => {
      this.fd = opened.fd;
      callback();
      this.emit("open", opened.fd);
      this.emit("ready");
    });
  };
  proto._destroy = function (this: Stream, error, callback): void {
    const { fd } = this;
    const run = runs.get(this);
    run?.release();
    if (typeof fd !== "number" || run?.whole !== true || fs.close !== fsClose) {
      return _destroy.call(this, error, callback);
    }
    this.fd = null;
    fs.closeSync(fd);
    setImmediate(callback, error);
  };

  // A server asks what a file is before it streams it: of one that was streamed before, without a thread as well.
  const stat = function stat(path: unknown, ...rest: unknown[]): void {
    const [callback] = rest;
    const plain = typeof path === "string" && rest.length === 1 && typeof callback === "function";
    const found = plain ? shared.opener.stat(path) : null;
    if (found === null) return Reflect.apply(fsStat, fs, [path, ...rest]);
    setImmediate(callback as (error: null, stat: fs.Stats) => void, null, found);
  };
  fs.stat = stat as typeof fs.stat;
  known.add(stat);

  return () => {
    Object.assign(proto, { _construct, _read: original, _destroy });
    if (fs.stat === (stat as unknown)) fs.stat = fsStat;
  };
}

function destinations(stream: Stream): unknown[] {
  const { pipes } = stream._readableState;
  return Array.isArray(pipes) ? pipes : [];
}

/** Why this stream's bytes must be read; asked before the first read. */
function refuse(stream: Stream, ours: Stream["_read"]): string | null {
  if (stream._read !== ours || stream.push !== push || stream.read !== read || stream.emit !== emit) {
    return "a method of the stream was replaced";
  }
  // Opened by the stream itself: a number of the caller's has another owner, and a position.
  if (stream.path === undefined || stream.flags !== "r") return "the stream did not open its file itself, for reading";
  if (Object.hasOwn(stream, "open")) return "stream.open was replaced";
  if (!usesFs(stream)) return "the stream has an fs of its own";
  if (stream.bytesRead !== 0) return "reading has begun";
  return watched(stream);
}

let kFs: symbol | undefined;

/** The `fs` option is kept under a symbol. */
function usesFs(stream: Stream): boolean {
  kFs ??= Object.getOwnPropertySymbols(stream).find(({ description }) => description === "kFs");
  return kFs !== undefined && (stream as unknown as Record<symbol, unknown>)[kFs] === fs;
}

/** Who would notice that bytes do not come by, now; null for nobody. */
function watched(stream: Stream): string | null {
  const pipes = destinations(stream);
  if (pipes.length !== 1) return pipes.length === 0 ? "not piped" : "piped to more than one destination";
  if (stream.listenerCount("data") !== 1) return "a 'data' listener";
  if (stream.listenerCount("readable") !== 0) return "a 'readable' listener";
  if (stream.listenerCount("pause") !== 0 || stream.listenerCount("resume") !== 0)
    return "a 'pause' or 'resume' listener";
  if (stream.readableEncoding !== null || stream.readableObjectMode) return "the stream has an encoding";
  if (stream.readableFlowing !== true) return "paused";
  if (stream.readableLength !== 0) return "bytes that were read already";
  return null;
}

function look(fd: number): fs.Stats | null {
  try {
    return fs.fstatSync(fd);
  } catch {
    return null; // the stream's own read will say why
  }
}

/** One stream on its way to one destination. What lets it go on may belong to another request: it has its own context. */
class Pipe extends AsyncResource implements Waiting {
  readonly #shared: Shared;
  readonly #stream: Stream;
  readonly #original: Stream["_read"];
  readonly #leave: Leave;
  /** The destination and its socket's queue, once they were found fit. */
  #target: unknown = null;
  #socket: Socket | null = null;
  #queue: Queue | null = null;
  #unsent: Unsent | null = null;
  /** Bytes of the file that are to be sent in all. */
  #count = 0;
  #begun = false;
  /** The doorbell's bytes are on their way through the stream. */
  #ringing = false;
  #left = false;
  #size = 0;
  /** No byte was read in the old way, and the file still has its name: to close it is the work of a moment. */
  whole = false;
  /** The kernel moved bytes since the last seek. */
  #moved = false;

  constructor(shared: Shared, stream: Stream, original: Stream["_read"], leave: Leave) {
    super("sendoff.Pipe");
    this.#shared = shared;
    this.#stream = stream;
    this.#original = original;
    this.#leave = leave;
  }

  /** The socket is as it was. */
  release(): void {
    this.#unsent?.release();
  }

  /** The stream wants its next bytes, or the end: pushes later, as a read does. */
  read(size: number): void {
    this.#size = size;
    if (this.#left) this.#old();
    else if (this.#ringing) this.#listen();
    else if (this.#begun) this.#move();
    // A read of the file would have come back in a later turn, too: what is said until then still counts.
    else this.#shared.turns.wait(this);
  }

  turn(): void {
    this.runInAsyncScope(this.#begun ? this.#move : this.#begin, this);
  }

  #begin(): void {
    if (this.#stream.destroyed) return;
    const refusal = watched(this.#stream) ?? this.#fit();
    if (refusal === null) {
      this.#begun = true;
      return this.#move();
    }
    this.#leave(refusal);
    this.#left = true;
    this.#old();
  }

  /** Looks at file and destination; null where the kernel can serve them. Renders the header last. */
  #fit(): string | null {
    const stream = this.#stream;
    if (typeof stream.fd !== "number") return "the stream has no fd";
    const stat = look(stream.fd);
    if (stat === null) return "its fd is closed";
    if (!stat.isFile()) return "not a regular file";
    // /proc claims size 0, and /sys a page, both without a block.
    if (stat.size === 0 || (stat.blocks === 0 && stat.size <= PAGE)) return "an empty file, or one without a true size";
    if (typeof stream.path === "string") this.#shared.opener.met(stream.path, stat);
    this.whole = stat.nlink > 0;
    const end = typeof stream.end === "number" ? stream.end : Number.POSITIVE_INFINITY;
    this.#count = Math.min(stat.size, end + 1) - (stream.pos ?? 0);
    if (!(this.#count > 0)) return "an empty range";

    const target = (this.#target = destinations(stream)[0]);
    if (target instanceof OutgoingMessage) return this.#fitResponse(target as Response);
    if (!(target instanceof Socket)) return "the destination is neither a socket nor a response";
    if ((target as Socket & { _httpMessage?: unknown })._httpMessage) return "the socket is a response's";
    return this.#fitSocket(target);
  }

  #fitSocket(socket: Socket): string | null {
    if (socket.write !== socketWrite) return "socket.write was replaced";
    if (this.#target === socket && socket.listenerCount("drain") !== 0) return "a 'drain' listener";
    const queue = queueOf(socket, this.#shared.fdOf);
    if (!socket.connecting && queue.fd() < 0) return "not a plain socket";
    this.#socket = socket;
    this.#queue = queue;
    this.#unsent = new Unsent(this.#shared.sys, queue);
    return null;
  }

  #fitResponse(res: Response): string | null {
    const refusal = obstacle(res);
    if (refusal !== null) return refusal;
    if (res.listenerCount("drain") !== 0) return "a 'drain' listener";
    if (lengthOf(res) !== this.#count) return "the response's length is not known, or another";
    const socket = this.#fitSocket(res.socket as Socket);
    if (socket !== null) return socket;
    renderHeader(res);
    return announces(res, this.#count) ? watched(this.#stream) : "a response without a body, or another one";
  }

  /** The socket's fd where nobody has come in between, and it has nothing else to send; else -1. */
  #clear(): number {
    const stream = this.#stream;
    const target = this.#target as Response | Socket;
    const socket = this.#socket as Socket;
    const queue = this.#queue as Queue;
    if (watched(stream) !== null || destinations(stream)[0] !== target || typeof stream.fd !== "number") return -1;
    if (target !== socket && (obstacle(target as Response) !== null || (target as Response).socket !== socket))
      return -1;
    if (target.destroyed || target.writableEnded || !queue.idle) return -1;
    return queue.native((this.#shared.sys as Syscalls).isStream);
  }

  /** Moves what can be moved now, then ends, waits for the next turn, or reads one chunk in the old way. */
  #move(): void {
    const stream = this.#stream;
    const out = stream.destroyed ? -1 : this.#clear();
    if (out < 0) return this.#old();
    const left = this.#count - stream.bytesRead;
    if (left === 0) return this.#end();
    const { turns } = this.#shared;
    if (turns.spent()) return turns.wait(this);
    const target = this.#target as Response;
    const queue = this.#queue as Queue;
    const header = this.#target === this.#socket ? "" : takeHeader(target);
    const file = stream.fd as number;
    this.#unsent?.limit(left);
    const { action, moved, bell, unable, corked } = dash(
      this.#shared,
      queue,
      out,
      file,
      header,
      this.#position(),
      left,
    );
    this.#advance(Math.max(0, moved - header.length));
    if (moved === 0 && header !== "") giveBack(target);
    else if (moved < header.length) (this.#socket as Socket).write(header.slice(moved), "latin1");
    if (action === Action.Yield) return turns.wait(this);
    if (action === Action.Done) return this.#end();
    if (corked) this.#shared.sys?.push(queue.fd());
    if (unable) this.#left = true;
    if (bell > 0) this.#ring(bell);
    else this.#old();
  }

  /** The socket is full: a few bytes go as ever, and once they have left it is our turn again. */
  #ring(bytes: number): void {
    const { core, scratch, sys } = this.#shared;
    const n = (sys as Syscalls).read(this.#stream.fd as number, core.scratch(), this.#position(), bytes);
    if (n <= 0) return this.#old();
    this.#ringing = true;
    this.#advance(n);
    this.#stream.push(scratch.take(n));
  }

  /** The doorbell's bytes have been handed on: waits until they have left. */
  #listen(): void {
    this.#ringing = false;
    if (this.#stream.readableLength > 0) return this.#old();
    let started = false;
    const move = () => this.turn();
    this.#queue?.enter({
      start: (release) => {
        started = true;
        release();
        move();
      },
      drop: () => {
        if (!started) setImmediate(move);
        return !started;
      },
    });
  }

  #position(): number {
    return this.#stream.pos ?? this.#stream.bytesRead;
  }

  /** As if these bytes had been read and passed on. */
  #advance(bytes: number): void {
    if (bytes === 0) return;
    const stream = this.#stream;
    stream.bytesRead += bytes;
    if (stream.pos !== undefined) stream.pos += bytes;
    stream._readableState.dataEmitted = true;
    this.#moved = true;
  }

  /** All bytes that were announced have gone: the end, unless the file has grown and has more to read. */
  #end(): void {
    const { core, sys } = this.#shared;
    const stream = this.#stream;
    const position = this.#position();
    const more = position <= (stream.end ?? Number.POSITIVE_INFINITY);
    if (more && sys?.read(stream.fd as number, core.scratch(), position, 1) !== 0) return this.#old();
    this.release();
    this.#seek();
    stream.push(null);
  }

  /** What _read always did, from where the kernel has come to. */
  #old(): void {
    const stream = this.#stream;
    this.release();
    if (stream.destroyed) return;
    this.whole = false;
    this.#seek();
    // Up to a page boundary, so that the kernel goes on at one.
    const size = this.#begun && this.#size > PAGE ? this.#size - ((this.#position() + this.#size) % PAGE) : this.#size;
    this.#original.call(stream, size);
  }

  /** A stream without `start` reads at its file's own position. */
  #seek(): void {
    const { fd, pos, bytesRead } = this.#stream;
    if (!this.#moved || pos !== undefined || typeof fd !== "number") return;
    this.#shared.sys?.seek(fd, bytesRead);
    this.#moved = false;
  }
}
