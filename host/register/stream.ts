// Whether a ReadStream's bytes can bypass it: the members that we use, and who else would notice.

import fs from "node:fs";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { call, closeSync, hasOwn, isArray, ownSymbol, setImmediate } from "../originals.js";

/** The part of a ReadStream that we use; undocumented members are checked for. */
export interface Stream extends Omit<fs.ReadStream, "pending"> {
  fd?: number | null;
  flags?: unknown;
  open?: unknown;
  _construct(callback: (error?: Error) => void): void;
  _destroy(error: Error | null, callback: (error?: Error | null) => void): void;
  pos?: number;
  end?: number;
  _readableState: { pipes?: unknown; dataEmitted?: boolean; autoDestroy?: boolean };
  _read(size: number): void;
}

// As they are when this is loaded: later replacements must see the bytes.
const { push, read, emit } = Readable.prototype;
const fsRead = fs.read;

export function destinations(stream: Stream): unknown[] {
  const { pipes } = stream._readableState;
  return isArray(pipes) ? pipes : [];
}

/** Why this stream's bytes must be read; asked before the first read. */
export function refuse(stream: Stream, ours: Stream["_read"]): string | null {
  if (stream._read !== ours || stream.push !== push || stream.read !== read || stream.emit !== emit) {
    return "a method of the stream was replaced";
  }
  // Only files the stream opened itself: an fd from the caller has another owner, and a position.
  if (stream.path === undefined || stream.flags !== "r") return "the stream did not open its file itself, for reading";
  if (hasOwn(stream, "open")) return "stream.open was replaced";
  if (!usesFs(stream)) return "the stream has an fs of its own";
  if (stream.bytesRead !== 0) return "reading has begun";
  return passing(stream) ? null : watched(stream);
}

/** Closes the file of a destroyed stream where that needs no thread; calls back in a later turn, as always. */
export function closeAtOnce(
  stream: { fd?: number | null },
  fd: number,
  error: Error | null,
  callback: (error?: Error | null) => void,
): void {
  stream.fd = null;
  let failure: Error | null = null;
  try {
    closeSync(fd);
  } catch (thrown) {
    failure = thrown as Error;
  }
  setImmediate(() => callback(failure ?? error)); // as in Node: the error of close comes first
}

let kFs: symbol | undefined;

/** The `fs` option is kept under a symbol. */
export function usesFs(stream: object): boolean {
  kFs ??= ownSymbol(stream, "kFs");
  return kFs !== undefined && (stream as unknown as Record<symbol, unknown>)[kFs] === fs;
}

/**
 * Whether _read is called while bytes are still being passed on: some already read are still to be written, or the
 * destination is full and has stopped the pipe. It is called again once they are written.
 */
export function passing(stream: Stream): boolean {
  const pipes = destinations(stream) as Socket[];
  const target = pipes[0];
  const other = pipes[1];
  if (target === undefined || other !== undefined || stream.listenerCount("readable") !== 0) return false;
  return stream.readableFlowing === true ? stream.readableLength > 0 : target.writableNeedDrain === true;
}

/** Why bypassing the stream would be noticed now; null if it would not. */
export function watched(stream: Stream): string | null {
  if (fs.read !== fsRead) return "fs.read was replaced";
  const pipes = destinations(stream);
  if (pipes.length !== 1) return pipes.length === 0 ? "not piped" : "piped to more than one destination";
  if (stream.listenerCount("data") !== 1) return "a 'data' listener";
  if (stream.listenerCount("readable") !== 0) return "a 'readable' listener";
  if (stream.listenerCount("pause") !== 0 || stream.listenerCount("resume") !== 0)
    return "a 'pause' or 'resume' listener";
  if (stream.readableEncoding !== null || stream.readableObjectMode) return "the stream has an encoding";
  if (stream.readableFlowing !== true) return "paused";
  if (stream.readableLength !== 0) return "bytes that were read already";
  return null;
}

/** Passes bytes on as the stream does with those it has read; at once, even while it is being asked for them. */
export function pass(stream: Stream, bytes: Uint8Array): void {
  call(emit as (event: string, bytes: Uint8Array) => boolean, stream, "data", bytes);
}
