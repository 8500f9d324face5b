// serveStatic(): a handler for a folder of files, on top of `send`, with serve-static's options.

import type { Stats } from "node:fs";
import fs from "node:fs";
import { createRequire } from "node:module";
import { argumentError, SendfileError } from "../errors.js";
import type { Shared } from "../shared.js";
import { callable, describe, object } from "../validate.js";
import type { Request, Response } from "./message.js";
import { negotiate } from "./negotiate.js";
import { sendMethods } from "./send/send.js";
import type { Send, SendStream } from "./send/stream.js";
import { wholeSuffix } from "./suffix.js";
import { isWithin, realPathOf } from "./within.js";

/** Those of `send` (in its documentation), and these. */
export interface StaticOptions {
  /** Answers `Range`. Default: true. */
  acceptRanges?: boolean;
  /** Sets `Cache-Control`; without it `immutable` and `maxAge` do nothing. Default: true. */
  cacheControl?: boolean;
  /** Files and folders whose name begins with a dot: 'allow', 'deny' (403) or 'ignore' (404). Default: 'ignore'. */
  dotfiles?: "allow" | "deny" | "ignore";
  /** Sets a weak `ETag`. Default: true. */
  etag?: boolean;
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
  /** Sends `file.br` or `file.gz` in place of `file` if it exists and the client accepts it. Default: false. */
  precompressed?: boolean;
  /**
   * 'follow': as `send` does. 'inside': a file whose real path is outside of `root`, behind a symbolic link, is
   * treated as missing. The checked file is the one sent: it stays open in between. Default: 'follow'.
   */
  symlinks?: "follow" | "inside";
}

/** A handler of node:http, Connect and Express. */
export type Handler = (
  req: Request & { originalUrl?: string },
  res: Response,
  next?: (error?: unknown) => void,
) => void;

/** Content codings and the siblings that have them, the better one first. */
const SIBLINGS = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

/** See the public docstring in http.ts. */
export function serveStatic(shared: Shared, root: string, options: StaticOptions = {}): Handler {
  if (typeof root !== "string" || root === "")
    throw argumentError(TypeError, `root must be a path (got ${describe(root)})`);
  if (root.includes("\0")) throw argumentError(TypeError, "root must be a path without null bytes");
  object("options", options);
  const {
    fallthrough = true,
    redirect = true,
    setHeaders,
    precompressed = false,
    symlinks = "follow",
    ...rest
  } = options;
  if (setHeaders !== undefined) callable("setHeaders", setHeaders);
  if (symlinks !== "follow" && symlinks !== "inside") {
    throw argumentError(TypeError, `symlinks must be 'follow' or 'inside' (got ${describe(symlinks)})`);
  }
  // `fs` would throw for such a path, while a request is answered.
  for (const name of ["extensions", "index"] as const) {
    const nul = (value: unknown) => typeof value === "string" && value.includes("\0");
    if ([rest[name]].flat().some(nul)) throw argumentError(TypeError, `${name} must be names without null bytes`);
  }
  const send = createRequire(import.meta.url)("send") as Send;
  const sendOptions = { ...rest, root };
  const proto = Object.getPrototypeOf(sample(send, sendOptions)) as SendStream;
  const ours = sendMethods(shared, { ...proto, send: wholeSuffix(proto.send) });
  const sendFile = symlinks === "inside" ? sendInside(root, ours) : ours.send;
  const onStatError = orMissing(proto.onStatError);
  const sendOne = regular(precompressed ? sendSibling(sendFile) : sendFile);

  return (req, res, next) => {
    if (req.method !== "GET" && req.method !== "HEAD") {
      if (fallthrough && next) return next();
      res.statusCode = 405;
      res.setHeader("Allow", "GET, HEAD");
      res.setHeader("Content-Length", 0);
      res.end();
      return;
    }
    const asked = (req.originalUrl ?? req.url ?? "/").split("?", 1)[0] as string;
    let path = (req.url ?? "/").split("?", 1)[0] as string;
    // The root of a mount, without its slash: a directory like any other.
    if (path === "/" && !asked.endsWith("/")) path = "";

    const stream = send(req, path, sendOptions);
    stream.send = sendOne;
    if (symlinks === "follow") stream.sendFile = ours.sendFile; // else opened below
    stream.stream = ours.stream;
    stream.onStatError = onStatError;
    if (setHeaders) stream.on("headers", setHeaders);
    stream.on("directory", () => {
      if (!redirect || path.endsWith("/")) return stream.error(404);
      const query = (req.originalUrl ?? req.url ?? "").slice(asked.length);
      redirectTo(res, `${asked.replace(/^\/+/, "/")}/${query}`);
    });
    if (next) {
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
    }
    stream.pipe(res);
  };
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

/** `send` for files whose real path is in the root. */
function sendInside(root: string, { send, from }: ReturnType<typeof sendMethods>): SendStream["send"] {
  let real = "";
  /** If a file is not in the root, resolves the root again: it may be a link that has changed. */
  const known = (file: string): boolean => {
    if (real !== "" && isWithin(real, file)) return true;
    real = fs.realpathSync.native(root);
    return isWithin(real, file);
  };
  // A plain open() would block if a FIFO has replaced the file since.
  const flags = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);
  return function (this: SendStream, path) {
    fs.open(path, flags, (error, fd) => {
      if (error) return this.onStatError(error);
      const close = from(this, path, fd);
      realPathOf(fd, path, (error, file) => {
        try {
          if (error) return this.onStatError(error);
          const stat = fs.fstatSync(fd);
          if (stat.isFile() && known(file)) send.call(this, path, stat);
          else this.error(404);
        } finally {
          close(); // HEAD, 304, 404, 412, 416
        }
      });
    });
  };
}

/** `send` for the sibling that the client prefers; type and name stay those of the requested file. */
function sendSibling(send: SendStream["send"]): SendStream["send"] {
  return function (this: SendStream, path, stat) {
    const { req, res } = this;
    if (res.headersSent) return send.call(this, path, stat);
    vary(res);
    const wanted = negotiate(
      req.headers["accept-encoding"],
      SIBLINGS.map(([coding]) => coding),
    );
    const next = (): void => {
      const coding = wanted.shift();
      if (coding === undefined || coding === "identity") return send.call(this, path, stat);
      const sibling = path + (SIBLINGS.find(([name]) => name === coding)?.[1] ?? "");
      fs.stat(sibling, (error, found) => {
        if (error || !found.isFile()) return next();
        this.type(path);
        res.setHeader("Content-Encoding", coding);
        send.call(this, sibling, found);
      });
    };
    next();
  };
}

function vary(res: Response): void {
  const before = String(res.getHeader("Vary") ?? "");
  if (/(^|,)\s*(\*|accept-encoding)\s*(,|$)/i.test(before)) return;
  res.setHeader("Vary", before === "" ? "Accept-Encoding" : `${before}, Accept-Encoding`);
}
