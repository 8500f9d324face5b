// The headers that `send` has made for a file, to be said again as long as the file is the same. Without a range or a
// condition in the request they depend on nothing but the file's name, size and time, and on `send`'s settings.

import type { Stats } from "node:fs";
import type { SendStream } from "./sendstream.js";

/** In `send`'s order; Content-Length follows. */
const NAMES = ["Accept-Ranges", "Cache-Control", "Last-Modified", "ETag", "Content-Type"] as const;

const SETTINGS = ["_acceptRanges", "_cacheControl", "_etag", "_immutable", "_lastModified", "_maxage"] as const;

interface Known {
  readonly size: number;
  readonly mtimeMs: number;
  readonly settings: readonly unknown[];
  readonly values: readonly (string | undefined)[];
}

/** How many files are remembered; then it begins anew. */
const MOST = 10_000;

export class Memo {
  readonly #known = new Map<string, Known>();

  /** Sets the headers for a file that is as it was; false where `send` has to make them. */
  say(stream: SendStream, path: string, { size, mtimeMs }: Stats): boolean {
    const known = this.#known.get(path);
    if (known === undefined || known.size !== size || known.mtimeMs !== mtimeMs) return false;
    for (let i = 0; i < SETTINGS.length; i++) {
      if (stream[SETTINGS[i] as (typeof SETTINGS)[number]] !== known.settings[i]) return false;
    }
    for (let i = 0; i < NAMES.length; i++) {
      const value = known.values[i];
      if (value !== undefined) stream.res.setHeader(NAMES[i] as string, value);
    }
    stream.res.setHeader("Content-Length", size);
    return true;
  }

  /** What `send` has just set. */
  keep(stream: SendStream, path: string, { size, mtimeMs }: Stats): void {
    if (this.#known.size >= MOST) this.#known.clear();
    const settings = SETTINGS.map((name) => stream[name]);
    const values = NAMES.map((name) => stream.res.getHeader(name) as string | undefined);
    this.#known.set(path, { size, mtimeMs, settings, values });
  }
}

/** What makes an answer one of its own: a part of the file, or none. */
const ASKED = ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] as const;

/** Whether `send` would tell everybody the same who asks like this, and nobody else has a say in it. */
export function plain(stream: SendStream, { setHeader, type }: Pick<SendStream, "setHeader" | "type">): boolean {
  const { req, res, options } = stream;
  if (res.headersSent || options.start !== undefined || options.end !== undefined) return false;
  if (stream.setHeader !== setHeader || stream.type !== type || stream.listenerCount("headers") > 0) return false;
  for (const name of ASKED) if (req.headers[name] !== undefined) return false;
  for (const name of SETTINGS) if (stream[name] === undefined) return false;
  for (const name of NAMES) if (res.getHeader(name) !== undefined) return false;
  return true;
}
