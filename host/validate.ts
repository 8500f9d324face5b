// Checks of arguments: each throws a TypeError or RangeError with the argument's name and value.

import { Socket as Datagram } from "node:dgram";
import type { Writable } from "node:stream";
import { isUint8Array } from "node:util/types";
import { argumentError } from "./errors.js";

/** The biggest offset that a number holds exactly. */
export const MAX = Number.MAX_SAFE_INTEGER;

/** A value as shown in a message: 'text', 12, [object Foo]. */
export function describe(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "[function]";
  if (typeof value === "object" && value !== null) return `[object ${kind(value)}]`;
  return String(value);
}

/** The name of a value's class, which may be no text, or throw. */
function kind(value: object): string {
  try {
    const { name } = value.constructor;
    return typeof name === "string" ? name : "Object";
  } catch {
    return "Object";
  }
}

export function object(name: string, value: unknown): void {
  if (typeof value === "object" && value !== null) return;
  throw argumentError(TypeError, `${name} must be an object (got ${describe(value)})`);
}

export function callable(name: string, value: unknown): void {
  if (typeof value === "function") return;
  throw argumentError(TypeError, `${name} must be a function (got ${describe(value)})`);
}

export function integer(name: string, kind: "positive" | "non-negative", value: unknown, least: number): void {
  const message = `${name} must be a ${kind} integer (got ${describe(value)})`;
  if (typeof value !== "number" || !Number.isInteger(value)) throw argumentError(TypeError, message);
  if (value < least) throw argumentError(RangeError, message);
  if (value > MAX) throw argumentError(RangeError, `${name} must be at most 2**53 - 1 (got ${value})`);
}

/** Bytes in one write: their number has 31 bits. */
export function bytes(name: string, value: Uint8Array): Uint8Array {
  if (isUint8Array(value) && value.byteLength <= 0x7fffffff) return bytesOf(name, value);
  throw argumentError(TypeError, `${name} must be a Uint8Array (got ${describe(value)})`);
}

/**
 * The same memory as a Buffer, for writing to a stream; bytes of another realm or a subclass are accepted. Its length
 * stays, or becomes 0 if the memory is detached.
 */
export function bytesOf(name: string, bytes: NodeJS.ArrayBufferView | ArrayBuffer): Buffer {
  try {
    return ArrayBuffer.isView(bytes)
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : Buffer.from(bytes, 0);
  } catch {
    throw detached(name);
  }
}

/** The error for bytes that were detached before they were sent. */
export function detached(name: string): Error {
  const why = "these bytes have been transferred or cut off: their ArrayBuffer is detached, or shorter";
  return argumentError(TypeError, `${name}: ${why}`);
}

export function milliseconds(name: string, value: unknown): void {
  const message = `${name} must be a non-negative number of milliseconds (got ${describe(value)})`;
  if (typeof value !== "number" || Number.isNaN(value)) throw argumentError(TypeError, message);
  if (value < 0) throw argumentError(RangeError, message);
}

export function descriptor(name: string, value: unknown): void {
  const message = `${name} must be a file descriptor (got ${describe(value)})`;
  if (typeof value !== "number" || !Number.isInteger(value)) throw argumentError(TypeError, message);
  if (value < 0 || value > 0x7fffffff) throw argumentError(RangeError, message);
}

export function exitCode(name: string, value: unknown): void {
  const message = `${name} must be an exit code from 0 to 255 (got ${describe(value)})`;
  if (typeof value !== "number" || !Number.isInteger(value)) throw argumentError(TypeError, message);
  if (value < 0 || value > 255) throw argumentError(RangeError, message);
}

export function checkLog(log: unknown): void {
  if (log === undefined || log === null || typeof log === "function") return;
  throw argumentError(TypeError, `log must be a function or null (got ${describe(log)})`);
}

export function checkSocket(socket: Writable): void {
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
