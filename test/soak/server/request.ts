// One request for a file, drawn by dice, and whether its answer is right.

import type { Book } from "./book.js";
import { Cut, type Head, type Pace, type Peer } from "./peer.js";
import { type Stock, type Versions, versionOf } from "./versions.js";

export type Dice = (below: number) => number;

/** First and last byte. */
type Range = readonly [first: number, last: number];

/** A stretch of a rewritten file has this many bytes on average, at least: wrong bytes would match by chance for one or two. */
const STRETCH = 16;

const ENCODINGS: { [name: string]: string } = { gzip: ".gz", br: ".br" };

/** Bytes of `text.html` and its siblings that are there in each version. */
const leastOf = ({ name, least }: Stock) => (name === "text.html" ? 4000 : least);

/** What clients have learned of the files, to ask on condition. */
export type Learned = Map<Stock, { readonly etag: string; readonly modified: string }>;

export interface Drawn {
  readonly stock: Stock;
  /** Of its connection. */
  readonly isLast: boolean;
  /** `tame`: one that a loop answers; `whole`: all of the file. */
  readonly kind: "any" | "tame" | "whole";
}

export class FileRequest {
  readonly stock: Stock;
  readonly text: string;
  readonly isLast: boolean;
  readonly #id: number;
  readonly #versions: Versions;
  readonly #book: Book;
  readonly #learned: Learned;
  readonly #isHead: boolean;
  readonly #range: string | null;
  /** The version of the conditions. */
  readonly #known: number;
  readonly #ifNoneMatch: string | null;
  readonly #ifModifiedSince: string | null;
  /** When it was made: it is sent later. */
  readonly #since = performance.now();

  constructor(versions: Versions, book: Book, learned: Learned, dice: Dice, { stock, isLast, kind }: Drawn) {
    this.#versions = versions;
    this.#book = book;
    this.#learned = learned;
    this.stock = stock;
    this.#id = book.next();
    const known = learned.get(stock);
    this.#known = versionOf(known?.modified);
    const part = kind === "whole" ? 20 : dice(20);
    this.#isHead = part === 0;
    this.#ifNoneMatch = part === 1 || part === 2 ? (known?.etag ?? null) : null;
    this.#ifModifiedSince = part === 3 ? (known?.modified ?? null) : null;
    this.#range = part > 3 && part < 10 && leastOf(stock) > 100 ? rangeOf(leastOf(stock), dice, kind === "tame") : null;
    const isOld = kind === "any" && isLast && dice(3) === 0;
    this.isLast = isLast;
    const fields: [string, string | null | false][] = [
      ["Host", !isOld && "127.0.0.1"],
      ["Accept-Encoding", stock.name === "text.html" && (["gzip", "br", "gzip, br", "identity"][dice(4)] as string)],
      ["If-None-Match", this.#ifNoneMatch],
      ["If-Modified-Since", this.#ifModifiedSince],
      ["Range", this.#range],
      ["Connection", isLast && !isOld && "close"],
      ["User-Agent", dice(2) === 0 && "soak".repeat(dice(60))],
    ];
    const given = fields
      .filter(([, value]) => typeof value === "string")
      .map(([name, value]) => `${name}: ${value}\r\n`);
    const line = `${this.#isHead ? "HEAD" : "GET"} /${stock.name}?n=${this.#id} HTTP/1.${isOld ? 0 : 1}`;
    this.text = `${line}\r\n${given.join("")}\r\n`;
  }

  /** @throws Cut where the server has ended the connection; Error where the answer is wrong. */
  async answered(peer: Peer, pace?: Pace): Promise<number> {
    const head = await peer.head();
    if (head === null) throw new Cut("no answer");
    try {
      const bytes = await this.#body(head, peer, pace);
      this.#book.answered(this.#id, head.status, bytes, peer);
      return bytes;
    } catch (error) {
      if (error instanceof Error && error.constructor === Error) {
        error.message += `\n${this.text}${JSON.stringify(head)}, ${this.stock.possible(this.#since).join(" ")}`;
      }
      throw error;
    }
  }

  async #body(head: Head, peer: Peer, pace: Pace | undefined): Promise<number> {
    const { status, fields } = head;
    const encoding = fields["content-encoding"];
    const stock =
      encoding === undefined ? this.stock : this.#versions.named(`${this.stock.name}${ENCODINGS[encoding]}`);
    if (stock === undefined) throw new Error(`no file has this encoding: ${encoding}`);
    if (status === 304) return this.#unmodified(fields, stock);
    const length = Number(fields["content-length"]);
    if (!(length >= 0)) throw new Error("no length");
    if (status >= 400) {
      // 500: the file got shorter since the head of its answer was made.
      const isSo = status === 404 ? stock.possible(this.#since).includes(null) : stock.isRewritten;
      if (!isSo || ![404, 416, 500].includes(status)) throw new Error("the file is there");
      if (!this.#isHead) await peer.body(length, () => {});
      return this.#isHead ? 0 : length;
    }
    if (fields.etag === this.#ifNoneMatch) throw new Error("it is the client's own version");
    this.#learned.set(stock, { etag: fields.etag as string, modified: fields["last-modified"] as string });
    const isPart = status === 206;
    if (status !== 200 && !(isPart && this.#range !== null)) throw new Error("an unexpected status");
    if (!isPart && !this.#mayBeWhole(length, encoding)) throw new Error("all of the file, for a range");
    const multipart = /^multipart\/byteranges; ?boundary="?([^"]+)/.exec(fields["content-type"] ?? "")?.[1];
    const check = this.#checker(stock, fields["last-modified"]);
    if (multipart !== undefined) return this.#parts(peer, length, multipart, check);
    const [first, size] = isPart ? this.#part(fields["content-range"], length) : [0, length];
    check.size(size);
    if (this.#isHead) return 0;
    await peer.body(length, (chunk, at) => check.bytes(chunk, first + at), pace);
    check.end(length);
    return length;
  }

  /** An empty file has no ranges, and one with a content coding no several. */
  #mayBeWhole(length: number, encoding: string | undefined): boolean {
    if (this.#isHead || this.#range === null || length === 0) return true;
    return encoding !== undefined && this.#range.includes(",");
  }

  #unmodified(fields: Head["fields"], stock: Stock): number {
    const isSo =
      this.#ifNoneMatch === null
        ? versionOf(fields["last-modified"]) <= versionOf(this.#ifModifiedSince ?? "")
        : fields.etag === this.#ifNoneMatch;
    // It has siblings, whose times are others: which one is meant is not said.
    const isAny = stock.name === "text.html" && this.#ifNoneMatch === null;
    const isNow = isAny || stock.possible(this.#since).includes(this.#known);
    if (!(isSo && isNow) && !stock.isRewritten) throw new Error("304, for another version");
    return 0;
  }

  #part(contentRange: string | undefined, length: number): [first: number, size: number] {
    const [first = 0, last = 0, size = 0] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? "") ?? [])
      .slice(1)
      .map(Number);
    const [wanted] = rangesIn(this.#range as string, size);
    if (wanted?.[0] !== first || wanted[1] !== last || last - first + 1 !== length) throw new Error("another range");
    return [first, size];
  }

  async #parts(peer: Peer, length: number, boundary: string, check: Checker): Promise<number> {
    const chunks: Buffer[] = [];
    await peer.body(length, (chunk) => void chunks.push(chunk));
    const body = Buffer.concat(chunks);
    const got: Range[] = [];
    let size = 0;
    let at = 0;
    for (;;) {
      const end = body.indexOf("\r\n\r\n", at) + 4;
      const head = body.toString("latin1", at, end);
      const range = /^(?:\r\n)?--(.*)\r\n[\s\S]*content-range: bytes (\d+)-(\d+)\/(\d+)/i.exec(head);
      if (end < 4 || range === null) break;
      const [first, last, whole] = range.slice(2).map(Number) as [number, number, number];
      if (range[1] !== boundary) throw new Error("another boundary");
      size = whole;
      got.push([first, last]);
      at = end + last - first + 1;
      check.bytes(body.subarray(end, at), first);
    }
    if (body.toString("latin1", at).trim() !== `--${boundary}--`) throw new Error("no last boundary");
    check.size(size);
    check.end(length);
    if (`${got}` !== `${rangesIn(this.#range as string, size)}`) throw new Error(`other ranges: ${got.join(" ")}`);
    return length;
  }

  #checker(stock: Stock, modified: string | undefined): Checker {
    const possible = () => stock.possible(this.#since).filter((one) => one !== null);
    if (stock.isRewritten) {
      let stretches = 0;
      return {
        size() {},
        bytes(chunk, at) {
          stretches += stock.stretches(chunk, possible(), at);
          if (stretches === Number.POSITIVE_INFINITY) throw new Error(`a byte that never stood there, from ${at} on`);
        },
        end(length) {
          if (stretches > length / STRETCH + 4) throw new Error(`${length} bytes in ${stretches} stretches`);
        },
      };
    }
    const version = versionOf(modified);
    if (!possible().includes(version)) throw new Error(`version ${version} is none of these`);
    return {
      size(size) {
        if (size !== stock.size(version))
          throw new Error(`${size} bytes, version ${version} has ${stock.size(version)}`);
      },
      bytes(chunk, at) {
        if (!stock.is(chunk, version, at)) throw new Error(`bytes from ${at} on are not of version ${version}`);
      },
      end() {},
    };
  }
}

interface Checker {
  size(size: number): void;
  bytes(chunk: Buffer, at: number): void;
  end(length: number): void;
}

function rangeOf(least: number, dice: Dice, isOne: boolean): string {
  const first = dice(least - 50);
  const kind = isOne ? 2 * dice(3) - 1 : dice(5);
  if (kind === 0) return `bytes=${first}-`;
  if (kind === 1) return `bytes=-${1 + dice(least)}`;
  if (kind === 2) return `bytes=${dice(20)}-${20 + dice(9)},${40 + dice(9)}-${60 + dice(9)}`;
  return `bytes=${first}-${first + dice(least - first)}`;
}

/** The ranges, of a file of this size. RFC 9110, section 14.1.2. */
function rangesIn(text: string, size: number): Range[] {
  return text
    .slice("bytes=".length)
    .split(",")
    .map((one) => {
      const [first = "", last = ""] = one.split("-");
      if (first === "") return [Math.max(0, size - Number(last)), size - 1];
      return [Number(first), last === "" ? size - 1 : Math.min(Number(last), size - 1)];
    });
}
