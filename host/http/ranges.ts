// The ranges of a request (RFC 9110 section 14): which bytes of a file it gets, by `send` or as parts.

import type { SendStream } from "./send/stream.js";

/** Both are included. */
export interface Range {
  start: number;
  end: number;
}

/** A request for more ranges gets the whole file: each part costs a header, and a turn of the disk. */
export const MOST = 16;

const BYTES = /^\s*bytes=(.*)$/i;
const NUMBER = /^\d+$/;

/**
 * The ranges of `size` bytes that a Range header asks for, in its order; those that touch are one. None if there are no
 * such bytes. Null for the whole file: if the header is invalid or has more than MOST ranges, and if some overlap, and
 * are not all one.
 */
export function rangesOf(header: string, size: number): Range[] | null {
  const list = BYTES.exec(header)?.[1];
  if (list === undefined) return null;
  const specs = list.split(",").filter((spec) => spec.trim() !== "");
  if (specs.length === 0 || specs.length > MOST) return null;
  const ranges: Range[] = [];
  for (const spec of specs) {
    const range = rangeOf(spec, size);
    if (range === null) return null;
    if (range.start < size && range.start <= range.end) ranges.push(range);
  }
  const joined = join(ranges);
  return joined.length > 1 && bytesOf(joined) < bytesOf(ranges) ? null : joined;
}

export const bytesOf = (ranges: readonly Range[]): number =>
  ranges.reduce((sum, { start, end }) => sum + end - start + 1, 0);

/** One of the list: `5-9`, `5-`, `-5`; null if it is none. It is empty if no byte is meant. */
function rangeOf(spec: string, size: number): Range | null {
  const [first = "", last, more] = spec.split("-").map((text) => text.trim());
  if (last === undefined || more !== undefined) return null;
  if (!NUMBER.test(first || last) || !NUMBER.test(last || first)) return null;
  if (first !== "") return { start: Number(first), end: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
  // A suffix that is longer than the file is all of it; no range describes all of an empty one.
  if (size === 0 && Number(last) > 0) return null;
  return { start: Math.max(0, size - Number(last)), end: size - 1 };
}

/** Ranges that touch or overlap are one, at the place of the first of them. */
function join(ranges: readonly Range[]): Range[] {
  const joined: (Range & { place: number })[] = [];
  const sorted = ranges.map((range, place) => ({ ...range, place })).sort((a, b) => a.start - b.start);
  for (const next of sorted) {
    const last = joined.at(-1);
    if (last === undefined || next.start > last.end + 1) joined.push(next);
    else {
      last.end = Math.max(last.end, next.end);
      last.place = Math.min(last.place, next.place);
    }
  }
  return joined.sort((a, b) => a.place - b.place).map(({ start, end }) => ({ start, end }));
}

const SEVERAL = Symbol("sendoff.ranges");

/** The ranges that a stream of `send` is to send, if they are several; null else. */
export function severalOf(stream: SendStream): readonly Range[] | null {
  return (stream as SendStream & { [SEVERAL]?: Range[] })[SEVERAL] ?? null;
}

/**
 * `send`, which gets at most one range: what it does not know is left to `stream`, as `severalOf`. Only GET has ranges
 * (section 14.2). The request itself stays as it came.
 */
export function sendRanges(send: SendStream["send"]): SendStream["send"] {
  return function (this: SendStream, path, stat) {
    const { req } = this;
    const { range } = req.headers;
    if (range === undefined) return send.call(this, path, stat);
    const size = sizeOf(this, stat.size);
    const ranges = req.method === "GET" ? rangesOf(range, size) : null;
    if (ranges !== null && ranges.length > 1 && this._acceptRanges) Object.assign(this, { [SEVERAL]: ranges });
    this.req = Object.create(req, { headers: { value: { ...req.headers, range: oneOf(ranges, size) } } });
    try {
      send.call(this, path, stat);
    } finally {
      this.req = req;
    }
  };
}

/** As `send`: its options `start` and `end` make a part of a file the whole. */
function sizeOf({ options: { start = 0, end } }: SendStream, size: number): number {
  const most = end === undefined ? size : (end as number) + 1;
  return Math.max(0, Math.min(size, most) - (start as number));
}

/** A header for `send`. */
function oneOf(ranges: readonly Range[] | null, size: number): string | undefined {
  if (ranges === null || ranges.length > 1) return undefined;
  const [one] = ranges;
  return one === undefined ? `bytes=${size}-` : `bytes=${one.start}-${one.end}`;
}
