// One existing pipe by sendfile. If the whole file went natively, the stream sees end of file. If a page is not cached,
// the stream reads one chunk the old way; if the socket is full, a few bytes, and sendfile continues once they have left.

import { OutgoingMessage } from "node:http";
import { Socket } from "node:net";
import { Action, Flag, Way } from "../../assembly/abi.js";
import { CRLF, isChunked, sizeLine, unframed } from "../http/chunked.js";
import { bypassBlocker, claimResponse, claimSocket } from "../http/claim.js";
import { giveBack, lengthOf, type Response, takeHeader } from "../http/message.js";
import type { Syscalls } from "../libc/syscalls.js";
import { call, max, min, SafeAsyncResource, sliceString } from "../originals.js";
import type { Queue } from "../queue/queue.js";
import type { Task } from "../scheduler.js";
import type { Shared } from "../shared.js";
import { fstat, hasTrueSize, isFile } from "../source/stat.js";
import { Driver } from "../transfer/driver.js";
import { chunkBehind, chunkSize, framed, restOf } from "./chunk.js";
import { destinations, pass, passing, type Stream, watched } from "./stream.js";

/** Told why a pipe is left alone; null: it is not. */
export type OnDecision = (reason: string | null) => void;

/** The most bytes of a doorbell, and of a usual chunk: a ReadStream's default highWaterMark. */
const CHUNK = 64 << 10;

/** The least bytes of a doorbell, where the file and the stream have as many. */
const DOORBELL = 512;

/** Bytes of the chunks of one run: as many as the core moves in one, which has room for a header, too. */
const RUN = (1 << 20) - CHUNK;

const NOTHING = new Uint8Array(0);

/** One stream piped to one destination. Runs in its own async context: another request's event may resume it. */
export class Pipe extends SafeAsyncResource implements Task {
  readonly #shared: Shared;
  readonly #stream: Stream;
  readonly #original: Stream["_read"];
  readonly #onDecision: OnDecision;
  /** The destination and its socket's queue, once they were found suitable. */
  #target: Response | Socket | null = null;
  #queue: Queue | null = null;
  /** Bytes of the file to send in all. */
  #count = 0;
  /** They go to a response in chunks. */
  #chunked = false;
  /** The socket took less than it said: all chunks are of the usual size from then on. */
  #wary = false;
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

  constructor(shared: Shared, stream: Stream, original: Stream["_read"], onDecision: OnDecision) {
    super("sendoff.Pipe");
    this.#shared = shared;
    this.#stream = stream;
    this.#original = original;
    this.#onDecision = onDecision;
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
      this.#onDecision(refusal);
      if (refusal !== null) {
        this.#left = true;
        return this.#old();
      }
    }
    const out = this.#clear();
    if (out < 0) this.#old();
    else if (stream.bytesRead >= this.#count) this.#end();
    else if (this.#chunked) this.#moveChunks(out);
    else this.#move(out);
  }

  /** Checks file and destination; null if sendfile can be used. Renders the header last. */
  #fit(): string | null {
    const stream = this.#stream;
    if (typeof stream.fd !== "number") return "the stream has no fd";
    if (this.#size === 0) return "its highWaterMark is 0";
    const stat = fstat(stream.fd);
    if (stat === null) return "its fd is closed"; // the stream's own read will say why
    if (!isFile(stat)) return "not a regular file";
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
    const length = lengthOf(target as Response);
    if (length !== null && length !== this.#count) return "the response has another length";
    const queue = claimResponse(this.#shared, target as Response, this.#count, true, false);
    this.#chunked = isChunked(target as Response);
    return queue;
  }

  /** The socket's fd if the pipe is still undisturbed, and the socket has nothing else to send; else -1. */
  #clear(): number {
    const stream = this.#stream;
    const target = this.#target as Response | Socket;
    const queue = this.#queue as Queue;
    if (watched(stream) !== null || destinations(stream)[0] !== target || typeof stream.fd !== "number") return -1;
    if (!(target instanceof Socket) && (bypassBlocker(target) !== null || isChunked(target) !== this.#chunked))
      return -1;
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
      const warm = driver.doorbell(file, min(this.#held(target), this.#count - stream.bytesRead));
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
    const driver = this.#open();
    driver?.start(header, position, this.#count - this.#stream.bytesRead, 0, Flag.Native | Flag.Probe);
    return driver;
  }

  #open(): Driver | null {
    try {
      return (this.#driver ??= new Driver(this.#shared, this.#queue as Queue));
    } catch {
      return null; // the core's memory is full
    }
  }

  /** As #move, to a chunked response: chunk after chunk, by the table in chunk.ts. */
  #moveChunks(out: number): void {
    const stream = this.#stream;
    const res = this.#target as Response;
    const file = stream.fd as number;
    const { scheduler, now } = this.#shared;
    const driver = this.#open();
    if (driver === null) return this.#old();
    const size = min(this.#size, CHUNK);
    /** What is owed before the next chunk: the header, or the last one's CRLF. */
    let before = takeHeader(res);
    let action = Action.Done;
    const end = this.#there(file);
    let run = 0;
    while (action === Action.Done && stream.bytesRead < end) {
      if (run >= RUN) {
        action = Action.Yield;
        break;
      }
      const left = end - stream.bytesRead;
      const length = min(
        left > size && !this.#wary ? chunkSize(size, min(driver.room(out, left), RUN - run)) : size,
        left,
      );
      const head = before + sizeLine(length);
      if (driver.action === Action.Copy) driver.copied(0, now());
      driver.start(head.length, this.#position(), length, 0, Flag.Native | Flag.Probe, left - length);
      action = driver.step(out, file, head);
      const { sent, headerLeft } = driver;
      this.#advance(sent);
      run += sent;
      if (action === Action.Done) before = CRLF;
      else if (headerLeft < head.length) {
        scheduler.stopTiming();
        this.#wary ||= length > size;
        return this.#complete(call(sliceString, head, head.length - headerLeft), length - sent);
      }
    }
    scheduler.stopTiming();
    if (before !== CRLF && before !== "") giveBack(res);
    const owed = before === CRLF ? CRLF : "";
    if (action === Action.Copy) {
      const most = min(chunkBehind(owed.length, this.#held(res)), this.#count - stream.bytesRead);
      const warm = driver.doorbell(file, most);
      if (warm !== null) return this.#ring(owed, 0, warm);
      this.#left = driver.way === Way.Copied;
    }
    this.#say(out, owed);
    if (action === Action.Yield) return scheduler.schedule(this);
    if (action === Action.Done && stream.bytesRead >= this.#count) return this.#end();
    if (action === Action.Fail || this.#left) this.release();
    this.#old();
  }

  /** As #count, or fewer if the file has got shorter since. */
  #there(file: number): number {
    const { bytesRead } = this.#stream;
    if (bytesRead === 0) return this.#count; // it was just asked for
    const size = fstat(file)?.size ?? 0;
    return min(this.#count, size - this.#position() + bytesRead);
  }

  /** A part of a chunk was sent: the rest of its head, and `rest` bytes of the file, must follow. */
  #complete(head: string, rest: number): void {
    const stream = this.#stream;
    const held = this.#held(this.#target as Response);
    const most = min(chunkBehind(head.length + rest + CRLF.length, held), this.#count - stream.bytesRead - rest);
    if (this.#driver?.action !== Action.Copy) this.release(); // its extent is not over
    const bytes = restOf(stream.fd as number, this.#position(), rest, most);
    if (bytes !== null) return this.#ring(head, rest, bytes);
    this.release();
    (this.#target as Response).destroy();
  }

  /** Bytes of a doorbell: no more than the stream would have read, and as few as make the destination's write() return false. */
  #held(target: Response | Socket): number {
    return min(this.#size, CHUNK, max(target.writableHighWaterMark, DOORBELL));
  }

  /** Passes on bytes of the file that are framed here: the doorbell. */
  #ring(before: string, rest: number, bytes: Uint8Array): void {
    const stream = this.#stream;
    this.#advance(bytes.length);
    const all = framed(before, rest, bytes);
    const res = this.#target as Response;
    unframed(res, () => pass(stream, all));
    // The read is over, and 'drain' leads to the next one; or it goes on, because a push of nothing asks for nothing.
    if (res.writableNeedDrain) stream.push(NOTHING);
    else this.#shared.scheduler.schedule(this);
  }

  /** Sends the end of a chunk. */
  #say(out: number, text: string): void {
    if (text === "") return;
    const sent = (this.#driver as Driver).append(out, text);
    const { socket } = this.#target as Response;
    if (sent < text.length) (socket as Socket).write(call(sliceString, text, sent), "latin1");
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
    if (!this.#chunked) this.release(); // Node has the end of a chunked body still to write
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
