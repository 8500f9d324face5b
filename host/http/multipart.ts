// Several ranges of a file as one body: multipart/byteranges (RFC 9110 section 14.6). Each part is a transfer of its own,
// and all are of one open file.

import { randomUUID } from "node:crypto";
import { warn } from "../close.js";
import { SendfileError } from "../errors.js";
import type { Queue } from "../queue/queue.js";
import type { Shared } from "../shared.js";
import { PathSource } from "../source/fd.js";
import type { Reject } from "../transfer/transfer.js";
import { CRLF } from "./chunked.js";
import type { Request, Response } from "./message.js";
import { bytesOf, type Range } from "./ranges.js";
import { Body, rangeOf } from "./respond.js";
import { ResponseTransfer } from "./response-transfer.js";

const NOTHING = new Uint8Array(0);

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

export class MultipartBody extends Body {
  readonly #file: PartsFile;
  readonly #offset: number;
  readonly #parts: Parts;
  /** Set by the first part. */
  #queue!: Queue;
  #next = 1;
  /** Bytes of the file in the parts that are complete. */
  #sent = 0;

  /** Position 0 of the ranges is at `offset`; a file of less than `size` bytes is refused. */
  constructor(
    shared: Shared,
    req: Request,
    res: Response,
    file: PartsFile,
    { offset, size, parts }: { offset: number; size: number | undefined; parts: Parts },
    resolve: (sent: number) => void,
    reject: Reject,
  ) {
    const [{ start, end }] = parts.ranges as [Range];
    super(shared, req, res, file, rangeOf(offset + start, end - start + 1, shared.auto, size), resolve, reject);
    this.#file = file;
    this.#offset = offset;
    this.#parts = parts;
  }

  protected override get length(): number {
    return this.#parts.length;
  }

  protected override get prefix(): string {
    return this.#parts.headers[0] as string;
  }

  override attach(queue: Queue, header: Uint8Array | string, trailer: Uint8Array): void {
    this.#queue = queue;
    super.attach(queue, header, trailer);
  }

  /** A part is complete: sends the next one, or ends the response. */
  protected override done(sent: number): void {
    this.#sent += sent;
    const { ranges, headers, end } = this.#parts;
    const i = this.#next++;
    const range = ranges[i];
    if (range === undefined) {
      this.#file.closeAll();
      return super.done(this.#sent);
    }
    const done = (sent: number) => this.done(sent);
    const reject: Reject = (error) => this.failed(error, 0, false);
    const bytes = rangeOf(this.#offset + range.start, range.end - range.start + 1, this.options.mode, undefined);
    const part = new Part("sendoff.Part", this.shared, this.req, this.res, this.#file, bytes, done, reject);
    try {
      this.shared.transfers.add(part);
      part.attach(this.#queue, headers[i] as string, i === ranges.length - 1 ? Buffer.from(end) : NOTHING);
    } catch (error) {
      return part.abort(error); // the process is ending, or the core's memory is full
    }
    part.open();
  }

  protected override failed(failure: unknown, sent: number, complete: boolean): void {
    this.#file.closeAll();
    super.failed(failure, this.#sent + sent, complete);
  }
}

/** One after the first. */
class Part extends ResponseTransfer {
  protected override ready(): void {
    if (this.count === this.options.count) return this.run();
    this.abort(new SendfileError("ERR_SENDFILE_TRUNCATED", "the file has got shorter since its headers were made"));
  }
}
