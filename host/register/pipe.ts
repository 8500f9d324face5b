// Existing pipes by sendfile: patches fs.ReadStream's _read, which pipe() and pipeline() both call, to move bytes
// natively first, and to read the rest as before. All events are Node's own: pipe(), 'end', 'close' and the rest run
// unchanged; there is only less left to read.
//
// If the whole file went natively, the stream sees end of file. If a page is not cached, the stream reads one chunk the
// old way; if the socket is full, a few bytes, and sendfile continues once they have left.

import { AsyncResource } from "node:async_hooks";
import fs from "node:fs";
import { OutgoingMessage } from "node:http";
import { Socket } from "node:net";
import { Readable } from "node:stream";
import { Action, Flag, Way } from "../../assembly/abi.js";
import { bypassBlocker, claimResponse, claimSocket } from "../http/claim.js";
import { giveBack, lengthOf, type Response, takeHeader } from "../http/message.js";
import type { Syscalls } from "../libc/syscalls.js";
import {
  apply,
  call,
  closeSync,
  hasOwn,
  isArray,
  min,
  ownSymbol,
  SafeWeakMap,
  setImmediate,
  sliceString,
} from "../originals.js";
import type { Queue } from "../queue/queue.js";
import type { Task } from "../scheduler.js";
import type { Shared } from "../shared.js";
import { fstat, hasTrueSize } from "../source/stat.js";
import { known } from "../source/unchanged.js";
import { Driver } from "../transfer/driver.js";

/** The part of a ReadStream that we use; undocumented members are checked for. */
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

type OnFallback = (reason: string) => void;

/** The most bytes a doorbell reads: a ReadStream's default highWaterMark. */
const CHUNK = 64 << 10;

const NOTHING = new Uint8Array(0);

// As they are when this is loaded: later replacements must see the bytes.
const { push, read, emit } = Readable.prototype;
const { open } = fs.ReadStream.prototype as unknown as Stream;
const { open: fsOpen, read: fsRead, close: fsClose, stat: fsStat } = fs;

/** Patches fs.ReadStream and fs.stat of the process; `onFallback` gets the reason for a skipped pipe. Returns an undo. */
export function install(shared: Shared, onFallback: OnFallback): () => void {
  const proto = fs.ReadStream.prototype as unknown as Stream;
  const { _construct, _read: original, _destroy, unpipe } = proto;
  const runs = new SafeWeakMap<Stream, Pipe | null>();

  proto._read = function _read(this: Stream, size: number): void {
    let run = runs.get(this);
    if (run === undefined) {
      const refusal = shared.sys === null ? "no native calls here" : refuse(this, _read);
      if (refusal !== null && destinations(this).length > 0) onFallback(refusal);
      run = refusal === null ? new Pipe(shared, this, original, onFallback) : null;
      runs.set(this, run);
    }
    if (run === null) call(original, this, size);
    else run.read(size);
  };

  // Opens and closes at once if that needs no thread. Events are emitted in a later turn, as always.
  proto._construct = function (this: Stream, callback): void {
    const own = this.flags === "r" && typeof this.fd !== "number" && this.open === open && usesFs(this);
    const opened = own && typeof this.path === "string" && fs.open === fsOpen ? shared.opener.open(this.path) : null;
    if (opened === null) return call(_construct, this, callback);
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
      return call(_destroy, this, error, callback);
    }
    this.fd = null;
    let failure: Error | null = null;
    try {
      closeSync(fd);
    } catch (thrown) {
      failure = thrown as Error;
    }
    setImmediate(() => callback(failure ?? error)); // as in Node: the error of close comes first
  };

  // The only sign that the destination has gone: many programs leave the stream open then.
  proto.unpipe = function (this: Stream, destination) {
    runs.get(this)?.release();
    return call(unpipe, this, destination);
  };

  // Servers stat a file before streaming it: for a file streamed before, this needs no thread either.
  const stat = function stat(...args: unknown[]): void {
    const path = args[0];
    const callback: unknown = args[1];
    const plain = typeof path === "string" && args.length === 2 && typeof callback === "function";
    const found = plain ? shared.opener.stat(path) : null;
    if (found === null) return apply(fsStat as (...args: unknown[]) => void, fs, args);
    setImmediate(() => (callback as (error: null, stat: fs.Stats) => void)(null, found));
  };
  fs.stat = stat as typeof fs.stat;
  known.add(stat);

  return () => {
    Object.assign(proto, { _construct, _read: original, _destroy, unpipe });
    if (fs.stat === (stat as unknown)) fs.stat = fsStat;
  };
}

function destinations(stream: Stream): unknown[] {
  const { pipes } = stream._readableState;
  return isArray(pipes) ? pipes : [];
}

/** Why this stream's bytes must be read; asked before the first read. */
function refuse(stream: Stream, ours: Stream["_read"]): string | null {
  if (stream._read !== ours || stream.push !== push || stream.read !== read || stream.emit !== emit) {
    return "a method of the stream was replaced";
  }
  // Only files the stream opened itself: an fd from the caller has another owner, and a position.
  if (stream.path === undefined || stream.flags !== "r") return "the stream did not open its file itself, for reading";
  if (hasOwn(stream, "open")) return "stream.open was replaced";
  if (!usesFs(stream)) return "the stream has an fs of its own";
  if (stream.bytesRead !== 0) return "reading has begun";
  return passing(stream) ? null : watched(stream);
}

let kFs: symbol | undefined;

/** The `fs` option is kept under a symbol. */
export function usesFs(stream: object): boolean {
  kFs ??= ownSymbol(stream, "kFs");
  return kFs !== undefined && (stream as unknown as Record<symbol, unknown>)[kFs] === fs;
}

/**
 * Whether _read is called while bytes are still being passed on: some already read are still to be written, or the
 * destination is full and has stopped the pipe. It is called again once they are written.
 */
function passing(stream: Stream): boolean {
  const pipes = destinations(stream) as Socket[];
  const target = pipes[0];
  const other = pipes[1];
  if (target === undefined || other !== undefined || stream.listenerCount("readable") !== 0) return false;
  return stream.readableFlowing === true ? stream.readableLength > 0 : target.writableNeedDrain === true;
}

/** Why bypassing the stream would be noticed now; null if it would not. */
function watched(stream: Stream): string | null {
  if (fs.read !== fsRead) return "fs.read was replaced";
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

/** One stream piped to one destination. Runs in its own async context: another request's event may resume it. */
class Pipe extends AsyncResource implements Task {
  readonly #shared: Shared;
  readonly #stream: Stream;
  readonly #original: Stream["_read"];
  readonly #onFallback: OnFallback;
  /** The destination and its socket's queue, once they were found suitable. */
  #target: Response | Socket | null = null;
  #queue: Queue | null = null;
  /** Bytes of the file to send in all. */
  #count = 0;
  /** One driver for all bytes, unless some went without it. */
  #driver: Driver | null = null;
  /** Bytes that the stream has asked for. */
  #size = 0;
  /** A full destination has stopped the pipe, which listens for its 'drain' from then on. */
  #stopped = false;
  /** Native sending is ruled out for good. */
  #left = false;
  /** Sent natively in full and still linked, so closeSync frees no blocks. */
  whole = false;
  /** The kernel moved bytes since the last seek. */
  #moved = false;

  constructor(shared: Shared, stream: Stream, original: Stream["_read"], onFallback: OnFallback) {
    super("sendoff.Pipe");
    this.#shared = shared;
    this.#stream = stream;
    this.#original = original;
    this.#onFallback = onFallback;
  }

  /** Restores the socket. */
  release(): void {
    this.#driver?.close();
    this.#driver = null;
  }

  /** The stream wants its next bytes, or the end; it gets them in a later turn, as from a read. */
  read(size: number): void {
    this.#size = size;
    // A read of the file would call back in a later turn, too, so changes made until then still count.
    if (!this.#left && this.#queue === null && !passing(this.#stream)) this.#shared.scheduler.schedule(this);
    else this.run();
  }

  run(): void {
    this.runInAsyncScope(this.#goOn, this);
  }

  #goOn(): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    if (this.#left) return this.#old();
    if (passing(stream)) {
      this.#stopped ||= !stream.readableFlowing;
      return void stream.push(NOTHING); // none for now
    }
    if (this.#queue === null) {
      const refusal = watched(stream) ?? this.#fit();
      if (refusal !== null) {
        this.#onFallback(refusal);
        this.#left = true;
        return this.#old();
      }
    }
    const out = this.#clear();
    if (out < 0) this.#old();
    else if (stream.bytesRead >= this.#count) this.#end();
    else this.#move(out);
  }

  /** Checks file and destination; null if sendfile can be used. Renders the header last. */
  #fit(): string | null {
    const stream = this.#stream;
    if (typeof stream.fd !== "number") return "the stream has no fd";
    const stat = fstat(stream.fd);
    if (stat === null) return "its fd is closed"; // the stream's own read will say why
    if (!stat.isFile()) return "not a regular file";
    if (!hasTrueSize(stat)) return "an empty file, or one without a true size";
    if (typeof stream.path === "string") this.#shared.opener.met(stream.path, stat);
    this.whole = stat.nlink > 0;
    const end = typeof stream.end === "number" ? stream.end : Number.POSITIVE_INFINITY;
    this.#count = min(stat.size, end + 1) - (stream.pos ?? 0);
    if (!(this.#count > 0)) return "an empty range";

    const target = destinations(stream)[0];
    const queue = this.#claim(target);
    if (typeof queue === "string") return queue;
    this.#target = target as Response | Socket;
    this.#queue = queue;
    return watched(stream);
  }

  #claim(target: unknown): Queue | string {
    const response = target instanceof OutgoingMessage;
    if (!response && !(target instanceof Socket)) return "the destination is neither a socket nor a response";
    if ((target as { _httpMessage?: unknown })._httpMessage) return "the socket is a response's";
    if (target.listenerCount("drain") > Number(this.#stopped)) return "a 'drain' listener";
    if (!response) return claimSocket(this.#shared, target);
    const blocker = bypassBlocker(target as Response);
    if (blocker !== null) return blocker;
    if (lengthOf(target as Response) !== this.#count) return "the response's length is not known, or another";
    return claimResponse(this.#shared, target as Response, this.#count);
  }

  /** The socket's fd if the pipe is still undisturbed, and the socket has nothing else to send; else -1. */
  #clear(): number {
    const stream = this.#stream;
    const target = this.#target as Response | Socket;
    const queue = this.#queue as Queue;
    if (watched(stream) !== null || destinations(stream)[0] !== target || typeof stream.fd !== "number") return -1;
    if (!(target instanceof Socket) && bypassBlocker(target) !== null) return -1;
    if (target.destroyed || target.writableEnded || !queue.idle) return -1;
    return queue.native((this.#shared.sys as Syscalls).isStream);
  }

  /** Moves as many bytes as it can now, then ends, waits for the next turn, or has one chunk read the old way. */
  #move(out: number): void {
    const stream = this.#stream;
    const target = this.#target as Response | Socket;
    const file = stream.fd as number;
    const { scheduler } = this.#shared;
    const header = target instanceof Socket ? "" : takeHeader(target);
    const driver = this.#drive(header.length);
    if (driver === null) {
      if (header !== "") giveBack(target as Response);
      return this.#old();
    }
    const action = driver.step(out, file, header);
    scheduler.stopTiming();
    this.#advance(driver.position - this.#position());
    if (driver.headerLeft > 0) {
      if (driver.headerLeft === header.length) giveBack(target as Response);
      else return this.#split(call(sliceString, header, -driver.headerLeft));
    }
    if (action === Action.Yield) return scheduler.schedule(this);
    if (action === Action.Done) return this.#end();
    if (action === Action.Copy) {
      const warm = driver.doorbell(file, min(this.#size, CHUNK, this.#count - stream.bytesRead));
      if (warm !== null) {
        this.#advance(warm.length);
        return void stream.push(warm);
      }
      this.#left = driver.way === Way.Copied;
    }
    if (action === Action.Fail || this.#left) this.release();
    this.#old();
  }

  /** The driver at the stream's position: a new one if bytes went without it; null if there is no room for one. */
  #drive(header: number): Driver | null {
    const position = this.#position();
    if (this.#driver?.action === Action.Copy) this.#driver.copiedTo(position, this.#shared.now());
    if (this.#driver?.position !== position || this.#driver.headerLeft !== header) this.release();
    if (this.#driver !== null) return this.#driver;
    try {
      this.#driver = new Driver(this.#shared, this.#queue as Queue);
    } catch {
      return null; // the core's memory is full
    }
    this.#driver.start(header, position, this.#count - this.#stream.bytesRead, 0, Flag.Native | Flag.Probe);
    return this.#driver;
  }

  /** Part of the header has been sent: sends the rest as the response would have. */
  #split(rest: string): void {
    this.release();
    ((this.#target as Response).socket as Socket).write(rest, "latin1");
    this.#old();
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

  /** All announced bytes have been sent: the end, unless the file has grown and has more to read. */
  #end(): void {
    const { scratch, sys } = this.#shared;
    const stream = this.#stream;
    const position = this.#position();
    this.release();
    const more = position <= (stream.end ?? Number.POSITIVE_INFINITY);
    if (more && sys?.read(stream.fd as number, scratch.address, position, 1) !== 0) return this.#old();
    this.#seek();
    stream.push(null);
  }

  /** The original _read, from the position that sendfile has reached. */
  #old(): void {
    this.whole = false;
    this.#driver?.uncork();
    this.#seek();
    call(this.#original, this.#stream, this.#size);
  }

  /** A stream without `start` reads at its file's own position. */
  #seek(): void {
    const { fd, pos, bytesRead } = this.#stream;
    if (!this.#moved || pos !== undefined || typeof fd !== "number") return;
    this.#shared.sys?.seek(fd, bytesRead);
    this.#moved = false;
  }
}
