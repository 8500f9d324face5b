// The recognizer of request heads once more, slowly: from RFC 9110, 9112 and 3986, by regular expressions. What assembly/request.ts
// answers is compared with it.

import { RangeKind } from "../../assembly/abi.js";

/** What a recognized head says; values are as they came. */
export interface Facts {
  /** Bytes of the head. */
  length: number;
  head: boolean;
  last: boolean;
  /** The path, without the query. */
  target: string;
  range: RangeKind;
  /** Numbers of the range. */
  first: number;
  end: number;
  noneMatch: string | null;
  modifiedSince: string | null;
  acceptEncoding: string | null;
  referer: string | null;
  userAgent: string | null;
}

const PATH = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})";
const LINE = new RegExp(`^(GET|HEAD) (/(?!/)${PATH}*)(?:\\?(?:${PATH}|\\?)*)? HTTP/1\\.1$`);
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([ -~\t]*?)[ \t]*$/;
const HOST = /^[A-Za-z0-9.\-_:[\]~!$&'()*+,;=%]+$/;
const RANGE = /^bytes=(?:(\d{1,15})-(\d{1,15})|(\d{1,15})-|-(\d{1,15}))$/;

const REFUSED = [
  ...["content-length", "transfer-encoding", "expect", "trailer", "upgrade", "proxy-connection"],
  ...["if-match", "if-unmodified-since", "if-range"],
];
const ONCE = ["host", "connection", "range", "if-none-match", "if-modified-since", "accept-encoding"];
/** Of these the first one counts. */
const TOLD = ["referer", "user-agent"];
const NOT_EMPTY = ["if-none-match", "if-modified-since", "accept-encoding"];

/** `bytes`: latin1. Null where it is not recognized. */
export function recognize(bytes: string): Facts | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [first = "", ...lines] = bytes.slice(0, end).split("\r\n");
  const [, method, target] = LINE.exec(first) ?? [];
  if (target === undefined || lines.length > 100) return null;
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined) return null;
    const key = name.toLowerCase();
    if (REFUSED.includes(key)) return null;
    if (ONCE.includes(key) && fields.has(key)) return null;
    if (NOT_EMPTY.includes(key) && value === "") return null;
    if (key === "connection" && !line.endsWith(value)) return null; // llhttp takes `close` and HTAB for another word
    if (!(TOLD.includes(key) && fields.has(key))) fields.set(key, value);
  }
  if (!HOST.test(fields.get("host") ?? "")) return null;
  const connection = (fields.get("connection") ?? "keep-alive").toLowerCase();
  if (connection !== "keep-alive" && connection !== "close") return null;
  if (fields.has("if-none-match") || fields.has("if-modified-since"))
    for (const name of ["cache-control", "pragma", "range"]) if (fields.has(name)) return null;
  const range = rangeOf(fields.get("range"));
  if (range === null) return null;
  return {
    length: end + 4,
    head: method === "HEAD",
    last: connection === "close",
    target,
    ...range,
    noneMatch: fields.get("if-none-match") ?? null,
    modifiedSince: fields.get("if-modified-since") ?? null,
    acceptEncoding: fields.get("accept-encoding") ?? null,
    referer: fields.get("referer") ?? null,
    userAgent: fields.get("user-agent") ?? null,
  };
}

function rangeOf(value: string | undefined): Pick<Facts, "range" | "first" | "end"> | null {
  if (value === undefined) return { range: RangeKind.None, first: 0, end: 0 };
  const match = RANGE.exec(value);
  if (match === null) return null;
  const [, a, b, from, suffix] = match;
  if (suffix !== undefined) return { range: RangeKind.Suffix, first: Number(suffix), end: 0 };
  if (from !== undefined) return { range: RangeKind.From, first: Number(from), end: 0 };
  if (Number(a) > Number(b)) return null;
  return { range: RangeKind.Closed, first: Number(a), end: Number(b) };
}
