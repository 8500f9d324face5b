// The options of a transfer, as given and once checked.

import { argumentError } from "../errors.js";
import { bytes, callable, describe, integer, milliseconds, object } from "../validate.js";

const EMPTY = new Uint8Array(0);

/** The argument of `onProgress`. All are bytes. */
export interface Progress {
  /** Bytes of the file sent so far. */
  sent: number;
  /** Bytes of the file to send; Infinity if unknown until the end. */
  total: number;
  /** Sent natively: by sendfile(2), or by send(2) from the page cache. Header and trailer count, here and below. */
  native: number;
  /** Copied to learn when a full socket is writable again. */
  doorbell: number;
  /** Copied because they were not in the page cache. */
  cold: number;
  /** Copied because native calls were not available, or not asked for; every trailer too. */
  copied: number;
}

/** The options of a transfer. All are optional. */
export interface SendfileOptions {
  /** Bytes from the start of the file. Default: 0. */
  offset?: number | undefined;
  /** Bytes to send. Default: from the offset to the end that the file has at the start. */
  count?: number | undefined;
  /**
   * Sent before the file, in the same packet if the host can (MSG_MORE). It is not copied, so don't change its memory
   * until it is sent: transferring it to a worker or shortening it meanwhile is an error.
   */
  header?: Uint8Array | undefined;
  /** Sent after the file; don't change its memory either. */
  trailer?: Uint8Array | undefined;
  /** Milliseconds without progress after which to fail. Default: 0, no limit. */
  timeout?: number | undefined;
  /** Milliseconds for the whole transfer, from the call. Default: 0, no limit. */
  deadline?: number | undefined;
  /** Aborts the transfer: it fails with ERR_SENDFILE_ABORTED, and the signal's reason is the `cause`. Default: none. */
  signal?: AbortSignal | undefined;
  /** Called after each step, at most once per turn of the event loop, and at the end. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * 'auto': the kernel's sendfile if possible, else copies. 'native': fails with ERR_SENDFILE_NOT_AVAILABLE if
   * not possible. 'copy': never calls the kernel's sendfile.
   */
  mode?: Mode | undefined;
}

/** How the bytes are sent: see {@link SendfileOptions.mode}. */
export type Mode = "auto" | "native" | "copy";

/** The options, checked, each with a value. */
export interface Checked {
  readonly offset: number;
  readonly count: number;
  readonly header: Uint8Array;
  readonly trailer: Uint8Array;
  readonly timeout: number;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  readonly mode: Mode;
  /** Set the file's own position after the last byte sent. */
  readonly seek: boolean;
}

/**
 * Messages are CPython's where it has them. The `body` of a response may be empty, has its header elsewhere, and
 * leaves the file's own position alone.
 */
export function check(options: SendfileOptions, auto: Mode, body = false): Checked {
  object("options", options);
  const { offset = 0, count, header = EMPTY, trailer = EMPTY, timeout = 0, deadline = 0, signal, onProgress } = options;
  const { mode = "auto" } = options;
  integer("offset", "non-negative", offset, 0);
  if (count !== undefined) integer("count", body ? "non-negative" : "positive", count, body ? 0 : 1);
  milliseconds("timeout", timeout);
  milliseconds("deadline", deadline);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw argumentError(TypeError, `signal must be an AbortSignal (got ${describe(signal)})`);
  }
  if (onProgress !== undefined) callable("onProgress", onProgress);
  if (mode !== "auto" && mode !== "native" && mode !== "copy") {
    throw argumentError(TypeError, `mode must be 'auto', 'native' or 'copy' (got ${describe(mode)})`);
  }
  return {
    offset,
    count: count ?? Number.POSITIVE_INFINITY,
    header: body || header === EMPTY ? EMPTY : bytes("header", header),
    trailer: body || trailer === EMPTY ? EMPTY : bytes("trailer", trailer),
    timeout,
    deadline,
    signal,
    onProgress,
    mode: mode === "auto" ? auto : mode,
    seek: !body,
  };
}
