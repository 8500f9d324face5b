// Types of the package `send`: the stream that it makes of a request, by its own names.

import type { EventEmitter } from "node:events";
import type { Stats } from "node:fs";
import type { Request, Response } from "../message.js";

/** The part of send's SendStream that we use. */
export interface SendStream extends EventEmitter {
  path: string;
  req: Request;
  res: Response;
  options: { readonly [option: string]: unknown };
  readonly _extensions: readonly string[];
  readonly _index: readonly string[];
  readonly _acceptRanges?: boolean;
  readonly _cacheControl?: boolean;
  readonly _etag?: boolean;
  readonly _immutable?: boolean;
  readonly _lastModified?: boolean;
  readonly _maxage?: number;
  pipe(res: Response): Response;
  /** Headers for a file that was found, then `stream`. */
  send(path: string, stat: Stats): void;
  /** Stats `path`, then `send`. */
  sendFile(path: string): void;
  /** Stats the names of an index in a folder, then `send`. */
  sendIndex(folder: string): void;
  /** The body: bytes `start` to `end` of the file, both included. */
  stream(path: string, options: ReadOptions): void;
  /** Sets the caching headers. */
  setHeader(path: string, stat: Stats): void;
  /** Sets Content-Type. */
  type(path: string): void;
  /** Whether the request has a condition. */
  isConditionalGET(): unknown;
  /** Whether If-Match or If-Unmodified-Since says no: 412. */
  isPreconditionFailure(): boolean;
  /** Whether If-None-Match or If-Modified-Since says that the client has it: 304. */
  isFresh(): boolean;
  /** Whether If-Range lets the range be sent. */
  isRangeFresh(): boolean;
  error(status: number, error?: Error): void;
  onStatError(error: Error): void;
}

export interface ReadOptions {
  start: number;
  end: number;
  [option: string]: unknown;
}

/** The package's export. */
export type Send = (req: Request, path: string, options?: object) => SendStream;
