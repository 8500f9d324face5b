// Strong entity tags by a file's metadata: the content can't have changed without them.

import type { Stats } from "node:fs";
import { argumentError } from "../errors.js";
import { changedAt, isSettled } from "../keep.js";
import { describe } from "../validate.js";
import type { SendStream } from "./send/stream.js";

/** The option, checked. @throws TypeError */
export function etagOf(option: boolean | "strong" | undefined): boolean | "strong" | undefined {
  if (typeof option !== "string" || option === "strong") return option;
  throw argumentError(TypeError, `etag must be true, false or 'strong' (got ${describe(option)})`);
}

export const isStrong = (tag: string): boolean => !tag.startsWith("W/");

/**
 * Of inode, size, and both times: utimes(2) sets mtime, but nothing sets ctime. Weak while the last change is so young
 * that another one may leave all four as they are (RFC 9110 section 8.8.1).
 */
export function tagOf(stat: Stats, now?: number): string {
  const { ino, size, mtimeMs, ctimeMs } = stat;
  const parts = [ino, size, mtimeMs * 1000, ctimeMs * 1000].map((part) => Math.trunc(part).toString(36));
  return `${isSettled(changedAt(stat), now) ? "" : "W/"}"${parts.join("-")}"`;
}

/** `setHeader` of a stream of `send` that sets no ETag, with such a tag. */
export function setStrongTag(setHeader: SendStream["setHeader"]): SendStream["setHeader"] {
  return function (this: SendStream, path, stat) {
    setHeader.call(this, path, stat);
    if (!this.res.getHeader("ETag")) this.res.setHeader("ETag", tagOf(stat));
  };
}
