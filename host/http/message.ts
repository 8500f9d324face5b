// What is used of a response's inside. None of it is documented, so each piece is looked for, and a
// response that lacks one takes the stream way.

import { type IncomingMessage, ServerResponse } from "node:http";
import { begin } from "./body.js";

/** A request and a response as node:http has them, or as node:http2's compatibility layer does. */
export type Request = Pick<IncomingMessage, "method" | "url" | "headers">;
/** One of node:http2 is taken as well, and written to. */
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

/** Whether this has what is used of a response. */
export function isResponse(res: unknown): res is Response {
  if (res instanceof ServerResponse) return true;
  return typeof res === "object" && res !== null && USED.every((name) => typeof (res as Response)[name] === "function");
}

/** The header has been rendered: a body of `count` bytes, as it is, is what it announces. */
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

/**
 * What the header says, or will say, of the length; null where nothing, NaN where clients may read it in several ways:
 * not by decimal digits alone (RFC 9110 section 8.6), or more than once.
 */
export function lengthOf(res: Response): number | null {
  const { _header: header, _contentLength, chunkedEncoding } = res as Response & Inner;
  const rendered = typeof header === "string";
  if (rendered && (chunkedEncoding === true || (_contentLength ?? null) === null)) return null;
  // Node's own _contentLength is what Number() makes of the text, and writeHead() need not set what getHeader() tells.
  const value = res.getHeader("content-length") ?? (rendered ? lengthsIn(header) : undefined);
  if (value === undefined) return null;
  if (Number.isSafeInteger(value)) return value as number;
  return /^\d+$/.test(String(value)) ? Number(value) : Number.NaN;
}

const LENGTH = /\r\ncontent-length: ([^\r\n]*)/gi;
/** What was last looked at: a response is asked several times, and the next one mostly has the same header. */
let lastHeader = "";
let lastLength: string | undefined;

/** The lengths in a rendered header, with commas between them. */
function lengthsIn(header: string): string | undefined {
  if (header === lastHeader) return lastLength;
  const found = header.match(LENGTH)?.map((line) => line.slice("\r\ncontent-length: ".length));
  lastHeader = header;
  lastLength = found?.join();
  return lastLength;
}

/** Renders the header, as the first write() does: through writeHead, also where that was replaced. */
export function renderHeader(res: Response): void {
  const inner = res as Response & Inner;
  if (inner._header === null) inner._implicitHeader?.();
}

/** The header, latin1, for us to send, and the body behind it: the response takes it for sent. Empty where it has gone. */
export function takeHeader(res: Response): string {
  const inner = res as Response & Inner;
  begin(res);
  if (inner._headerSent || typeof inner._header !== "string") return "";
  inner._headerSent = true;
  return inner._header;
}

/** Nothing of the header that was taken has gone: it is the response's own again. */
export function giveBack(res: Response): void {
  (res as Response & Inner)._headerSent = false;
}
