// Files in web Responses: patches Readable.toWeb(), which frameworks make bodies of an fs.ReadStream by. The web stream and its
// events are Node's own. If an adapter for node:http reads it (http/web/consumer.ts), the kernel sends what comes after the
// first chunk, and the stream then has less left to read, as with a pipe.

import fs from "node:fs";
import { Readable } from "node:stream";
import { SendfileError } from "../errors.js";
import { Consumer } from "../http/web/consumer.js";
import { FIRST, takeOver } from "../http/web/take-over.js";
import { apply, call, defineProperty, min, setImmediate } from "../originals.js";
import type { Shared } from "../shared.js";
import { FdSource } from "../source/fd.js";
import { readCached } from "../source/read.js";
import { fstat, hasTrueSize, isFile } from "../source/stat.js";
import { unchanged } from "../source/unchanged.js";
import type { Transfer } from "../transfer/transfer.js";
import { closeAtOnce, usesFs } from "./stream.js";

/** The part of a ReadStream that we use; undocumented members are checked for. */
interface Stream extends fs.ReadStream {
  fd?: number | null;
  flags?: unknown;
  start?: number;
  pos?: number;
  end?: number;
  open?: unknown;
  _read(size: number): void;
  _destroy(error: Error | null, callback: Destroyed): void;
}

type Destroyed = (error?: Error | null) => void;

const NOTHING = new Uint8Array(0);

// As they are when this is loaded: later replacements must see the bytes.
const { push, read, emit } = Readable.prototype;
const { open } = fs.ReadStream.prototype as unknown as Stream;
const { ByteLengthQueuingStrategy } = globalThis;

/** Patches Readable.toWeb of the process; `onFallback` gets the reason why an adapter's body is copied. Returns an undo. */
export function installToWeb(shared: Shared, onFallback: (reason: string) => void): () => void {
  const { toWeb: original } = Readable;
  if (typeof original !== "function") return () => {};
  const toWeb = function toWeb(this: unknown, ...args: unknown[]): unknown {
    const stream = args[0] as Stream;
    const ours = args[1] === undefined && stream instanceof fs.ReadStream && isUntouched(stream);
    if (!ours) return apply(original, this, args as never);
    // Nothing is read ahead of the reader, who may turn out to be an adapter.
    const strategy = new ByteLengthQueuingStrategy({ highWaterMark: 0 });
    const web = apply(original, this, [stream, { strategy }]);
    new WebSource(shared, stream, new Consumer(web as ReadableStream), onFallback);
    return web;
  };
  Readable.toWeb = toWeb as typeof original;
  return () => {
    if (Readable.toWeb === (toWeb as unknown)) Readable.toWeb = original;
  };
}

/** Whether only Readable.toWeb() will use the stream, as far as can be seen. */
function isUntouched(stream: Stream): boolean {
  const { _read, _destroy } = fs.ReadStream.prototype as unknown as Stream;
  return (
    stream.flags === "r" && // it opens its file itself
    usesFs(stream) &&
    stream._read === _read &&
    stream._destroy === _destroy &&
    !stream.destroyed &&
    stream.bytesRead === 0 &&
    stream.readableFlowing === null &&
    stream.listenerCount("data") === 0 &&
    isPlain(stream)
  );
}

/** Whether nobody else would see the bytes. */
function isPlain(stream: Stream): boolean {
  return (
    stream.open === open &&
    stream.push === push &&
    stream.read === read &&
    stream.emit === emit &&
    stream.readableEncoding === null &&
    stream.listenerCount("readable") === 0 &&
    stream.listenerCount("pause") === 0 &&
    stream.listenerCount("resume") === 0 &&
    unchanged()
  );
}

/** The stream's file, by the stream's fd. It is closed once no read is under way, and the transfer has ended. */
class StreamFile extends FdSource {
  readonly #stream: Stream;
  readonly #stat: fs.Stats;
  #released = false;
  #onRelease: (() => void) | null = null;

  constructor(stream: Stream, stat: fs.Stats) {
    super();
    this.#stream = stream;
    this.#stat = stat;
  }

  open(done: (error: unknown) => void): void {
    this.applyStat(this.#stat);
    done(null);
  }

  fd(): number {
    return this.#stream.fd ?? -1;
  }

  override seek(): void {}

  protected release(): void {
    this.#released = true;
    this.#onRelease?.();
  }

  /** Calls back once nothing uses the fd any more. */
  whenReleased(done: () => void): void {
    if (this.#released) done();
    else this.#onRelease = done;
  }
}

/** Reads one stream for its web stream. */
class WebSource {
  readonly #shared: Shared;
  readonly #stream: Stream;
  readonly #consumer: Consumer;
  readonly #onFallback: (reason: string) => void;
  /** The transfer of the rest, and its file. */
  #transfer: Transfer | null = null;
  #file: StreamFile | null = null;
  /** The kernel can't send the rest. */
  #copies = false;
  /** All was read or sent, and the file is still linked, so closeSync frees no blocks. */
  #whole = false;
  /** Bytes were read elsewhere since the last seek. */
  #moved = false;

  constructor(shared: Shared, stream: Stream, consumer: Consumer, onFallback: (reason: string) => void) {
    this.#shared = shared;
    this.#stream = stream;
    this.#consumer = consumer;
    this.#onFallback = onFallback;
    const own = (name: string, value: unknown) =>
      defineProperty(stream, name, { value, writable: true, configurable: true, enumerable: false });
    own("_read", (size: number) => this.#read(size));
    own("_destroy", (error: Error | null, callback: Destroyed) => this.#destroy(error, callback));
  }

  #read(size: number): void {
    const stream = this.#stream;
    if (this.#copies || !this.#consumer.isLoop) return this.#old(size);
    if (stream.readableFlowing !== true || stream.readableLength > 0) return void stream.push(NOTHING); // none for now
    if (stream.bytesRead === 0) return this.#first(size);
    if (isPlain(stream) && this.#end()) return; // a small file
    // Node's response holds the socket corked until the next turn.
    setImmediate(() => {
      if (!stream.destroyed && !this.#sendRest(size)) this.#old(size);
    });
  }

  /** The chunk that tells which response it is for. */
  #first(size: number): void {
    const stream = this.#stream;
    const { fd, pos = 0, end = Number.POSITIVE_INFINITY } = stream;
    const most = min(size, FIRST, end + 1 - pos);
    const open = most > 0 && typeof fd === "number" && isPlain(stream);
    const bytes = open ? readCached(this.#shared, fd, pos, most) : null;
    if (bytes === null) return this.#old(min(size, FIRST));
    this.#advance(bytes.length);
    stream.push(bytes);
  }

  /** False if the kernel can't send it. */
  #sendRest(size: number): boolean {
    const stream = this.#stream;
    const { fd } = stream;
    const res = this.#consumer.target(stream.bytesRead);
    const stat = typeof fd === "number" && isPlain(stream) ? fstat(fd) : null;
    this.#copies = true; // unless all goes well
    if (res === null || stat === null || !isFile(stat) || !hasTrueSize(stat)) return false;
    if (stream.listenerCount("data") !== 1 || stream.readableLength !== 0) return false;
    const offset = stream.pos ?? stream.bytesRead;
    const count = min(stat.size, (stream.end ?? Number.POSITIVE_INFINITY) + 1) - offset;
    if (!(count > 0)) return false;
    if (typeof stream.path === "string") this.#shared.opener.met(stream.path, stat);
    const file = new StreamFile(stream, stat);
    const rest = { source: file, offset, count, total: stream.bytesRead + count };
    let over = false; // it may be at once
    const done = (sent: number) => {
      over = true;
      this.#sent(sent, size);
    };
    const failed = (error: Error) => {
      over = true;
      this.#failed(error as SendfileError);
    };
    const transfer = takeOver(this.#shared, res, rest, done, failed);
    if (typeof transfer === "string") {
      this.#onFallback(transfer);
      return false;
    }
    if (over) return true;
    this.#transfer = transfer;
    this.#file = file;
    return true;
  }

  #sent(sent: number, size: number): void {
    this.#transfer = null;
    this.#advance(sent);
    if (!this.#stream.destroyed && !this.#end()) this.#old(size); // the file has grown
  }

  /** Ends the stream, if there is nothing more to read. */
  #end(): boolean {
    const { sys, scratch } = this.#shared;
    const { fd, pos, bytesRead, end = Number.POSITIVE_INFINITY } = this.#stream;
    if (typeof fd !== "number") return false;
    const position = pos ?? bytesRead;
    if (position <= end && sys?.read(fd, scratch.address, position, 1) !== 0) return false;
    this.#whole = (fstat(fd)?.nlink ?? 0) > 0;
    this.#seek();
    this.#stream.push(null);
    return true;
  }

  #destroy(error: Error | null, callback: Destroyed): void {
    this.#transfer?.abort(new SendfileError("ERR_SENDFILE_ABORTED", "the stream was destroyed"));
    const close = () => this.#close(error, callback);
    if (this.#file === null) close();
    else this.#file.whenReleased(close);
  }

  /** Closes at once if that needs no thread. */
  #close(error: Error | null, callback: Destroyed): void {
    const stream = this.#stream;
    const { fd } = stream;
    if (!this.#whole || typeof fd !== "number" || !unchanged()) {
      return call(fs.ReadStream.prototype._destroy, stream, error, callback);
    }
    closeAtOnce(stream, fd, error, callback);
  }

  #failed(error: SendfileError): void {
    const stream = this.#stream;
    this.#transfer = null;
    if (stream.destroyed) return;
    this.#advance(error.sent);
    this.#seek();
    if (error.code === "ERR_SENDFILE_TRUNCATED")
      stream.push(null); // as a read at the end
    else stream.destroy(error);
  }

  /** As if these bytes had been read and passed on. */
  #advance(bytes: number): void {
    const stream = this.#stream;
    stream.bytesRead += bytes;
    if (stream.pos !== undefined) stream.pos += bytes;
    this.#moved = true;
  }

  /** A stream without `start` reads at its file's own position. */
  #seek(): void {
    const { fd, pos, bytesRead } = this.#stream;
    const { sys } = this.#shared;
    if (this.#moved && pos === undefined && typeof fd === "number") sys?.seek(fd, bytesRead);
    this.#moved = false;
  }

  #old(size: number): void {
    this.#whole = false; // a read may be under way when it is closed
    this.#seek();
    call(fs.ReadStream.prototype._read, this.#stream, size);
  }
}
