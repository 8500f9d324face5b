// The source of a transfer: a file by its fd, or other bytes. A source knows where its bytes are; the core decides how
// many are sent, and when.

import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { warn } from "../close.js";
import { something } from "../errors.js";

/**
 * Anything that can be sent: a path, a file URL, a `FileHandle`, an fd, a `Blob`, bytes, a readable stream or an async
 * iterable of bytes.
 */
export type File =
  | string
  | URL
  | FileHandle
  | number
  | Blob
  | NodeJS.ArrayBufferView
  | ArrayBuffer
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** The callback of a read: an error, or bytes, none at the end. */
export type Read = (error: unknown, bytes: Uint8Array) => void;

/** lseek(2) from the start, if native calls are available. */
export type Lseek = (fd: number, position: number) => void;

/** A file, as a transfer reads it: {@link readerSource} makes one of a few functions. */
export interface Source {
  /** Bytes from position 0 to the end, Infinity if unknown until then; set once `open` has called back. */
  readonly size: number;
  /** The end may come before `size` without being a truncation. */
  readonly openEnded: boolean;
  /** Whether it is a regular file, which native calls can read. */
  readonly native: boolean;
  /** Whether bytes can be read at any position; else only in order, from 0. */
  readonly seekable: boolean;
  /** The offset of position 0 in the fd's file: more than 0 for a slice of a file. Default: 0. */
  readonly start?: number;
  /** In place of `open`. Skips fstat: the caller guarantees a regular file of at least `size` bytes. */
  assumeSize?(size: number): void;
  /** Whether it is open already, as far as is known: then `open` looks at it, which takes no time. */
  isKept?(): boolean;
  /** Opens the source; calls back at once if there is nothing to open. `turn`: one look in a turn of the event loop is enough. */
  open(done: (error: unknown) => void, turn?: boolean): void;
  /** The fd for native calls, read from its owner: -1 if it was closed, or there is none. */
  fd(): number;
  /**
   * Reads at most `length` bytes at `position`; none mean the end. Calls back at once if possible.
   * If `ahead` is not 0, that many bytes are prefetched behind them. With `reuse` the bytes stay valid
   * only until the next read.
   */
  read(position: number, length: number, reuse: boolean, ahead: number, done: Read): void;
  /** Frees buffers kept for the next read, which will not come soon. */
  dropBuffers?(): void;
  /** Sets the file's own position, if it has one. */
  seek(position: number, lseek: Lseek | null): void;
  /**
   * Releases what `open` acquired, once a pending read is over. If it throws, the transfer fails with that error, even
   * if all bytes were sent. It is not called again.
   */
  close(): void;
}

/** Closes a source, which may be a custom one; returns the error thrown, or null. */
export function close(source: Source): unknown {
  try {
    source.close();
    return null;
  } catch (error) {
    return something(error);
  }
}

/** Closes a source when nobody waits for its close: after a failed transfer, say. */
export function closeAlone(source: Source): void {
  const error = close(source);
  if (error !== null) warn(error);
}
