// The framing of a chunked body (RFC 9112 section 7.1), for bytes that bypass the response: Node frames only those that
// its write() gets.

import { call, numberToString } from "../originals.js";
import type { Inner, Response } from "./message.js";

/** Ends a size line, and the data behind it. */
export const CRLF = "\r\n";

/** The line before a chunk's data of `bytes`, at least 1: 0 would end the body. */
export const sizeLine = (bytes: number): string => call(numberToString, bytes, 16) + CRLF;

/** Whether Node frames what the response's write() gets; known once the header is rendered. */
export const isChunked = (res: Response): boolean => (res as Response & Inner).chunkedEncoding === true;

/** Calls `write`, which writes to a chunked response bytes that are framed already. */
export function unframed(res: Response, write: () => void): void {
  const inner = res as Response & Inner;
  inner.chunkedEncoding = false;
  try {
    write();
  } finally {
    inner.chunkedEncoding = true;
  }
}
