// respond(): sends the body of a response by a transfer. The caller sets the header; we keep to its length, or end the
// connection.

import { argumentError, isArgumentError, SendfileError } from "../errors.js";
import { queueOf } from "../queue/kinds.js";
import type { Shared } from "../shared.js";
import { sourceOf } from "../source/kinds.js";
import { closeAlone, type File, type Source } from "../source/source.js";
import { aborted } from "../transfer/failure.js";
import { type Checked, check, type Mode, type SendfileOptions } from "../transfer/options.js";
import type { Reject } from "../transfer/transfer.js";
import { describe } from "../validate.js";
import { claim, disclaim, isClaimed } from "./body.js";
import { CRLF, isChunked, sizeLine } from "./chunked.js";
import { claimResponse } from "./claim.js";
import { isResponse, lengthOf, type Request, type Response, renderHeader, takeHeader } from "./message.js";
import { lost } from "./pipelining.js";
import { gone, ResponseTransfer } from "./response-transfer.js";

/** As for `sendfile`; header and trailer are the response's own. */
export interface RespondOptions extends Omit<SendfileOptions, "header" | "trailer"> {
  /**
   * Sends the body without announcing its length: in chunks (RFC 9112 section 7.1), which trailers may follow
   * (`res.addTrailers()`); to a client of HTTP/1.0, until the connection closes. Default: false.
   */
  chunked?: boolean | undefined;
}

/** The arguments of respond(), checked. */
export interface Range extends Checked {
  /** The file's size when the headers were made; a shorter file is refused. */
  readonly size?: number | undefined;
}

const EMPTY = new Uint8Array(0);
const CHUNK_END = Buffer.from(CRLF);

/** The options of a body whose range the caller has computed; `size` is the file's size it assumed. */
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

/** See the public docstring in http/index.ts. */
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
    const source = sourceOf(file, shared.files);
    const checked = check(options, shared.auto, true);
    const { chunked = false } = options;
    if (typeof chunked !== "boolean") {
      throw argumentError(TypeError, `chunked must be a boolean (got ${describe(chunked)})`);
    }
    new Body(shared, req, res, source, checked, resolve, reject, chunked).open();
  });
}

/**
 * The body of one response. It begins after all requests of this turn of the event loop, one response after the other; the file may
 * have to be opened before that.
 */
export class Body extends ResponseTransfer {
  readonly #size: number | undefined;
  /** Its length is not announced. */
  readonly #chunked: boolean;
  /** The caller can no longer answer with 404 or the like: a failure ends the connection. */
  #claimed = false;
  /** Bytes that the header has announced, if the file may end before. */
  #owed = 0;

  constructor(
    shared: Shared,
    req: Request,
    res: Response,
    source: Source,
    range: Range,
    resolve: (sent: number) => void,
    reject: Reject,
    chunked = false,
  ) {
    super("sendoff.Body", shared, req, res, source, range, resolve, reject);
    this.#size = range.size;
    this.#chunked = chunked;
  }

  /** To be called once. */
  override open(): void {
    const { source, options } = this;
    try {
      const claimed = claim(this.res, this);
      this.#check();
      if (!claimed) throw started();
      this.shared.transfers.add(this);
    } catch (error) {
      return this.abort(error);
    }
    // If `count` equals Content-Length, both are trusted, and fstat is skipped.
    if (source.assumeSize !== undefined && options.count === lengthOf(this.res)) {
      source.assumeSize(options.offset + options.count);
      return this.opened(null);
    }
    // Behind the requests of this turn, so that one look at a file is enough for all of them.
    if (source.isKept?.()) this.shared.scheduler.schedule(this);
    else this.#reach(false);
  }

  protected override reach(): void {
    this.#reach(true);
  }

  #reach(turn: boolean): void {
    const { source } = this;
    source.open((error) => {
      if (error || !source.openEnded || !source.seekable) return this.opened(error);
      whole(source, (error, bytes) => {
        if (bytes !== null) {
          closeAlone(source);
          this.source = sourceOf(bytes);
        }
        this.opened(error);
      });
    }, turn);
  }

  /** Bytes of the whole body, once the source is open. */
  protected get length(): number {
    return this.count;
  }

  /** What comes before the first byte of the file. */
  protected get prefix(): string {
    return "";
  }

  /** Whether the response can still be answered. */
  #check(): void {
    const { signal } = this.options;
    if (over(this.req, this.res)) throw gone();
    if (signal?.aborted) throw aborted(signal, 0);
  }

  protected override ready(): void {
    this.shared.scheduler.schedule(this);
  }

  protected override send(): void {
    if (!this.#claimed) {
      this.#check();
      if (!isClaimed(this.res, this)) throw started(); // written to since
      if (!this.#announce()) return this.end(null);
      this.#claim();
    }
    super.send();
  }

  /** Sets the body's length. False if there is no body. */
  #announce(): boolean {
    const res = this.res;
    const { source } = this;
    if (this.#size !== undefined && source.size < this.#size) {
      throw new SendfileError("ERR_SENDFILE_TRUNCATED", "the file has got shorter since its headers were made");
    }
    if (res.statusCode === 204 || res.statusCode === 304) return false;
    if (this.#chunked) return this.#announceNone();
    const announced = lengthOf(res);
    // If the length is unknown until the end, `count` is only an upper bound, and so is Content-Length.
    if (source.openEnded) this.bound(announced ?? Number.POSITIVE_INFINITY);
    if (announced !== null) agree(announced, this.length);
    else if (!source.openEnded && !res.headersSent && !res.hasHeader("transfer-encoding")) {
      res.setHeader("Content-Length", this.length);
    }
    return this.req.method !== "HEAD" && this.count > 0;
  }

  /** The same for a body in chunks. @throws TypeError if a length is announced. */
  #announceNone(): boolean {
    const res = this.res;
    if (lengthOf(res) !== null) throw argumentError(TypeError, "chunked can't be true: Content-Length is set already");
    if (this.count > 0) return this.req.method !== "HEAD";
    renderHeader(res); // end() would announce 0
    return false;
  }

  /** Selects the queue for the body: the socket's, or else the response's own writer. */
  #claim(): void {
    const res = this.res;
    const { source, options, shared } = this;
    const queue =
      options.mode === "copy"
        ? "mode: 'copy'"
        : source.native
          ? claimResponse(shared, res, this.length, this.#chunked, options.mode === "auto")
          : "no regular file";
    if (typeof queue === "string") agree(lengthOf(res), this.length); // a replaced writeHead() may have set another
    if (source.openEnded) this.#owed = lengthOf(res) ?? 0;
    // Nobody else can write to the body that is claimed here, so all of it is one chunk.
    const framed = this.#chunked && isChunked(res);
    if (typeof queue !== "string") {
      const header = takeHeader(res) + (framed ? sizeLine(this.count) : this.prefix);
      this.attach(queue, header, framed ? CHUNK_END : EMPTY);
    } else if (options.mode !== "native") this.attach(queueOf(res), this.prefix, EMPTY);
    else throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", `the kernel's sendfile is not available here: ${queue}`);
    this.#claimed = true;
  }

  /** A replaced end() may throw. */
  protected override done(sent: number): void {
    if (sent < this.#owed) return this.failed(short(), sent, false);
    try {
      this.res.end();
    } catch (error) {
      return super.failed(error, sent, false);
    }
    super.done(sent);
  }

  /** Ends the connection if it can't be kept. A replaced end() or destroy() may throw. */
  protected override failed(failure: unknown, sent: number, complete: boolean): void {
    const res = this.res;
    try {
      if (complete && sent >= this.#owed) res.end();
      else if (this.#claimed || (disclaim(res, this) && res.headersSent && !res.writableEnded)) res.destroy();
    } finally {
      if (!this.#claimed && isArgumentError(failure)) this.reject(failure, complete);
      else super.failed(failure, sent, complete);
    }
  }
}

/** Bytes read of a file without a true size, to learn its size. */
const SOME = 64 << 10;

/** An empty file looks like one of /proc: a read tells them apart. Null if there are more than SOME bytes. */
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

/** @throws RangeError if the header announces, or will announce, another length. */
function agree(length: number | null, count: number): void {
  if (length === null || length === count) return;
  if (Number.isNaN(length)) throw argumentError(RangeError, "Content-Length must be given once, in decimal digits");
  throw argumentError(RangeError, `Content-Length is ${length}, but ${count} bytes of the file would be sent`);
}

/** For a file whose length was unknown until its end. */
function short(): SendfileError {
  return new SendfileError("ERR_SENDFILE_TRUNCATED", "the file ended before its Content-Length");
}

function over(req: Request, res: Response): boolean {
  return res.destroyed || res.writableEnded || res.closed || res.socket?.destroyed === true || lost(req, res);
}

function started(): SendfileError {
  const why = "the body of this response has begun already: by its write(), or by an earlier respond()";
  return new SendfileError("ERR_SENDFILE_STARTED", why);
}
