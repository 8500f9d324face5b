// respond(): the body of a response by a transfer. The header is the caller's; that its length is
// kept, or the connection ended, is ours.

import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import { dash } from "../dash.js";
import type { Running } from "../drain.js";
import { argumentError, isArgumentError, SendfileError } from "../errors.js";
import { type Queue, queueOf } from "../queue.js";
import { aborted, type Checked, check, type Mode, type SendfileOptions, type Shared, Transfer } from "../sendfile.js";
import { close, closeAlone, describe, type File, type Source, sourceOf } from "../source.js";
import type { Waiting } from "../turns.js";
import { claim, disclaim, isClaimed } from "./body.js";
import {
  announces,
  isResponse,
  lengthOf,
  obstacle,
  type Request,
  type Response,
  renderHeader,
  takeHeader,
} from "./message.js";
import { lost, watch } from "./pipeline.js";

/** As for `sendfile`; header and trailer are the response's own. */
export type RespondOptions = Omit<SendfileOptions, "header" | "trailer">;

/** What is to be sent, checked. */
export interface Range extends Checked {
  /** What the file's size was when the headers were made; a shorter file is refused. */
  readonly size?: number | undefined;
}

const EMPTY = new Uint8Array(0);

/** The options of a body that somebody else has worked out; `size` is what it took the file's to be. */
export function rangeOf(offset: number, count: number, mode: Mode, size: number | undefined): Range {
  return {
    offset,
    count,
    header: EMPTY,
    trailer: EMPTY,
    timeout: 0,
    deadline: 0,
    signal: undefined,
    onProgress: undefined,
    mode,
    seek: false,
    size,
  };
}

/** See the public docstring in http.ts. */
export function respond(
  shared: Shared,
  req: Request,
  res: Response,
  file: File,
  options: RespondOptions = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    if (typeof req !== "object" || req === null) {
      throw argumentError(TypeError, `req must be a request (got ${describe(req)})`);
    }
    if (!isResponse(res)) throw argumentError(TypeError, `res must be a response (got ${describe(res)})`);
    const source = sourceOf(file);
    new Body(shared, req, res, source, check(options, shared.auto, true), resolve, reject).ask();
  });
}

/** How a body fails; `complete` where all of it was sent, and only its file could not be given back. */
export type RejectBody = (error: Error, complete: boolean) => void;

/**
 * The body of one response, from the call on; its source is closed on every way out. It begins in the next turn of the
 * event loop, one response after the other, in the async context of its caller.
 */
export class Body extends AsyncResource implements Running, Waiting {
  place = -1;
  readonly #shared: Shared;
  readonly #req: Request;
  readonly #res: Response;
  #source: Source;
  readonly #range: Range;
  readonly #resolve: (sent: number) => void;
  readonly #reject: RejectBody;
  /** When its deadline began to run. */
  readonly #called: number;
  #settled = false;

  constructor(
    shared: Shared,
    req: Request,
    res: Response,
    source: Source,
    range: Range,
    resolve: (sent: number) => void,
    reject: RejectBody,
  ) {
    super("sendoff.Body");
    this.#shared = shared;
    this.#req = req;
    this.#res = res;
    this.#source = source;
    this.#range = range;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#called = range.deadline > 0 ? shared.now() : 0;
  }

  /** To be called once. */
  ask(): void {
    const { transfers, turns } = this.#shared;
    const source = this.#source;
    const range = this.#range;
    try {
      const claimed = claim(this.#res, this);
      this.#check();
      if (!claimed) throw started();
      transfers.enter(this);
      // Who says the length twice knows it: then the file isn't asked.
      if (source.believe !== undefined && range.count === lengthOf(this.#res)) {
        source.believe(range.offset + range.count);
        turns.wait(this);
      } else this.#open();
    } catch (error) {
      this.abort(error);
    }
  }

  #open(): void {
    const source = this.#source;
    const { turns } = this.#shared;
    source.open((error) => {
      if (error) return this.abort(error);
      if (!source.early || !source.positioned) return turns.wait(this);
      whole(source, (error, bytes) => {
        if (error) return this.abort(error);
        if (bytes !== null) {
          closeAlone(source);
          this.#source = sourceOf(bytes);
        }
        turns.wait(this);
      });
    });
  }

  /** Whether there is still somebody to answer. */
  #check(): void {
    const { signal } = this.#range;
    if (over(this.#req, this.#res)) throw gone();
    if (signal?.aborted) throw aborted(signal, 0);
  }

  /**
   * Before the header is rendered the response is still the caller's, to say 404 with; and so is one that was ended, or
   * whose body is somebody else's.
   */
  abort(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    const res = this.#res;
    this.#shared.transfers.leave(this);
    closeAlone(this.#source);
    const failure = isArgumentError(error) ? error : SendfileError.after(0, error);
    try {
      if (disclaim(res, this) && res.headersSent && !res.writableEnded) res.destroy();
    } finally {
      this.#reject(failure, false);
    }
  }

  /** The connection can't be kept. Whoever replaced destroy() may throw. */
  #fail(error: Error): void {
    try {
      this.#res.destroy();
    } finally {
      this.#reject(error, false);
    }
  }

  turn(): void {
    if (!this.#settled) this.runInAsyncScope(this.#begin, this);
  }

  #begin(): void {
    try {
      this.#check();
      if (!isClaimed(this.#res, this)) throw started(); // written to since
      this.#send();
      this.#shared.transfers.leave(this);
    } catch (error) {
      this.abort(error);
    }
  }

  /** All of the body has gone; `unclosed` is why its file could not be closed. Whoever replaced end() may throw. */
  #end(sent: number, unclosed: unknown): void {
    try {
      this.#res.end();
    } catch (error) {
      return this.#reject(SendfileError.after(sent, error), false);
    }
    if (unclosed === null) this.#resolve(sent);
    else this.#reject(SendfileError.after(sent, unclosed), true);
  }

  /** The source is open: says how long it is, and sends it. */
  #send(): void {
    const req = this.#req;
    const res = this.#res;
    const source = this.#source;
    const range = this.#range;
    const shared = this.#shared;
    const { sys } = shared;
    if (range.size !== undefined && source.size < range.size) {
      throw new SendfileError("ERR_SENDFILE_TRUNCATED", "the file has got shorter since its headers were made");
    }
    const { statusCode } = res;
    const bare = statusCode === 204 || statusCode === 304;
    // Where only the end will tell the length, `count` is no more than a bound, and so is what the header says.
    const sure = !source.early;
    const most = sure ? Math.max(0, source.size - range.offset) : (lengthOf(res) ?? Number.POSITIVE_INFINITY);
    const count = Math.min(most, range.count);

    if (!bare) {
      if (sure && !res.headersSent && !res.hasHeader("content-length") && !res.hasHeader("transfer-encoding")) {
        res.setHeader("Content-Length", count);
      }
      agree(res, count);
    }
    if (bare || req.method === "HEAD" || count === 0) {
      return this.#end(0, close(source));
    }

    let queue: Queue | null = null;
    let out = -1;
    let reason = range.mode === "copy" ? "mode: 'copy'" : sure && source.native ? obstacle(res) : "no regular file";
    if (reason === null) {
      renderHeader(res);
      if (!announces(res, count)) {
        agree(res, count); // whoever replaced writeHead() may have set another length
        reason = "the header announces something else";
      } else if (sys === null) reason = "no native calls";
      else {
        queue = queueOf(res.socket as Socket, shared.fdOf);
        out = queue.native(sys.isStream);
        if (out < 0 && queue.fd() < 0) {
          queue = null;
          reason = "not a plain socket";
        }
      }
    }
    if (queue === null && range.mode === "native") {
      throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", `the kernel's sendfile can't be had here: ${reason}`);
    }

    let header = queue === null ? "" : takeHeader(res);
    let already = 0;
    // What goes at once needs no place in the socket's queue, and most does.
    if (queue?.idle && out >= 0 && range.onProgress === undefined) {
      const { moved } = dash(shared, queue, out, source.fd(), header, range.offset + (source.start ?? 0), count);
      already = Math.max(0, moved - header.length);
      header = header.slice(moved);
      if (already === count) return this.#end(already, close(source));
    }
    this.#wait(queue ?? queueOf(res), header, already, count);
  }

  /** What is left after the first `already` of `count` bytes has to wait for the socket, or is copied. */
  #wait(queue: Queue, header: string, already: number, count: number): void {
    const res = this.#res;
    const range = this.#range;
    const owed = lengthOf(res) ?? 0;
    let transfer: Transfer | null = null;
    const unwatch = watch(this.#req, res, () => transfer?.abort(gone()));
    transfer = new Transfer(
      this.#shared,
      queue,
      this.#source,
      {
        ...range,
        header: Buffer.from(header, "latin1"),
        offset: range.offset + already,
        count: count - already,
        deadline: this.#deadline(),
      },
      (sent) => {
        unwatch();
        if (already + sent < owed) this.#fail(short(already + sent));
        else this.#end(already + sent, null);
      },
      (error, complete) => {
        unwatch();
        const failure = already === 0 ? error : plus(already, error);
        if (complete && failure.sent >= owed) this.#end(failure.sent, failure);
        else this.#fail(failure);
      },
      this,
    );
  }

  /** What is left of it, in ms; never 0, which means none. */
  #deadline(): number {
    const { deadline } = this.#range;
    return deadline && Math.max(Number.MIN_VALUE, deadline - (this.#shared.now() - this.#called));
  }
}

/** Of a file whose end alone could tell its length. */
function short(sent: number): SendfileError {
  return new SendfileError("ERR_SENDFILE_TRUNCATED", "the file ended before its Content-Length", { sent });
}

/** How much of a file without a true size is read to learn it. */
const SOME = 64 << 10;

/** An empty file looks like one of /proc: what a read gives tells them apart. Null where there is more than SOME. */
function whole(source: Source, done: (error: unknown, bytes: Uint8Array | null) => void): void {
  const buffer = Buffer.alloc(SOME);
  let length = 0;
  const next = (): void =>
    source.read(length, SOME - length, false, 0, (error, bytes) => {
      if (error) return done(error, null);
      if (bytes.length === 0) return done(null, buffer.subarray(0, length));
      buffer.set(bytes, length);
      length += bytes.length;
      if (length === SOME) done(null, null);
      else next();
    });
  next();
}

function plus(already: number, error: SendfileError): SendfileError {
  const { code, message, syscall, errno, path, cause } = error;
  return new SendfileError(code, message, { sent: already + error.sent, syscall, errno, path, cause });
}

/** @throws RangeError where the header has announced, or will, something else. */
function agree(res: Response, count: number): void {
  const length = lengthOf(res);
  if (length === null || length === count) return;
  if (Number.isNaN(length)) throw argumentError(RangeError, "Content-Length must be given once, in decimal digits");
  throw argumentError(RangeError, `Content-Length is ${length}, but ${count} bytes of the file would be sent`);
}

function over(req: Request, res: Response): boolean {
  return res.destroyed || res.writableEnded || res.closed || res.socket?.destroyed === true || lost(req, res);
}

function started(): SendfileError {
  const why = "the body of this response has begun already: by its write(), or by an earlier respond()";
  return new SendfileError("ERR_SENDFILE_STARTED", why);
}

function gone(): SendfileError {
  return new SendfileError("ERR_SENDFILE_CLOSED", "the response is closed or ended");
}
