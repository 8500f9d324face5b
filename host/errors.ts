// The one error class, and the messages of every failure.

import { Fault } from "../assembly/abi.js";

/** Why a transfer failed. */
export type SendfileErrorCode =
  /** The connection or the socket is closed; `errno` has the system's reason, if it gave one. */
  | "ERR_SENDFILE_CLOSED"
  /** The file ended before its count. */
  | "ERR_SENDFILE_TRUNCATED"
  /** `timeout` milliseconds passed without progress. */
  | "ERR_SENDFILE_TIMEOUT"
  /** `deadline` milliseconds passed since the call. */
  | "ERR_SENDFILE_DEADLINE"
  /** The signal was aborted; `cause` is its reason. */
  | "ERR_SENDFILE_ABORTED"
  /** The body of the response has begun already: by its write(), or by an earlier respond(). */
  | "ERR_SENDFILE_STARTED"
  /** `mode: 'native'`, or `sendfileSync`, and the kernel's sendfile is not available. */
  | "ERR_SENDFILE_NOT_AVAILABLE"
  /** A source, a stream or `onProgress` threw an error without a code; it is the `cause`. */
  | "ERR_SENDFILE_FAILED"
  /** Anything else, by the system's name: ENOENT, EISDIR, EIO, … */
  | (string & {});

/** Details of a failure besides its code. */
export interface SendfileErrorDetails {
  /** Bytes of the file that were handed to the kernel, or to the socket's own queue. */
  sent?: number;
  /** The system call that failed. */
  syscall?: string | undefined;
  /** The system's error number, negative as everywhere in Node. */
  errno?: number | undefined;
  /** The file, if it was given by its path. */
  path?: string | undefined;
  /** The error behind this one. */
  cause?: unknown;
}

/** Every failure of a transfer. Bad arguments are a TypeError or a RangeError. */
export class SendfileError extends Error {
  /** Always "SendfileError". */
  override readonly name = "SendfileError";
  /** Why: one of ours, `ERR_SENDFILE_…`, or the system's name. */
  readonly code: SendfileErrorCode;
  /** Bytes of the file that were handed to the kernel, or to the socket's own queue: resume at offset + sent. */
  readonly sent: number;
  /** The system call that failed, if one did. */
  declare readonly syscall?: string;
  /** The system's error number, negative as everywhere in Node, if it gave one. */
  declare readonly errno?: number;
  /** The file, if it was given by its path. */
  declare readonly path?: string;

  /** Without `details.sent`, `sent` is 0; other missing details are left out. */
  constructor(code: SendfileErrorCode, message: string, details: SendfileErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.sent = details.sent ?? 0;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.path !== undefined) this.path = details.path;
  }

  /** The same failure, with the bytes sent before it. Never throws, whatever was thrown. */
  static after(sent: number, error: unknown): SendfileError {
    if (is(error, SendfileError) && error.sent === sent) return error;
    // A DOMException's code is a number; an AggregateError of several refused addresses has no message.
    const code = codeOf(error);
    const errno = property(error, "errno");
    return new SendfileError(code ?? "ERR_SENDFILE_FAILED", text(error, "message") || (code ?? inWords(error)), {
      sent,
      syscall: text(error, "syscall"),
      errno: typeof errno === "number" ? errno : undefined,
      path: text(error, "path"),
      cause: error,
    });
  }
}

/** Calls each, whatever the others throw; then throws the first of the errors. */
export function callEach(calls: readonly (() => void)[]): void {
  const thrown: unknown[] = [];
  for (const one of calls) {
    try {
      one();
    } catch (error) {
      thrown.push(error);
    }
  }
  if (thrown.length > 0) throw thrown[0];
}

/** A property of a thrown value: a getter may throw, and so does any access to a revoked Proxy. */
function property(thrown: unknown, name: string): unknown {
  try {
    return (thrown as Record<string, unknown> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

function text(thrown: unknown, name: string): string | undefined {
  const value = property(thrown, name);
  return typeof value === "string" ? value : undefined;
}

function is<T>(thrown: unknown, type: new (...args: never[]) => T): thrown is T {
  try {
    return thrown instanceof type;
  } catch {
    return false;
  }
}

/** Whether it is an error for a bad argument: ours, or Node's of the same kind. */
export function isArgumentError(thrown: unknown): thrown is TypeError | RangeError {
  return (is(thrown, TypeError) || is(thrown, RangeError)) && codeOf(thrown)?.startsWith("ERR_") === true;
}

/** The thrown value by String(). */
function inWords(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "a value that can't be told";
  }
}

/** The `code` of a thrown value, if it is text. */
export function codeOf(thrown: unknown): string | undefined {
  return text(thrown, "code");
}

/** The thrown value, or an Error in place of a falsy one, because callbacks take null for "no error". */
export function something(thrown: unknown): unknown {
  return thrown || new Error(`${inWords(thrown)} was thrown`);
}

/** Code and message of a Fault that needs no errno. */
export const WORDS: { readonly [fault: number]: readonly [SendfileErrorCode, string] } = {
  [Fault.Closed]: ["ERR_SENDFILE_CLOSED", "the connection is closed"],
  [Fault.Truncated]: ["ERR_SENDFILE_TRUNCATED", "the file ended before its count"],
  [Fault.Stalled]: ["ERR_SENDFILE_TIMEOUT", "timed out: no progress"],
  [Fault.Expired]: ["ERR_SENDFILE_DEADLINE", "the deadline has passed"],
  [Fault.Aborted]: ["ERR_SENDFILE_ABORTED", "the transfer was aborted"],
  [Fault.NotAvailable]: ["ERR_SENDFILE_NOT_AVAILABLE", "the kernel's sendfile is not available here"],
};

/** A TypeError or RangeError as Node makes them, with its `code`. */
export function argumentError(type: typeof TypeError | typeof RangeError, message: string): Error {
  const code = type === RangeError ? "ERR_OUT_OF_RANGE" : "ERR_INVALID_ARG_TYPE";
  return Object.assign(new type(message), { code });
}
