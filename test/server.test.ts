// sendoff/server on the wire: what a client gets is the same from the loop and from node:http, whatever it asks; and what
// the loop does beside it: pipelines split anywhere, hand-over, limits, its end, and its thread's.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as diagnostics from "node:diagnostics_channel";
import { EventEmitter, once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { createFileServer, type FileServerOptions, type FileServer as Served } from "sendoff/server";
import * as assert from "uvu/assert";
import { host, serverRuntime } from "#process";
import type { Core } from "../host/core.js";
import type { Handler } from "../host/http/static.js";
import { isAlike } from "../host/keep.js";
import { LONG, LOWAT } from "../host/libc/lowat.js";
import { Statx } from "../host/libc/statx.js";
import type { Syscalls } from "../host/libc/syscalls.js";
import { Disk } from "../host/loop/disk.js";
import { Head } from "../host/loop/heads.js";
import { Entry, Known } from "../host/loop/known.js";
import type { ToLoop } from "../host/loop/messages.js";
import { Ready } from "../host/loop/ready.js";
import { Unsent } from "../host/loop/unsent.js";
import type { App } from "../host/server/app.js";
import { ask, filesFor, isAsking } from "../host/server/ask.js";
import { Connections } from "../host/server/connections.js";
import type { ServerRuntime } from "../host/server/runtime.js";
import { FileServer } from "../host/server/server.js";
import { Thread } from "../host/server/thread.js";
import { same } from "./lib/bytes.js";
import { boundEverywhere, until } from "./lib/connection.js";
import { COMMAND } from "./lib/exit-process.js";
import {
  type Answered,
  answersOf,
  both,
  ENGINES,
  first,
  folder,
  get,
  head,
  LARGE,
  LAST_MODIFIED,
  NODE,
  noHalfClosed,
  noLoop,
  onBun,
  onDeno,
  SMALL,
  serve,
  talk,
  undated,
} from "./lib/file-server.js";
import { fdCount, fdTargets, tempFolder } from "./lib/files.js";
import { test } from "./lib/suite.js";

const post = `POST /small.bin HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello`;

/** Raw requests: one a row, or several on one connection. */
const REQUESTS: [what: string, request: string][] = [
  ["a small file", get("/small.bin")],
  ["a large file", get("/large.bin")],
  ["an empty file", get("/empty.txt")],
  ["HEAD", head("/small.bin")],
  ["HEAD of a large file", head("/large.bin")],
  ["an encoded name", get("/a%20b.txt")],
  ["a query", get("/small.bin?x=1&y")],
  ["an index", get("/sub/")],
  ["a folder without its slash", get("/sub")],
  ["nothing", get("/none")],
  ["a dotfile", get("/.hidden")],
  ["out of the root", get("/../etc/passwd")],
  ["out of the root, encoded", get("/%2e%2e/%2e%2e/etc/passwd")],
  ["twice encoded", get("/%252e%252e/etc/passwd")],
  ["an encoded slash", get("/sub%2findex.html")],
  ["an encoded backslash", get("/sub%5cindex.html")],
  ["an encoded NUL", get("/small.bin%00")],
  ["overlong UTF-8", get("/%c0%ae%c0%ae/etc/passwd")],
  ["half an escape", get("/small%2")],
  ["a bad escape", get("/small%zz")],
  ["two slashes", get("//small.bin")],
  ["a fragment", get("/small.bin#x")],
  ["absolute form", get("http://localhost/small.bin")],
  ["authority form", get("localhost:80")],
  ["an asterisk", get("*")],
  ["OPTIONS *", get("*").replace("GET", "OPTIONS")],
  ["a range", get("/small.bin", "Range: bytes=10-19")],
  ["a range to the end", get("/small.bin", "Range: bytes=4000-")],
  ["a suffix", get("/small.bin", "Range: bytes=-7")],
  ["a suffix longer than the file", get("/small.bin", "Range: bytes=-70000")],
  ["a suffix of nothing", get("/small.bin", "Range: bytes=-0")],
  ["a range of one byte", get("/small.bin", "Range: bytes=0-0")],
  ["a range beyond the end", get("/small.bin", "Range: bytes=4090-9999")],
  ["a range behind the end", get("/small.bin", "Range: bytes=5000-6000")],
  ["a range the wrong way round", get("/small.bin", "Range: bytes=9-3")],
  ["a range of 2^53", get("/small.bin", "Range: bytes=9007199254740992-")],
  ["a range of 2^64", get("/small.bin", "Range: bytes=18446744073709551616-")],
  ["a range to 2^64", get("/small.bin", "Range: bytes=0-18446744073709551616")],
  ["a range in other units", get("/small.bin", "Range: lines=1-2")],
  ["a range of an empty file", get("/empty.txt", "Range: bytes=0-0")],
  ["a large range", get("/large.bin", "Range: bytes=1000-2000999")],
  ["HEAD with a range", head("/small.bin", "Range: bytes=10-19")],
  ["two ranges that overlap", get("/small.bin", "Range: bytes=0-9,5-20")],
  ["If-Modified-Since, the same", get("/small.bin", `If-Modified-Since: ${LAST_MODIFIED}`)],
  ["If-Modified-Since, later", get("/small.bin", "If-Modified-Since: Sat, 03 Jan 2026 00:00:00 GMT")],
  ["If-Modified-Since, before", get("/small.bin", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT")],
  ["If-Modified-Since, RFC 850", get("/small.bin", "If-Modified-Since: Friday, 02-Jan-26 03:04:05 GMT")],
  ["If-Modified-Since, nonsense", get("/small.bin", "If-Modified-Since: yesterday")],
  ["If-None-Match: *", get("/small.bin", "If-None-Match: *")],
  ["If-None-Match, another", get("/small.bin", 'If-None-Match: "nope"')],
  ["If-None-Match, a list", get("/small.bin", 'If-None-Match: "a", "b"')],
  ["both conditions, one of them met", get("/small.bin", 'If-None-Match: "a"', `If-Modified-Since: ${LAST_MODIFIED}`)],
  ["If-Range and a range", get("/small.bin", 'If-Range: "x"', "Range: bytes=1-2")],
  ["If-Match", get("/small.bin", 'If-Match: "x"')],
  ["no-cache", get("/small.bin", `If-Modified-Since: ${LAST_MODIFIED}`, "Cache-Control: no-cache")],
  ["Accept-Encoding", get("/page.html", "Accept-Encoding: gzip")],
  ["Accept-Encoding, none", get("/page.html", "Accept-Encoding: identity")],
  ["Accept-Encoding, forbidden", get("/page.html", "Accept-Encoding: gzip;q=0")],
  ["POST", post],
  ["PUT", get("/small.bin").replace("GET", "PUT")],
  ["TRACE", get("/small.bin").replace("GET", "TRACE")],
  ["an unknown method", get("/small.bin").replace("GET", "BREW")],
  ["a method in small letters", get("/small.bin").replace("GET", "get")],
  ["no Host", "GET /small.bin HTTP/1.1\r\nConnection: close\r\n\r\n"],
  ["two Hosts", get("/small.bin", "Host: other")],
  ["HTTP/1.0", "GET /small.bin HTTP/1.0\r\n\r\n"],
  [
    "HTTP/1.0 with keep-alive, then close",
    `GET /small.bin HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${get("/small.bin")}`,
  ],
  ["HTTP/2.0", get("/small.bin").replace("1.1", "2.0")],
  ["HTTP/0.9", "GET /small.bin\r\n\r\n"],
  ["a space before the colon", get("/small.bin", "X : y")],
  ["a folded field", get("/small.bin", "X: a\r\n b")],
  ["a bare CR", get("/small.bin", "X: a\rb")],
  ["a bare LF", get("/small.bin").replaceAll("\r\n", "\n")],
  ["NUL in a field", get("/small.bin", "X: a\0b")],
  ["both lengths", `${get("/small.bin", "Content-Length: 3", "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["two lengths", `${get("/small.bin", "Content-Length: 3", "Content-Length: 4")}abcd`],
  ["+3", `${get("/small.bin", "Content-Length: +3")}abc`],
  ["xchunked", get("/small.bin", "Transfer-Encoding: xchunked")],
  ["GET with a body", `${get("/small.bin", "Content-Length: 3")}abc`],
  ["Expect", get("/small.bin", "Expect: nothing")],
  ["Upgrade", get("/small.bin", "Upgrade: websocket").replace("Connection: close", "Connection: close, Upgrade")],
  ["Connection with two tokens", "GET /small.bin HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n"],
  ["a field name of odd bytes", get("/small.bin", "X(): y")],
  ["a field without a name", get("/small.bin", ": y")],
  ["a byte of Latin-1", get("/small.bin", "X: caf\xe9")],
  ["150 fields", get("/small.bin", ...Array.from({ length: 150 }, (_, i) => `X-${i}: y`))],
  ["a field of 20 KiB", get("/small.bin", `X: ${"y".repeat(20_000)}`)],
  ["a target of 20 KiB", get(`/${"x".repeat(20_000)}`)],
  ["empty lines before", `\r\n\r\n${get("/small.bin")}`],
  ["garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nonsense\r\n\r\n"],
  ["two, pipelined", `GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n${get("/page.html")}`],
  [
    "three, pipelined, one of them large",
    `GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\nHEAD /small.bin HTTP/1.1\r\nHost: a\r\n\r\n${get("/page.html")}`,
  ],
  [
    "a file, then nothing, then a file",
    `GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n${get("/page.html")}`,
  ],
  ["a file, then POST", `GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n${post}`],
  [
    "Expect: 100-continue behind another request",
    `GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n${get("/small.bin", "Expect: 100-continue")}`,
  ],
  ["a file, nothing, then garbage", `${first("/small.bin")}${first("/none")}GARBAGE\r\n\r\n`],
  ["two of nothing, then half a head", `${first("/none")}${first("/none")}${get("/small.bin", "X : y")}`],
  ["a file, then CONNECT, closed", `${first("/small.bin")}CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`],
  [
    "POST with a body, then garbage",
    `POST /small.bin HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGARBAGE\r\n\r\n`,
  ],
  ["a file, then garbage", `GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n`],
  ["nothing, then garbage", `GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/9.9\r\nX\r\n\r\n`],
  ["more behind the last one", `${get("/small.bin")}GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n`],
];

for (const options of [{}, { precompressed: true, maxAge: 1000, etag: false }] as FileServerOptions[]) {
  test(`the loop answers as node:http does: ${REQUESTS.length} requests, ${JSON.stringify(options)}`, async (t) => {
    if (noLoop !== null) return;
    const root = folder(t);
    const one = await serve(t, root, { ...options, engine: "loop" });
    // With setHeaders a loop hands all over.
    const reference: FileServerOptions = onBun ? { engine: "loop", setHeaders() {} } : { engine: "node" };
    const other = await serve(t, root, { ...options, ...reference });
    for (const [what, request] of REQUESTS) {
      // The first time the loop asks, then it knows.
      for (const time of ["first", "then"]) {
        const [got, wanted] = await Promise.all([
          talk(one.port, [Buffer.from(request, "latin1")]),
          talk(other.port, [Buffer.from(request, "latin1")]),
        ]);
        assert.is(undated(got), undated(wanted), `${what}, ${time}`);
      }
    }
    const { engine, reason, requests, handedOver } = one.server.stats();
    assert.equal([engine, reason], ["loop", null]);
    if (onBun) assert.is(other.server.stats().requests, 0);
    else assert.equal([other.server.stats().engine, other.server.stats().reason], ["node", "engine: 'node'"]);
    assert.ok(requests >= 30, `${requests} requests were answered by the loop`);
    for (const reason of ["method", "target", "version", "field", "host", "body", "missing"]) {
      assert.ok((handedOver[reason] as number) > 0, `handed over: ${reason}`);
    }
  });
}

for (const [what, first, second] of [
  ["both recognized", "GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n", get("/page.html")],
  ["the second one not", "GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n", get("/none")],
  ["the first one not", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", get("/small.bin")],
  ["neither", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", post],
] as const) {
  test(`two requests, split at every byte: ${what}`, async (t) => {
    const root = folder(t);
    const { port } = await serve(t, root);
    const all = Buffer.from(first + second, "latin1");
    const wanted = undated(await talk(port, [all]));
    assert.ok(wanted.split("HTTP/1.1 ").length >= 3, wanted.slice(0, 300));
    const splits = Array.from({ length: all.length - 1 }, (_, i) => i + 1);
    for (let i = 0; i < splits.length; i += 16) {
      await Promise.all(
        splits.slice(i, i + 16).map(async (at) => {
          const pieces = [all.subarray(0, at), all.subarray(at)];
          // Long enough for the first piece to be read alone, mostly.
          const got = await talk(port, pieces, () => new Promise((next) => setTimeout(next, 5)));
          assert.is(undated(got), wanted, `split at ${at}`);
        }),
      );
    }
  });
}

for (const engine of ENGINES) {
  test.unless(
    engine === "loop" ? noHalfClosed : null,
    `${engine}: a client that half-closes gets its answer`,
    async (t) => {
      const { port } = await serve(t, folder(t), { engine });
      for (const request of ["GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"]) {
        const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        const chunks: Buffer[] = [];
        socket.on("data", (chunk: Buffer) => chunks.push(chunk));
        socket.end(request);
        await once(socket, "end");
        const bytes = Buffer.concat(chunks);
        assert.match(bytes.subarray(0, 20).toString(), request.includes("none") ? /404/ : /200/);
        if (request.includes("large")) same(bytes.subarray(-LARGE.length), LARGE);
      }
    },
  );

  test(`${engine}: a file that changes is answered as it is now`, async (t) => {
    const root = folder(t);
    const { port } = await serve(t, root, { engine });
    const body = async () => (await talk(port, [get("/small.bin")])).toString("latin1").split("\r\n\r\n")[1];
    for (let i = 0; i < 5; i++) {
      const text = `version ${i} ${"x".repeat(i)}\n`;
      fs.writeFileSync(join(root, "small.new"), text);
      fs.renameSync(join(root, "small.new"), join(root, "small.bin"));
      await until(await newer(body, text));
      assert.is(await body(), text);
    }
    fs.unlinkSync(join(root, "small.bin"));
    await new Promise((next) => setTimeout(next, 30)); // longer than the loop believes what it has seen
    assert.match((await talk(port, [get("/small.bin")])).toString("latin1"), /^HTTP\/1\.1 404 /);
  });

  test(`${engine}: a file that is replaced while its headers are made is sent as they say`, async (t) => {
    const root = folder(t);
    const path = join(root, "page.html");
    const versions = ["one\n", "two and\n", "a third of them\n"].map((line) => line.repeat(100));
    const fds = fdCount();
    for (const coding of ["", ".gz"]) {
      const name = `${path}${coding}`;
      for (const fields of [[], ["Range: bytes=5-99"], ["Range: bytes=1-2,8-9"], ['If-None-Match: "x"']]) {
        const [, before, after] = versions.map((text, i) => {
          fs.writeFileSync(`${name}${i}`, text);
          return text;
        }) as [string, string, string];
        fs.renameSync(`${name}1`, name);
        // A loop asks with HEAD first.
        const setHeaders = ({ req }: { req?: { method?: string } }) => {
          if (req?.method === "GET" && fs.existsSync(`${name}2`)) fs.renameSync(`${name}2`, name);
        };
        const { port, server } = await serve(t, root, { engine, setHeaders, precompressed: true });
        const asked = coding === "" ? fields : [...fields, "Accept-Encoding: gzip"];
        const text = (await talk(port, [get("/page.html", ...asked)])).toString("latin1");
        await server.close();
        assert.is(fs.readFileSync(name, "utf8"), after);
        const body = text.slice(text.indexOf("\r\n\r\n") + 4);
        const part = /bytes=(\d+)-(\d+)$/.exec(fields[0] ?? "");
        const wanted = part === null ? before : before.slice(Number(part[1]), Number(part[2]) + 1);
        if (text.includes("multipart")) assert.match(body, /\r\n\r\nwo\r\n(.|\s)*\r\n\r\ntw\r\n/);
        else assert.is(body, wanted, `${coding} ${fields}`);
      }
      if (coding === "") fs.rmSync(`${path}.gz`);
      await until(() => fdCount() <= fds);
    }
  });

  test(`${engine}: a compressed sibling that is removed before it is opened is none`, async (t) => {
    const root = folder(t);
    const sibling = join(root, "page.html.gz");
    const page = fs.readFileSync(join(root, "page.html"), "latin1");
    const app: App = (req, res, files) => {
      const { setHeader } = res;
      res.setHeader = (name, value) => {
        if (name === "Content-Encoding") fs.rmSync(sibling, { force: true });
        return setHeader.call(res, name, value);
      };
      files(req, res);
    };
    const server = new FileServer(host().shared, serverRuntime, root, { engine, precompressed: true }, { app });
    t.after(() => server.close({ timeout: 0 }));
    const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
    for (let i = 0; i < 3; i++) {
      const text = (await talk(port, [get("/page.html", "Accept-Encoding: gzip")])).toString("latin1");
      assert.match(text, /^HTTP\/1\.1 200 /);
      assert.not.match(text, /^Content-Encoding/m);
      assert.is(text.slice(text.indexOf("\r\n\r\n") + 4), page);
    }
  });

  test(`${engine}: close() lets an answer end, ends idle connections, and frees every fd`, async (t) => {
    const root = folder(t);
    const first = await serve(t, root, { engine }); // what a process opens once
    await talk(first.port, [get("/small.bin")]);
    await first.server.close();
    const before = fdCount() + 2; // threads that end may take a moment
    const { server, port } = await serve(t, root, { engine, keepAliveTimeout: 0 });
    const idle = net.connect(port, "127.0.0.1");
    idle.on("error", () => {});
    await once(idle, "connect");
    idle.write("GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(idle, "data");
    const idleOver = once(idle, "close");
    const busy = net.connect(port, "127.0.0.1");
    busy.pause();
    busy.write("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => server.stats().connections >= 2 || engine === "node");
    await once(busy, "readable");
    const closed = server.close({ timeout: 60_000 });
    await idleOver;
    const hash = createHash("sha256");
    let length = 0;
    for await (const chunk of busy) {
      hash.update(chunk as Buffer);
      length += (chunk as Buffer).length;
    }
    assert.ok(length > LARGE.length);
    await closed;
    await until(() => fdCount() <= before);
  });
}

/** Asks until the text comes: a file may be looked at as rarely as each 10 ms. */
async function newer(body: () => Promise<string | undefined>, text: string): Promise<() => boolean> {
  for (let i = 0; i < 1000 && (await body()) !== text; i++) await new Promise((next) => setTimeout(next, 5));
  return () => true;
}

test.unless(noLoop, "1,000 aborted downloads leave no fd, and the loop serves on", async (t) => {
  const root = folder(t);
  const { server, port } = await serve(t, root);
  same((await talk(port, [get("/large.bin")])).subarray(-LARGE.length), LARGE);
  const before = fdCount();
  for (let i = 0; i < 1000; i += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, k) => {
        const socket = net.connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.write("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
        await once(socket, k % 2 === 0 ? "connect" : "data");
        if (k % 3 === 0) socket.resetAndDestroy();
        else socket.destroy();
      }),
    );
  }
  await until(() => server.stats().connections === 0);
  await until(() => fdCount() <= before); // this process is the clients', too
  same((await talk(port, [get("/large.bin")])).subarray(-LARGE.length), LARGE);
});

test.unless(
  noLoop,
  "targets that are not known yet, pipelined by many at once, are all asked for and answered",
  async (t) => {
    const { server, port } = await serve(t, folder(t));
    const names = ["/small.bin", "/page.html", "/sub/", "/large.bin"]; // an empty file is always handed over
    const request = names.map((name) => `GET ${name} HTTP/1.1\r\nHost: a\r\n\r\n`).join("") + get("/a%20b.txt");
    const answers = await Promise.all(Array.from({ length: 20 }, () => talk(port, [request])));
    for (const answer of answers) assert.is(undated(answer), undated(answers[0] as Buffer));
    const { requests, handedOver } = server.stats();
    assert.is(requests, 100);
    assert.is(handedOver.file, 0);
  },
);

test.unless(noLoop, "handed over is kept: a connection goes on with node:http, file by file", async (t) => {
  const { server, port } = await serve(t, folder(t));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ask = (path: string) =>
    new Promise<number>((resolve, reject) => {
      http
        .get({ port, path, agent, host: "127.0.0.1" }, (res) =>
          res.resume().on("end", () => resolve(res.statusCode ?? 0)),
        )
        .on("error", reject);
    });
  assert.is(await ask("/small.bin"), 200);
  assert.is(await ask("/none"), 404);
  assert.is(await ask("/small.bin"), 200);
  const { requests, handedOver, connections } = server.stats();
  assert.is(requests, 1);
  assert.is(handedOver.missing, 1);
  assert.is(connections, 1);
});

test.unless(
  noLoop,
  "a thread that dies in the middle of downloads: another one serves on the same listener",
  async (t) => {
    const root = folder(t);
    const { server, port } = await serve(t, root);
    await talk(port, [get("/large.bin")]);
    const before = fdCount();
    const downloads = Array.from({ length: 100 }, async () => {
      const socket = net.connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.pause();
      socket.write("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
      await once(socket, "readable");
      return socket;
    });
    const sockets = await Promise.all(downloads);
    killThread(server);
    await Promise.all(
      sockets.map(async (socket) => {
        const over = once(socket, "close");
        socket.resume();
        await over;
      }),
    );
    same((await talk(port, [get("/large.bin")])).subarray(-LARGE.length), LARGE);
    assert.is(server.stats().respawns, 1);
    await until(
      () => fdCount() <= before + 1,
      () => `${before} fds were open before, and now ${fdTargets()}`,
    );
  },
);

/** Its first loop dies. */
function killThread(server: Served): void {
  const [thread] = server.threads();
  // Deno's terminate() tells the end of a thread that turns for two seconds more.
  if (onDeno)
    thread?.tell({ type: "answer" } as ToLoop); // one that throws
  else void thread?.worker?.terminate();
}

test.unless(noLoop, "a main thread that is blocked keeps no known file from anybody", async (t) => {
  const root = folder(t);
  const { server, port } = await serve(t, root);
  await talk(port, [get("/small.bin")]);
  // A client in another process, because this one is blocked; it begins when there is a file.
  const [go, done] = [join(root, "go"), join(root, "done")];
  const script = `const fs=require("fs"),net=require("net");
    const ask=()=>new Promise((r)=>{let n=0;net.connect(${port},"127.0.0.1").on("data",(d)=>n+=d.length).on("close",()=>r(n)).write(${JSON.stringify(get("/small.bin"))})});
    (async()=>{
      process.stdout.write("up");
      while(!fs.existsSync(${JSON.stringify(go)}))await new Promise((r)=>setTimeout(r,1));
      let all=0;for(let i=0;i<20;i++)all+=await ask();
      fs.writeFileSync(${JSON.stringify(done)},String(all));process.exit();
    })()`;
  const child = spawn(NODE, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  fs.writeFileSync(go, "");
  const end = Date.now() + 60_000;
  while (!fs.existsSync(done) && Date.now() < end); // the event loop stands still
  assert.ok(fs.existsSync(done), "the loop answered nobody while the main thread was blocked");
  await exited;
  assert.ok(Number(fs.readFileSync(done, "utf8")) > 20 * SMALL.length);
  assert.ok(server.stats().requests >= 20);
});

test.unless(noLoop, "limits: idle connections are closed, too many are refused, a stalled answer is cut", async (t) => {
  const root = folder(t);
  fs.truncateSync(join(root, "large.bin"), 64 * 1024 * 1024);
  const { server, port } = await serve(t, root, { keepAliveTimeout: 10, stallTimeout: 50, maxConnections: 2 });
  const socket = net.connect(port, "127.0.0.1");
  socket.write("GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  assert.is(server.stats().expired, 1);
  const stalled = net.connect(port, "127.0.0.1");
  stalled.on("error", () => {});
  stalled.pause();
  stalled.write("GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(stalled, "readable");
  await until(() => server.stats().expired === 2);
  stalled.destroy();
  await until(() => server.stats().connections === 0);
  const three = Array.from({ length: 3 }, () => net.connect(port, "127.0.0.1").on("error", () => {}));
  t.after(() => {
    for (const one of three) one.destroy();
  });
  await Promise.race(three.map((one) => once(one, "close")));
  assert.ok(server.stats().dropped >= 1);
});

test.unless(
  onDeno ? "a worker of Deno's leaves its listeners" : null,
  "a server of a worker thread is gone with it, however it ends",
  async (t) => {
    for (const how of ["process.exit()", "throw new Error()", "terminate"]) {
      const worker = new Worker(
        `const { parentPort, workerData } = require("node:worker_threads");
      import(workerData).then(async ({ createFileServer }) => {
        const { port } = await createFileServer(".").listen({ port: 0, host: "127.0.0.1" });
        parentPort.on("message", () => { ${how === "terminate" ? "" : how} });
        parentPort.postMessage(port);
      });`,
        { eval: true, workerData: new URL("../host/server/index.js", import.meta.url).href },
      );
      worker.on("error", () => {});
      const [port] = await once(worker, "message");
      const over = new Promise((resolve) => worker.once("exit", resolve)); // once() would end with the error before it
      if (how === "terminate") worker.terminate();
      else worker.postMessage(null);
      await over;
      const socket = net.connect(port, "127.0.0.1");
      t.after(() => socket.destroy());
      const error = await once(socket, "connect").catch((error) => error);
      assert.is(error.code, "ECONNREFUSED", how);
    }
  },
);

test.unless(
  onDeno ? "Deno's net.Server tells no fd, and listens on none" : null,
  "a listening socket that was inherited stays open for the others that have it",
  async (t) => {
    const root = folder(t);
    for (const engine of ENGINES.filter((engine) => (serverRuntime as ServerRuntime).inherits(engine) === null)) {
      const shared = net.createServer((socket) => socket.end("shared"));
      t.after(() => new Promise((done) => shared.close(done)));
      await once(shared.listen(0, "127.0.0.1"), "listening");
      const { fd } = (shared as unknown as { _handle: { fd: number } })._handle;
      const program = fileURLToPath(new URL("../../test/fixtures/file-server.mjs", import.meta.url));
      const child = spawn(NODE, [program, root, JSON.stringify({ engine }), JSON.stringify({ fd: 3 })], {
        stdio: ["pipe", "pipe", "inherit", fd],
      });
      await once(child.stdout as Readable, "data");
      child.stdin?.write("close\n");
      await once(child, "exit");
      const { port } = shared.address() as net.AddressInfo;
      assert.is((await talk(port, [])).toString(), "shared", engine);
    }
  },
);

test("a Unix socket: its path is the address, is taken once, and goes with the server", async (t) => {
  for (const engine of ENGINES) {
    const path = join(tempFolder(t), "socket");
    const server = createFileServer(folder(t), { engine });
    t.after(() => server.close({ timeout: 0 }));
    assert.is(await server.listen({ path }), path);
    const other = createFileServer(folder(t), { engine });
    try {
      await other.listen({ path });
      assert.unreachable();
    } catch (error) {
      assert.is((error as NodeJS.ErrnoException).code, "EADDRINUSE", engine);
    }
    const socket = net.connect(path);
    socket.write(get("/small.bin"));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    same(Buffer.concat(chunks).subarray(-SMALL.length), SMALL);
    await server.close();
    assert.not.ok(fs.existsSync(path));
    const abstract = `\0sendoff-${process.pid}-${engine}`;
    const nameless = createFileServer(folder(t), { engine });
    t.after(() => nameless.close({ timeout: 0 }));
    await nameless.listen({ path: abstract });
    const client = net.connect(abstract);
    client.write(get("/small.bin"));
    const answer: Buffer[] = [];
    for await (const chunk of client) answer.push(chunk as Buffer);
    same(Buffer.concat(answer).subarray(-SMALL.length), SMALL);
  }
});

test.unless(noLoop, "maxConnections counts those that were handed over, and of all loops", async (t) => {
  const { server, port } = await serve(t, folder(t), { maxConnections: 2, threads: 2 });
  const one = net.connect(port, "127.0.0.1").on("error", () => {});
  one.write("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(one, "data");
  const two = net.connect(port, "127.0.0.1").on("error", () => {});
  two.write("GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(two, "data");
  assert.is(server.stats().connections, 2);
  const three = net.connect(port, "127.0.0.1").on("error", () => {});
  await once(three, "close");
  assert.is(server.stats().dropped, 1);
  one.destroy();
  await until(() => server.stats().connections === 1);
  const four = net.connect(port, "127.0.0.1").on("error", () => {});
  four.write("GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(four, "data");
  two.destroy();
  four.destroy();
});

test.unless(
  noLoop ?? (onBun ? "Bun's collector is not for us to call" : null),
  "a server that is closed leaves nothing: it is collected",
  async (t) => {
    setFlagsFromString("--expose-gc");
    const gc: () => void = runInNewContext("gc");
    const closed = async () => {
      const server = createFileServer(folder(t));
      const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
      await talk(port, [get("/small.bin")]);
      await server.close();
      return new WeakRef(server);
    };
    const server = await closed();
    await until(() => {
      gc();
      return server.deref() === undefined;
    });
  },
);

test.unless(noLoop, "a second close() with a shorter timeout cuts what the first one let go on", async (t) => {
  const root = folder(t);
  fs.truncateSync(join(root, "large.bin"), 64 * 1024 * 1024);
  for (const target of ["/large.bin", "/large.bin?x=%zz"]) {
    const { server, port } = await serve(t, root);
    const socket = net.connect(port, "127.0.0.1").on("error", () => {});
    socket.pause();
    socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await once(socket, "readable");
    const closed = server.close({ timeout: 3_600_000 });
    await new Promise((next) => setImmediate(next));
    await server.close({ timeout: 0 });
    await closed;
    assert.is(server.stats().connections, 0);
    socket.destroy();
  }
});

test.unless(noLoop, "a thread that dies loses no connection that it has handed over, and no count", async (t) => {
  const { server, port } = await serve(t, folder(t));
  await talk(port, [get("/large.bin")]);
  const { bytes, requests } = server.stats();
  const waiting = Array.from({ length: 20 }, () => talk(port, [get("/none")]));
  await until(() => (server.stats().handedOver.missing as number) > 0 || server.stats().connections > 0);
  killThread(server);
  const answers = await Promise.all(waiting);
  for (const answer of answers) assert.ok(answer.length === 0 || /^HTTP\/1\.1 404 /.test(answer.toString("latin1")));
  await until(() => server.stats().respawns === 1);
  assert.ok(server.stats().bytes.native >= bytes.native);
  same((await talk(port, [get("/large.bin")])).subarray(-LARGE.length), LARGE);
  await until(() => server.stats().bytes.native > bytes.native); // told at the end of a turn
  assert.ok(server.stats().requests > requests);
  await until(() => server.stats().connections === 0);
});

test.unless(noLoop, "close() while it begins to listen ends it, and a listen() that fails leaves no fd", async (t) => {
  const root = folder(t);
  await (await serve(t, root)).server.close(); // what a process opens once
  const before = fdCount() + 2;
  const server = createFileServer(root, { engine: "loop", threads: 2 });
  const listening = server.listen({ port: 0, host: "127.0.0.1" });
  await server.close({ timeout: 0 });
  const { port } = await listening.catch(() => ({ port: 1 }));
  const [error] = await once(net.connect(port, "127.0.0.1"), "error").catch((error) => [error]);
  assert.is(error.code, "ECONNREFUSED");
  const { shared } = host();
  const sys = shared.sys as NonNullable<typeof shared.sys>;
  let left = 1;
  const libc = {
    ...sys.libc,
    eventfd: (value: number, flags: number) => (left-- > 0 ? sys.libc.eventfd?.(value, flags) : -1),
  };
  const failing = new FileServer({ ...shared, sys: { ...sys, libc } as typeof sys }, serverRuntime, root, {
    threads: 2,
  });
  for (let i = 0; i < 3; i++) {
    left = 1;
    const error = await failing.listen({ port: 0, host: "127.0.0.1" }).catch((error: Error) => error);
    assert.match((error as Error).message, /^eventfd: /);
  }
  await until(() => fdCount() <= before);
});

test.unless(
  noLoop,
  "an eventfd is closed once the thread that reads from disks has ended: it may still write to that number",
  async (t) => {
    const root = folder(t);
    const over = join(root, "over");
    const entry = join(root, "reader.mjs");
    // A disk that is slow.
    fs.writeFileSync(
      entry,
      `import { existsSync } from "node:fs";
      import { parentPort } from "node:worker_threads";
      parentPort.on("message", (told) => {
        if (told === null) setInterval(() => existsSync(${JSON.stringify(over)}) && process.exit(), 1);
      });`,
    );
    const { shared } = host();
    const sys = shared.sys as NonNullable<typeof shared.sys>;
    const made: number[] = [];
    const closed: number[] = [];
    const eventfd = (value: number, flags: number) => {
      made.push(sys.libc.eventfd?.(value, flags) as number);
      return made.at(-1);
    };
    const libc = {
      ...sys.libc,
      eventfd,
      close: (fd: number) => sys.libc.close?.(closed[closed.push(fd) - 1] as number),
    };
    const reader = pathToFileURL(entry);
    const runtime = { ...serverRuntime, reader: () => reader };
    const server = new FileServer({ ...shared, sys: { ...sys, libc } as typeof sys }, runtime, root);
    await server.listen({ port: 0, host: "127.0.0.1" });
    await server.close();
    assert.is(made.length, 1);
    assert.not.ok(closed.includes(made[0] as number));
    fs.writeFileSync(over, "");
    await until(() => closed.includes(made[0] as number));
  },
);

test.unless(
  noLoop,
  "a thread that has ended is told nothing: its eventfd's number may be somebody else's",
  async (t) => {
    const path = join(tempFolder(t), "wake");
    const wake = fs.openSync(path, "w");
    t.after(() => fs.closeSync(wake));
    const libc = host().shared.sys?.libc as ConstructorParameters<typeof Thread>[1];
    const plan = { wake, id: 1, fds: new Uint8Array(0), connections: new Int32Array(2) } as unknown;
    const runtime = { ...serverRuntime, loop: () => new URL("data:text/javascript,") };
    const thread = new Thread(runtime, libc, plan as ConstructorParameters<typeof Thread>[2], {
      message() {},
      reader() {},
    });
    thread.stop(0);
    await thread.over;
    const { size } = fs.statSync(path);
    thread.tell({ type: "answer", key: "/", rest: false, answer: null });
    assert.is(fs.statSync(path).size, size);
  },
);

test.unless(noLoop, "a keepAliveTimeout of 0 is no limit, as with node:http", async (t) => {
  const { server, port } = await serve(t, folder(t), { keepAliveTimeout: 0, headersTimeout: 0 });
  const socket = net.connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  for (let i = 0; i < 2; i++) {
    socket.write("HEAD /small.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(socket, "data");
    await new Promise((next) => setTimeout(next, 2200)); // two looks of the loop
  }
  assert.is(server.stats().requests, 2);
  assert.is(server.stats().expired, 0);
});

test.unless(noLoop, "a strong tag that is weak at first is strong later, by the loop as well", async (t) => {
  const root = folder(t);
  const { server, port } = await serve(t, root, { etag: "strong" });
  const tag = async () =>
    /^ETag: (.*)\r$/m.exec((await talk(port, [head("/small.bin")])).toString("latin1"))?.[1] ?? "";
  const touch = (time: number) => fs.utimesSync(join(root, "small.bin"), time, time);
  touch(Date.now() / 1000 + 60);
  assert.match(await tag(), /^W\//);
  touch(1);
  while ((await tag()).startsWith("W/")) await new Promise((next) => setTimeout(next, 100));
  assert.match(await tag(), /^"/);
  assert.ok(server.stats().requests > 0);
});

test.unless(
  noLoop,
  "a loop learns ranges and conditions when they are first asked for, and answers all of them",
  async (t) => {
    const root = folder(t);
    const { server, port } = await serve(t, root);
    const requests = [
      get("/small.bin"),
      get("/small.bin", "Range: bytes=0-9"),
      get("/small.bin", `If-Modified-Since: ${LAST_MODIFIED}`),
      head("/small.bin", "Range: bytes=0-9"), // a range is for GET alone
    ];
    await talk(port, [get("/small.bin")]);
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(requests.map((request) => talk(port, [request])));
      assert.equal(
        answers.map((answer) => answer.toString("latin1", 9, 12)),
        ["200", "206", "304", "200"],
      );
    }
    // Both at once, of one that nobody has asked for.
    await Promise.all([[], ["Range: bytes=0-1"]].map((fields) => talk(port, [get("/a%20b.txt", ...fields)])));
    const { requests: answered, handedOver } = server.stats();
    assert.is(answered, 15, JSON.stringify(handedOver));
  },
);

test.unless(noLoop, "codings that a client accepts are told apart by what they mean, not by their text", async (t) => {
  const root = folder(t);
  const { server, port } = await serve(t, root, { precompressed: true });
  let asked = 0;
  const count = () => void asked++;
  diagnostics.subscribe("http.server.request.start", count);
  t.after(() => diagnostics.unsubscribe("http.server.request.start", count));
  const bodies = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const answer = await talk(port, [get("/page.html", `Accept-Encoding: gzip, x${i};q=0.${i}`)]);
    bodies.add(answer.toString("latin1").split("\r\n\r\n")[1] as string);
  }
  assert.equal([...bodies], ["not really gzip\n"]);
  assert.ok(asked <= 4, `${asked} requests to the server behind`); // HEAD twice, 304, 206
  assert.is(server.stats().requests, 20);
});

test("a tag that becomes strong while the loop asks is not told as a weak one for ever", async (t) => {
  const root = folder(t);
  const path = join(root, "small.bin");
  const stat = fs.statSync(path);
  let answers = 0;
  const handler: Handler = (_req, res) => {
    res.setHeader("ETag", ++answers === 1 ? 'W/"x"' : '"x"');
    res.setHeader("Content-Length", stat.size);
    res.end();
  };
  const server = http.createServer((req, res) => filesFor(req, handler)(req, res));
  Object.defineProperty(server, "listening", { value: true }); // else Deno closes each connection behind its answer
  const files = { handler, find: () => ({ path, absent: [], name: path, stat, tag: '"x"' }) };
  const asked = { target: "/small.bin", encodings: "", rest: false };
  assert.is(await ask(server, files, asked), null);
  const answer = await ask(server, files, asked);
  assert.match(answer?.whole ?? "", /\r\nETag: "x"\r\n/);
});

test("headers, and a page for what is missing, by each engine", async (t) => {
  const root = folder(t);
  const headers = { "X-Frame-Options": "DENY", "Cache-Control": "no-store" };
  for (const [name, status] of [
    ["fallback", 200],
    ["notFound", 404],
  ] as const) {
    const { ask } = await both(t, root, { headers, [name]: "/page.html" });
    const answer = async (request: string) => answersOf(await ask(request), request.startsWith("HEAD") ? [0] : [])[0];
    const page = fs.readFileSync(join(root, "page.html"), "latin1");
    const tag = (await answer(get("/page.html")))?.fields.etag as string;
    for (const target of ["/small.bin", "/page.html", "/none", "/sub/none?x"]) {
      for (const request of [get(target), head(target)]) {
        const { status: got, fields, body } = (await answer(request)) as Answered;
        assert.is(got, target.includes("none") ? status : 200, request);
        assert.equal([fields["x-frame-options"], fields["cache-control"]], ["DENY", "no-store"], request);
        if (target !== "/small.bin") assert.equal([fields["content-length"], fields.etag], [`${page.length}`, tag]);
        if (request.startsWith("GET")) assert.is(body, target === "/small.bin" ? SMALL.toString("latin1") : page);
      }
    }
    const known = name === "fallback" ? [206, 304] : [404, 404];
    for (const [i, field] of ["Range: bytes=1-2", `If-None-Match: ${tag}`].entries()) {
      assert.is((await answer(get("/none", field)))?.status, known[i], field);
    }
    assert.is((await answer(get("/../none")))?.status, 403);
    assert.is((await answer(get("/%")))?.status, 400);
    assert.is((await answer(get("/none").replace("GET", "PUT")))?.status, 405);
    fs.renameSync(join(root, "page.html"), join(root, "away"));
    const error = await answer(get("/none"));
    assert.is(error?.status, 404);
    assert.match(error?.body ?? "", /Not Found/);
    fs.renameSync(join(root, "away"), join(root, "page.html"));
  }
});

for (const engine of ENGINES) {
  test(`an app behind a server: it answers what is no file, and what it says of a file all clients hear; ${engine}`, async (t) => {
    const { shared } = host();
    const asked: string[] = [];
    const app: App = (req, res, files) => {
      asked.push(`${isAsking(req.socket) ? "asked" : "sent"} ${req.method} ${req.url}`);
      res.setHeader("X-App", "yes");
      if (req.url === "/own") return void res.end(req.method === "HEAD" ? "" : "own");
      files(req, res, () => {
        asked.push(`passed on ${req.url}`);
        res.statusCode = 410;
        res.end("gone");
      });
    };
    const server = new FileServer(shared, serverRuntime, folder(t), { engine }, { app });
    t.after(() => server.close({ timeout: 0 }));
    const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
    const told = async (target: string) => {
      asked.length = 0;
      const [answer] = answersOf((await talk(port, [get(target)])).toString("latin1"));
      assert.is(answer?.fields["x-app"], "yes");
      return [answer?.status, answer?.body.slice(0, 5), ...asked];
    };
    const text = SMALL.toString("latin1", 0, 5);
    const byLoop = engine === "loop";
    const file = ["asked HEAD /small.bin"];
    const once = [...new Set(await told("/small.bin"))]; // more than one HEAD
    assert.equal(once, [200, text, ...(byLoop ? file : ["sent GET /small.bin"])]);
    assert.equal(await told("/small.bin"), [200, text, ...(byLoop ? [] : ["sent GET /small.bin"])]);
    for (const _ of ["first", "then"]) {
      const head = (target: string) => (byLoop ? [`asked HEAD ${target}`] : []);
      assert.equal(await told("/none"), [410, "gone", ...head("/none"), "sent GET /none", "passed on /none"]);
      assert.equal(await told("/own"), [200, "own", ...head("/own"), "sent GET /own"]);
    }
  });
}

test("one request of a connection is answered at a time, and a thousand that wait are too many", async (t) => {
  const { shared } = host();
  const begun: string[] = [];
  const waiting: (() => void)[] = [];
  const app: App = (req, res) => {
    begun.push(req.url as string);
    waiting.push(() => res.end());
  };
  const server = new FileServer(shared, serverRuntime, folder(t), { engine: "node" }, { app });
  t.after(() => server.close({ timeout: 0 }));
  const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
  const all = talk(port, [first("/1"), first("/2"), get("/3")]);
  for (const seen of [["/1"], ["/1", "/2"], ["/1", "/2", "/3"]]) {
    await until(() => begun.length > 0 && begun.length === seen.length);
    const [answer] = answersOf((await talk(port, ["GET * HTTP/9.9\r\n\r\n"])).toString("latin1")); // a turn for all that came
    assert.is(answer?.status, 400);
    assert.equal(begun, seen);
    waiting.shift()?.();
  }
  assert.equal(
    answersOf((await all).toString("latin1")).map(({ status }) => status),
    [200, 200, 200],
  );
  assert.is((await talk(port, [first("/").repeat(1000)])).length, 0);
  assert.is(begun.length, 4);
});

test.unless(noLoop, "a file that is replaced during its answer is sent as it was, then closed", async (t) => {
  const root = folder(t);
  fs.truncateSync(join(root, "large.bin"), 64 * 1024 * 1024); // more than is on its way at once
  const { server, port } = await serve(t, root);
  await talk(port, [head("/large.bin")]);
  const socket = net.connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write(get("/large.bin"));
  await once(socket, "readable");
  fs.writeFileSync(join(root, "new"), "new");
  fs.renameSync(join(root, "new"), join(root, "large.bin"));
  while (!(await talk(port, [get("/large.bin")])).toString("latin1").endsWith("\r\n\r\nnew"));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const body = all.subarray(all.indexOf("\r\n\r\n") + 4);
  assert.is(body.length, 64 * 1024 * 1024);
  same(body.subarray(0, LARGE.length), LARGE);
  await until(() => server.stats().openFiles === 0);
});

/** Sockets of this process whose unsent bytes the kernel bounds. */
function bounded(): number {
  const sys = host().shared.sys as Syscalls;
  const sockets = fs.readdirSync("/proc/self/fd").map(Number).filter(sys.isStream);
  const isFree = (fd: number) => sys.limit?.(fd, LOWAT) === true && sys.limit(fd, 0);
  return sockets.filter((fd) => !isFree(fd)).length;
}

test.unless(
  noLoop ?? boundEverywhere(),
  "a client that reads nothing has the kernel hold little of a long answer, not of a short one",
  async (t) => {
    const root = folder(t);
    const { port } = await serve(t, root);
    for (const [name, change] of [
      ["large.bin", 1],
      ["small.bin", 0],
    ] as const) {
      await talk(port, [head(`/${name}`)]);
      const before = bounded();
      const socket = net.connect(port, "127.0.0.1").pause();
      t.after(() => socket.destroy());
      socket.write(first(`/${name}`));
      await once(socket, "readable");
      assert.is(bounded(), before + change, name);
      socket.destroy();
    }
  },
);

test("a client is fast once it takes a MiB in 50 ms: then its kernel may hold more, for as long as it is there", () => {
  const at = { fd: 7, sent: 0 };
  const limits: [fd: number, bytes: number][] = [];
  const core = { connection_fd: () => at.fd, connection_at: () => at.sent };
  const limit = (...one: [number, number]) => limits.push(one) > 0;
  const unsent = new Unsent(core as unknown as Core, { limit } as unknown as Syscalls);
  const moved = (sent: number, now: number) => {
    at.sent = sent;
    unsent.moved(1, now);
  };
  unsent.begin(1, LONG, 0);
  moved(LONG, 0);
  assert.equal(limits, [], "short");
  unsent.begin(1, 64 * LONG, 1000);
  assert.equal(limits.splice(0), [[7, LOWAT]]);
  moved(LONG - 1, 1001);
  moved(LONG, 1051);
  moved(2 * LONG, 1102);
  moved(3 * LONG - 1, 1103);
  unsent.begin(1, 64 * LONG, 2000);
  moved(LONG, 2051);
  assert.equal(limits, [], "slow, and bound already");
  moved(2 * LONG, 2101);
  assert.equal(limits.splice(0), [[7, 0]], "fast");
  moved(9 * LONG, 9000);
  unsent.begin(1, 64 * LONG, 9000);
  moved(LONG, 9999);
  assert.equal(limits, [], "it stays so");
  unsent.forget(1);
  assert.equal(limits, []);
  unsent.begin(1, 64 * LONG, 9999);
  assert.equal(limits.splice(0), [[7, LOWAT]], "another one");
  unsent.forget(1);
  assert.equal(limits, [[7, 0]], "who it is handed to finds it as it was");
});

test("a socket that can't be bound, or has a bound of its own, is left alone", () => {
  let asked = 0;
  const core = { connection_fd: () => 7, connection_at: () => 64 * LONG };
  const limit = () => ++asked === 0;
  const unsent = new Unsent(core as unknown as Core, { limit } as unknown as Syscalls);
  unsent.begin(1, 64 * LONG, 0);
  unsent.moved(1, 0);
  unsent.begin(1, 64 * LONG, 0);
  assert.is(asked, 1);
});

test.unless(noLoop, "statx(2) says what fs.stat does, with a libc that has it and without", (t) => {
  const root = folder(t);
  const { shared } = host();
  const libc = shared.sys?.libc as unknown as ConstructorParameters<typeof Statx>[0];
  const none = { ...libc, statx: () => -1, errno: () => 38 };
  for (const statx of [new Statx(libc, shared.core), new Statx(none, shared.core)]) {
    const at = (path: string) => statx.at(Buffer.from(`${path}\0`));
    for (const path of [join(root, "small.bin"), join(root, "empty.txt"), root, "/proc/self/stat", "/dev/null"]) {
      const stat = fs.statSync(path);
      const { isFile, ...found } = at(path) ?? { isFile: null };
      assert.is(isFile, stat.isFile(), path);
      if (path === "/proc/self/stat") continue; // made anew for each look
      const { dev, ino, size, mtimeMs, ctimeMs } = stat;
      const told = { dev, ino, size, mtimeMs, ctimeMs };
      if (!onDeno) assert.equal(found, told, path);
      else assert.ok(isAlike(told, found as typeof told), path);
    }
    fs.truncateSync(join(root, "small.bin"), 5 * 2 ** 32 + 7);
    assert.is(at(join(root, "small.bin"))?.size, 5 * 2 ** 32 + 7);
    fs.utimesSync(join(root, "empty.txt"), -1.5, -1.5); // before 1970
    assert.is(at(join(root, "empty.txt"))?.mtimeMs, fs.statSync(join(root, "empty.txt")).mtimeMs);
    assert.is(at(join(root, "nothing")), null);
    assert.is(at(`${root}/${"x".repeat(5000)}`), null);
  }
});

test("a file is looked at each 10 ms, and each 100 ms where many are asked for", (t) => {
  const path = join(folder(t), "small.bin");
  const { dev, ino, size, mtimeMs, ctimeMs } = fs.statSync(path);
  const file = { dev, ino, size, mtimeMs, ctimeMs, isFile: true };
  let looks = 0;
  const stat = () => {
    looks++;
    return file;
  };
  const open = () => fs.openSync(path, "r");
  const known = new Known({ open, stat, fstat: () => file, close: fs.closeSync, isAbsent: () => true }, 1000);
  t.after(() => known.clear());
  const heads = { whole: "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n", rest: null };
  const asked = (count: number, now: number) => {
    looks = 0;
    for (let i = 0; i < count; i++) assert.ok(known.find(`/${i}`, now));
    return looks;
  };
  for (let i = 0; i < 100; i++) known.learn(`/${i}`, { ...file, path, name: path, absent: [], ...heads });
  asked(100, 0); // opens them
  assert.equal([asked(5, 9), asked(5, 10), asked(5, 19), asked(5, 20)], [0, 5, 0, 5]);
  assert.equal([asked(100, 1000), asked(100, 1009), asked(100, 1050), asked(100, 1099)], [100, 0, 10, 10]);
  assert.is(asked(100, 1100), 90);
});

test("a whole answer is ready for who asks again in the same second, as long as the file is known to be the same", () => {
  const memory = Buffer.alloc(32768);
  const reads: number[] = [];
  let found = "abcd";
  const sys = {
    read(_fd: number, at: number, _offset: number, count: number) {
      reads.push(count);
      return memory.write(found, at, "latin1");
    },
  } as unknown as ConstructorParameters<typeof Ready>[0];
  const scratch = {
    address: 0,
    take: (target: Buffer, at: number, length: number) => memory.copy(target, at, 0, length),
  } as unknown as ConstructorParameters<typeof Ready>[1];
  const ready = new Ready(sys, scratch);
  const entryOf = (size: number, changed: number) => {
    const times = { mtimeMs: 0, ctimeMs: changed };
    const answer = { size, ...times, whole: "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n", rest: null };
    return Object.assign(new Entry(answer as unknown as ConstructorParameters<typeof Entry>[0]), { checked: 1 });
  };
  const find = (entry: Entry, ...heads: string[]) => heads.map((head) => ready.find(entry, head)?.toString() ?? null);
  // Its times tell each change.
  const old = entryOf(4, Date.now() - 3000);
  assert.equal(find(old, "h", "h", "h"), [null, "habcd", "habcd"]);
  old.checked = 2; // looked at anew, and the same
  found = "efgh";
  assert.equal(find(old, "h"), ["habcd"]);
  assert.equal(find(old, "later ", "later "), [null, "later efgh"]); // another second
  assert.equal(find(old, "last ", "later ", "last "), [null, "later efgh", "last efgh"]);
  assert.equal(reads.splice(0), [4, 4, 4]);
  // They may not tell it: believed until the next look.
  const young = entryOf(4, Date.now());
  assert.equal(find(young, "h", "h", "h"), [null, "hefgh", "hefgh"]);
  young.checked = 2;
  found = "abcd";
  assert.equal(find(young, "h", "h"), ["habcd", "habcd"]);
  young.checked = 3;
  found = "ab"; // shorter than it was, or not all of it in the page cache: then the core says what to do
  assert.equal(find(young, "h", "h"), [null, null]);
  assert.equal(reads.splice(0), [4, 4, 4]);
  assert.equal(find(entryOf((16 << 10) - 1, 0), "hh", "hh"), [null, null]);
  assert.equal(reads, []);
});

/** A socket that is followed. */
function followed(connections: Connections) {
  const socket = Object.assign(new EventEmitter(), {
    bytesRead: 0,
    destroyed: false,
    writable: true,
    destroy() {
      socket.destroyed = true;
      socket.writable = false;
      socket.emit("close");
    },
  });
  connections.follow(socket as unknown as net.Socket);
  return socket;
}

test("a connection that closes takes the answers with it that have waited behind one", () => {
  const connections = new Connections(() => {});
  const sockets = [followed(connections), followed(connections)];
  const answers = sockets.map((socket) =>
    [1, 2].map(() => {
      const res = Object.assign(new EventEmitter(), { headersSent: false, shouldKeepAlive: true });
      connections.ask({ socket } as unknown as http.IncomingMessage, res as unknown as http.ServerResponse);
      return res;
    }),
  );
  sockets[0]?.destroy();
  connections.drain();
  const kept = answers.map((all) => all.map(({ shouldKeepAlive }) => shouldKeepAlive));
  assert.equal(kept[0], [true, true], "drained no more: nobody has it");
  assert.equal(kept[1], [false, false]);
});

test("connections of a server without limits end by ours: in a first head, between two requests, in a later head", async () => {
  const limits = { headersTimeout: 60, keepAliveTimeout: 5 };
  const answers: EventEmitter[] = [];
  const connections = new Connections((_req, res) => void answers.push(res));
  const open = () => followed(connections);
  const ask = (socket: object) =>
    connections.ask({ socket } as http.IncomingMessage, new EventEmitter() as http.ServerResponse);
  const at = (now: number) => connections.expire(now, limits);
  const [silent, asking, idle, slow] = [open(), open(), open(), open()];
  at(0);
  for (const socket of [asking, idle, slow]) ask(socket);
  at(59);
  for (const answer of answers.slice(1)) answer.emit("close");
  slow.bytesRead = 3;
  at(60); // the answers are seen to be over
  assert.equal(
    [silent, idle, slow].map(({ destroyed }) => destroyed),
    [false, false, false],
  );
  at(61);
  assert.equal(
    [silent, idle, slow].map(({ destroyed }) => destroyed),
    [true, false, false],
  );
  at(66);
  assert.equal(
    [idle, slow].map(({ destroyed }) => destroyed),
    [true, false],
  );
  at(120);
  assert.is(slow.destroyed, false);
  at(121);
  assert.is(slow.destroyed, true);
  at(1e9);
  assert.is(asking.destroyed, false); // an answer has the limit of its socket
  assert.is(connections.size, 1);
});

test("a head has the time of now", () => {
  const made = new Head("HTTP/1.1 200 OK\r\nDate: x\r\nA: b\r\n\r\n");
  const at = (date: string) => `HTTP/1.1 200 OK\r\nDate: ${date}\r\nA: b\r\n\r\n`;
  for (const second of [0, 0, 1]) assert.is(made.at(second), at(`Thu, 01 Jan 1970 00:00:0${second} GMT`));
});

test("a read from a disk is told of once, in its turn, and for nobody who has gone", () => {
  const sent: { id: number }[] = [];
  const { port1, port2 } = new MessageChannel();
  const post = (message: { id: number }) => void sent.push(message);
  const reader = Object.assign(port1, { postMessage: post });
  const ids = () => sent.splice(0).map(({ id }) => id);
  const job = () => ({ sending: { over: false } });
  const [a, b, c, d, e] = [job(), job(), job(), job(), job()];
  const disk = new Disk<typeof a>(reader);
  for (const one of [a, b, c, d]) disk.read(one, 3, 0, 1);
  assert.equal(ids(), [1, 2]);
  const took: unknown[] = [];
  const take = (message: { id: number; read: number }) => void took.push(disk.take(message));
  c.sending.over = true;
  take({ id: 2, read: 1 });
  take({ id: 2, read: 1 });
  disk.receive(take);
  assert.equal(ids(), [4]);
  take({ id: 1, read: 1 });
  disk.read(e, 4, 5, 6);
  assert.equal(sent[0], { id: 5, fd: 4, position: 5, length: 6 });
  assert.equal(ids(), [5]);
  disk.reconnect(reader); // the one before has ended
  assert.equal(ids(), [4, 5]);
  for (const [i, one] of [b, null, c, a].entries()) assert.is(took[i], one);
  port2.close();
});

for (const engine of ENGINES) {
  test(`${engine}: 100 (Continue) never comes between the head of an answer and its body`, async (t) => {
    const root = folder(t);
    const { port } = await serve(t, root, { engine });
    const expects = (target: string, ...more: string[]) => first(target, "Expect: 100-continue", ...more);
    for (const begin of [first("/small.bin"), expects("/small.bin"), first("/none")]) {
      const body = expects("/small.bin", "Content-Length: 3");
      const answer = await talk(port, [`${begin}${body}abc${get("/small.bin", "Expect: 100-continue")}`]);
      const parts = answer.toString("latin1").replace(/HTTP\/1.1 100 Continue\r\n\r\n(?=HTTP\/)/g, "");
      assert.not.match(parts, /100 Continue/);
      assert.is(parts.match(/HTTP\/1\.1 200 OK/g)?.length, begin.includes("none") ? 2 : 3);
      same(answer.subarray(-SMALL.length), SMALL);
    }
  });

  test(`${engine}: limits that no timer has are none, and a socket's path that is too long is refused`, async (t) => {
    const limits = { keepAliveTimeout: Number.POSITIVE_INFINITY, headersTimeout: 2 ** 31, stallTimeout: 2 ** 40 };
    const { port } = await serve(t, folder(t), { engine, ...limits });
    same((await talk(port, [get("/small.bin")])).subarray(-SMALL.length), SMALL);
    const server = createFileServer(folder(t), { engine });
    const path = join(tempFolder(t), "x".repeat(108));
    const error = await server.listen({ path }).catch((error: NodeJS.ErrnoException) => error);
    assert.is((error as NodeJS.ErrnoException).code, "ENAMETOOLONG");
    await server.listen({ path: path.slice(0, 107) });
    await server.close();
  });
}

test("arguments: each is named", () => {
  for (const [options, message] of [
    [{ engine: "fast" }, /engine must be 'auto', 'loop' or 'node'/],
    [{ threads: 0 }, /threads must be a positive integer/],
    [{ keepAliveTimeout: -1 }, /keepAliveTimeout must be a non-negative number/],
    [{ stallTimeout: "x" }, /stallTimeout must be/],
    [{ maxConnections: 0 }, /maxConnections must be/],
    [{ headers: null }, /headers must be an object/],
    [{ headers: { a: 1 } }, /headers.a must be text, or an array of it \(got 1\)/],
    [{ headers: { "a b": "" } }, /Header name must be a valid HTTP token/],
    [{ headers: { a: "\n" } }, /Invalid character in header content/],
    [{ fallback: "x" }, /fallback must be a target such as '\/index.html' \(got 'x'\)/],
    [{ notFound: 404 }, /notFound must be a target/],
    [{ fallback: "/a", notFound: "/b" }, /fallback or notFound, not both/],
    [{ symlinks: "maybe" }, /symlinks must be/],
  ] as [FileServerOptions, RegExp][]) {
    assert.throws(() => createFileServer(".", options), message);
  }
  assert.throws(() => createFileServer(""), /root must be a path/);
});

test.unless(
  noLoop,
  "the process ends at once by process.exit(), an uncaught error and SIGTERM, while a loop serves",
  async () => {
    const program = fileURLToPath(new URL("../../test/fixtures/leaving-server.mjs", import.meta.url));
    const [runtime = "", ...args] = COMMAND;
    for (const [how, wanted] of [
      ["exit", 3],
      ["throw", 1],
      ["kill", "SIGTERM"],
      ["unref", 0],
    ] as const) {
      const child = spawn(runtime, [...args, program, how], { stdio: "ignore" });
      const [status, signal] = await once(child, "exit");
      assert.is(signal ?? status, wanted, how);
    }
  },
);

test.run();
