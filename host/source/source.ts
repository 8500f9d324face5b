// What a transfer reads from: a file by its fd, or bytes that come from elsewhere. A source says where its bytes are; how
// many go, and when, is the core's business.

import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { warn } from "../close.js";
import { something } from "../errors.js";

/**
 * What can be sent: a path, a file URL, a `FileHandle`, an fd, a `Blob`, bytes, a readable stream or an async
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

/** How a read ends: with an error, or with bytes, none at the end. */
export type Read = (error: unknown, bytes: Uint8Array) => void;

/** lseek(2) from the start, where native calls can be had. */
export type Lseek = (fd: number, position: number) => void;

/** A file, as a transfer reads it: {@link readerSource} makes one of a few functions. */
export interface Source {
  /** Bytes from position 0 to the end, Infinity where only the end will tell; known once `open` has called back. */
  readonly size: number;
  /** The end may come before `size`, and is no truncation. */
  readonly openEnded: boolean;
  /** A regular file: the kernel may read it. */
  readonly native: boolean;
  /** Bytes can be asked for by position; else only in their order, from 0. */
  readonly seekable: boolean;
  /** Where position 0 is in the file behind the fd. Default: 0, and more for a slice of a file. */
  readonly start?: number;
  /** In place of `open`: what is there is a regular file of at least `size` bytes, says the caller. */
  assumeSize?(size: number): void;
  /** Opens what has to be opened; calls back at once where nothing has. */
  open(done: (error: unknown) => void): void;
  /** The fd for native calls, read from its owner: -1 where it has gone, or there is none. */
  fd(): number;
  /**
   * Reads at most `length` bytes at `position`; none mean the end. Calls back at once where it can.
   * Where `ahead` is not 0, as many bytes are fetched behind them meanwhile. With `reuse` the bytes given
   * stay as they are only until the next read.
   */
  read(position: number, length: number, reuse: boolean, ahead: number, done: Read): void;
  /** Lets go of what is kept for the next read: it will not come soon. */
  dropBuffers?(): void;
  /** Leaves the file's own position there, where it has one. */
  seek(position: number, lseek: Lseek | null): void;
  /**
   * Gives back what `open` took, once a pending read is over. Where it throws, the transfer fails with that, though
   * all bytes may have been sent. It is not called again.
   */
  close(): void;
}

/** Closes a source, which may be a stranger's; what that throws, or null. */
export function close(source: Source): unknown {
  try {
    source.close();
    return null;
  } catch (error) {
    return something(error);
  }
}

/** Closes a source whose end nobody waits for: that of a transfer that has failed already, say. */
export function closeAlone(source: Source): void {
  const error = close(source);
  if (error !== null) warn(error);
}
