// sendfile(): checks the arguments, and makes a transfer of them.

import { Socket as Datagram } from "node:dgram";
import type { Writable } from "node:stream";
import { argumentError, SendfileError } from "./errors.js";
import { queueOf } from "./queue.js";
import type { Shared } from "./shared.js";
import { describe, type File, sourceOf } from "./source.js";
import { aborted } from "./transfer/failure.js";
import type { Checked, Mode, SendfileOptions } from "./transfer/options.js";
import { Transfer } from "./transfer/transfer.js";

/** The biggest offset that a number holds exactly. */
const MAX = Number.MAX_SAFE_INTEGER;
const EMPTY = new Uint8Array(0);

/** See the public docstring in index.ts. */
export function sendfile(
  shared: Shared,
  socket: unknown,
  file: unknown,
  options: SendfileOptions = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const own = shared.queue(socket);
    if (own === null) checkSocket(socket as Writable);
    const source = shared.source(file) ?? sourceOf(file as File);
    const checked = check(options, shared.auto);
    const queue = own ?? queueOf(socket as Writable, shared.fdOf);
    const transfer = new Transfer("sendoff.Transfer", shared, source, checked, resolve, reject);
    try {
      if (queue.closed || queue.ended) throw new SendfileError("ERR_SENDFILE_CLOSED", "the socket is closed or ended");
      if (checked.signal?.aborted) throw aborted(checked.signal, 0);
      shared.transfers.enter(transfer);
      transfer.attach(queue, checked.header);
    } catch (refusal) {
      shared.transfers.leave(transfer);
      source.close();
      throw refusal;
    }
    transfer.open();
  });
}

function checkSocket(socket: Writable): void {
  if ((socket as unknown) instanceof Datagram) {
    throw argumentError(TypeError, "only SOCK_STREAM type sockets are supported");
  }
  if (
    typeof socket !== "object" ||
    socket === null ||
    typeof socket.write !== "function" ||
    typeof socket.once !== "function"
  ) {
    throw argumentError(TypeError, `socket must be a net.Socket or another Writable (got ${describe(socket)})`);
  }
  if (socket.writableObjectMode) throw argumentError(TypeError, "socket: a stream in object mode takes no bytes");
}

/**
 * CPython's words, where it has them. The `body` of a response may be empty, has its header elsewhere, and
 * leaves the file's own position alone.
 */
export function check(options: SendfileOptions, auto: Mode, body = false): Checked {
  if (typeof options !== "object" || options === null) {
    throw argumentError(TypeError, `options must be an object (got ${describe(options)})`);
  }
  const { offset = 0, count, header = EMPTY, trailer = EMPTY, timeout = 0, deadline = 0, signal, onProgress } = options;
  const { mode = "auto" } = options;
  integer("offset", "non-negative", offset, 0);
  if (count !== undefined) integer("count", body ? "non-negative" : "positive", count, body ? 0 : 1);
  if (!body) {
    bytes("header", header);
    bytes("trailer", trailer);
  }
  milliseconds("timeout", timeout);
  milliseconds("deadline", deadline);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw argumentError(TypeError, `signal must be an AbortSignal (got ${describe(signal)})`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw argumentError(TypeError, `onProgress must be a function (got ${describe(onProgress)})`);
  }
  if (mode !== "auto" && mode !== "native" && mode !== "copy") {
    throw argumentError(TypeError, `mode must be 'auto', 'native' or 'copy' (got ${describe(mode)})`);
  }
  return {
    offset,
    count: count ?? Number.POSITIVE_INFINITY,
    header: body ? EMPTY : header,
    trailer: body ? EMPTY : trailer,
    timeout,
    deadline,
    signal,
    onProgress,
    mode: mode === "auto" ? auto : mode,
    seek: !body,
  };
}

export function integer(name: string, kind: "positive" | "non-negative", value: unknown, least: number): void {
  const message = `${name} must be a ${kind} integer (got ${describe(value)})`;
  if (typeof value !== "number" || !Number.isInteger(value)) throw argumentError(TypeError, message);
  if (value < least) throw argumentError(RangeError, message);
  if (value > MAX) throw argumentError(RangeError, `${name} must be at most 2**53 - 1 (got ${value})`);
}

function bytes(name: string, value: unknown): void {
  if (value instanceof Uint8Array && value.length <= 0x7fffffff) return;
  throw argumentError(TypeError, `${name} must be a Uint8Array (got ${describe(value)})`);
}

function milliseconds(name: string, value: unknown): void {
  const message = `${name} must be a non-negative number of milliseconds (got ${describe(value)})`;
  if (typeof value !== "number" || Number.isNaN(value)) throw argumentError(TypeError, message);
  if (value < 0) throw argumentError(RangeError, message);
}
