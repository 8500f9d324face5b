// Several ranges of a file: multipart/byteranges by serveStatic (RFC 9110 section 14.6), taken apart byte by byte.

import { once } from "node:events";
import fs from "node:fs";
import http, { type RequestListener } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import * as assert from "uvu/assert";
import { adapter, host } from "#process";
import { rangesOf } from "../host/http/ranges.js";
import { type StaticOptions, serveStatic } from "../host/http/static.js";
import { createHost } from "../host/index.js";
import type { Shared } from "../host/shared.js";
import { wasm } from "../host/wasm.js";
import { pattern, same } from "./lib/bytes.js";
import { certificate } from "./lib/certificate.js";
import { client, collect, keep, listen, take, until } from "./lib/connection.js";
import { counting } from "./lib/counting.js";
import { lacks } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";
import { descriptors, folder, header, parse, request } from "./lib/web.js";

const kernel = host().shared;
const copies = createHost(wasm(), { ...adapter(), auto: "copy" }).shared;
const NATIVE = host().capabilities().native && lacks("fd of a response") === null;

const SIZE = 70_001;
const LARGE = (3 << 20) + 77;
const FILES = { "file.txt": pattern(SIZE), "large.bin": pattern(LARGE, 2), empty: "", "coded.js": pattern(9000, 3) };
const { root, remove } = folder({ ...FILES, "coded.js.br": pattern(5000, 4) });
test.after(remove);

type Pair = readonly [first: number, last: number];

test("which bytes a header asks for", () => {
  const all = Array.from({ length: 17 }, (_, i) => `${i * 10}-${i * 10}`);
  const rows: [header: string, size: number, ranges: Pair[] | null][] = [
    [
      "bytes=0-1,5-6",
      100,
      [
        [0, 1],
        [5, 6],
      ],
    ],
    [
      "bytes=5-6,0-1",
      100,
      [
        [5, 6],
        [0, 1],
      ],
    ],
    [
      "BYTES=0-1 , 5-6",
      100,
      [
        [0, 1],
        [5, 6],
      ],
    ],
    [
      " bytes=,0-1,,5-6,",
      100,
      [
        [0, 1],
        [5, 6],
      ],
    ],
    [
      "bytes=0-1,-1",
      100,
      [
        [0, 1],
        [99, 99],
      ],
    ],
    [
      "bytes=90-,0-1",
      100,
      [
        [90, 99],
        [0, 1],
      ],
    ],
    [
      "bytes=0-1,5-99999999999999999999",
      100,
      [
        [0, 1],
        [5, 99],
      ],
    ],
    ["bytes=0-1,18446744073709551616-", 100, [[0, 1]]],
    ["bytes=0-1,100-200", 100, [[0, 1]]],
    ["bytes=0-1,-0", 100, [[0, 1]]],
    ["bytes=0-1,2-6", 100, [[0, 6]]],
    ["bytes=2-6,0-1", 100, [[0, 6]]],
    [
      "bytes=50-60,0-1,2-6",
      100,
      [
        [50, 60],
        [0, 6],
      ],
    ],
    ["bytes=0-10,5-15", 100, [[0, 15]]],
    ["bytes=0-,-5", 100, [[0, 99]]],
    ["bytes=0-10,5-15,50-60", 100, null],
    ["bytes=50-60,0-99", 100, [[0, 99]]],
    [`bytes=${all.slice(1)}`, 1000, all.slice(1).map((_, i) => [i * 10 + 10, i * 10 + 10] as const)],
    [`bytes=${all}`, 1000, null],
    [`bytes=${Array(17).fill("0-")}`, 1000, null],
    [`bytes=${Array(1000).fill("")},0-1`, 1000, [[0, 1]]],
    ["bytes=-200", 100, [[0, 99]]],
    ["bytes=-0", 100, []],
    ["bytes=100-", 100, []],
    ["bytes=100-,200-300", 100, []],
    ["bytes=9-5", 100, []],
    ["bytes=0-", 0, []],
    ["bytes=-0", 0, []],
    ["bytes=-5", 0, null],
    ["bytes=", 100, null],
    ["bytes=,", 100, null],
    ["bytes=-", 100, null],
    ["bytes=0-1,x", 100, null],
    ["bytes=0-1,5", 100, null],
    ["bytes=0-1-2", 100, null],
    ["bytes=+0-1", 100, null],
    ["bytes=0-1=5-6", 100, null],
    ["bytes 0-1", 100, null],
    ["lines=0-1", 100, null],
  ];
  for (const [text, size, wanted] of rows) {
    const got = rangesOf(text, size)?.map(({ start, end }) => [start, end]) ?? null;
    assert.equal(got, wanted, `${text.slice(0, 60)} of ${size}`);
  }
});

/** The parts of such a body, whose every byte is looked at. */
function parts(type: string, body: Buffer): { lines: string[]; bytes: Buffer }[] {
  const boundary = /^multipart\/byteranges; boundary=([\w'()+,./:=?-]{1,70})$/.exec(type)?.[1] ?? "";
  assert.is.not(boundary, "", type);
  const found: { lines: string[]; bytes: Buffer }[] = [];
  let at = 0;
  const expect = (text: string) => {
    assert.is(body.subarray(at, at + text.length).toString("latin1"), text);
    at += text.length;
  };
  expect(`--${boundary}\r\n`);
  for (;;) {
    const head = body.indexOf("\r\n\r\n", at);
    const lines = body.subarray(at, head).toString("latin1").split("\r\n");
    const end = body.indexOf(`\r\n--${boundary}`, head + 4);
    found.push({ lines, bytes: body.subarray(head + 4, end) });
    at = end;
    expect(`\r\n--${boundary}`);
    if (body.subarray(at, at + 2).toString() === "--") break;
    expect("\r\n");
  }
  expect("--\r\n");
  assert.is(at, body.length, "nothing comes after");
  return found;
}

type Name = "file.txt" | "large.bin";

/** Compares an answer with the pairs that were asked for. */
function compare(name: Name, pairs: readonly Pair[], type: string, length: string, body: Buffer): void {
  const file = FILES[name];
  assert.is(length, String(body.length));
  const got = parts(type, body);
  assert.is(got.length, pairs.length);
  for (const [i, [first, last]] of pairs.entries()) {
    const { lines, bytes } = got[i] as (typeof got)[number];
    const own = name === "file.txt" ? "text/plain; charset=utf-8" : "application/octet-stream";
    assert.equal(lines, [`Content-Type: ${own}`, `Content-Range: bytes ${first}-${last}/${file.length}`]);
    same(bytes, file.subarray(first, last + 1), `part ${i}`);
  }
}

const ASKED: readonly (readonly [Name, readonly Pair[]])[] = [
  [
    "file.txt",
    [
      [0, 1],
      [5, 6],
    ],
  ],
  [
    "file.txt",
    [
      [60_000, SIZE - 1],
      [0, 0],
      [100, 50_000],
    ],
  ],
  ["file.txt", Array.from({ length: 16 }, (_, i) => [i * 4096, i * 4096 + 100] as const)],
  [
    "large.bin",
    [
      [LARGE - 5, LARGE - 1],
      [0, 1_000_000],
      [1_000_002, 3_000_000],
    ],
  ],
];
const listOf = (pairs: readonly Pair[]) => `bytes=${pairs.map(([first, last]) => `${first}-${last}`)}`;

const serves = (shared: Shared, options: StaticOptions = {}) => serveStatic(shared, root, options) as RequestListener;
const WAYS: readonly [string, Shared, StaticOptions][] = [
  ["by the kernel", kernel, {}],
  ["by copies", copies, {}],
  ["symlinks inside, by the kernel", kernel, { symlinks: "inside" }],
  ["symlinks inside, by copies", copies, { symlinks: "inside" }],
  ["without open files, by the kernel", kernel, { openFileCache: false, etag: "strong" }],
];

const rests = new WeakMap<net.Socket, Buffer>();

/** An answer on a connection that goes on; what came behind it is kept for the next. */
async function answer(socket: net.Socket): Promise<ReturnType<typeof parse>> {
  let bytes = rests.get(socket) ?? Buffer.alloc(0);
  const more = async () => {
    bytes = Buffer.concat([bytes, await take(socket, 1)]);
  };
  while (!bytes.includes("\r\n\r\n")) await more();
  const { headers } = parse(bytes);
  const length = bytes.indexOf("\r\n\r\n") + 4 + Number(header(headers, "content-length"));
  while (bytes.length < length) await more();
  rests.set(socket, bytes.subarray(length));
  return parse(bytes.subarray(0, length));
}

const noTls = (() => {
  try {
    certificate();
    return null;
  } catch {
    return "no openssl";
  }
})();

for (const [name, shared, options] of WAYS) {
  for (const secure of [false, true]) {
    const title = `${name}${secure ? ", HTTPS" : ""}`;
    const server = () =>
      secure ? https.createServer(certificate(), serves(shared, options)) : http.createServer(serves(shared, options));
    const text = ([file, pairs]: (typeof ASKED)[number]) =>
      `GET /${file} HTTP/1.1\r\nHost: x\r\nRange: ${listOf(pairs)}\r\n\r\n`;

    const inSteps = async (cleanup: Cleanup) => {
      const socket = await client(cleanup, server());
      for (const asked of [...ASKED, ...ASKED]) {
        const [got, moved] = await counting(() => {
          socket.write(text(asked));
          return answer(socket);
        });
        assert.match(got.status, " 206 ");
        assert.is(header(got.headers, "content-range"), undefined);
        const [type, length] = ["content-type", "content-length"].map((name) => header(got.headers, name) as string);
        compare(...asked, type as string, length as string, got.body);
        if (!NATIVE) continue;
        const native = title.endsWith("by the kernel");
        if (native) assert.ok(moved > got.body.length / 2, `${moved} of ${got.body.length} bytes by the kernel`);
        else assert.is(moved, 0);
      }
    };
    row(`parts ${title}: one after the other`, inSteps, secure ? noTls : null);

    const atOnce = async (cleanup: Cleanup) => {
      const socket = await client(cleanup, server());
      socket.write(ASKED.map(text).join(""));
      for (const asked of ASKED) {
        const got = await answer(socket);
        const [type, length] = ["content-type", "content-length"].map((name) => header(got.headers, name) as string);
        compare(...asked, type as string, length as string, got.body);
      }
    };
    row(`parts ${title}: pipelined`, atOnce, secure ? noTls : null);
  }
}

test("parts over HTTP/2", async (cleanup) => {
  const server = http2.createServer(serves(kernel) as never);
  const { port } = (await listen(cleanup, server)) as net.TcpNetConnectOpts;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  cleanup.after(() => session.destroy());
  const ask = async (asked: (typeof ASKED)[number]) => {
    const stream = session.request({ ":path": `/${asked[0]}`, range: listOf(asked[1]) });
    const [[got], body] = await Promise.all([once(stream, "response"), collect(stream)]);
    assert.is(got[":status"], 206);
    compare(...asked, got["content-type"], got["content-length"], body);
  };
  for (const asked of ASKED) await ask(asked);
  await Promise.all(ASKED.map(ask));
});

/** Status, Content-Type and Content-Range of an answer without parts, or with them. */
type Answer = [status: number, type: string | null, range: string | null];

test("where there are no parts", async (cleanup) => {
  const options: StaticOptions = {
    precompressed: true,
    setHeaders: (res) => {
      const { status, coding } = (res.req as http.IncomingMessage).headers;
      if (status !== undefined) res.statusCode = Number(status);
      if (coding !== undefined) res.setHeader("Content-Encoding", coding);
    },
  };
  const { port } = (await listen(cleanup, http.createServer(serves(kernel, options)))) as net.TcpNetConnectOpts;
  const none = (await listen(
    cleanup,
    http.createServer(serves(kernel, { acceptRanges: false })),
  )) as net.TcpNetConnectOpts;
  const whole: Answer = [200, "text/plain; charset=utf-8", null];
  const several: Answer = [206, "multipart/byteranges", null];
  const rows: [name: string, lines: string[], Answer, method?: string, port?: number][] = [
    ["file.txt", ["Range: bytes=0-1,5-6"], several],
    ["file.txt", ["Range: bytes=0-1,5-6", 'If-Range: "x"'], whole],
    ["file.txt", ["Range: bytes=0-1,5-6"], whole, "HEAD"],
    ["file.txt", ["Range: bytes=0-1"], whole, "HEAD"],
    ["file.txt", ["Range: bytes=70001-"], whole, "HEAD"],
    ["file.txt", ["Range: bytes=0-1,5-6"], whole, "GET", none.port],
    ["file.txt", ["Range: bytes=0-1,5-6", "Status: 203"], [203, whole[1], null]],
    ["file.txt", ["Range: bytes=0-1,5-6", "Coding: br"], whole],
    ["file.txt", ["Range: bytes=0-1,x"], whole],
    ["file.txt", [`Range: bytes=${Array(17).fill("0-1")}`], whole],
    ["file.txt", ["Range: bytes=0-9,5-14,50-60"], whole],
    ["file.txt", ["Range: bytes=0-1,2-6"], [206, whole[1], `bytes 0-6/${SIZE}`]],
    ["file.txt", ["Range: bytes=0-1,99999-"], [206, whole[1], `bytes 0-1/${SIZE}`]],
    ["file.txt", ["Range: bytes=99999-,88888-"], [416, "text/html; charset=UTF-8", `bytes */${SIZE}`]],
    ["file.txt", ["Range: bytes=0-1,5-6", "If-None-Match: *"], [304, null, null]],
    ["file.txt", ["Range: bytes=0-1,5-6", 'If-Match: "x"'], [412, "text/html; charset=UTF-8", null]],
    ["empty", ["Range: bytes=0-1,5-6"], [416, "text/html; charset=UTF-8", "bytes */0"]],
    ["coded.js", ["Range: bytes=0-1,5-6"], several],
    ["coded.js", ["Range: bytes=0-1,5-6", "Accept-Encoding: br"], [200, "text/javascript; charset=utf-8", null]],
    [
      "coded.js",
      ["Range: bytes=1-2", "Accept-Encoding: br"],
      [206, "text/javascript; charset=utf-8", "bytes 1-2/5000"],
    ],
  ];
  const get = async (port: number, text: string) => {
    const socket = net.connect(port, "127.0.0.1");
    keep(cleanup, socket);
    socket.write(text);
    return parse(await collect(socket));
  };
  for (const [name, lines, [status, type, range], method, at = port] of rows) {
    const about = `${method ?? "GET"} ${name} ${lines}`;
    const got = await get(at, request(`/${name}`, lines, method));
    assert.match(got.status, ` ${status} `, about);
    assert.is(header(got.headers, "content-type")?.split("; boundary=")[0] ?? null, type, about);
    assert.is(header(got.headers, "content-range") ?? null, range, about);
    if (status === 200)
      assert.is(
        header(got.headers, "content-length"),
        String(FILES["file.txt"].length * Number(name === "file.txt") || 5000),
        about,
      );
    if (method === "HEAD") assert.is(got.body.length, 0, about);
  }
});

test("no two answers have the same boundary", async (cleanup) => {
  const socket = await client(cleanup, http.createServer(serves(kernel)));
  const seen = new Set<string | undefined>();
  for (let i = 0; i < 20; i++) {
    socket.write(`GET /file.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,5-6\r\n\r\n`);
    seen.add(header((await answer(socket)).headers, "content-type"));
  }
  assert.is(seen.size, 20);
});

test("a file that gets shorter between its headers and its parts is not sent", async (cleanup) => {
  const { root, remove } = folder({ a: pattern(SIZE) });
  cleanup.after(remove);
  const handler = serveStatic(kernel, root, { setHeaders: (_res, file) => fs.truncateSync(file, 10) });
  const socket = await client(cleanup, http.createServer(handler as RequestListener));
  socket.write(request("/a", ["Range: bytes=0-1,5-6"]));
  assert.match(parse(await collect(socket)).status, " 500 ");
});

for (const [how, auto] of [
  ["by the kernel", "auto"],
  ["by copies", "copy"],
] as const) {
  test(`at the end of the process an answer goes on to its last part, ${how}`, async (cleanup) => {
    const { shared, drain } = createHost(wasm(), { ...adapter(), auto });
    const server = http.createServer(serves(shared));
    const socket = await client(cleanup, server);
    // The first part is more than the buffers of both sockets take.
    const pairs: Pair[] = [
      [0, LARGE - 100],
      [LARGE - 50, LARGE - 40],
      [LARGE - 20, LARGE - 1],
    ];
    socket.pause();
    const [[, res]] = await Promise.all([
      once(server, "request") as Promise<[unknown, http.ServerResponse]>,
      socket.write(request("/large.bin", [`Range: ${listOf(pairs)}`])),
    ]);
    await until(() => res.headersSent);
    const drained = drain({ timeout: 60_000 });
    const { headers, body } = parse(await collect(socket));
    const [type, length] = ["content-type", "content-length"].map((name) => header(headers, name) as string);
    compare("large.bin", pairs, type as string, length as string, body);
    await drained;
  });
}

for (const [how, shared] of [
  ["by the kernel", kernel],
  ["by copies", copies],
] as const) {
  test(`a file that gets shorter after its first parts ends the connection, ${how}`, async (cleanup) => {
    const { root, remove } = folder({ a: pattern(LARGE) });
    cleanup.after(remove);
    const server = http.createServer(serveStatic(shared, root) as RequestListener);
    const socket = await client(cleanup, server);
    // The first part is more than the buffers of both sockets take.
    const pairs: Pair[] = [
      [0, LARGE - 100],
      [LARGE - 50, LARGE - 1],
    ];
    socket.pause();
    const [[, res]] = await Promise.all([
      once(server, "request") as Promise<[unknown, http.ServerResponse]>,
      socket.write(`GET /a HTTP/1.1\r\nHost: x\r\nRange: ${listOf(pairs)}\r\n\r\n`),
    ]);
    await until(() => res.headersSent);
    fs.truncateSync(path.join(root, "a"), 1000);
    const closed = once(res, "close");
    const got = await collect(socket);
    await closed;
    const { headers, body } = parse(got);
    assert.ok(body.length < Number(header(headers, "content-length")), "it is not complete");
  });

  test(`a client that leaves in the middle leaves no file open, ${how}`, async (cleanup) => {
    const server = http.createServer(serves(shared));
    const { port } = (await listen(cleanup, server)) as net.TcpNetConnectOpts;
    const before = descriptors();
    const one = async (text: string) => {
      const socket = net.connect(port, "127.0.0.1");
      const [[, res]] = await Promise.all([
        once(server, "request") as Promise<[unknown, http.ServerResponse]>,
        once(socket, "connect").then(() => socket.write(text)),
      ]);
      await once(socket, "readable");
      socket.destroy();
      if (!res.closed) await once(res, "close");
      while (await new Promise((resolve) => server.getConnections((_error, count) => resolve(count > 0)))) {}
    };
    const text = `GET /large.bin HTTP/1.1\r\nHost: x\r\nRange: ${listOf([
      [0, 1],
      [5, LARGE - 9],
      [LARGE - 5, LARGE - 1],
    ])}\r\n\r\n`;
    for (let i = 0; i < 5; i++) await one(text);
    for (let i = 0; i < 5; i++) await one(text.repeat(3));
    while (descriptors() > before) await new Promise((next) => setImmediate(next));
  });
}

test.run();
