// serveStatic(): a handler for a folder of files, on top of `send`, with serve-static's options.

import type { Stats } from "node:fs";
import { argumentError, SendfileError } from "../errors.js";
import { load } from "../home.js";
import { orderOf } from "../negotiate.js";
import type { Shared } from "../shared.js";
import { releaseAlone } from "../source/fd.js";
import { callable, describe, object } from "../validate.js";
import { conditions } from "./conditions.js";
import { etagOf, isStrong, setStrongTag, tagOf } from "./etag.js";
import { cacheControlBy, typeBy } from "./fields.js";
import { insideOf, sendOpen } from "./inside.js";
import { note, noteSibling, notingFile, notingFound, notingIndex, notingNone, notingSent } from "./learn.js";
import { type Request, type Response, withoutQuery } from "./message.js";
import { sendRanges } from "./ranges.js";
import { isPlain, reply } from "./reply.js";
import { Representations } from "./representations.js";
import { headersOf } from "./send/headers.js";
import { sendMethods } from "./send/send.js";
import type { Send, SendStream } from "./send/stream.js";
import { sendSibling } from "./siblings.js";
import { realPathNow } from "./within.js";

/** Those of `send` (in its documentation), and these. */
export interface StaticOptions {
  /** Answers `Range`. Default: true. */
  acceptRanges?: boolean;
  /**
   * Sets `Cache-Control`: true by `maxAge` and `immutable`, which else do nothing; text is the whole of it:
   * 'public, max-age=31536000, immutable'. Default: true.
   */
  cacheControl?: boolean | string;
  /** Files and folders whose name begins with a dot: 'allow', 'deny' (403) or 'ignore' (404). Default: 'ignore'. */
  dotfiles?: "allow" | "deny" | "ignore";
  /**
   * Sets an `ETag`: true a weak one, of size and mtime, as `send` does; 'strong' one of inode, size, mtime and ctime,
   * which If-Range and If-Match accept. It is weak while the file's last change is less than two seconds old, because the
   * next one could have the same times (RFC 9110 section 8.8.1). Each file is opened before its headers are made, so
   * that they are those of its bytes; a program that writes to a file in place must not, since they may change
   * afterwards. Servers that share no file system have different tags. Default: true.
   */
  etag?: boolean | "strong";
  /** Extensions tried in turn if a file is missing: `['html']`. Default: false. */
  extensions?: string[] | false;
  /** Adds `immutable` to `Cache-Control`. Default: false. */
  immutable?: boolean;
  /** The file sent for a folder. Default: 'index.html'. */
  index?: string | string[] | false;
  /** Sets `Last-Modified`. Default: true. */
  lastModified?: boolean;
  /** For `Cache-Control`: milliseconds, or text for the package `ms`: `'1d'`. Default: 0. */
  maxAge?: number | string;
  /** Calls `next()` for files that are missing or not allowed; if false, answers with the error. Default: true. */
  fallthrough?: boolean;
  /** Redirects `/dir` to `/dir/`. Default: true. */
  redirect?: boolean;
  /** Sets further headers; called on `send`'s event 'headers'. */
  setHeaders?: (res: Response, path: string, stat: Stats) => void;
  /**
   * Media types by extension, `{ "glb": "model/gltf-binary" }`, which come before those of `send`: each is the whole
   * Content-Type. Default: none.
   */
  mimeTypes?: { readonly [extension: string]: string };
  /** Sends `file.br`, `file.zst` or `file.gz` in place of `file` if it exists and the client accepts it. Default: false. */
  precompressed?: boolean;
  /**
   * 'follow': as `send` does. 'inside': a file whose real path is outside of `root`, behind a symbolic link, is
   * treated as missing. The checked file is the one sent: it stays open in between. Default: 'follow'.
   */
  symlinks?: "follow" | "inside";
  /**
   * Remembers what a target has led to, and keeps its file open for the next request, for a second or two. A file that
   * is renamed, changed or removed is noticed by the next turn of the event loop. Default: true.
   */
  openFileCache?: boolean;
}

/** Options that are the same for each request of a path. Others, as `start`, are passed to fs.createReadStream. */
const POLICY: readonly string[] = [
  ...["acceptRanges", "cacheControl", "dotfiles", "etag", "extensions", "immutable", "index", "lastModified"],
  ...["maxAge", "maxage"],
];

/** A handler of node:http, Connect and Express. */
export type Handler = (
  req: Request & { originalUrl?: string },
  res: Response,
  next?: (error?: unknown) => void,
) => void;

/** What a target has led to. */
export interface FoundFile {
  readonly path: string;
  readonly absent: readonly string[];
  readonly name: string;
  readonly stat: Stats;
  /** Of `etag: "strong"`, and settled; null without that option. */
  readonly tag: string | null;
}

export interface StaticFiles {
  readonly handler: Handler;
  /** The file that a target without a query has led to, in a request before, if that is still so; null if that is not known. */
  find(target: string, acceptEncoding: string): FoundFile | null;
}

/** See the public docstring in http/index.ts. */
export function serveStatic(shared: Shared, root: string, options?: StaticOptions): Handler {
  return staticFiles(shared, root, options).handler;
}

/** With `opensFirst` each file is opened before its headers are made, so that they are those of its bytes. */
export function staticFiles(
  shared: Shared,
  root: string,
  options: StaticOptions = {},
  opensFirst = false,
): StaticFiles {
  if (typeof root !== "string" || root === "")
    throw argumentError(TypeError, `root must be a path (got ${describe(root)})`);
  if (root.includes("\0")) throw argumentError(TypeError, "root must be a path without null bytes");
  object("options", options);
  const {
    fallthrough = true,
    redirect = true,
    setHeaders,
    mimeTypes = {},
    precompressed = false,
    symlinks = "follow",
    openFileCache = true,
    ...rest
  } = options;
  if (setHeaders !== undefined) callable("setHeaders", setHeaders);
  if (typeof openFileCache !== "boolean") {
    throw argumentError(TypeError, `openFileCache must be true or false (got ${describe(openFileCache)})`);
  }
  if (symlinks !== "follow" && symlinks !== "inside") {
    throw argumentError(TypeError, `symlinks must be 'follow' or 'inside' (got ${describe(symlinks)})`);
  }
  // `fs` would throw for such a path, while a request is answered.
  for (const name of ["extensions", "index"] as const) {
    const nul = (value: unknown) => typeof value === "string" && value.includes("\0");
    if ([rest[name]].flat().some(nul)) throw argumentError(TypeError, `${name} must be names without null bytes`);
  }
  const send = load("send") as Send;
  const strong = etagOf(rest.etag) === "strong";
  const setCacheControl = cacheControlBy(rest.cacheControl);
  const own = { etag: strong ? false : rest.etag, ...(setCacheControl ? { cacheControl: false } : {}) };
  const sendOptions = { ...rest, root, ...own };
  const first = sample(send, sendOptions);
  const proto = Object.getPrototypeOf(first) as SendStream;
  const type = typeBy(mimeTypes, proto.type);
  const ours = sendMethods(shared, { ...proto, type, send: sendRanges(proto.send) });
  const inside = symlinks === "inside" ? insideOf(root) : null;
  const opens = strong || inside !== null;
  const last = notingSent(opens || opensFirst ? sendOpen(shared, inside, ours) : ours.send);
  const methods = {
    ...conditions,
    type,
    send: regular(notingFound(precompressed ? sendSibling(last, noteSibling) : last)),
    sendFile: notingFile(opens ? proto.sendFile : ours.sendFile), // else opened above
    sendIndex: notingIndex(proto.sendIndex),
    stream: ours.stream,
    onStatError: notingNone(orMissing(proto.onStatError)),
    ...(strong ? { setHeader: setStrongTag(proto.setHeader) } : {}),
  };
  const sampled: SendStream = Object.assign(Object.create(first), methods);
  if (setCacheControl) sampled.on("headers", setCacheControl);
  const able = openFileCache && Object.keys(rest).every((name) => POLICY.includes(name));
  const ways = { type, setHeaders, varies: precompressed };
  const representations = new Representations(
    shared,
    (path, stat) => headersOf(sampled, path, stat),
    ({ fd }) => inside === null || inside(realPathNow(fd)),
  );

  const keyOf = (path: string, accepts: string | undefined) => (precompressed ? `${orderOf(accepts)} ${path}` : path);

  const handler: Handler = (req, res, next) => {
    if (req.method !== "GET" && req.method !== "HEAD") {
      if (fallthrough && next) return next();
      res.statusCode = 405;
      res.setHeader("Allow", "GET, HEAD");
      res.setHeader("Content-Length", 0);
      res.end();
      return;
    }
    const asked = withoutQuery(req.originalUrl ?? req.url ?? "/");
    let path = withoutQuery(req.url ?? "/");
    // The root of a mount, without its slash: a directory like any other.
    if (path === "/" && !asked.endsWith("/")) path = "";

    const begin = (): SendStream => {
      const stream = Object.assign(send(req, path, sendOptions), methods);
      if (setHeaders) stream.on("headers", setHeaders);
      if (setCacheControl) stream.on("headers", setCacheControl);
      stream.on("directory", () => {
        if (!redirect || path.endsWith("/")) return stream.error(404);
        const query = (req.originalUrl ?? req.url ?? "").slice(asked.length);
        // Two slashes are the host of another site, and to browsers a backslash is a slash.
        redirectTo(res, `${asked.replace(/^[/\\]+/, "/")}/${query}`);
      });
      if (!next) return stream;
      // Once a file was found, we answer even if it fails.
      let forward = !fallthrough;
      stream.on("file", (_path: string, stat: Stats) => {
        forward ||= stat.isFile();
      });
      stream.on("error", (error: Error & { statusCode: number }) => {
        if (!res.headersSent) res.removeHeader("Content-Encoding");
        if (forward || error.statusCode >= 500) next(error);
        else next();
      });
      return stream;
    };

    const remembers = able && first.setHeader === proto.setHeader && isPlain(req, res);
    if (!remembers) return void begin().pipe(res);
    const key = keyOf(path, req.headers["accept-encoding"] as string | undefined);
    const known = representations.find(key);
    if (known?.path === null && next && fallthrough) return next();
    const file = known && representations.open(key, known);
    if (file) return reply(shared, req, res, file, known, ways, begin);
    const stream = begin();
    note(stream, (found) => representations.learn(key, found));
    stream.pipe(res);
  };

  const find = (target: string, acceptEncoding: string): FoundFile | null => {
    if (!able || setHeaders !== undefined) return null;
    const key = keyOf(target, acceptEncoding === "" ? undefined : acceptEncoding);
    const known = representations.find(key);
    const file = known && representations.open(key, known);
    if (!known || !file) return null;
    releaseAlone(file);
    const tag = strong ? tagOf(file.stat) : null;
    if (tag !== null && !isStrong(tag)) return null; // it is another one soon
    return { path: file.path, absent: known.absent, name: known.name, stat: file.stat, tag };
  };
  return { handler, find };
}

/** A stream of `send`; its constructor checks the options and throws its own messages. */
function sample(send: Send, options: object): SendStream {
  try {
    return send({ method: "GET", url: "/", headers: {} }, "/", options);
  } catch (error) {
    throw argumentError(TypeError, `options: ${SendfileError.after(0, error).message}`);
  }
}

function redirectTo(res: Response, location: string): void {
  const encoded = location.replace(/[^\x21-\x7e]/g, encodeURIComponent);
  const text = encoded.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const page = `<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Redirecting</title>\n<p>Redirecting to ${text}</p>\n</html>\n`;
  res.statusCode = 301;
  res.setHeader("Content-Type", "text/html; charset=UTF-8");
  res.setHeader("Content-Length", Buffer.byteLength(page));
  res.setHeader("Content-Security-Policy", "default-src 'none'");
  res.setHeader("X-Content-Type-Options", "nosniff");
  res.setHeader("Location", encoded);
  res.end(page);
}

/** `send` for regular files only: opening a FIFO waits for a writer, or admits one; a device can do anything. */
function regular(send: SendStream["send"]): SendStream["send"] {
  return function (this: SendStream, path, stat) {
    if (stat.isFile()) send.call(this, path, stat);
    else this.error(404);
  };
}

/** `onStatError` with 404 also for a link loop, and for a file replaced by a socket after its stat. */
function orMissing(onStatError: SendStream["onStatError"]): SendStream["onStatError"] {
  return function (this: SendStream, error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ELOOP" || code === "ENXIO") this.error(404, error);
    else onStatError.call(this, error);
  };
}
