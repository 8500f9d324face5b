// A cache of the headers that `send` has made for a file, valid while the file is unchanged. Without a range or a
// condition in the request they depend only on the file's size and time, and on `send`'s settings. Content-Type also
// depends on the file's name and on types that the program defines, so `send` sets it each time.

import type { Stats } from "node:fs";
import { OutgoingMessage } from "node:http";
import { SafeMap } from "../../originals.js";
import { type Header, headerOf } from "../set-headers.js";
import type { SendStream } from "./stream.js";

/** In `send`'s order; Content-Type and Content-Length follow. */
const NAMES = ["Accept-Ranges", "Cache-Control", "Last-Modified", "ETag"] as const;

const SETTINGS = ["_acceptRanges", "_cacheControl", "_etag", "_immutable", "_lastModified", "_maxage"] as const;
type Setting = (typeof SETTINGS)[number];

interface Known {
  readonly size: number;
  readonly mtimeMs: number;
  readonly settings: readonly unknown[];
  readonly values: readonly (string | undefined)[];
}

/** Files cached; then the cache is emptied. */
const MOST = 10_000;

export class HeaderCache {
  readonly #known = new SafeMap<string, Known>();

  /** Sets the headers of an unchanged file; false if `send` has to make them. */
  say(stream: SendStream, path: string, { size, mtimeMs }: Stats): boolean {
    const known = this.#known.get(path);
    if (known === undefined || known.size !== size || known.mtimeMs !== mtimeMs) return false;
    for (let i = 0; i < SETTINGS.length; i++) {
      if (stream[SETTINGS[i] as Setting] !== known.settings[i]) return false;
    }
    for (let i = 0; i < NAMES.length; i++) {
      const value = known.values[i];
      if (value !== undefined) stream.res.setHeader(NAMES[i] as string, value);
    }
    stream.type(path);
    stream.res.setHeader("Content-Length", size);
    return true;
  }

  /** Stores the headers that `send` has just set. */
  keep(stream: SendStream, path: string, { size, mtimeMs }: Stats): void {
    if (this.#known.size >= MOST) this.#known.clear();
    const settings: unknown[] = [];
    const values: (string | undefined)[] = [];
    for (let i = 0; i < SETTINGS.length; i++) settings[i] = stream[SETTINGS[i] as Setting];
    for (let i = 0; i < NAMES.length; i++) values[i] = stream.res.getHeader(NAMES[i] as string) as string | undefined;
    this.#known.set(path, { size, mtimeMs, settings, values });
  }
}

/** The headers that `send` makes for a file, before it knows what the response has. @throws TypeError for an invalid one */
export function headersOf(stream: SendStream, path: string, stat: Stats): Header[] {
  const headers: Header[] = [];
  stream.res = recorder(headers);
  stream.setHeader(path, stat);
  return headers;
}

/** The Content-Type that it makes for a file. */
export function typeOf(type: SendStream["type"], path: string): Header[] {
  const headers: Header[] = [];
  type.call({ res: recorder(headers) } as SendStream, path);
  return headers;
}

/** A response that has no header. */
function recorder(headers: Header[]): SendStream["res"] {
  return {
    getHeader: () => undefined,
    setHeader: (name: string, value: string) => void headers.push(headerOf(name, value)),
  } as unknown as SendStream["res"];
}

/** Request headers that can each lead to an answer without a body. */
export const CONDITIONS = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] as const;

/** The methods of `send` that influence the headers. */
export type Own = Pick<SendStream, "setHeader" | "type" | "isConditionalGET">;

// As they were when this was loaded: later replacements may answer each client differently.
const { setHeader: set, getHeader: get } = OutgoingMessage.prototype;

/** Whether every such request gets the same headers from `send`, and no other code can change them. */
export function plain(stream: SendStream, { setHeader, type, isConditionalGET }: Own): boolean {
  const { req, res, options } = stream;
  if (res.headersSent || options.start !== undefined || options.end !== undefined) return false;
  if (res.setHeader !== set || res.getHeader !== get || stream.listenerCount("headers") > 0) return false;
  if (stream.setHeader !== setHeader || stream.type !== type || stream.isConditionalGET !== isConditionalGET)
    return false;
  if (req.headers.range !== undefined || res.getHeader("Content-Type") !== undefined) return false;
  for (let i = 0; i < CONDITIONS.length; i++) if (req.headers[CONDITIONS[i] as string] !== undefined) return false;
  for (let i = 0; i < SETTINGS.length; i++) if (stream[SETTINGS[i] as Setting] === undefined) return false;
  for (let i = 0; i < NAMES.length; i++) if (res.getHeader(NAMES[i] as string) !== undefined) return false;
  return true;
}
