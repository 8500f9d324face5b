// Several ranges of a file as one body: multipart/byteranges (RFC 9110 section 14.6). All parts are of one open file.

import { randomUUID } from "node:crypto";
import { warn } from "../close.js";
import type { Shared } from "../shared.js";
import { PathSource } from "../source/fd.js";
import type { Reject } from "../transfer/transfer.js";
import { CRLF } from "./chunked.js";
import type { Request, Response } from "./message.js";
import { type Piece, PiecesBody } from "./pieces.js";
import { bytesOf, type Range } from "./ranges.js";

/** The texts between the bytes of the file. */
export interface Parts {
  readonly ranges: readonly Range[];
  /** One before each range. */
  readonly headers: readonly string[];
  readonly end: string;
  /** Bytes of the whole body. */
  readonly length: number;
}

/** Sets the headers of such an answer, whose ranges are of `size` bytes; the part of the file's type goes to each part. */
export function announceParts(res: Response, ranges: readonly Range[], size: number): Parts {
  const boundary = randomUUID();
  const type = `Content-Type: ${res.getHeader("Content-Type")}`;
  const headers = ranges.map(({ start, end }, i) =>
    [
      i === 0 ? "" : CRLF,
      `--${boundary}`,
      CRLF,
      type,
      CRLF,
      `Content-Range: bytes ${start}-${end}/${size}`,
      CRLF,
      CRLF,
    ].join(""),
  );
  const end = `${CRLF}--${boundary}--${CRLF}`;
  const length = headers.reduce((sum, text) => sum + text.length, bytesOf(ranges) + end.length);
  res.statusCode = 206;
  res.setHeader("Content-Type", `multipart/byteranges; boundary=${boundary}`);
  res.setHeader("Content-Length", length);
  return { ranges, headers, end, length };
}

/** A file that stays open from part to part. */
export class PartsFile extends PathSource {
  override close(): void {}

  /** Nobody waits for it: the answer is complete, or the connection destroyed. */
  closeAll(): void {
    try {
      super.close();
    } catch (error) {
      warn(error);
    }
  }
}

/** The body of `parts`. Position 0 of the ranges is at `offset`; a file of less than `size` bytes is refused. */
export function multipartBody(
  shared: Shared,
  req: Request,
  res: Response,
  file: PartsFile,
  { offset, size, parts }: { offset: number; size: number | undefined; parts: Parts },
  resolve: (sent: number) => void,
  reject: Reject,
): PiecesBody {
  const all = parts.ranges
    .map(({ start, end }, i, { length }): Piece => {
      const header = parts.headers[i] as string;
      const trailer = i === length - 1 ? { trailer: Buffer.from(parts.end) } : {};
      return { header, source: file, offset: offset + start, count: end - start + 1, ...trailer };
    })
    .values();
  const first = all.next().value as Piece;
  const pieces = { length: parts.length, first, rest: all, size, over: () => file.closeAll() };
  return new PiecesBody(shared, req, res, pieces, resolve, reject);
}
