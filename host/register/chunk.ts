// The chunks of a pipe to a chunked response: how large they are, and their bytes where they must be copied.

import { CRLF, sizeLine } from "../http/chunked.js";
import { allocUnsafe, bufferWrite, call, max, min, setBytes, subarrayOf } from "../originals.js";
import { readNow } from "../source/read.js";

/*
 * An announced chunk is complete, in the kernel or in the socket's own queue, before any code but ours runs. So whatever
 * a program calls meanwhile (write(), end(), unpipe(), destroy()) comes between two chunks, as without us; and Node can
 * frame what the stream reads, and write the last chunk and the trailers.
 *
 *   of a chunk, a step sent   and                     then
 *   all                       more of the file        the next one, its size line with this one's CRLF
 *                             no more, or no time     CRLF, with MSG_MORE
 *   nothing                   the socket is full      a doorbell: another chunk, framed here
 *                             cold; no native calls   the stream reads, and Node frames
 *   a part                    whatever                the rest is read at once, and rings: written raw, and behind it a
 *                                                     chunk, so that write() returns false as without us
 *   a part                    the file has no rest    the connection is destroyed
 */

/**
 * Bytes of the next chunk: `size`, as the stream would have read, or as many of these as surely go at once: they cost
 * less. So it is only by memory that the system takes back that more than `size` is ever held back.
 */
export const chunkSize = (size: number, room: number): number => max(size, room - (room % size));

/** Bytes of the chunk that may follow `held` others, so that all are as many as one chunk of `size`. */
export function chunkBehind(held: number, size: number): number {
  const rest = size - held;
  return rest <= 0 ? 0 : rest + sizeLine(size).length - sizeLine(rest).length;
}

/** `bytes` as they go to the socket: `before` and the first `rest` complete a chunk, and the others are one. */
export function framed(before: string, rest: number, bytes: Uint8Array): Uint8Array {
  const own = bytes.length - rest;
  const middle = (rest > 0 ? CRLF : "") + (own > 0 ? sizeLine(own) : "");
  const after = own > 0 ? CRLF : "";
  const all = allocUnsafe(before.length + middle.length + after.length + bytes.length);
  let at = 0;
  const text = (text: string) => {
    call(bufferWrite, all, text, at, "latin1");
    at += text.length;
  };
  const part = (from: number, to: number) => {
    call(setBytes, all, call(subarrayOf, bytes, from, to), at);
    at += to - from;
  };
  text(before);
  part(0, rest);
  text(middle);
  part(rest, bytes.length);
  text(after);
  return all;
}

/**
 * The `rest` of a chunk, which is not put off for a cold disk, and up to `most` bytes behind it. Null if the file, from
 * `position` on, has no longer so many.
 */
export function restOf(file: number, position: number, rest: number, most: number): Uint8Array | null {
  const bytes = allocUnsafe(rest + max(most, 0));
  const length = readNow(file, bytes, position);
  return length < rest ? null : call(subarrayOf, bytes, 0, min(length, bytes.length));
}
