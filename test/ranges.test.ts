// Ranges, byte by byte: what `send` alone answers is what every way to a body answers, one request after the other on
// one connection and pipelined. A byte too many or too few would be taken for the beginning of the next answer.

import { once } from "node:events";
import http, { type RequestListener } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { createRequire } from "node:module";
import type net from "node:net";
import * as assert from "uvu/assert";
import { adapter, host } from "#process";
import { accelerate } from "../host/http/send/send.js";
import type { Send } from "../host/http/send/stream.js";
import { type StaticOptions, serveStatic } from "../host/http/static.js";
import { createHost } from "../host/index.js";
import { install } from "../host/register/install.js";
import type { Shared } from "../host/shared.js";
import { wasm } from "../host/wasm.js";
import { pattern, same } from "./lib/bytes.js";
import { certificate } from "./lib/certificate.js";
import { client, collect, listen, take } from "./lib/connection.js";
import { counting } from "./lib/counting.js";
import { lacks } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";
import { folder, parse } from "./lib/web.js";

const require = createRequire(import.meta.url);
const send = require("send") as Send;
const kernel = host().shared;
const copies = createHost(wasm(), { ...adapter(), auto: "copy" }).shared;

const SIZE = 70_001;
/** Several reads of a copy, and no multiple of any. */
const LARGE = (2 << 20) + 77;
const FILES = { file: pattern(SIZE), large: pattern(LARGE, 2) };

const { root, remove } = folder(FILES);
test.after(remove);

/** A request, and which bytes of the file its answer has: the first and the last one. */
interface Row {
  name: keyof typeof FILES;
  headers: { [name: string]: string };
  method?: string;
  status: number;
  body: readonly [first: number, last: number] | null;
  /** serveStatic answers otherwise: ranges-multi.test.ts. */
  otherwise?: true;
}

const part = (range: string, first: number, last: number, name: Row["name"] = "file"): Row => {
  return { name, headers: { range: `bytes=${range}` }, status: 206, body: [first, last] };
};
const WHOLE = { name: "file", status: 200, body: [0, SIZE - 1] } as const;
const ROWS: readonly Row[] = [
  part("0-0", 0, 0),
  part("5-104", 5, 104),
  part("0-", 0, SIZE - 1),
  part("4095-4096", 4095, 4096),
  part("4096-8191", 4096, 8191),
  part("65535-", 65_535, SIZE - 1),
  part("70000-", SIZE - 1, SIZE - 1),
  part("70000-70000", SIZE - 1, SIZE - 1),
  part("69999-70001", SIZE - 2, SIZE - 1),
  part("1-99999999", 1, SIZE - 1),
  part("-1", SIZE - 1, SIZE - 1),
  part("-69999", 2, SIZE - 1),
  part("0-1,2-6", 0, 6),
  { ...WHOLE, headers: { range: "bytes=0-1,5-6" }, otherwise: true },
  { ...WHOLE, headers: { range: "bytes=x" } },
  { ...WHOLE, headers: { range: "lines=0-1" } },
  { name: "file", headers: { range: "bytes=70001-" }, status: 416, body: null },
  { ...WHOLE, headers: { range: "bytes=1-5", "if-range": '"another"' } },
  { ...part("1-5", 1, 5), method: "HEAD", body: null, otherwise: true },
  { ...WHOLE, headers: {}, method: "HEAD", body: null },
  { name: "file", headers: { range: "bytes=1-5", "if-none-match": "*" }, status: 304, body: null },
  part("262143-1048577", 262_143, 1_048_577, "large"),
  part("1-", 1, LARGE - 1, "large"),
  part("-1048576", LARGE - 1_048_576, LARGE - 1, "large"),
];
const LAST: Row = { ...WHOLE, headers: { connection: "close" } };
const ALL = [...ROWS, LAST];
/** Those that `title` answers as `send` does. */
const rowsOf = (title: string): readonly Row[] =>
  ALL.filter(({ otherwise }) => !(title.startsWith("serveStatic") && otherwise));

/** The body that a row asks for. */
function bodyOf({ name, body }: Row): Buffer {
  return body === null ? Buffer.alloc(0) : FILES[name].subarray(body[0], body[1] + 1);
}

function textOf({ name, headers, method = "GET" }: Row): string {
  const lines = Object.entries({ host: "x", ...headers }).map(([name, value]) => `${name}: ${value}`);
  return [`${method} /${name} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

const by =
  (send: Send): RequestListener =>
  (req, res) =>
    send(req, req.url as string, { root }).pipe(res);

/** What answers; what it changes is undone after the test. */
type Way = (cleanup: Cleanup) => RequestListener;

const serves =
  (shared: Shared, options: StaticOptions = {}): Way =>
  () =>
    serveStatic(shared, root, options) as RequestListener;
const accelerates =
  (shared: Shared): Way =>
  (cleanup) => {
    cleanup.after(accelerate(shared, send));
    return by(send);
  };
const pipes: Way = (cleanup) => {
  cleanup.after(install(kernel, () => {}));
  return by(send);
};

const WAYS: { readonly [name: string]: Way } = {
  "serveStatic, by the kernel": serves(kernel),
  "serveStatic, by copies": serves(copies),
  "serveStatic, symlinks inside, by the kernel": serves(kernel, { symlinks: "inside" }),
  "serveStatic, symlinks inside, by copies": serves(copies, { symlinks: "inside" }),
  "an accelerated send, by the kernel": accelerates(kernel),
  "an accelerated send, by copies": accelerates(copies),
  "a pipe, by the kernel": pipes,
};
const NATIVE = host().capabilities().native && lacks("fd of a response") === null;

/** The same bytes, and as many, whenever it was. */
function dated(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  return Buffer.from(
    text.replace(/^Date: [^\r]*/gm, ({ length }) => "-".repeat(length)),
    "latin1",
  );
}

/** What `send` alone says, which is what the rows say. */
async function said(cleanup: Cleanup): Promise<Map<Row, Buffer>> {
  const answers = new Map<Row, Buffer>();
  for (const one of ALL) {
    const socket = await client(cleanup, http.createServer(by(send)));
    socket.write(textOf({ ...one, headers: { ...one.headers, connection: "close" } }));
    const answer = await collect(socket);
    const { status, body } = parse(answer);
    assert.match(status, `HTTP/1.1 ${one.status} `, textOf(one));
    same(one.status === 416 ? Buffer.alloc(0) : body, bodyOf(one), textOf(one));
    const kept = answer
      .toString("latin1")
      .replace("Connection: close", "Connection: keep-alive\r\nKeep-Alive: timeout=5");
    answers.set(one, dated(one === LAST ? answer : Buffer.from(kept, "latin1")));
  }
  return answers;
}

let wanted: Promise<Map<Row, Buffer>> | undefined;

/** Why nothing can be encrypted here. */
const noTls = (() => {
  try {
    certificate();
    return null;
  } catch {
    return "no openssl";
  }
})();

for (const [name, way] of Object.entries(WAYS)) {
  const servers: [string, string | null, (listener: RequestListener) => net.Server][] = [
    [name, null, (listener) => http.createServer(listener)],
  ];
  if (name.startsWith("serveStatic")) {
    servers.push([`${name}, HTTPS`, noTls, (listener) => https.createServer(certificate(), listener)]);
  }
  for (const [title, reason, server] of servers) {
    const inSteps = async (cleanup: Cleanup) => {
      const wants = await (wanted ??= said(cleanup));
      const socket = await client(cleanup, server(way(cleanup)));
      for (const one of rowsOf(title)) {
        const want = wants.get(one) as Buffer;
        const [got, moved] = await counting(() => {
          socket.write(textOf(one));
          return one === LAST ? collect(socket) : take(socket, want.length);
        });
        same(dated(got), want, textOf(one));
        if (!NATIVE) continue;
        if (title.endsWith("by the kernel") && one.body !== null) {
          if (one.name === "file") assert.is(moved, want.length, `by the kernel: ${textOf(one)}`);
          else assert.ok(moved > 0, `by the kernel: ${textOf(one)}`);
        } else assert.is(moved, 0, `by the kernel: ${textOf(one)}`);
      }
    };
    row(`${title}: one after the other`, inSteps, reason);

    const atOnce = async (cleanup: Cleanup) => {
      const wants = await (wanted ??= said(cleanup));
      const socket = await client(cleanup, server(way(cleanup)));
      const rows = rowsOf(title);
      socket.write(rows.map(textOf).join(""));
      same(dated(await collect(socket)), Buffer.concat(rows.map((one) => wants.get(one) as Buffer)));
    };
    row(`${title}: pipelined`, atOnce, reason);
  }
}

for (const shared of [kernel, copies]) {
  row(
    `serveStatic, HTTP/2, by ${shared === kernel ? "the kernel" : "copies"}: one after the other, and all at once`,
    async (cleanup) => {
      const server = http2.createServer(serveStatic(shared, root) as never);
      const { port } = (await listen(cleanup, server)) as net.TcpNetConnectOpts;
      const session = http2.connect(`http://127.0.0.1:${port}`);
      cleanup.after(() => session.destroy());
      const ask = async (one: Row) => {
        const { name, headers, method = "GET", status, body } = one;
        const stream = session.request({ ":path": `/${name}`, ":method": method, ...headers });
        const [[answer], got] = await Promise.all([once(stream, "response"), collect(stream)]);
        assert.is(answer[":status"], status, textOf(one));
        if (body === null) return;
        same(got, bodyOf(one), textOf(one));
        assert.is(answer["content-length"], String(got.length), textOf(one));
        const range = status === 206 ? `bytes ${body[0]}-${body[1]}/${FILES[name].length}` : undefined;
        assert.is(answer["content-range"], range, textOf(one));
      };
      const rows = rowsOf("serveStatic").filter((one) => one !== LAST);
      for (const one of rows) await ask(one);
      await Promise.all(rows.map(ask));
    },
  );
}

test.run();
