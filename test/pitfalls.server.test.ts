// docs/internals/pitfalls.md, of a server: S1 to S30, on the wire, of the loop and of node:http, which agree.
//
// Not here: S17 (listings), S20 (TLS) and S31 (proxies before it): `sendoff serve` has them, test/cli.listing.test.ts,
// test/cli.serve.test.ts and test/cli.options.test.ts; createFileServer() has none. S28 (apps behind a server):
// test/server.app.test.ts. S29: nothing here does that.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { Act, Fault } from "../assembly/abi.js";
import { type Core, guarded } from "../host/core.js";
import type { Epoll, LoopLibc } from "../host/libc/epoll.js";
import { Acceptor } from "../host/loop/acceptor.js";
import { Fds } from "../host/loop/fds.js";
import { type FileCalls, Known } from "../host/loop/known.js";
import { pattern, random, same } from "./lib/bytes.js";

import { until } from "./lib/connection.js";
import { BUILDS } from "./lib/core.js";
import { COMMAND } from "./lib/exit-process.js";
import {
  type Answered,
  answersOf,
  both,
  ENGINES,
  type Engine,
  first,
  folder,
  get,
  head,
  LARGE,
  LAST_MODIFIED,
  noHalfClosed,
  noLoop,
  onBun,
  onDeno,
  SMALL,
  serve,
  talk,
  undated,
} from "./lib/file-server.js";
import { fdCount, fdLimit, tempFolder } from "./lib/files.js";
import { without } from "./lib/programs.js";
import { type Cleanup, test } from "./lib/suite.js";

/** A request behind another one, that is answered only if it is found there. */
const MARKER = "GET /marker HTTP/1.1\r\nHost: a\r\n\r\n";
const KIB = 1024;
const MIB = 1024 * KIB;

const lines = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
/** A request with these fields, that others may follow. */
const fields = (...fields: string[]) => lines("GET /small.bin HTTP/1.1", "Host: a", ...fields);
const statuses = (answers: Answered[]) => answers.map(({ status }) => status);

/** What an answer to a request is: its status, and what it has to have. */
type Row = readonly [request: string, status: number, fields?: { readonly [name: string]: string | RegExp }];

/** Each gets one answer, and then the connection ends. */
async function each(ask: (request: string) => Promise<string>, rows: readonly Row[]): Promise<void> {
  for (const [request, status, wanted = {}] of rows) {
    const what = request.slice(0, 200);
    const answers = answersOf(await ask(request), request.startsWith("HEAD") ? [0] : []);
    assert.equal(statuses(answers), [status], what);
    for (const [name, value] of Object.entries(wanted)) assert.match(answers[0]?.fields[name] ?? "none", value, what);
  }
}

function connect(t: Cleanup, port: number): net.Socket {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** The port that a child's program prints. */
async function portOf(child: ChildProcess): Promise<number> {
  const [line] = await once(child.stdout as NonNullable<ChildProcess["stdout"]>, "data");
  return Number(line);
}

test("S1 a request that two servers may read as two: 400, the end, and nothing behind it is read", async (t) => {
  const { all, ask } = await both(t, folder(t));
  const lengths = ["+3", "-3", "3e3", "0x3", "3 3", "3,3", "", "99999999999999999999"];
  const codings = ["xchunked", "chunkedx", "chunked, x", "chunked, chunked", "identity", "\x0bchunked"];
  const bad = [
    fields("Content-Length: 3", "Transfer-Encoding: chunked"),
    fields("Transfer-Encoding: chunked", "Content-Length: 3"),
    fields("Content-Length: 3", "Content-Length: 4"),
    fields("Content-Length: 3", "Content-Length: 3"),
    fields("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    ...lengths.map((value) => fields(`Content-Length: ${value}`)),
    ...codings.map((value) => fields(`Transfer-Encoding: ${value}`)),
    fields("X : y"),
    fields("Content-Length : 3"),
    fields("X\t: y"),
    lines("GET /small.bin HTTP/1.1", " Host: a"),
    fields("X: a", " b"),
    fields("X: a", "\tb"),
    fields("X: a\rb"),
    fields("X: a\rY: b"),
    fields("X: a\nY: b"),
    fields().replaceAll("\r\n", "\n"),
    "GET /small.bin HTTP/1.1\r\nHost: a\r\n\n",
    fields("X: a\0b"),
    fields("X\0: a"),
    fields("X"),
    fields(": a"),
    lines("GET /small\0.bin HTTP/1.1", "Host: a"),
  ];
  for (const request of bad) {
    const chunk = request.includes("chunked") ? "3\r\nabc\r\n0\r\n\r\n" : "abc";
    const body = /length|encoding/i.test(request) ? chunk : "";
    const [answer, ...more] = answersOf(await ask(request + body + MARKER));
    assert.equal([answer?.status, answer?.fields.connection, more.length], [400, "close", 0], request);
  }
  // It is answered before its body is read, and then again, if that comes late.
  for (const body of ["0x3\r\nabc\r\n0\r\n\r\n", "3\nabc\n0\n\n", "3\r\nabcd0\r\n\r\n"]) {
    const request = lines("POST /small.bin HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + body;
    for (const { port } of all) {
      const text = (await talk(port, [request + MARKER])).toString("latin1");
      assert.match(statuses(answersOf(text)).join(), /^405(,400)?$/, JSON.stringify(body));
    }
  }
});

test("S2 a body of GET or HEAD is dropped, and is no request", async (t) => {
  const { ask } = await both(t, folder(t));
  const chunked = `${MARKER.length.toString(16)}\r\n${MARKER}\r\n0\r\n\r\n`;
  const large = MARKER.repeat(8000);
  for (const request of [
    fields(`Content-Length: ${MARKER.length}`) + MARKER,
    fields(`Content-Length: ${MARKER.length}`).replace("GET", "HEAD") + MARKER,
    fields("Transfer-Encoding: chunked") + chunked,
    ...(onDeno ? [] : [fields(`Content-Length: ${large.length}`) + large]), // Deno's server reads no more of it
    fields("Content-Length: 0"),
  ]) {
    const heads = request.startsWith("HEAD") ? [0] : [];
    assert.equal(statuses(answersOf(await ask(request + get("/page.html")), heads)), [200, 200], request.slice(0, 200));
  }
});

test("S3 no Host is 400; two Hosts, and a Host that is none, are node:http's to judge", async (t) => {
  const { ask } = await both(t, folder(t));
  assert.equal(statuses(answersOf(await ask(lines("GET /small.bin HTTP/1.1", "X: a") + MARKER))), [400]);
  const close = "Connection: close";
  // llhttp looks at no Host, and node:http takes the first: RFC 9112 has 400 here.
  const odd = [["Host: a", "Host: b"], ["Host:"], ["Host: a@b/c"], ["Host: a, b"], ["Host: a:b:c"]];
  for (const hosts of odd) {
    const answers = answersOf(await ask(lines("GET /small.bin HTTP/1.1", ...hosts, close)));
    assert.equal(statuses(answers), [200], hosts.join());
    assert.is(answers[0]?.body, SMALL.toString("latin1"));
  }
  assert.equal(statuses(answersOf(await ask("GET /small.bin HTTP/1.0\r\n\r\n"))), [200]);
});

test("S4 other forms of a target; and no redirect leads to another site", async (t) => {
  const { ask } = await both(t, folder(t));
  await each(ask, [
    // serveStatic() knows no absolute-form: RFC 9112 has its path answered.
    [get("http://localhost/small.bin"), 404],
    [get("ftp://localhost/small.bin"), 404],
    [get("*"), 404],
    [get("*").replace("GET", "OPTIONS"), 405, { allow: "GET, HEAD" }],
    [get("localhost:80"), 400],
    [get("localhost"), 400],
    [get(""), 400],
    [get("/small.bin#x"), 404],
    [get("//localhost/small.bin"), 404],
    [get("//small.bin"), 200],
    [get("/sub"), 301, { location: /^\/sub\/$/ }],
    [get("/sub?a=b"), 301, { location: /^\/sub\/\?a=b$/ }],
  ]);
  for (const begin of ["//", "///", "/\\", "/\\/", "\\\\", "/%5c", "/%2f", "/.//", "/%2e//", "/./\\"]) {
    for (const end of [
      "sub",
      "evil.example/%2e%2e",
      "evil.example/..",
      "evil.example/%2e%2e/sub",
      "evil.example/%2f..",
    ]) {
      const [answer] = answersOf(await ask(get(begin + end)));
      // As a browser reads it.
      const location = new URL(answer?.fields.location ?? "/", "http://localhost/");
      assert.is(location.host, "localhost", `${begin}${end}: ${answer?.fields.location}`);
    }
  }
});

test("S5 decoded once, and checked after: nothing out of the root, whoever asks", async (t) => {
  const above = tempFolder(t);
  const root = join(above, "root");
  fs.cpSync(folder(t), root, { recursive: true, preserveTimestamps: true });
  fs.writeFileSync(join(above, "secret.txt"), "a secret");
  fs.symlinkSync(join(above, "secret.txt"), join(root, "out.txt"));
  fs.symlinkSync(above, join(root, "outside"));
  fs.symlinkSync("small.bin", join(root, "in.bin"));
  const { ask } = await both(t, root, { symlinks: "inside" });
  const out: Row[] = [
    ...["/..", "/%2e%2e", "/.%2e", "/%2E%2e", "/sub/../..", "/sub/%2e%2e/%2e%2e", "/..%5c..", "/%5c.."].map(
      (up): Row => [get(`${up}/secret.txt`), 403], // send's answer, where others have 404
    ),
    [get("/..%2fsecret.txt"), 403],
    [get("/%2e%2e%2fsecret.txt"), 403],
    [get("/..%5csecret.txt"), 403],
    [get("/%252e%252e/secret.txt"), 404],
    [get("/%252e%252e%252fsecret.txt"), 404],
    [get("/%c0%ae%c0%ae/secret.txt"), 400],
    [get("/%e0%80%ae%e0%80%ae/secret.txt"), 400],
    [get("/small.bin%00"), 400],
    [get("/small.bin%00.html"), 400],
    [get("/%ff"), 400],
    [get("/%"), 400],
    [get("/small%zz"), 400],
    [get("/%2573mall.bin"), 404],
    [get("/sub%5cindex.html"), 404],
    [get("/out.txt"), 404],
    [get("/outside/secret.txt"), 404],
  ];
  await each(async (request) => {
    const text = await ask(request);
    assert.not.match(text, "a secret");
    return text;
  }, out);
  await each(ask, [
    ...[
      "/%73mall.bin",
      "/small%2ebin",
      "/sub/../small.bin",
      "/sub/%2e%2e/small.bin",
      "/./small.bin",
      "/in.bin",
      "/outside/root/small.bin",
    ].map((target): Row => [get(target), 200, { "content-length": "4096" }]),
    [get("/sub%2findex.html"), 200],
  ]);
});

test("S6 ranges that are larger than numbers, too many, or none", async (t) => {
  const { ask } = await both(t, folder(t));
  const many = (count: number) => Array.from({ length: count }, (_, i) => `${3 * i}-${3 * i + 1}`).join();
  const range = (value: string) => get("/small.bin", `Range: bytes=${value}`);
  const whole = (value: string): Row => [range(value), 200, { "content-length": "4096" }];
  const none = (value: string): Row => [range(value), 416, { "content-range": "bytes */4096" }];
  const part = (value: string, from: number, to: number): Row => [
    range(value),
    206,
    { "content-range": `bytes ${from}-${to}/4096`, "content-length": String(to - from + 1) },
  ];
  await each(ask, [
    ...["9007199254740992-", "9007199254740993-9007199254740994", "18446744073709551616-", "4096-", "-0", "9-3"].map(
      none,
    ),
    none("5000-6000,7000-"),
    part("0-9007199254740993", 0, 4095),
    part("0-18446744073709551616", 0, 4095),
    part("-9007199254740993", 0, 4095),
    part("-18446744073709551616", 0, 4095),
    part("-5000", 0, 4095),
    part("-4096", 0, 4095),
    part("-1", 4095, 4095),
    part("0-0", 0, 0),
    part("4095-", 4095, 4095),
    part("4095-4096", 4095, 4095),
    part("000000000000000000001-2", 1, 2),
    part("0-9,10-20", 0, 20),
    part("0-9,5-20", 0, 20),
    ...["--1", "-", "+1-2", "0x1-2", "1.0-2", "1e1-", "", "0-9,a", many(17), many(900), `${"0-,".repeat(900)}0-`].map(
      whole,
    ),
    [get("/small.bin", "Range: lines=1-2"), 200, { "content-length": "4096" }],
    [head("/small.bin", "Range: bytes=1-2"), 200, { "content-length": "4096" }],
    [get("/empty.txt", "Range: bytes=0-0"), 416],
  ]);
  await each(ask, [[range(many(16)), 206, { "content-type": "multipart/byteranges" }]]);
});

test("S7 conditions in the order of RFC 9110, 13.2.2", async (t) => {
  // A file whose last change is long ago: its strong tag is none of a young file.
  const { ask } = await both(t, fileURLToPath(new URL("../../", import.meta.url)), { etag: "strong" });
  const { etag: tag = "", "last-modified": date = "" } = answersOf(await ask(head("/LICENSE")), [0])[0]?.fields ?? {};
  assert.match(tag, /^"/);
  const time = Date.parse(date);
  const at = (time: number) => new Date(time).toUTCString();
  const before = at(time - 86_400_000);
  const later = at(time + 1000);
  /** The obsolete forms. */
  const rfc850 = (time: number) => at(time).replace(/^.*?, (..) (...) ..(..)/, "Someday, $1-$2-$3");
  const asctime = (time: number) =>
    at(time).replace(/^(...), (..) (...) (....) (.*) GMT$/, (_, ...[day, date, month, year, hours]) =>
      [day, month, String(Number(date)).padStart(2), hours, year].join(" "),
    );
  const row = (status: number, ...conditions: string[]): Row => [get("/LICENSE", ...conditions), status];
  await each(ask, [
    row(206, `If-Range: ${tag}`, "Range: bytes=1-2"),
    row(200, `If-Range: W/${tag}`, "Range: bytes=1-2"),
    row(200, 'If-Range: "other"', "Range: bytes=1-2"),
    row(206, `If-Range: ${date}`, "Range: bytes=1-2"),
    row(200, `If-Range: ${later}`, "Range: bytes=1-2"),
    row(304, `If-None-Match: ${tag}`),
    row(304, `If-None-Match: W/${tag}`),
    row(304, `If-None-Match: "a", W/"b" , ${tag}`),
    row(304, "If-None-Match: *"),
    row(200, 'If-None-Match: "a,b", W/"c"'),
    row(200, "If-None-Match: a"),
    row(304, `If-None-Match: ${tag}`, `If-Modified-Since: ${before}`),
    row(200, 'If-None-Match: "a"', `If-Modified-Since: ${date}`),
    row(304, `If-None-Match: ${tag}`, "Range: bytes=1-2"),
    row(304, `If-Modified-Since: ${date}`),
    row(304, `If-Modified-Since: ${later}`),
    row(200, `If-Modified-Since: ${before}`),
    row(304, `If-Modified-Since: ${rfc850(time)}`),
    row(200, `If-Modified-Since: ${rfc850(time - 1000)}`),
    row(304, `If-Modified-Since: ${asctime(time)}`),
    row(200, `If-Modified-Since: ${asctime(time - 1000)}`),
    row(200, "If-Modified-Since: yesterday"),
    row(200, "If-Modified-Since:"),
    row(200, `If-Modified-Since: ${date.toLowerCase()}`),
    row(412, 'If-Match: "a"'),
    row(412, `If-Match: W/${tag}`),
    row(200, `If-Match: "a", ${tag}`),
    row(200, "If-Match: *"),
    row(412, `If-Unmodified-Since: ${before}`),
    row(200, `If-Unmodified-Since: ${date}`),
    row(200, `If-Match: ${tag}`, `If-Unmodified-Since: ${before}`),
    row(412, 'If-Match: "a"', "If-None-Match: *"),
    row(304, `If-Match: ${tag}`, `If-None-Match: ${tag}`),
    row(206, `If-Match: ${tag}`, "Range: bytes=1-2"),
  ]);
  // A weak tag is none for If-Match and If-Range.
  const { ask: askWeak } = await both(t, folder(t));
  const { etag: weak } = answersOf(await askWeak(head("/small.bin")), [0])[0]?.fields ?? {};
  await each(askWeak, [
    [get("/small.bin", `If-Match: ${weak}`), 412],
    [get("/small.bin", `If-Range: ${weak}`, "Range: bytes=1-2"), 200],
    [get("/small.bin", `If-None-Match: ${weak}`), 304],
  ]);
});

for (const engine of ENGINES)
  test(`S8 ${engine}: an answer comes whole, whatever the client sends behind its last request`, async (t) => {
    const root = folder(t);
    fs.truncateSync(join(root, "large.bin"), 64 * MIB); // more than is on its way at once
    const { port } = await serve(t, root, { engine });
    await talk(port, [head("/large.bin")]); // known now
    const socket = connect(t, port);
    socket.write(get("/large.bin"));
    await once(socket, "readable");
    // Nobody reads this any more.
    for (let i = 0; i < 8; i++) socket.write(pattern(8 * KIB));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(socket, "end");
    const all = Buffer.concat(chunks);
    const [{ fields = {} } = {}] = answersOf(all.toString("latin1", 0, 1000));
    assert.is(fields.connection, "close");
    const body = all.subarray(all.indexOf("\r\n\r\n") + 4);
    assert.is(body.length, 64 * MIB);
    same(body.subarray(0, LARGE.length), LARGE);
  });

const noLinger = onBun || onDeno ? "node:http is the runtime's own, and closes as it likes" : null;

/** Of it the half is on its way as long as nobody reads. */
const WAY = pattern(200_000);

/** What comes on a connection that nobody has read from so far. @throws Error if it does not end well. */
async function whole(socket: net.Socket): Promise<Buffer> {
  const failed = new Promise<never>((_, reject) => socket.once("error", reject));
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).resume();
  await Promise.race([once(socket, "end"), failed]);
  socket.end();
  await Promise.race([once(socket, "close"), failed]);
  return Buffer.concat(chunks);
}

/** Answered with 405, before its body has come. */
const POST = ["POST /small.bin HTTP/1.1", "Host: a", "Connection: close"];
const BODIES: [head: string, body: string][] = [
  [lines(...POST, "Content-Length: 5"), "hello"],
  [lines(...POST, "Transfer-Encoding: chunked"), "5\r\nhello\r\n0\r\n\r\n"],
];

for (const engine of ENGINES)
  test.unless(noLinger, `S8 ${engine}: a body that comes once its request is answered cuts off nothing`, async (t) => {
    const root = folder(t);
    fs.writeFileSync(join(root, "way.bin"), WAY);
    const { server, port } = await serve(t, root, { engine });
    for (const [i, [head, late]] of BODIES.entries()) {
      const socket = connect(t, port).pause();
      socket.write(lines("GET /way.bin HTTP/1.1", "Host: a") + head);
      await until(() => server.stats().answers.node["4xx"] === i + 1);
      await new Promise((done) => socket.write(late, done));
      await answered(port); // as long as it takes to reset the connection
      const all = await whole(socket);
      assert.ok(all.includes(WAY), `${all.length} bytes`);
      assert.match(all.toString("latin1"), /HTTP\/1\.1 405 .*Connection: close/s);
    }
    await until(() => server.stats().connections === 0);
  });

for (const engine of ENGINES)
  test.unless(noLinger, `S8 ${engine}: a request whose body is none cuts off no answer before its own`, async (t) => {
    const root = folder(t);
    fs.writeFileSync(join(root, "way.bin"), WAY);
    const { port } = await serve(t, root, { engine });
    for (const [method, status] of [
      ["GET", 400],
      ["POST", 405], // at once
    ]) {
      const socket = connect(t, port).pause();
      const broken = lines(`${method} /small.bin HTTP/1.1`, "Host: a", "Transfer-Encoding: chunked");
      socket.write(`${lines("GET /way.bin HTTP/1.1", "Host: a")}${broken}ZZ\r\n`);
      await once(socket, "readable");
      await answered(port);
      const all = await whole(socket);
      assert.ok(all.includes(WAY), `${all.length} bytes`);
      const [, ...others] = all.toString("latin1").match(/HTTP\/1\.1 \d+/g) as string[];
      assert.equal(others, [`HTTP/1.1 ${status}`]);
    }
  });

test.unless(
  noLinger,
  "S8 node: a request that comes behind an answer of which nobody knew that it is the last",
  async (t) => {
    const root = folder(t);
    fs.writeFileSync(join(root, "way.bin"), WAY);
    const { server, port } = await serve(t, root, { engine: "node" });
    const socket = connect(t, port).pause();
    await once(socket, "connect");
    await until(() => server.stats().connections === 1);
    const closed = server.close({ delay: 60_000 });
    socket.write(lines("GET /way.bin HTTP/1.1", "Host: a"));
    await until(() => server.stats().answers.node["2xx"] === 1);
    await new Promise((done) => socket.write(fields(), done));
    await answered(port);
    const all = await whole(socket);
    assert.match(all.toString("latin1", 0, 1000), /Connection: close/);
    assert.ok(all.includes(WAY), `${all.length} bytes`);
    assert.is(answersOf(all.toString("latin1")).length, 1);
    await server.close({ timeout: 0 });
    await closed;
  },
);

test("S9 a slow head, half of one, an idle client and one that never reads are ended", async (t) => {
  const root = folder(t);
  fs.truncateSync(join(root, "large.bin"), 64 * MIB);
  const limits = { headersTimeout: 100, keepAliveTimeout: 100, stallTimeout: 200 };
  const ended = async (engine: Engine) => {
    const { server, port } = await serve(t, root, { engine, ...limits });
    // Nothing but the limit of heads ends the slow one here.
    const patient = await serve(t, root, { engine, headersTimeout: 100, stallTimeout: 0 });
    const say = (begin: string, to = port) => {
      const socket = connect(t, to).pause();
      if (begin !== "") socket.write(begin);
      return socket;
    };
    for (const begin of ["", "GET /sm", fields(), `${fields()}GET`, first("/large.bin")]) say(begin);
    const slow = say("GET /slow", patient.port);
    const drip = setInterval(() => slow.write("x"), 20);
    t.after(() => clearInterval(drip));
    // Those before it were accepted then.
    await answered(port);
    await answered(patient.port);
    await until(() => server.stats().connections === 0 && patient.server.stats().connections === 0);
    while ((await answered(port)) !== 200); // a slow machine needs longer than its limits at times
  };
  await Promise.all(ENGINES.map(ended));
});

test("S9 clients that say nothing, 500 or as many as may be, keep no other one waiting, and leave nothing", async (t) => {
  const many = Math.min(500, Math.floor(fdLimit() / 4)); // both ends are here
  for (const { port } of (await both(t, folder(t))).all) {
    await answered(port);
    const before = fdCount();
    const idle = Array.from({ length: many }, () => connect(t, port));
    await Promise.all(idle.map((socket) => once(socket, "connect")));
    assert.is(await answered(port), 200);
    for (const socket of idle) socket.destroy();
    await until(() => fdCount() <= before);
  }
});

/** The status of a small file. */
async function answered(port: number): Promise<number | undefined> {
  return answersOf((await talk(port, [get("/small.bin")])).toString("latin1"))[0]?.status;
}

test("S10 connections that go on and that don't; and no body where none is", async (t) => {
  const { ask } = await both(t, folder(t));
  const page = get("/page.html");
  const old = (...fields: string[]) => lines("GET /small.bin HTTP/1.0", ...fields);
  for (const request of [
    fields(),
    fields("Connection: keep-alive"),
    fields("Connection: keep-alive, x"),
    fields("Connection: x"),
    ...(onBun ? [] : [old("Connection: keep-alive"), old("Connection: Keep-Alive")]), // Bun ends these
  ]) {
    const answers = answersOf(await ask(request + page));
    assert.equal([statuses(answers), answers[0]?.fields.connection], [[200, 200], "keep-alive"], request);
  }
  for (const request of [
    old(),
    old("Connection: close"),
    fields("Connection: CLOSE"),
    fields("Connection: close, x"),
    fields("Connection: x, close"),
    fields("Connection: keep-alive", "Connection: close"),
  ]) {
    const [answer] = answersOf(await ask(request));
    assert.equal([answer?.status, answer?.fields.connection], [200, "close"], request);
  }
  for (const [target, ...conditions] of [
    ["/small.bin"],
    ["/small.bin", `If-Modified-Since: ${LAST_MODIFIED}`],
    ["/none"],
    ["/sub"],
    ["/empty.txt"],
    ["/small.bin", 'If-Match: "a"'],
  ] as const) {
    const [whole] = answersOf(await ask(first(target, ...conditions) + page));
    const heads = answersOf(await ask(first(target, ...conditions).replace("GET", "HEAD") + page), [0]);
    assert.equal(statuses(heads), [whole?.status as number, 200], target);
    assert.equal(heads[0]?.fields, whole?.fields, target);
    if (conditions.length > 0 && whole?.status === 304) assert.is(whole.body, "");
  }
});

test("S11 Expect, Upgrade, and other methods", async (t) => {
  const { ask } = await both(t, folder(t));
  const page = get("/page.html");
  const all = async (request: string) => statuses(answersOf(await ask(request)));
  assert.equal(await all(fields("Expect: 100-continue") + page), [200, 200]); // without a body nobody waits for it
  assert.equal(await all(`${fields("Expect: 100-continue", "Content-Length: 3")}abc${page}`), [100, 200, 200]);
  assert.equal(await all(fields("Expect: x") + page), [417, 200]);
  assert.equal(await all(lines("GET /small.bin HTTP/1.1", "Host: a", "Upgrade: h2c", "Connection: close")), [200]);
  const upgrade = ["Upgrade: websocket", "Connection: close, Upgrade"];
  assert.equal(await all(lines("GET /small.bin HTTP/1.1", "Host: a", ...upgrade)), [200]);
  for (const method of ["TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "POST"]) {
    await each(ask, [[get("/small.bin").replace("GET", method), 405, { allow: "GET, HEAD" }]]);
  }
  const body = lines("POST /small.bin HTTP/1.1", "Host: a", "Content-Length: 3");
  assert.equal(await all(`${body}abc${page}`), [405, 200]);
  // llhttp knows no other methods, where RFC 9110 has 501; and node:http closes upon CONNECT.
  for (const method of ["BREW", "get", "GETT", "G"]) assert.equal(await all(get("/").replace("GET", method)), [400]);
  assert.is(await ask("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), "");
  assert.equal(await all("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), [400]);
});

test("S12 long lines and many fields are answered up to node:http's limit, then 431", async (t) => {
  const { ask } = await both(t, folder(t));
  const long = (length: number) => "x".repeat(length);
  const many = (count: number) => Array.from({ length: count }, (_, i) => `${i}:`);
  await each(ask, [
    [get(`/small.bin?${long(9000)}`), 200],
    [get("/small.bin", `X: ${long(9000)}`), 200],
    [get("/small.bin", ...many(99)), 200],
    [get("/small.bin", ...many(150)), 200],
    [get(`/${long(20_000)}`), 431], // where RFC 9110 has 414
    [get("/small.bin", `X: ${long(20_000)}`), 431],
    [get("/small.bin", `${long(20_000)}: x`), 431],
    [get("/small.bin", ...many(5000)), 431],
  ]);
});

test("S13 CR, LF and control characters of a name stay encoded", async (t) => {
  const root = folder(t);
  for (const name of ["a\r\nX: y", "d\x01\x1b\x7f", "e<b>"]) fs.mkdirSync(join(root, name));
  fs.writeFileSync(join(root, "c\r\nX: y.txt"), "c");
  const { ask } = await both(t, root);
  for (const [target, status, location] of [
    ["/a%0d%0aX:%20y", 301, "/a%0d%0aX:%20y/"],
    ["/d%01%1b%7f", 301, "/d%01%1b%7f/"],
    ["/sub?a=%0d%0aX:%20y", 301, "/sub/?a=%0d%0aX:%20y"],
    ["/c%0d%0aX:%20y.txt", 200, undefined],
    ["/none%0d%0aX:%20y", 404, undefined],
    ["/none<script>", 404, undefined],
    ["/e%3Cb%3E", 301, "/e%3Cb%3E/"],
  ] as const) {
    const [answer] = answersOf(await ask(get(target)));
    assert.equal([answer?.status, answer?.fields.location, answer?.fields.x], [status, location, undefined], target);
    assert.not.match(answer?.body ?? "", /<script|<b>/, target);
  }
  await each(ask, [[get("/small\x01.bin"), 400]]);
});

test.unless(
  noHalfClosed,
  "S14 a client that half-closes is answered: at once, between pieces, and in the middle of an answer",
  async (t) => {
    const root = folder(t);
    for (const engine of ENGINES) {
      const { port } = await serve(t, root, { engine });
      for (const [request, status, length] of [
        [first("/small.bin"), 200, SMALL.length],
        [first("/large.bin"), 200, LARGE.length],
        [first("/small.bin", `If-Modified-Since: ${LAST_MODIFIED}`), 304, 0],
        [first("/none"), 404, 1],
        ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 405, 0],
      ] as const) {
        for (const pieces of [1, 2, 3]) {
          const socket = connect(t, port);
          const chunks: Buffer[] = [];
          await once(socket, "connect");
          if (pieces === 2) {
            socket.write(request.slice(0, 9));
            await new Promise((next) => setTimeout(next, 5));
            socket.end(request.slice(9));
          } else if (pieces === 3) {
            socket.write(request);
            await once(socket, "readable");
            socket.end();
          } else socket.end(request);
          socket.on("data", (chunk: Buffer) => chunks.push(chunk));
          await once(socket, "end");
          const [answer] = answersOf(Buffer.concat(chunks).toString("latin1"));
          assert.is(answer?.status, status, `${engine} ${request}`);
          assert.ok((answer?.body.length ?? 0) >= length, `${engine} ${request}`);
        }
      }
    }
  },
);

const PROGRAM = fileURLToPath(new URL("../../test/fixtures/told-server.mjs", import.meta.url));

/** A server in a process of its own, whose program gets words on its stdin. */
function program(t: Cleanup, engine: string, root: string, before = ""): ChildProcess & { stdin: net.Socket } {
  const env = { ...process.env, ROOT: root, ENGINE: engine };
  const child = spawn("sh", ["-c", `${before} exec "$@"`, "sh", ...COMMAND, PROGRAM], { stdio: "pipe", env });
  t.after(() => child.kill("SIGKILL"));
  return child as unknown as ChildProcess & { stdin: net.Socket };
}

test.unless(noLoop, "S15 loop: out of fds it rests, and goes on when there are some", async (t) => {
  const child = program(t, "loop", folder(t), "ulimit -n 90;");
  const port = await portOf(child);
  const wakeUps = async () => {
    child.stdin.write("wakeUps");
    return await portOf(child);
  };
  // Clients that stay: those behind them wait, and nothing turns.
  const stay = Array.from({ length: 100 }, () => connect(t, port));
  await Promise.all(stay.map((socket) => once(socket, "connect")));
  let now = await wakeUps();
  for (let before = 0, quiet = 0; quiet < 3; quiet = now - before <= 2 ? quiet + 1 : 0) {
    before = now;
    await new Promise((next) => setTimeout(next, 50));
    now = await wakeUps();
  }
  const late = Array.from({ length: 20 }, () => answered(port));
  for (const socket of stay) socket.destroy();
  // Where no fd was left for the file.
  for (const status of await Promise.all(late)) assert.ok(status === 200 || status === 500, String(status));
  assert.is(await answered(port), 200);
});

test("S15 accept(2): an error of one connection is passed over; without fds or memory it rests", () => {
  const results: number[] = [];
  const calls: string[] = [];
  let errno = 0;
  const libc = {
    accept4: () => ((errno = -(results.shift() ?? -11)) > 0 ? -1 : -errno),
    errno: () => errno,
    fcntl: () => 100, // fds to spare
    close: () => 0,
  } as unknown as LoopLibc;
  const spare = new Fds(libc, new Uint8Array(128), 1);
  const epoll = {
    listen: () => calls.push("listen"),
    remove: () => calls.push("remove"),
    noDelay: (fd: number) => early.push(fd),
  } as unknown as Epoll;
  const early: number[] = [];
  const acceptor = new Acceptor(libc, spare, epoll, 3, false, 0);
  const run = (...next: number[]) => {
    results.push(...next);
    const fds: number[] = [];
    return [acceptor.run((fd) => fds.push(fd)), ...fds];
  };
  assert.equal(run(5, -103), [true, 5]);
  assert.equal(run(7, 8, -11), [true, 7, 8]);
  for (const error of [103, 4, 71, 110]) assert.equal(run(-error), [true]); // ECONNABORTED, EINTR, EPROTO, ETIMEDOUT
  assert.equal(calls, ["listen"]);
  for (const error of [12, 23, 24, 105]) {
    calls.length = 0;
    assert.equal(run(9, -error), [false, 9]);
    acceptor.wake();
    acceptor.wake();
    assert.equal(calls, ["remove", "listen"], String(error));
  }
  acceptor.end();
  acceptor.wake();
  assert.equal(calls, ["remove", "listen", "remove"]);
  assert.equal(early, [5, 7, 8]); // they waited since before the listener had TCP_NODELAY
});

for (const engine of ENGINES) {
  test(`S16 ${engine}: a server whose stderr is gone lives, also when it has something to say`, async (t) => {
    const child = program(t, engine, folder(t));
    const port = await portOf(child);
    child.stderr?.destroy();
    assert.is(await answered(port), 200);
    if (engine === "loop") child.stdin.write("die"); // a warning
    let status: number | undefined;
    while (status !== 200 && child.exitCode === null) status = await answered(port).catch(() => undefined);
    assert.equal([child.exitCode, status], [null, 200]);
  });
}

test("S18 a close(2) that fails: the fd is out of the table, and the others are closed", () => {
  const closed: number[] = [];
  const libc = { close: (fd: number) => -Number(closed.push(fd) > 0) } as unknown as LoopLibc;
  const table = new Uint8Array(16);
  const fds = new Fds(libc, table, 2);
  for (const fd of [3, 5, 15]) assert.ok(fds.own(fd));
  table[4] = 1; // of another loop
  fds.give(15);
  fds.close(3);
  fds.end();
  fds.end();
  assert.equal(closed, [3, 5]);
  assert.equal(
    [...table.keys()].filter((fd) => table[fd] !== 0),
    [4],
  );
  assert.not.ok(fds.own(16));
  assert.equal(closed, [3, 5, 16]);
});

test("S23 an address outside the memory goes to no native code", () => {
  const calls: number[][] = [];
  const call = (...args: number[]) => calls.push(args);
  const memory = () => ({ buffer: new ArrayBuffer(65536) });
  const { read, send, recv } = guarded({ sendfile: call, read: call, send: call, recv: call }, memory);
  for (const [ptr, count] of [
    [-1, 1],
    [-(2 ** 31), 8],
    [0, -1],
    [65536, 1],
    [65530, 7],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ] as const) {
    assert.throws(() => read?.(3, ptr, 0, count), /outside its memory/);
    assert.throws(() => send?.(3, ptr, count, 0), /outside its memory/);
    assert.throws(() => recv?.(3, ptr, count), /outside its memory/);
  }
  assert.is(calls.length, 0);
  read?.(3, 65530, 9, 6);
  send?.(4, 0, 65536, 1);
  recv?.(5, 65536, 0);
  assert.equal(calls, [
    [3, 65530, 9, 6],
    [4, 0, 65536, 1],
    [5, 65536, 0],
  ]);
});

for (const build of BUILDS) {
  test(`S19 ${build.name}: a second answer to one request is refused before a byte goes out`, () => {
    const { core, handle, sent } = asked(build);
    assert.is(core.connection_answer(handle, 10, 6, 0, 100, 0, 0), Act.Again);
    const before = sent.length;
    assert.throws(() => core.connection_answer(handle, 10, 6, 0, 100, 0, 0));
    assert.is(sent.length, before);
  });

  test(`S23 ${build.name}: addresses and lengths out of bounds trap, or move nothing`, () => {
    const out = [-1, -(2 ** 31), 2 ** 31 - 1, 1 << 30];
    for (const length of [8193, ...out]) {
      const { core, handle } = asked(build);
      assert.throws(() => core.connection_resume(handle, length), String(length));
    }
    for (const at of out.slice(1)) {
      assert.throws(() => asked(build).core.request_recognize(at, at + 10), String(at));
    }
    for (const [header, offset, count] of [
      [-1, 0, 1],
      [1, -1, 1],
      [1, 0, -1],
      [1, 0, 2 ** 53],
      [1, 2 ** 53, 1],
      [1, Number.NaN, 1],
      [1, 0, Number.POSITIVE_INFINITY],
    ] as const) {
      const { core, handle, sent } = asked(build);
      assert.throws(
        () => core.connection_answer(handle, header, 6, offset, count, 0, 0),
        `${header} ${offset} ${count}`,
      );
      assert.equal(sent, []);
    }
  });
}

/** A connection whose request was read; `sent` has the lengths of what is sent, in a socket that takes little. */
function asked(build: (typeof BUILDS)[number]) {
  const sent: number[] = [];
  let core!: Core;
  const take = (count: number) => {
    sent.push(Math.min(count, 8));
    return Math.min(count, 8);
  };
  core = build.boot({
    recv: (_from, ptr) => Buffer.from(core.memory.buffer, ptr).write(fields(), "latin1"),
    read: () => 1,
    send: (_out, _ptr, count) => take(count),
    sendfile: (_out, _file, _offset, count) => (sent.length > 4 ? -Fault.WouldBlock : take(count)),
  });
  const handle = core.connection_open(5, 0);
  assert.is(core.connection_event(handle, core.connection_generation(handle), 1, 0), Act.Ask);
  return { core, handle, sent };
}

for (const engine of ENGINES) {
  test(`S21 ${engine}: of a file that gets shorter nothing is sent but its bytes, and the connection ends`, async (t) => {
    const root = folder(t);
    const path = join(root, "large.bin");
    const { port } = await serve(t, root, { engine });
    for (let i = 0; i < 3; i++) {
      fs.writeFileSync(path, LARGE);
      fs.truncateSync(path, 64 * MIB);
      const socket = connect(t, port);
      socket.write(first("/large.bin"));
      await once(socket, "readable");
      fs.truncateSync(path, 2 * MIB);
      await talk(port, [get("/page.html")]); // its bytes were where those of this file are read to
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      await Promise.race([once(socket, "end"), once(socket, "close")]);
      const all = Buffer.concat(chunks);
      const body = all.subarray(all.indexOf("\r\n\r\n") + 4);
      assert.ok(body.length < 64 * MIB);
      same(body, Buffer.concat([LARGE, Buffer.alloc(body.length)]).subarray(0, body.length));
    }
    // One that is read and sent at once: a loop may look at it up to 10 ms later.
    const small = join(root, "small.bin");
    for (let i = 0; i < 20; i++) {
      fs.writeFileSync(small, SMALL);
      await talk(port, [get("/small.bin")]);
      const again = talk(port, [get("/page.html"), get("/small.bin")].slice(1));
      fs.truncateSync(small, 1000);
      const [answer] = answersOf((await again).toString("latin1"));
      const body = Buffer.from(answer?.body ?? "", "latin1");
      assert.ok(body.length === 1000 || body.length === 4096 || Number(answer?.fields["content-length"]) === 4096);
      same(body, SMALL.subarray(0, body.length));
    }
  });
}

test.unless(noLoop, "S22 loop: a client that says little wakes it up to three times", async (t) => {
  const root = folder(t);
  fs.truncateSync(join(root, "large.bin"), 64 * MIB);
  const { server, port } = await serve(t, root);
  for (const target of ["/small.bin", "/large.bin"]) await talk(port, [head(target)]);
  const COUNT = 50;
  const wakeUps = () => server.stats().wakeUps;
  const clients = async (request: string) => {
    const sockets = Array.from({ length: COUNT }, () => connect(t, port).pause());
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    await until(() => server.stats().connections === COUNT);
    for (const socket of sockets) socket.write(request);
    return sockets;
  };
  /** What it costs; the loop wakes by itself, too, twice a second. */
  const cost = async (what: string, act: () => unknown, done: () => boolean) => {
    const before = wakeUps();
    const begin = performance.now();
    await act();
    await until(done);
    const itself = Math.ceil((performance.now() - begin) / 500) + 2;
    assert.ok(wakeUps() - before <= 3 * COUNT + itself, `${what}: ${wakeUps() - before}`);
  };
  const none = () => server.stats().connections === 0;
  /** Clients that have been answered, or are being. */
  const served = async (request: string) => {
    const { requests } = server.stats();
    const sockets = await clients(request);
    await until(() => server.stats().requests === requests + COUNT);
    return sockets;
  };
  let sockets: net.Socket[] = [];
  const partial = server.stats().handedOver.partial ?? 0;
  const handed = () => (server.stats().handedOver.partial ?? 0) === partial + COUNT;
  await cost("half a head", async () => (sockets = await clients("GET /sm")), handed);
  await cost("and its end", () => sockets.map((socket) => socket.destroy()), none);

  sockets = await served(first("/small.bin"));
  await cost("an idle one half-closes", () => sockets.map((socket) => socket.end()), none);
  sockets = await served(first("/small.bin"));
  await cost("an idle one is reset", () => sockets.map((socket) => socket.resetAndDestroy()), none);

  sockets = await served(first("/large.bin"));
  for (let before = -1, quiet = 0; quiet < 20; ) {
    await new Promise((next) => setTimeout(next, 5));
    const now = wakeUps();
    quiet = now - before <= 1 ? quiet + 1 : 0; // the buffers on the way are full
    before = now;
  }
  await cost(
    "a half-close during an answer",
    () => Promise.all(sockets.map((socket) => new Promise<void>((done) => socket.end(done)))),
    () => true,
  );
  await cost("a reset during an answer", () => sockets.map((socket) => socket.resetAndDestroy()), none);
});

test("S24 no bytes of a client end a thread: 200 requests with mistakes, answered alike", async (t) => {
  const { all } = await both(t, folder(t));
  const next = random(Number(process.env.SEED ?? 1));
  const seeds = [get("/small.bin"), first("/small.bin", "Range: bytes=1-2"), head("/page.html", "If-None-Match: *")];
  const bytes = ["\0", "\r", "\n", " ", "\t", ":", "%", "/", ".", "\x7f", "\x80", "\xff", "A", "0", ",", "\r\n", '"'];
  const mutated = (): string => {
    let text = seeds[next(seeds.length)] as string;
    for (let i = 1 + next(3); i > 0; i--) {
      const at = next(text.length);
      const cut = next(4) === 0 ? next(10) : next(2);
      text = text.slice(0, at) + (next(3) > 0 ? bytes[next(bytes.length)] : "") + text.slice(at + cut);
    }
    return text;
  };
  for (let i = 0; i < 200; i += 20) {
    const requests = Array.from({ length: 20 }, mutated);
    await Promise.all(
      requests.map(async (request) => {
        const [one, other] = await Promise.all(all.map(({ port }) => talk(port, [request], undefined, true)));
        if (noHalfClosed !== null && (one?.length === 0 || other?.length === 0)) return;
        if (one !== undefined && other !== undefined) assert.is(undated(one), undated(other), JSON.stringify(request));
      }),
    );
  }
  for (const { server } of all) assert.is(server.stats().respawns, 0);
});

test("S25 a child process gets no socket, eventfd, epoll or file of a server", async (t) => {
  const root = folder(t);
  const { all } = await both(t, root);
  for (const { port } of all) {
    const socket = connect(t, port); // of the loop
    socket.write(first("/large.bin"));
    await once(socket, "readable");
    const other = connect(t, port); // handed over
    other.write(first("/none"));
    await once(other, "readable");
  }
  const out = fs.openSync(join(tempFolder(t), "fds"), "w+");
  t.after(() => fs.closeSync(out));
  spawnSync("ls", ["-l", "/proc/self/fd"], { stdio: ["ignore", out, "ignore"] });
  const list = fs.readFileSync(`/proc/self/fd/${out}`, "utf8");
  assert.match(list, /fds/);
  assert.not.match(list, /socket:|anon_inode|sendoff-.*\.bin/);
});

test.unless(
  without("mkfifo"),
  "S26 a FIFO, a device, and what is beside a file: nothing is opened that waits, or that nobody may see",
  async (t) => {
    const root = folder(t);
    const above = tempFolder(t);
    fs.writeFileSync(join(above, "secret"), "a secret");
    execFileSync(
      "mkfifo",
      ["fifo", "piped.txt.gz", "index/index.html"].map((name) => {
        const path = join(root, name);
        fs.mkdirSync(join(path, ".."), { recursive: true });
        return path;
      }),
    );
    fs.symlinkSync("/dev/zero", join(root, "zero"));
    fs.symlinkSync("/dev/tty", join(root, "tty"));
    for (const name of ["piped.txt", "out.txt", "folder.txt", "hidden.txt"]) fs.writeFileSync(join(root, name), name);
    fs.symlinkSync(join(above, "secret"), join(root, "out.txt.gz"));
    fs.mkdirSync(join(root, "folder.txt.gz"));
    fs.mkdirSync(join(root, ".git"));
    fs.writeFileSync(join(root, ".git", "config"), "a secret");
    for (const options of [{ symlinks: "inside", precompressed: true }, {}] as const) {
      const { ask } = await both(t, root, options);
      await each(ask, [
        ...["/fifo", "/zero", "/tty", "/index/", "/index/index.html", "/folder.txt.gz/x"].map(
          (path): Row => [get(path), 404],
        ),
        ...["/.hidden", "/.git/config", "/%2ehidden", "/sub/../.hidden", "/.git/"].map((path): Row => [get(path), 404]),
        [get("/.git"), 404],
        [get("/small.bin/"), 404],
        [get("/sub"), 301],
      ]);
      for (const name of ["piped.txt", "out.txt", "folder.txt"]) {
        const [answer] = answersOf(await ask(get(`/${name}`, "Accept-Encoding: gzip")));
        // One that leads out of the root is found, and is no answer.
        const isOut = name === "out.txt" && "symlinks" in options;
        assert.equal([answer?.status, answer?.fields["content-encoding"]], [isOut ? 404 : 200, undefined], name);
        if (!isOut) assert.is(answer?.body, name);
      }
    }
  },
);

// Split at every byte: test/server.test.ts.
test("S27 what is handed over comes byte by byte, and none is lost or read twice", async (t) => {
  const { all } = await both(t, folder(t));
  const request = first("/small.bin") + first("/none") + MARKER + get("/page.html");
  const [wanted, ...others] = await Promise.all(
    all.flatMap(({ port }) =>
      [[request], [...request], request.match(/.{1,7}/gs) as string[]].map((pieces) => talk(port, pieces)),
    ),
  );
  assert.equal(statuses(answersOf((wanted as Buffer).toString("latin1"))), [200, 404, 404, 200]);
  for (const other of others) assert.is(undated(other), undated(wanted as Buffer));
});

test("S30 what a loop knows is bounded in targets and in open files, and what is not there is not kept", async (t) => {
  const open = new Set<number>();
  const root = tempFolder(t);
  const path = join(root, "file");
  fs.writeFileSync(path, "12345");
  const calls: FileCalls = {
    open: (path) => {
      const fd = fs.openSync(path, "r");
      open.add(fd);
      return fd;
    },
    close: (fd) => {
      assert.ok(open.delete(fd));
      fs.closeSync(fd);
    },
    isAbsent: () => true,
    stat: () => Object.assign(fs.statSync(path), { isFile: true }),
    fstat: () => Object.assign(fs.statSync(path), { isFile: true }),
  };
  const { dev, ino, size, mtimeMs, ctimeMs } = fs.statSync(path);
  const whole = "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n";
  const answer = {
    ...{ path, name: path, absent: [], dev, ino, size, mtimeMs, ctimeMs },
    ...{ whole, rest: null },
  };
  const known = new Known(calls, 8);
  for (let i = 0; i < 10_100; i++) known.learn(`/${i}`, answer);
  const found = (from: number, to: number) => {
    let count = 0;
    for (let i = from; i < to; i++) {
      if (known.find(`/${i}`, 0) !== null) count++;
      assert.ok(open.size <= 8);
      assert.is(known.open, open.size);
    }
    return count;
  };
  assert.equal([found(0, 100), found(100, 300), found(10_000, 10_100)], [0, 200, 100]);
  known.sweep();
  known.sweep(); // not used since
  assert.equal([known.open, open.size], [0, 0]);
  if (noLoop !== null) return;
  const { server, port } = await serve(t, folder(t));
  for (let i = 0; i < 50; i++) await talk(port, [get(`/none-${i % 2}`)]);
  assert.equal([server.stats().handedOver.missing, server.stats().openFiles], [50, 0]);
});

test.run();
