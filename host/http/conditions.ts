// The conditions of a request, as RFC 9110 section 13 has them, in place of `send`'s. The order is `send`'s, and that of
// section 13.2.2: If-Match, else If-Unmodified-Since; If-None-Match, else If-Modified-Since; then Range with If-Range.

import { isSettled } from "../keep.js";
import { parseDate } from "./dates.js";
import { isStrong } from "./etag.js";
import type { SendStream } from "./send/stream.js";

/** Tags of a list; a comma may be in a tag. Those without quotes are no tags, but some programs set them. */
const TAGS = /(?:[^\s,"]|"[^"]*")+/g;
const RELOAD = /(?:^|,)\s*no-cache\s*(?:,|$)/i;

const opaque = (tag: string): string => tag.replace(/^W\//, "");

/** A header that `send` or the program has set. */
function headerOf({ res }: SendStream, name: string): string | null {
  const value = res.getHeader(name);
  return value === undefined || value === null || value === "" ? null : String(value);
}

/** Whether a tag of the list is the file's, by strong comparison, or by weak. */
function lists(list: string, tag: string | null, strong: boolean): boolean {
  if (tag === null || (strong && !isStrong(tag))) return false;
  return (list.match(TAGS) ?? []).some((one) => (strong ? one === tag : opaque(one) === opaque(tag)));
}

/** Methods of `send`'s stream, by its names. They are called once the headers are set. */
export const conditions = {
  /** 412. If-Match compares strongly. A date that is none, or that nothing can be compared with, is no condition. */
  isPreconditionFailure(this: SendStream): boolean {
    const { "if-match": match, "if-unmodified-since": since } = this.req.headers;
    if (match) return match.trim() !== "*" && !lists(match, headerOf(this, "ETag"), true);
    return parseDate(headerOf(this, "Last-Modified")) > parseDate(since);
  },

  /** 304. As with `send`, `Cache-Control: no-cache` asks for the whole answer. */
  isFresh(this: SendStream): boolean {
    const { "if-none-match": none, "if-modified-since": since, "cache-control": control = "" } = this.req.headers;
    if (RELOAD.test(control)) return false;
    if (none) return none.trim() === "*" || lists(none, headerOf(this, "ETag"), false);
    return parseDate(headerOf(this, "Last-Modified")) <= parseDate(since);
  },

  /**
   * If-Range: a strong tag that is the file's, or its very date, if no later change of the file can have the same
   * (section 13.1.5). Else the whole file is sent.
   */
  isRangeFresh(this: SendStream): boolean {
    const condition = this.req.headers["if-range"];
    if (!condition) return true;
    const text = String(condition).trim();
    if (text.includes('"')) return isStrong(text) && text === headerOf(this, "ETag");
    const modified = parseDate(headerOf(this, "Last-Modified"));
    return parseDate(text) === modified && isSettled(modified);
  },
};
