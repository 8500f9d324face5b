// respond(): the body of a response by a transfer. The header is the caller's; that its length is
// kept, or the connection ended, is ours.

import type { Socket } from "node:net";
import { dash } from "../dash.js";
import type { Running } from "../drain.js";
import { argumentError, SendfileError } from "../errors.js";
import { type Queue, queueOf } from "../queue.js";
import { aborted, type Checked, check, type Mode, type SendfileOptions, type Shared, Transfer } from "../sendfile.js";
import { describe, type File, type Source, sourceOf } from "../source.js";
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

/** A response's options, checked. */
export interface Answer extends Checked {
  /** What the file's size was when the headers were made; a shorter file is refused. */
  readonly size?: number | undefined;
}

const EMPTY = new Uint8Array(0);

/** The options of a body that somebody else has worked out; `size` is what it took the file's to be. */
export function bodyOf(offset: number, count: number, mode: Mode, size: number | undefined): Answer {
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
    answer(shared, req, res, source, check(options, shared.auto, true), resolve, reject);
  });
}

/** The same for a source and checked options; `source` is closed on every way out. */
export function answer(
  shared: Shared,
  req: Request,
  res: Response,
  source: Source,
  options: Answer,
  resolve: (sent: number) => void,
  reject: (error: Error) => void,
): void {
  const called = options.deadline > 0 ? shared.now() : 0;
  let settled = false;
  /** Before the header is rendered the response is still the caller's, to say 404 with; and so is one that was ended. */
  const fail = (error: unknown): void => {
    if (settled) return;
    settled = true;
    shared.transfers.leave(waiting);
    source.close();
    if (res.headersSent && !res.writableEnded) res.destroy();
    const { code } = (error ?? {}) as NodeJS.ErrnoException;
    const argument = typeof code === "string" && code.startsWith("ERR_");
    reject(argument || error instanceof SendfileError ? (error as Error) : SendfileError.after(0, error));
  };
  const waiting: Running = { abort: fail };
  const refusal = (): SendfileError | null => {
    if (over(req, res)) return gone();
    return options.signal?.aborted ? aborted(options.signal, 0) : null;
  };
  const start = (from: Source): void =>
    shared.turns.wait(() => {
      if (settled) return;
      try {
        const refused = refusal();
        if (refused !== null) throw refused;
        // It runs from the call on.
        const deadline = options.deadline && Math.max(Number.MIN_VALUE, options.deadline - (shared.now() - called));
        body(shared, req, res, from, deadline ? { ...options, deadline } : options, waiting, resolve, reject);
        shared.transfers.leave(waiting);
      } catch (error) {
        fail(error);
      }
    });

  const refused = refusal();
  if (refused !== null) return fail(refused);
  try {
    shared.transfers.enter(waiting);
  } catch (error) {
    return fail(error);
  }
  // Who says the length twice knows it: then the file isn't asked.
  if (source.believe !== undefined && options.count === lengthOf(res)) {
    source.believe(options.offset + options.count);
    return start(source);
  }
  source.open((error) => {
    if (error) return fail(error);
    if (!source.early || !source.positioned) return start(source);
    whole(source, (error, bytes) => {
      if (error) return fail(error);
      if (bytes === null) return start(source);
      source.close();
      start(sourceOf(bytes));
    });
  });
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

/** The source is open: says how long it is, and sends it. */
function body(
  shared: Shared,
  req: Request,
  res: Response,
  source: Source,
  options: Answer,
  waiting: Running,
  resolve: (sent: number) => void,
  reject: (error: Error) => void,
): void {
  if (options.size !== undefined && source.size < options.size) {
    throw new SendfileError("ERR_SENDFILE_TRUNCATED", "the file has got shorter since its headers were made");
  }
  const { statusCode } = res;
  const bare = statusCode === 204 || statusCode === 304;
  // Where only the end will tell the length, `count` is no more than a bound.
  const sure = !source.early;
  const count = sure ? Math.min(Math.max(0, source.size - options.offset), options.count) : options.count;

  if (!bare && sure) {
    if (!res.headersSent && !res.hasHeader("content-length") && !res.hasHeader("transfer-encoding")) {
      res.setHeader("Content-Length", count);
    }
    const length = lengthOf(res);
    if (length !== null && length !== count) {
      throw argumentError(RangeError, `Content-Length is ${length}, but ${count} bytes of the file would be sent`);
    }
  }
  /** All of the body has gone. Whoever replaced end() may throw. */
  const end = (sent: number): void => {
    try {
      res.end();
    } catch (error) {
      return reject(SendfileError.after(sent, error));
    }
    resolve(sent);
  };
  if (bare || req.method === "HEAD" || count === 0) {
    source.close();
    return end(0);
  }

  const { sys } = shared;
  let queue: Queue | null = null;
  let out = -1;
  let reason = options.mode === "copy" ? "mode: 'copy'" : sure && source.native ? obstacle(res) : "no regular file";
  if (reason === null) {
    renderHeader(res);
    if (!announces(res, count)) reason = "the header announces something else";
    else if (sys === null) reason = "no native calls";
    else {
      queue = queueOf(res.socket as Socket, shared.fdOf);
      out = queue.native(sys.isStream);
      if (out < 0 && queue.fd() < 0) {
        queue = null;
        reason = "not a plain socket";
      }
    }
  }
  if (queue === null && options.mode === "native") {
    throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", `the kernel's sendfile can't be had here: ${reason}`);
  }

  let header = queue === null ? "" : takeHeader(res);
  let { offset } = options;
  let already = 0;
  // What goes at once needs no place in the socket's queue, and most does.
  if (queue?.idle && out >= 0 && options.onProgress === undefined) {
    const { moved } = dash(shared, queue, out, source.fd(), header, offset + (source.start ?? 0), count);
    already = Math.max(0, moved - header.length);
    header = header.slice(moved);
    offset += already;
    if (already === count) {
      source.close();
      return end(already);
    }
  }
  let transfer: Transfer | null = null;
  const unwatch = watch(req, res, () => transfer?.abort(gone()));
  transfer = new Transfer(
    shared,
    queue ?? queueOf(res),
    source,
    { ...options, header: Buffer.from(header, "latin1"), offset, count: count - already },
    (sent) => {
      unwatch();
      end(already + sent);
    },
    (error) => {
      unwatch();
      res.destroy();
      reject(already === 0 ? error : plus(already, error as SendfileError));
    },
    waiting,
  );
}
