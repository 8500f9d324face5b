// Strong entity tags by a file's metadata: the content can't have changed without them.

import type { Stats } from "node:fs";
import { argumentError } from "../errors.js";
import { describe } from "../validate.js";
import type { SendStream } from "./send/stream.js";

/** The coarsest times of a file system in use: FAT's, in ms. */
const COARSEST = 2000;

/** The option, checked. @throws TypeError */
export function etagOf(option: boolean | "strong" | undefined): boolean | "strong" | undefined {
  if (typeof option !== "string" || option === "strong") return option;
  throw argumentError(TypeError, `etag must be true, false or 'strong' (got ${describe(option)})`);
}

/** Whether a change from now on would give another time than this one, in ms since 1970. */
export function isSettled(time: number, now = Date.now()): boolean {
  return now - time > COARSEST;
}

/** The last change of a file: of its content, or of anything else about it. */
export const changedAt = ({ mtimeMs, ctimeMs }: Stats): number => Math.max(mtimeMs, ctimeMs);

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
