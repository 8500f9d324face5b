// llhttp as Node has it: what it makes of the requests in a buffer.

import { createRequire } from "node:module";

export interface Request {
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
export const GET = 1;
export const HEAD = 2;

export interface Parsed {
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

/** Parses by one parser of Node's, which begins anew each time. */
export function llhttp(): (bytes: Buffer) => Parsed {
  const { HTTPParser }: Binding = createRequire(import.meta.url)("_http_common");
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
