// fileResponse(): a web Response for a file. `send` decides, as for serveStatic: it gets the Request's headers, and what it
// would set on a response of node:http becomes the Response's.

import fs, { type Stats } from "node:fs";
import { fileURLToPath } from "node:url";
import { argumentError } from "../../errors.js";
import { load } from "../../home.js";
import type { Shared } from "../../shared.js";
import { unchanged } from "../../source/unchanged.js";
import { describe, object } from "../../validate.js";
import { conditions } from "../conditions.js";
import { etagOf, setStrongTag } from "../etag.js";
import type { Request as NodeRequest, Response as NodeResponse } from "../message.js";
import { sendRanges } from "../ranges.js";
import type { Send, SendStream } from "../send/stream.js";
import { FileBody } from "./file-body.js";

/** All are optional. */
export interface FileResponseOptions {
  /** Answers `Range`. Default: true. */
  acceptRanges?: boolean;
  /** Sets an `ETag`: true a weak one, 'strong' one as with `serveStatic`. Default: true. */
  etag?: boolean | "strong";
  /** Sets `Last-Modified`. Default: true. */
  lastModified?: boolean;
  /** Sets `Cache-Control`: milliseconds, or text for the package `ms`: `'1d'`. Default: no such header. */
  maxAge?: number | string;
  /** Adds `immutable` to `Cache-Control`. Default: false. */
  immutable?: boolean;
  /** Further headers of 200, 206 and 304, which take precedence: `{ "Content-Type": "text/x-log" }`. Default: none. */
  headers?: ConstructorParameters<typeof Headers>[0];
}

/** The part of a web Request that is used. */
export interface WebRequest {
  /** In capitals, as a Request has it. */
  readonly method: string;
  /** A `Headers`. */
  readonly headers: Pick<Headers, "get">;
}

/** Names of `send`'s req.headers. */
const CONDITIONS = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "cache-control"];
const RANGE = ["range", "if-range"];
/** What a missing file fails with: ELOOP for links in a circle, ENXIO for a socket. */
const MISSING = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "ENXIO"]);

let send: Send | null = null;

/** See the public docstring in http/index.ts. */
export async function fileResponse(
  shared: Shared,
  request: WebRequest,
  path: string | URL,
  options: FileResponseOptions = {},
): Promise<Response> {
  if (typeof request?.method !== "string" || typeof request.headers?.get !== "function") {
    throw argumentError(TypeError, `request must be a Request (got ${describe(request)})`);
  }
  const file = pathOf(path);
  object("options", options);
  const { headers, ...rest } = options;
  const head = new Head(headers);
  send ??= load("send") as Send;
  const strong = etagOf(rest.etag) === "strong";
  const cacheControl = options.maxAge !== undefined || options.immutable === true;
  const settings = { ...rest, cacheControl, etag: strong ? false : rest.etag };
  const stream = send(asked(request), "/", settings);

  let stat: Stats;
  try {
    stat = (unchanged() ? shared.opener.stat(file) : null) ?? (await statOf(file));
  } catch (error) {
    if (MISSING.has((error as NodeJS.ErrnoException).code ?? "")) return none(request);
    throw error;
  }
  if (!stat.isFile()) return none(request);

  let body: ReadableStream<Uint8Array> | null = null;
  stream.res = head as unknown as NodeResponse;
  stream.error = (status) => head.refuse(status);
  stream.stream = (_path, { start, end }) => {
    if (stat.size > 0) body = new FileBody(shared, file, stat, start, end - start + 1, strong).stream;
  };
  const { send: decide, setHeader } = Object.getPrototypeOf(stream) as SendStream;
  Object.assign(stream, conditions, strong ? { setHeader: setStrongTag(setHeader) } : {});
  sendRanges(decide).call(stream, file, stat);
  return new Response(body, { status: head.statusCode, headers: head.headers });
}

/** @throws TypeError */
function pathOf(path: string | URL): string {
  const url = path instanceof URL;
  if (url && path.protocol !== "file:")
    throw argumentError(TypeError, `path must be a file URL (got ${path.protocol})`);
  const name = url ? fileURLToPath(path) : path;
  if (typeof name !== "string" || name === "") {
    throw argumentError(TypeError, `path must be a path or a file URL (got ${describe(path)})`);
  }
  if (name.includes("\0")) throw argumentError(TypeError, "path must be without null bytes");
  return name;
}

/** As `send` reads a request. Only GET and HEAD have conditions here, and only GET has ranges (RFC 9110 section 14.2). */
function asked({ method, headers }: WebRequest): NodeRequest {
  const names = method === "GET" ? [...CONDITIONS, ...RANGE] : method === "HEAD" ? CONDITIONS : [];
  const given = names.map((name) => [name, headers.get(name) ?? undefined]);
  return { method, url: "/", headers: Object.fromEntries(given) };
}

const statOf = (file: string): Promise<Stats> =>
  new Promise((resolve, reject) => fs.stat(file, (error, stat) => (error ? reject(error) : resolve(stat))));

function none({ method }: WebRequest): Response {
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  return new Response(method === "HEAD" ? null : "Not Found", { status: 404, headers });
}

/** The part of a response of node:http that `send` sets. */
class Head {
  readonly headersSent = false;
  statusCode = 200;
  headers: Headers;

  constructor(headers: FileResponseOptions["headers"]) {
    this.headers = new Headers(headers);
  }

  getHeader(name: string): string | undefined {
    return this.headers.get(name) ?? undefined;
  }

  setHeader(name: string, value: string | number): void {
    this.headers.set(name, String(value));
  }

  removeHeader(name: string): void {
    this.headers.delete(name);
  }

  end(): void {}

  /** 412, 416: none of the file's headers but Content-Range. */
  refuse(status: number): void {
    const range = this.getHeader("Content-Range");
    this.statusCode = status;
    this.headers = new Headers(range === undefined ? {} : { "Content-Range": range });
  }
}
