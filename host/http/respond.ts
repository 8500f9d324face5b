// respond(): the body of a response by a transfer. The header is the caller's; that its length is
// kept, or the connection ended, is ours.

import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import { dash } from "../dash.js";
import type { Running } from "../drain.js";
import { argumentError, SendfileError } from "../errors.js";
import { type Checked, check, type Mode, type SendfileOptions } from "../options.js";
import { type Queue, queueOf } from "../queue.js";
import { aborted, type Shared, Transfer } from "../sendfile.js";
import { type File, type Source, sourceOf } from "../source.js";
import type { Waiting } from "../turns.js";
import { describe } from "../validate.js";
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
  readonly #reject: (error: Error) => void;
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
    reject: (error: Error) => void,
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
      this.#check();
      transfers.enter(this);
    } catch (error) {
      return this.abort(error);
    }
    // Who says the length twice knows it: then the file isn't asked.
    if (source.believe !== undefined && range.count === lengthOf(this.#res)) {
      source.believe(range.offset + range.count);
      turns.wait(this);
    } else this.#open();
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
          source.close();
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

  /** Before the header is rendered the response is still the caller's, to say 404 with; and so is one that was ended. */
  abort(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    const res = this.#res;
    this.#shared.transfers.leave(this);
    this.#source.close();
    const { code } = (error ?? {}) as NodeJS.ErrnoException;
    const told = error instanceof SendfileError || (typeof code === "string" && code.startsWith("ERR_"));
    const failure = told ? (error as Error) : SendfileError.after(0, error);
    if (res.headersSent && !res.writableEnded) this.#fail(failure);
    else this.#reject(failure);
  }

  /** The connection can't be kept. Whoever replaced destroy() may throw. */
  #fail(error: Error): void {
    try {
      this.#res.destroy();
    } finally {
      this.#reject(error);
    }
  }

  turn(): void {
    if (!this.#settled) this.runInAsyncScope(this.#begin, this);
  }

  #begin(): void {
    try {
      this.#check();
      this.#send();
      this.#shared.transfers.leave(this);
    } catch (error) {
      this.abort(error);
    }
  }

  /** All of the body has gone. Whoever replaced end() may throw. */
  #end(sent: number): void {
    try {
      this.#res.end();
    } catch (error) {
      return this.#reject(SendfileError.after(sent, error));
    }
    this.#resolve(sent);
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
    // Where only the end will tell the length, `count` is no more than a bound.
    const sure = !source.early;
    const count = sure ? Math.min(Math.max(0, source.size - range.offset), range.count) : range.count;

    if (!bare && sure) {
      if (!res.headersSent && !res.hasHeader("content-length") && !res.hasHeader("transfer-encoding")) {
        res.setHeader("Content-Length", count);
      }
      const length = lengthOf(res);
      if (length !== null && length !== count) {
        throw argumentError(RangeError, `Content-Length is ${length}, but ${count} bytes of the file would be sent`);
      }
    }
    if (bare || req.method === "HEAD" || count === 0) {
      source.close();
      return this.#end(0);
    }

    let queue: Queue | null = null;
    let out = -1;
    let reason = range.mode === "copy" ? "mode: 'copy'" : sure && source.native ? obstacle(res) : "no regular file";
    if (reason === null) {
      renderHeader(res);
      if (!announces(res, count)) reason = "the header announces something else";
      else if (sys === null) reason = shared.reason;
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
      if (already === count) {
        source.close();
        return this.#end(already);
      }
    }
    this.#wait(queue ?? queueOf(res), header, already, count);
  }

  /** What is left after the first `already` of `count` bytes has to wait for the socket, or is copied. */
  #wait(queue: Queue, header: string, already: number, count: number): void {
    const res = this.#res;
    const range = this.#range;
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
        this.#end(already + sent);
      },
      (error) => {
        unwatch();
        this.#fail(already === 0 ? error : plus(already, error as SendfileError));
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

function over(req: Request, res: Response): boolean {
  return res.destroyed || res.writableEnded || res.closed || res.socket?.destroyed === true || lost(req, res);
}

function gone(): SendfileError {
  return new SendfileError("ERR_SENDFILE_CLOSED", "the response is closed or ended");
}
