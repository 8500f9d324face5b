// The internals of a response that we use. They are undocumented, so each is checked for; a response that lacks one
// is written to as a stream.

import { type IncomingMessage, ServerResponse } from "node:http";
import { isSafeInteger } from "../originals.js";
import { begin } from "./body.js";

/** A request and a response as node:http has them, or as node:http2's compatibility layer does. */
export type Request = Pick<IncomingMessage, "method" | "url" | "headers">;
/** A response of node:http2 is accepted, and written to as a stream. */
export type Response = ServerResponse;

export interface Inner {
  _header?: string | null;
  _headerSent?: boolean;
  _hasBody?: boolean;
  _contentLength?: number | null;
  _send?: unknown;
  _writeRaw?: unknown;
  _implicitHeader?: () => void;
  chunkedEncoding?: boolean;
  strictContentLength?: boolean;
  outputData?: unknown[];
}

const USED = ["write", "end", "destroy", "once", "hasHeader", "getHeader", "setHeader"] as const;

/** Whether `res` has every method we use. */
export function isResponse(res: unknown): res is Response {
  if (res instanceof ServerResponse) return true;
  return typeof res === "object" && res !== null && USED.every((name) => typeof (res as Response)[name] === "function");
}

/** Whether the rendered header announces a body of exactly `count` bytes, with no encoding. */
export function announces(res: Response, count: number): boolean {
  const inner = res as Response & Inner;
  return (
    typeof inner._header === "string" &&
    inner.chunkedEncoding === false &&
    inner._hasBody === true &&
    inner._contentLength === count &&
    lengthOf(res) === count
  );
}

/** Whether the rendered header lets a body follow without announcing its length: in chunks, or until the connection closes. */
export function letsFollow(res: Response): boolean {
  const inner = res as Response & Inner;
  const { chunkedEncoding } = inner;
  return typeof chunkedEncoding === "boolean" && inner._hasBody === true && lengthOf(res) === null;
}

/**
 * The Content-Length that the header has, or will have; null if none, NaN if ambiguous: not decimal digits alone
 * (RFC 9110 section 8.6), or more than one.
 */
export function lengthOf(res: Response): number | null {
  const { _header: header, _contentLength, chunkedEncoding } = res as Response & Inner;
  const rendered = typeof header === "string";
  if (rendered && (chunkedEncoding === true || (_contentLength ?? null) === null)) return null;
  // Node's _contentLength is Number() of the text; getHeader() may miss a length that was given to writeHead().
  const value = res.getHeader("content-length") ?? null; // some wrappers have null for none
  if (value !== null) return isSafeInteger(value) ? (value as number) : decimal(String(value));
  return rendered ? lengthIn(header) : null;
}

function decimal(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

const LENGTH = /\r\ncontent-length: ([^\r\n]*)/gi;
/** The last result: a response is asked several times, and the next one mostly has the same header. */
let lastHeader = "";
let lastLength: number | null = null;

/** The length that a rendered header announces. */
function lengthIn(header: string): number | null {
  if (header === lastHeader) return lastLength;
  const [first, ...more] = header.matchAll(LENGTH);
  lastHeader = header;
  lastLength = first === undefined ? null : more.length > 0 ? Number.NaN : decimal(first[1] as string);
  return lastLength;
}

/** Renders the header, as the first write() does: through writeHead, even if that was replaced. */
export function renderHeader(res: Response): void {
  const inner = res as Response & Inner;
  if (inner._header === null) inner._implicitHeader?.();
}

/** The header, latin1, for us to send before the body; the response considers it sent. Empty if it was sent already. */
export function takeHeader(res: Response): string {
  const inner = res as Response & Inner;
  begin(res);
  if (inner._headerSent || typeof inner._header !== "string") return "";
  inner._headerSent = true;
  return inner._header;
}

/** Returns a header of which no byte was sent: the response sends it itself. */
export function giveBack(res: Response): void {
  (res as Response & Inner)._headerSent = false;
}

/** The path of a request's target. */
export function withoutQuery(target: string): string {
  const at = target.indexOf("?");
  return at < 0 ? target : target.slice(0, at);
}
