// llhttp as Node has it: what it makes of the requests in a buffer, and whether that is what the core says.

import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import { RangeKind } from "../../assembly/abi.js";
import type { Facts } from "./request-reference.js";

const require = createRequire(import.meta.url);

interface Request {
  method: number;
  url: string;
  version: string;
  /** Names and values in turn. */
  fields: string[];
  keepAlive: boolean;
  upgrade: boolean;
  /** Its end has come, and a body or trailers would have been before it. */
  whole: boolean;
  body: number;
}

/** Of llhttp's enumeration. */
const GET = 1;
const HEAD = 2;

interface Parsed {
  readonly requests: Request[];
  /** llhttp's code, where it stopped. */
  readonly error: string | null;
  /** Bytes that were parsed. */
  readonly bytes: number;
}

type Headers = string[] | undefined;
interface Parser {
  [callback: number]: (...args: never[]) => unknown;
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | (Error & { code: string; bytesParsed: number });
}
interface Binding {
  HTTPParser: (new () => Parser) & { REQUEST: number } & {
    readonly [name in "kOnHeaders" | "kOnHeadersComplete" | "kOnBody" | "kOnMessageComplete"]: number;
  };
}

type Parse = (bytes: Buffer) => Parsed;

/** Parses by one parser of Node's, which begins anew each time. */
export function llhttp(): Parse {
  const { HTTPParser }: Binding = require("node:_http_common");
  const parser = new HTTPParser();
  let requests: Request[] = [];
  /** Told before the head's end, where there are many. */
  let fields: string[] = [];
  let start = "";
  parser[HTTPParser.kOnHeaders] = (headers: string[], url: string) => {
    fields.push(...headers);
    start += url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    ...[major, minor, headers, method, url, , , upgrade, keepAlive]: [
      ...[major: number, minor: number, headers: Headers, method: number, url: string | undefined],
      ...[status: unknown, text: unknown, upgrade: boolean, keepAlive: boolean],
    ]
  ) => {
    const version = `${major}.${minor}`;
    const all = { fields: fields.concat(headers ?? []), url: start + (url ?? "") };
    requests.push({ method, version, ...all, upgrade, keepAlive, whole: false, body: 0 });
    fields = [];
    start = "";
    return 0;
  };
  parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
    (requests.at(-1) as Request).body += bytes.length;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    (requests.at(-1) as Request).whole = true;
  };
  return (bytes) => {
    requests = [];
    fields = [];
    start = "";
    parser.initialize(HTTPParser.REQUEST, {});
    const parsed = parser.execute(bytes);
    if (typeof parsed === "number") return { requests, error: null, bytes: parsed };
    return { requests, error: parsed.code, bytes: parsed.bytesParsed };
  };
}

/** Behind each head, as the next request of its connection. */
const MARKER = "GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n";

/** What llhttp finds in a recognized head that its facts do not say; null where they say the same. */
export function differs(parse: Parse, facts: Facts, head: string): string | null {
  const { requests, error, bytes } = parse(Buffer.from(head + (facts.last ? "" : MARKER), "latin1"));
  if (error !== null) return error;
  const [request, marker] = requests;
  if (request === undefined || !request.whole) return "no request";
  if (bytes !== head.length + (facts.last ? 0 : MARKER.length)) return "the end of the bytes";
  if (facts.last) {
    if (parse(Buffer.from(head.slice(0, -1), "latin1")).requests[0]?.whole) return "the end of the head";
  } else if (requests.length !== 2 || marker?.url !== "/marker" || marker.fields.join() !== "Host,marker")
    return "the end of the head";
  if (request.version !== "1.1" || request.upgrade || request.body !== 0) return "a body, or another protocol";
  if (request.method !== (facts.head ? HEAD : GET)) return "the method";
  if (request.url.split("?", 1)[0] !== facts.target) return "the target";
  if (request.keepAlive === facts.last) return "whether it is the last";
  const values = (wanted: string) =>
    request.fields.filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === wanted);
  const isOnly = (name: string, value: string | null) => values(name).join("\n") === (value ?? "");
  if (values("host").length !== 1) return "Host";
  if (!isOnly("if-none-match", facts.noneMatch)) return "If-None-Match";
  if (!isOnly("if-modified-since", facts.modifiedSince)) return "If-Modified-Since";
  if (!isOnly("accept-encoding", facts.acceptEncoding)) return "Accept-Encoding";
  return isDeepStrictEqual(rangesOf(values("range")), rangesOf(facts)) ? null : "Range";
}

/** The parser of `send`. */
const parseRange: (size: number, text: string) => { start: number; end: number }[] | number = require("range-parser");

/** Of a file that has more bytes than a range can name, as `send` has it. */
function rangesOf(range: string[] | Facts): unknown {
  const size = 2 ** 52;
  if (Array.isArray(range)) {
    if (range.length === 0) return null;
    const found = range.length === 1 ? parseRange(size, range[0] as string) : [];
    return typeof found === "number" ? found : found.map(({ start, end }) => [start, end]);
  }
  const { first, end } = range;
  if (range.range === RangeKind.None) return null;
  if (range.range === RangeKind.Suffix) return first === 0 ? -1 : [[size - first, size - 1]];
  return [[first, range.range === RangeKind.From ? size - 1 : end]];
}
