// The answers of `sendoff serve`: files by a handler of serveStatic's, folders by a page of their own, and the rest by an error.

import fs from "node:fs/promises";
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { basename, join, relative, sep } from "node:path";
import type { StaticOptions } from "sendoff/http";
import { isWithin } from "../../host/http/within.js";
import { escaped } from "../../host/loop/log-line.js";
import { say } from "../../host/say.js";
import { type App, type Page, turnTo } from "../../host/server/app.js";
import type { Field } from "../../host/server/fields.js";
import type { Files } from "./catalog.js";
import { FILES, Listings, versionOf } from "./listing.js";
import { errorPage, HEADERS, viewOf } from "./page.js";
import { Pages } from "./pages.js";

export interface SiteOptions {
  /** A real path. */
  root: string;
  listing: boolean;
  dotfiles: boolean;
  precompressed: boolean;
  /** Seconds, or the text of a Cache-Control. */
  cache: number | string;
  mimeTypes: { readonly [extension: string]: string };
  /** Of each answer. */
  fields: readonly Field[];
  cors: boolean;
  /** Sent for what is missing. */
  page: Page | null;
}

type Failure = Partial<NodeJS.ErrnoException> & { statusCode?: number; headers?: Record<string, string> };

/** Statuses of errors that the request caused, or that are no fault; anything else is 500. */
const STATUS: { readonly [code: string]: number } = {
  EACCES: 403,
  EPERM: 403,
  ELOOP: 404,
  ENAMETOOLONG: 404,
  ENOENT: 404,
  ENOTDIR: 404,
};

/** Statuses of which the client can be told more. */
const EXPLAINED = new Set([413, 503]);

/** Fields that describe a file: pages of ours, and errors, do without them. */
const OF_FILES = /^(?:content-.*|accept-ranges|cache-control|etag|expires|last-modified)$/;

/** The Fetch standard: who may read answers, and which of their fields. */
const CORS: readonly Field[] = [
  ["Access-Control-Allow-Origin", "*"],
  ["Access-Control-Expose-Headers", "*"],
];
const PREFLIGHT = { "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "*, Authorization" };

/** A browser asks whether it may send a request with fields of its own, such as If-None-Match. */
const isPreflight = ({ method, headers }: IncomingMessage) =>
  method === "OPTIONS" && headers["access-control-request-method"] !== undefined;

/** Interval of the bytes sent to a half-closed client that waits, in ms. */
const PROBE = 200;

/** Those of the files. */
export function staticOptions({ dotfiles, cache, mimeTypes, precompressed }: SiteOptions): StaticOptions {
  return {
    dotfiles: dotfiles ? "allow" : "ignore",
    fallthrough: false, // errors are told, with their status
    ...(typeof cache === "string" ? { cacheControl: cache } : { maxAge: cache * 1000 }),
    mimeTypes,
    precompressed,
    redirect: false, // to a folder only where it is in the root
    symlinks: "inside",
  };
}

/** `listed` is the file system for listings. */
export function site(options: SiteOptions, listed = FILES): App {
  const { cors, page } = options;
  const pages = new Pages(new Listings(options.root, options.dotfiles, listed));
  const fields = [...(cors ? CORS : []), ...options.fields];
  const kept = new Set(["Connection", ...fields.map(([name]) => name)].map((name) => name.toLowerCase()));
  const set = (res: ServerResponse) => {
    for (const [name, value] of fields) res.setHeader(name, value);
  };
  /** Leaves nothing of a file; 416 sets its own. */
  const clear = (res: ServerResponse) => {
    for (const name of res.getHeaderNames()) if (!kept.has(name) || OF_FILES.test(name)) res.removeHeader(name);
  };
  return (req, res, files) => {
    const refuse = (failure: Failure) => {
      if (res.headersSent) return void res.destroy();
      clear(res);
      fail(req, res, failure);
    };
    set(res);
    const target = originForm(req.url ?? "");
    if (target === null) return refuse({ statusCode: 400 });
    if (cors && isPreflight(req)) return void res.writeHead(204, PREFLIGHT).end();
    req.url = target;
    files(req, res, (thrown) => {
      const error = thrown as Failure;
      if (error.statusCode !== 404) return refuse(error);
      clear(res);
      folder(req, res, target, options, pages, listed).catch((error: Failure) => {
        if (page === null || statusOf(error) !== 404 || res.headersSent) return refuse(error);
        if (page.status === 200) set(res);
        turnTo(page, req, res);
        files(req, res, (thrown) => refuse(thrown as Failure));
      });
    });
  };
}

/** Path and query, with one slash before them, also of `http://host/path` and `//host/path`. */
function originForm(url: string): string | null {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, "").replace(/^[/]+/, "/");
  if (path === "" || path.startsWith("?")) return url === path ? null : `/${path}`;
  return path.startsWith("/") ? path : null;
}

/** Answers if the target is a folder; else throws. The path was decoded by `send` already, without an error. */
async function folder(
  req: IncomingMessage,
  res: ServerResponse,
  target: string,
  options: SiteOptions,
  pages: Pages,
  files: Files,
): Promise<void> {
  const { root, dotfiles } = options;
  const [path = "", query] = target.split(/\?(.*)/s);
  const asked = join(root, decodeURIComponent(path));
  const names = relative(root, asked)
    .split(sep)
    .filter((name) => name !== "");
  if (!dotfiles && names.some((name) => name.startsWith("."))) throw notFound();
  const real = await fs.realpath(asked);
  if (!isWithin(root, real)) throw notFound();
  const stat = await fs.stat(real, { bigint: true });
  if (!stat.isDirectory()) throw notFound();

  if (!path.endsWith("/")) {
    // Built from the decoded path: a browser can't take any part of it for another host.
    const location = `/${names.map((name) => `${encodeURIComponent(name)}/`).join("")}`;
    res.setHeader("Location", query === undefined ? location : `${location}?${query.replace(/[^\x21-\x7e]/g, "")}`);
    return answer(req, res, 301, Buffer.from(errorPage(301, STATUS_CODES[301] as string)));
  }
  if (!options.listing || (await hasIndex(real))) throw notFound();
  const asks = new URLSearchParams(query);
  const named = [basename(root) || sep, ...names];
  res.setHeader("Cache-Control", "no-cache");
  if (asks.has("tar")) {
    const download = await import("./download.js");
    const name = names.at(-1) ?? (basename(root) || "files");
    const place = { root, folder: real, dotfiles, files, now: Date.now };
    const archive = await whileWaiting(req, res, (signal) => download.look(place, name, signal), processing);
    if (archive !== null) await download.send(req, res, archive, name);
    return;
  }
  const folder = { folder: real, version: versionOf(stat), names: named };
  const body = await whileWaiting(req, res, (signal) => pages.get(folder, viewOf(asks), signal), lineFeed);
  if (body !== null) answer(req, res, 200, body);
}

/** Whether there is an index that could not be served: a FIFO, say, or a link out of the root. */
async function hasIndex(folder: string): Promise<boolean> {
  const index = await fs.lstat(join(folder, "index.html")).catch(() => null);
  return index !== null && !index.isDirectory();
}

/** An answer of our pages may begin with line feeds. */
function lineFeed(res: ServerResponse): void {
  if (!res.headersSent) res.writeHead(200, HEADERS);
  res.write("\n");
}

/** Says 102 before any other answer: RFC 9110 section 15.2. HTTP/1.0 knows none. */
function processing(res: ServerResponse): void {
  if (res.req.httpVersion !== "1.0") res.writeProcessing();
}

/**
 * The result of `work`; null if the client disconnects meanwhile, which aborts the signal. `probe` sends something to one who has
 * closed its side: it may still wait (nc -N), or be gone. Only its system knows: if it is gone bytes are answered with a reset, and
 * the next write fails.
 */
async function whileWaiting<T>(
  req: IncomingMessage,
  res: ServerResponse,
  work: (signal: AbortSignal) => Promise<T>,
  probe: (res: ServerResponse) => void,
): Promise<T | null> {
  const gone = new AbortController();
  const leave = () => gone.abort();
  res.once("close", leave);
  if (res.destroyed) leave(); // before the listener was added
  const probes = setInterval(() => {
    if (req.socket.readableEnded) probe(res);
  }, PROBE);
  try {
    return await work(gone.signal);
  } catch (error) {
    if (gone.signal.aborted) return null;
    throw error;
  } finally {
    clearInterval(probes);
    res.off("close", leave);
  }
}

function notFound(): Failure {
  return Object.assign(new Error("not found"), { statusCode: 404 });
}

function fail(req: IncomingMessage, res: ServerResponse, failure: Failure): void {
  const status = statusOf(failure);
  const { code, message, headers } = failure;
  if (status === 500) say(`sendoff: "${escaped(req.url ?? "")}": ${escaped(`${code ?? ""} ${message}`)}`);
  for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, value);
  const why = EXPLAINED.has(status) ? message : "";
  answer(req, res, status, Buffer.from(errorPage(status, STATUS_CODES[status] ?? "Error", why)));
}

function statusOf({ statusCode = 500, code = "" }: Failure): number {
  return statusCode === 500 ? (STATUS[code] ?? 500) : statusCode;
}

function answer(req: IncomingMessage, res: ServerResponse, status: number, body: Buffer): void {
  if (!res.headersSent) res.writeHead(status, { ...HEADERS, "Content-Length": body.length });
  res.end(req.method === "HEAD" ? undefined : body);
}
