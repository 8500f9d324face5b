// respond(): every answer as the stream way gives it, and the connection never out of step.

import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import tls from "node:tls";
import v8 from "node:v8";
import { runInNewContext } from "node:vm";
import zlib from "node:zlib";
import { capabilities } from "sendoff";
import { type RespondOptions, respond } from "sendoff/http";
import * as assert from "uvu/assert";
import { respond as respondBy } from "../host/http/respond.js";
import { serveStatic as serve } from "../host/http/static.js";
import { until } from "./lib/command.js";
import { faultyHost } from "./lib/faulty.js";
import { fdCount } from "./lib/files.js";
import { lacks, runtime } from "./lib/runtime.js";
import { suite } from "./lib/suite.js";
import { exchange, folder, header, parse, request, site, undated, within } from "./lib/web.js";

const test = suite("respond");
const MIB = 1 << 20;
const { root, remove } = folder({
  empty: 0,
  one: 1,
  page: 4096,
  "16k": 16 * 1024,
  odd: 70_001,
  "256k": 256 * 1024,
  "8m": 8 * MIB,
});
test.after(remove);
const native = capabilities().native && lacks("fd of a response") === null;
const copied = native ? null : (lacks("fd of a response") ?? "nothing goes by the kernel here");
const { unless } = test;
const file = (name: string) => path.join(root, name);
const bytes = (name: string) => fs.readFileSync(file(name));

/** The answer that is wanted, said once: how headers are set is the situation's, how the body goes the way's. */
type Way = (req: IncomingMessage, res: ServerResponse, name: string, options?: RespondOptions) => void;

const byPipe: Way = (req, res, name, { offset = 0, count } = {}) => {
  const { size } = fs.statSync(file(name));
  const length = Math.min(Math.max(0, size - offset), count ?? size);
  const bare = res.statusCode === 204 || res.statusCode === 304;
  if (!bare && !res.headersSent && !res.hasHeader("transfer-encoding")) res.setHeader("Content-Length", length);
  if (bare || length === 0 || req.method === "HEAD") res.end();
  else fs.createReadStream(file(name), { start: offset, end: offset + length - 1 }).pipe(res);
};
const byRespond: Way = (req, res, name, options) => {
  respond(req, res, file(name), options).catch(() => res.destroy());
};

const situations: Record<string, [text: string, serve: (way: Way) => RequestListener]> = {
  "a whole file": [request("/odd"), (way) => (req, res) => way(req, res, "odd")],
  "a small file": [request("/page"), (way) => (req, res) => way(req, res, "page")],
  "one byte": [request("/one"), (way) => (req, res) => way(req, res, "one")],
  "an empty file": [request("/empty"), (way) => (req, res) => way(req, res, "empty")],
  "a large file": [request("/8m"), (way) => (req, res) => way(req, res, "8m")],
  "from an offset": [request("/odd"), (way) => (req, res) => way(req, res, "odd", { offset: 4097 })],
  "an offset and a count": [
    request("/odd"),
    (way) => (req, res) => {
      res.statusCode = 206;
      res.setHeader("Content-Range", "bytes 5-104/70001");
      way(req, res, "odd", { offset: 5, count: 100 });
    },
  ],
  "an offset past the end": [request("/odd"), (way) => (req, res) => way(req, res, "odd", { offset: 80_000 })],
  "a count past the end": [request("/odd"), (way) => (req, res) => way(req, res, "odd", { count: 99_999_999 })],
  HEAD: [request("/odd", [], "HEAD"), (way) => (req, res) => way(req, res, "odd")],
  "HEAD of an empty file": [request("/odd", [], "HEAD"), (way) => (req, res) => way(req, res, "empty")],
  "204": [
    request("/odd"),
    (way) => (req, res) => {
      res.statusCode = 204;
      way(req, res, "odd");
    },
  ],
  "304": [
    request("/odd"),
    (way) => (req, res) => {
      res.statusCode = 304;
      way(req, res, "odd");
    },
  ],
  "headers set one by one": [
    request("/odd"),
    (way) => (req, res) => {
      res.setHeader("Content-Type", "text/plain; charset=utf-8");
      res.setHeader("Set-Cookie", ["a=1", "b=2"]);
      res.setHeader("X-Latin", "\xe9");
      way(req, res, "odd");
    },
  ],
  "writeHead before": [
    request("/odd"),
    (way) => (req, res) => {
      res.writeHead(203, "Fine", { "Content-Length": 70_001, "X-A": "b" });
      way(req, res, "odd");
    },
  ],
  "flushHeaders before": [
    request("/odd"),
    (way) => (req, res) => {
      res.setHeader("Content-Length", 70_001);
      res.flushHeaders();
      setImmediate(() => way(req, res, "odd"));
    },
  ],
  "a corked response, uncorked by its end": [
    request("/page"),
    (way) => (req, res) => {
      res.cork();
      way(req, res, "page");
    },
  ],
  "a corked response, uncorked later": [
    request("/8m"),
    (way) => (req, res) => {
      res.cork();
      way(req, res, "8m");
      setTimeout(() => res.uncork(), 5);
    },
  ],
  "a chunked response": [
    request("/page"),
    (way) => (req, res) => {
      res.setHeader("Transfer-Encoding", "chunked");
      way(req, res, "page");
    },
  ],
  "an informational response before": [
    request("/odd"),
    (way) => (req, res) => {
      res.writeProcessing();
      way(req, res, "odd");
    },
  ],
  "Expect: 100-continue": [request("/odd", ["Expect: 100-continue"]), (way) => (req, res) => way(req, res, "odd")],
  "HTTP/1.0": ["GET /odd HTTP/1.0\r\n\r\n", (way) => (req, res) => way(req, res, "odd")],
  "HTTP/1.0, pipelined with keep-alive": [
    "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
    (way) => (req, res) => way(req, res, req.url === "/a" ? "odd" : "page"),
  ],
  "five pipelined": [
    ["odd", "empty", "8m", "page"].map((name) => `GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`).join("") + request("/one"),
    (way) => (req, res) => way(req, res, (req.url ?? "").slice(1)),
  ],
  "five pipelined, a HEAD and a 404 among them": [
    `GET /odd HTTP/1.1\r\nHost: x\r\n\r\nHEAD /8m HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n${request("/page")}`,
    (way) => (req, res) => {
      if (req.url === "/none") {
        res.statusCode = 404;
        res.end("none");
      } else way(req, res, (req.url ?? "").slice(1));
    },
  ],
  "a request body nobody reads": [
    request("/odd", ["Content-Length: 5"], "POST").concat("12345"),
    (way) => (req, res) => way(req, res, "odd"),
  ],
};

for (const [name, [text, serve]] of Object.entries(situations)) {
  for (const half of [false, true]) {
    const reason = name.startsWith("HTTP/1.0, pipelined") ? lacks("keep-alive of HTTP/1.0") : null;
    unless(reason, `${name}${half ? ", by a client that half-closes" : ""}: as by pipe()`, async () => {
      const [a, b] = await Promise.all([site(serve(byPipe)), site(serve(byRespond))]);
      // Without it node:http itself hangs up on who half-closes.
      for (const { server } of [a, b]) (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
      const [want, got] = await within(Promise.all([exchange(a.port, text, half), exchange(b.port, text, half)]), name);
      await Promise.all([a.close(), b.close()]);
      assert.ok(want.length > 0);
      assert.is(
        undated(got).equals(undated(want)),
        true,
        `${parse(got).status}: ${got.length} bytes for ${want.length}`,
      );
    });
  }
}

unless(copied, "goes by the kernel, header included", async () => {
  for (let [name, tries] of Object.entries({ page: 20, odd: 20, "256k": 20 })) {
    let progress: { native: number; sent: number; cold: number } | undefined;
    let written = 0;
    const at = await site((req, res) => {
      const { socket } = res;
      respond(req, res, file(name), { mode: "native", onProgress: (now) => (progress = now) }).then(() => {
        written = (socket as net.Socket).bytesWritten;
      });
    });
    let got: Buffer = Buffer.alloc(0);
    // A system short of memory may have dropped the file's pages: then the pool reads it.
    do got = await exchange(at.port, request("/"));
    while (progress?.cold !== 0 && --tries > 0);
    await at.close();
    assert.is(progress?.sent, bytes(name).length);
    assert.is(progress?.native, got.length);
    assert.is(written, got.length, "bytesWritten");
    assert.ok(parse(got).body.equals(bytes(name)));
  }
});

test("1,000 on one connection", async () => {
  const handle = await open(file("16k"));
  const at = await site((req, res) => void respond(req, res, handle, { offset: Number(req.url?.slice(1)), count: 16 }));
  const socket = net.connect(at.port, "127.0.0.1");
  const want = bytes("16k");
  let pending = Buffer.alloc(0);
  let done = 0;
  const ask = () => socket.write(`GET /${done} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const all = new Promise<void>((resolve, reject) => {
    socket.on("error", reject).on("close", () => reject(new Error("closed")));
    socket.on("data", (part: Buffer) => {
      pending = Buffer.concat([pending, part]);
      const end = pending.indexOf("\r\n\r\n");
      if (end < 0 || pending.length < end + 4 + 16) return;
      if (!pending.subarray(end + 4).equals(want.subarray(done, done + 16))) reject(new Error(`answer ${done}`));
      pending = Buffer.alloc(0);
      if (++done < 1000) ask();
      else resolve();
    });
  });
  ask();
  await within(all, "1,000 answers");
  assert.is(await new Promise((resolve) => at.server.getConnections((_, n) => resolve(n))), 1);
  socket.destroy();
  await at.close();
  await handle.close();
});

const zero = lacks("a highWaterMark of 0");
unless(zero, "a connection of highWaterMark 0, which Node pauses at each request, is served on", async () => {
  const at = await site((req, res) => byRespond(req, res, "odd"), { highWaterMark: 0 });
  const socket = net.connect(at.port, "127.0.0.1");
  const keeping = "GET /odd HTTP/1.1\r\nHost: x\r\n\r\n";
  const want = 3;
  let answers = 0;
  let got = Buffer.alloc(0);
  socket.on("data", (part: Buffer) => {
    got = Buffer.concat([got, part]);
    const end = got.indexOf("\r\n\r\n") + 4;
    if (end < 4 || got.length < end + 70_001) return;
    assert.ok(got.subarray(end).equals(bytes("odd")));
    got = Buffer.alloc(0);
    if (++answers < want) socket.write(answers + 1 < want ? keeping : request("/odd"));
  });
  socket.write(keeping);
  await within(once(socket, "close"), "three answers");
  await at.close();
  assert.is(answers, want);
});

test("a slow reader gets it all, others are served meanwhile", async () => {
  const at = await site((req, res) => void respond(req, res, file((req.url ?? "").slice(1))).catch(() => {}));
  const socket = net.connect(at.port, "127.0.0.1");
  socket.write(request("/8m"));
  await once(socket, "readable");
  const other = parse(await within(exchange(at.port, request("/odd")), "another client"));
  assert.ok(other.body.equals(bytes("odd")));
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => {
    parts.push(part);
    socket.pause();
    setImmediate(() => socket.resume());
  });
  await within(once(socket, "close"), "the slow one");
  await at.close();
  const { body } = parse(Buffer.concat(parts));
  const hash = (data: Buffer) => createHash("sha256").update(data).digest("hex");
  assert.is(hash(body), hash(bytes("8m")));
});

/** What happens to a response, in its order. */
function record(res: ServerResponse): string[] {
  const log: string[] = [];
  for (const event of ["finish", "close", "error"] as const) {
    res.on(event, () => log.push(`${event} ${res.writableEnded} ${res.writableFinished} ${res.destroyed}`));
  }
  return log;
}

test("'finish' and 'close' come as after pipe(), 'finish' not before the last byte", async () => {
  const logs: string[][] = [];
  for (const way of [byPipe, byRespond]) {
    let log: string[] = [];
    let written = 0;
    const at = await site((req, res) => {
      log = record(res);
      const { socket } = res;
      res.on("finish", () => (written = (socket as net.Socket).bytesWritten));
      way(req, res, "8m");
    });
    const got = await exchange(at.port, request("/"));
    await at.close();
    // What has no fd need not count its header.
    assert.is(written, lacks("fd of a response") === null ? got.length : parse(got).body.length);
    logs.push(log);
  }
  assert.equal(logs[1], logs[0]);
});

test("a client that goes away: one error, the response closed, no fd left", async () => {
  const logs: string[][] = [];
  const before = fdCount(file("8m"));
  for (const way of [byPipe, null]) {
    let log: string[] = [];
    let failure: Promise<unknown> = Promise.resolve();
    let closed: Promise<unknown> = Promise.resolve();
    const at = await site((req, res) => {
      log = record(res);
      closed = once(res, "close");
      if (way) way(req, res, "8m");
      else failure = respond(req, res, file("8m")).catch((error) => error);
    });
    const socket = net.connect(at.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(request("/"));
    await once(socket, "readable");
    socket.destroy();
    await within(closed, "'close'");
    const error = (await within(failure, "the failure")) as { code: string; sent: number } | undefined;
    if (!way) {
      assert.is(error?.code, "ERR_SENDFILE_CLOSED");
      assert.ok((error?.sent ?? -1) >= 0 && (error?.sent ?? 0) < 8 * MIB);
    }
    await at.close();
    logs.push(log);
  }
  assert.equal(logs[1], logs[0]);
  // pipe() leaves its file open when its destination goes: only the one of byPipe may be there.
  await until("its file to be closed", () => fdCount(file("8m")) <= before + 1); // a read may be under way
});

test("a client that goes away with responses behind another: each is told, no fd left", async () => {
  const before = fdCount(file("8m"));
  const failures: Promise<{ code: string }>[] = [];
  const at = await site((req, res) => {
    failures.push(
      respond(req, res, file("8m")).then(
        () => assert.unreachable("nobody reads"),
        (error) => error,
      ),
    );
  });
  const socket = net.connect(at.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(15));
  while (failures.length < 15) await new Promise((next) => setImmediate(next));
  socket.resetAndDestroy();
  for (const { code } of await within(Promise.all(failures), "the failures")) assert.is(code, "ERR_SENDFILE_CLOSED");
  await at.close();
  await until("the files to be closed", () => fdCount(file("8m")) <= before);
});

test("a client that goes away once its responses have begun behind another: each is told, no fd left", async () => {
  const before = fdCount(file("8m"));
  const responses: ServerResponse[] = [];
  const failures: Promise<{ code: string }>[] = [];
  const at = await site((req, res) => {
    responses.push(res);
    failures.push(
      respond(req, res, file("8m")).then(
        () => assert.unreachable("nobody reads"),
        (error) => error,
      ),
    );
  });
  const socket = net.connect(at.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5));
  const begun = () => responses.length === 5 && responses.slice(1).every(({ writableLength }) => writableLength > 0);
  await until("the responses to begin", begun);
  socket.resetAndDestroy();
  for (const { code } of await within(Promise.all(failures), "the failures")) assert.is(code, "ERR_SENDFILE_CLOSED");
  await at.close();
  await until("the files to be closed", () => fdCount(file("8m")) <= before);
});

unless(
  runtime === "node" ? null : "only Node's collector can be called from here",
  "a connection that lives on keeps none of the responses that waited behind others",
  async () => {
    v8.setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const responses: WeakRef<ServerResponse>[] = [];
    let finished = 0;
    const at = await site((req, res) => {
      responses.push(new WeakRef(res));
      res.once("finish", () => finished++);
      void respond(req, res, file("page"));
    });
    const socket = net.connect(at.port, "127.0.0.1").resume();
    // The last one is Node's, until another comes.
    for (const count of [20, 1]) {
      const all = finished + count;
      socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count));
      await until("the answers", () => finished === all);
    }
    const kept = () => responses.slice(0, 19).filter((one) => one.deref() !== undefined).length;
    for (let i = 0; i < 10 && kept() > 0; i++) {
      await new Promise((next) => setImmediate(next));
      collect();
    }
    assert.is(kept(), 0);
    socket.destroy();
    await at.close();
  },
);

test("a file that gets shorter ends the connection, and nothing follows", async () => {
  const name = file("shrinks");
  let failure: Promise<unknown> = Promise.resolve();
  const at = await site((req, res) => {
    if (req.url === "/next") return void res.end("next");
    failure = respond(req, res, name, { onProgress: () => fs.truncateSync(name, 65_536) }).catch((error) => error);
  });
  for (const mode of ["as a whole", "pipelined"]) {
    fs.writeFileSync(name, Buffer.alloc(16 * MIB, "a"));
    const text = mode === "pipelined" ? `GET / HTTP/1.1\r\nHost: x\r\n\r\n${request("/next")}` : request("/");
    const got = parse(await within(exchange(at.port, text), mode));
    const error = (await failure) as { code: string; sent: number };
    assert.is(error.code, "ERR_SENDFILE_TRUNCATED");
    assert.is(header(got.headers, "content-length"), String(16 * MIB));
    assert.ok(got.body.length < 16 * MIB, `${got.body.length} bytes`);
    assert.is(got.body.includes("HTTP/1.1"), false);
  }
  await at.close();
});

test("a file that grows keeps its length", async () => {
  const name = file("grows");
  fs.writeFileSync(name, Buffer.alloc(4 * MIB, "a"));
  const at = await site((req, res) => {
    respond(req, res, name, { onProgress: () => fs.appendFileSync(name, Buffer.alloc(MIB, "b")) });
  });
  const got = parse(await exchange(at.port, request("/")));
  await at.close();
  assert.is(got.body.length, 4 * MIB);
  assert.ok(got.body.every((byte) => byte === 97));
});

test("requests of one turn get the file that is there behind them, by one look", async (t) => {
  const name = file("replaced");
  const put = (text: string) => {
    fs.writeFileSync(`${name}.new`, text);
    fs.renameSync(`${name}.new`, name);
  };
  put("first");
  let replaces = false;
  const at = await site((req, res) => {
    if (replaces && req.url === "/2") put("another");
    respond(req, res, name).catch(() => res.destroy());
  });
  t.after(at.close);
  const two = ["GET /1 HTTP/1.1", "Host: x", "", request("/2")].join("\r\n");
  for (let i = 0; i < 3; i++) assert.is(parse(await exchange(at.port, request("/1"))).body.toString(), "first"); // it stays open
  replaces = true;
  const answers = (await exchange(at.port, two)).toString("latin1");
  assert.is(answers.split("another").length - 1, 2);
  assert.not.match(answers, /first/);
});

test("a failure before the header leaves the response to the caller", async () => {
  const at = await site((req, res) => {
    const make: Record<string, () => Promise<number>> = {
      "/none": () => respond(req, res, file("none")),
      "/folder": () => respond(req, res, root),
      "/length": () => {
        res.setHeader("Content-Length", 5);
        return respond(req, res, file("page"));
      },
      "/signal": () => respond(req, res, file("page"), { signal: AbortSignal.abort() }),
      "/native": () => {
        res.setHeader("Transfer-Encoding", "chunked");
        return respond(req, res, file("page"), { mode: "native" });
      },
      "/bad": () => respond(req, res, file("page"), { offset: -1 }),
    };
    make[req.url as string]?.().catch((error) => {
      if (res.headersSent) return res.destroy();
      res.setHeader("Content-Length", error.code.length);
      res.statusCode = 404;
      res.end(error.code);
    });
  });
  for (const [url, code] of [
    ["/none", "ENOENT"],
    ["/folder", "EISDIR"],
    ["/length", "ERR_OUT_OF_RANGE"],
    ["/signal", "ERR_SENDFILE_ABORTED"],
    ["/bad", "ERR_OUT_OF_RANGE"],
  ] as const) {
    const got = parse(await within(exchange(at.port, request(url)), url));
    assert.is(got.status, "HTTP/1.1 404 Not Found", url);
    assert.is(got.body.toString(), code, url);
  }
  // The header was rendered to find out that it is chunked.
  if (native) assert.is((await within(exchange(at.port, request("/native")), "/native")).length, 0);
  await at.close();
});

unless(lacks("live imports of node:fs"), "a length that is said twice is believed, and held to", async () => {
  const handle = await open(file("odd"));
  const { fstatSync } = fs;
  let asked = 0;
  let failure: unknown;
  const at = await site((req, res) => {
    const count = req.url === "/more" ? 70_002 : 70_001;
    res.setHeader("Content-Length", count);
    fs.fstatSync = ((...args: [number]) => {
      asked++;
      return fstatSync(...args);
    }) as never;
    syncBuiltinESMExports();
    respond(req, res, handle, req.url === "/asked" ? {} : { count }).catch((error) => {
      if (req.url === "/more") failure = error;
    });
    fs.fstatSync = fstatSync;
    syncBuiltinESMExports();
  });
  const got = parse(await within(exchange(at.port, request("/")), "the answer"));
  assert.ok(got.body.equals(bytes("odd")));
  assert.is(asked, 0);
  await within(exchange(at.port, request("/asked")), "another answer");
  assert.is(asked, 1);
  const text = `GET /more HTTP/1.1\r\nHost: x\r\n\r\n${request("/")}`;
  const short = parse(await within(exchange(at.port, text), "the short one"));
  assert.is(short.body.length <= 70_001, true);
  assert.is((failure as { code: string }).code, "ERR_SENDFILE_TRUNCATED");
  await at.close();
  await handle.close();
});

test("what its owner answers instead, in the same turn, arrives whole", async () => {
  const fd = fs.openSync(file("page"), "r");
  let failure: Promise<unknown> = Promise.resolve();
  const at = await site((req, res) => {
    failure = respond(req, res, fd).catch((error) => error);
    res.end(Buffer.alloc(8 * MIB, "x"));
  });
  const { status, body } = parse(await within(exchange(at.port, request("/")), "the answer"));
  assert.is(status, "HTTP/1.1 200 OK");
  assert.is(body.length, 8 * MIB);
  assert.is(((await failure) as { code: string }).code, "ERR_SENDFILE_CLOSED");
  await at.close();
  fs.closeSync(fd);
});

test("a socket that was destroyed in the same turn is closed, and not unfit", async () => {
  const fd = fs.openSync(file("page"), "r");
  let failure: Promise<unknown> = Promise.resolve();
  const at = await site((req, res) => {
    failure = respond(req, res, fd, { mode: "native" }).catch((error) => error);
    req.socket.destroy();
  });
  await within(exchange(at.port, request("/")), "the end");
  assert.is(((await failure) as { code: string }).code, "ERR_SENDFILE_CLOSED");
  await at.close();
  fs.closeSync(fd);
});

test("an end() that throws is told, with the bytes that have gone", async () => {
  for (const name of ["page", "8m"]) {
    let failure: Promise<unknown> = Promise.resolve();
    const at = await site((req, res) => {
      res.end = () => {
        throw new Error("not mine");
      };
      failure = respond(req, res, file(name)).catch((error) => {
        res.destroy();
        return error;
      });
    });
    await within(exchange(at.port, request("/")), name);
    const { message, sent } = (await failure) as { message: string; sent: number };
    assert.match(message, "not mine");
    assert.is(sent, fs.statSync(file(name)).size);
    await at.close();
  }
});

test("what a file throws in a later turn is told in the async context of the caller", async () => {
  const als = new AsyncLocalStorage<string>();
  const told = new Map<string, string | undefined>();
  const { shared } = faultyHost({ judge: ({ name }) => (name === "sendfile" ? { atMost: 4096 } : null) }); // so each run yields
  const fd = fs.openSync(file("8m"), "r");
  const urls = ["/a", "/b", "/c", "/d"];
  const answers: (() => void)[] = [];
  const at = await site((req, res) => {
    const url = req.url as string;
    let gone = false;
    const handle = {
      get fd() {
        if (gone) throw new Error("not mine");
        return fd;
      },
      read() {},
      stat() {},
    } as unknown as FileHandle;
    const { destroy } = res;
    res.destroy = (error) => {
      if (!told.has(url)) told.set(url, als.getStore());
      return destroy.call(res, error);
    };
    const onProgress = () => {
      gone = true;
    };
    answers.push(() => als.run(url, () => respondBy(shared, req, res, handle, { onProgress }).catch(() => {})));
    // All at once: they share their turns, which the first of them asks for.
    if (answers.length === urls.length) for (const answer of answers) answer();
  });
  await within(Promise.all(urls.map((url) => exchange(at.port, request(url)))), "the end of all");
  if (native) assert.equal(Object.fromEntries(told), Object.fromEntries(urls.map((url) => [url, url])));
  await at.close();
  fs.closeSync(fd);
});

test("at the end of the process a destroy() that throws keeps nobody from being told, and no stream open", async () => {
  const { drain, shared, sendfile } = faultyHost();
  const codes: string[] = [];
  fs.writeFileSync(file("hole"), "");
  fs.truncateSync(file("hole"), 2 ** 30); // no queue holds it
  const at = await site((req, res) => {
    res.destroy = () => {
      req.socket.destroy();
      throw new Error(req.url);
    };
    respondBy(shared, req, res, file("hole")).catch(({ code }) => codes.push(code));
  });
  const clients = ["/a", "/b"].map((url) => {
    const client = net.connect(at.port, "127.0.0.1").on("error", () => {});
    client.write(request(url));
    return client;
  });
  for (const client of clients) await once(client, "readable"); // and read no more
  const error = await within(
    drain({ timeout: 0 }).catch((error) => error),
    "the end of all",
  );
  assert.match(error.message, /^\/[ab]$/);
  assert.equal(codes, ["ERR_SENDFILE_ABORTED", "ERR_SENDFILE_ABORTED"]);

  const late = fs.createReadStream(file("8m"));
  const failure = await sendfile(clients[0] as net.Socket, late).catch((error) => error);
  assert.is(failure.code, "ERR_SENDFILE_ABORTED");
  assert.is(late.destroyed, true);
  if (!late.closed) await once(late, "close"); // it was being opened
  for (const client of clients) client.destroy();
  await at.close();
});

test("at the end of the process a response that was asked for is finished, and the next refused before its header", async () => {
  const { drain, shared } = faultyHost();
  const fd = fs.openSync(file("8m"), "r");
  const served = serve(shared, root);
  let drained: Promise<void> | undefined;
  const at = await site((req, res) => {
    if (req.url === "/page") return served(req, res);
    respondBy(shared, req, res, fd).catch(({ code }) => {
      if (!res.headersSent) res.writeHead(503, { "Content-Length": code.length }).end(code);
    });
    drained ??= drain({ timeout: 20_000 });
  });
  const first = exchange(at.port, request("/"));
  while (drained === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  const next = parse(await within(exchange(at.port, request("/")), "the next"));
  assert.is(next.status, "HTTP/1.1 503 Service Unavailable");
  assert.is(next.body.toString(), "ERR_SENDFILE_ABORTED");
  const other = parse(await within(exchange(at.port, request("/page")), "the static one"));
  if (native) assert.is(other.status, "HTTP/1.1 503 Service Unavailable"); // else it is no transfer
  assert.ok(parse(await within(first, "the first")).body.equals(bytes("8m")));
  await within(drained, "the end of all");
  await at.close();
  fs.closeSync(fd);
});

test("a count of 0, or of an empty file, is a body of none", async () => {
  const at = await site((req, res) => void respond(req, res, file(req.url === "/" ? "empty" : "odd"), { count: 0 }));
  for (const url of ["/", "/odd"]) {
    const { headers, body } = parse(await within(exchange(at.port, request(url)), url));
    assert.is(header(headers, "content-length"), "0");
    assert.is(body.length, 0);
  }
  await at.close();
});

test("a signal in the middle destroys the connection", async () => {
  const controller = new AbortController();
  let failure: Promise<unknown> = Promise.resolve();
  const at = await site((req, res) => {
    failure = respond(req, res, file("8m"), { signal: controller.signal }).catch((error) => error);
  });
  const socket = net.connect(at.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(request("/"));
  await once(socket, "readable");
  controller.abort();
  await within(once(socket.resume(), "close"), "the end of the connection");
  assert.is(((await failure) as { code: string }).code, "ERR_SENDFILE_ABORTED");
  await at.close();
});

test("every kind of file", async () => {
  const handle = await open(file("odd"));
  const want = bytes("odd");
  const kinds: Record<string, () => Parameters<typeof respond>[2]> = {
    path: () => file("odd"),
    url: () => new URL(`file://${file("odd")}`),
    handle: () => handle,
    fd: () => handle.fd,
    bytes: () => want,
    blob: () => new Blob([new Uint8Array(want)]),
    stream: () => fs.createReadStream(file("odd")),
  };
  const at = await site((req, res) => {
    const kind = kinds[(req.url ?? "").slice(1)];
    if (kind) respond(req, res, kind()).catch(() => res.destroy());
  });
  for (const kind of Object.keys(kinds)) {
    const got = parse(await within(exchange(at.port, request(`/${kind}`)), kind));
    const length = kind === "stream" ? undefined : String(want.length);
    assert.is(header(got.headers, "content-length"), length, kind);
    if (kind !== "stream") assert.ok(got.body.equals(want), kind);
    else assert.is(header(got.headers, "transfer-encoding"), "chunked");
  }
  await at.close();
  await handle.close();
});

test("a file without a true size: its length where it is short, chunked where not", async () => {
  const at = await site((req, res) => void respond(req, res, req.url ?? "").catch(() => res.destroy()));
  const short = parse(await within(exchange(at.port, request("/proc/self/status")), "/proc"));
  assert.is(header(short.headers, "content-length"), String(short.body.length));
  assert.match(short.body.toString(), /^Name:/);
  // A process of few mappings has a short one.
  const name = ["/proc/self/smaps", "/proc/kallsyms"].find((name) => fs.readFileSync(name).length > 100_000);
  if (name === undefined) return at.close();
  const long = parse(await within(exchange(at.port, request(name)), "/proc"));
  assert.is(header(long.headers, "transfer-encoding"), "chunked");
  assert.match(long.body.subarray(-5).toString(), /\r\n0\r\n\r\n|^0\r\n\r\n$/);
  await at.close();
});

test("a response that somebody wraps goes through the wrapper", async () => {
  const at = await site((req, res) => {
    // As `compression` does: write and end replaced, no callback called, 'drain' by its stream.
    const gzip = zlib.createGzip({ level: 1 });
    const { write, end, on } = res;
    gzip.on("data", (part: Buffer) => {
      if (!(write as (part: Buffer) => boolean).call(res, part)) gzip.pause();
    });
    on.call(res, "drain", () => gzip.resume());
    gzip.on("end", () => (end as () => void).call(res));
    Object.assign(res, {
      write: (part: Buffer) => {
        if (!res.headersSent) {
          res.removeHeader("Content-Length");
          res.setHeader("Content-Encoding", "gzip");
        }
        return gzip.write(part);
      },
      end: () => gzip.end(),
      on: (event: string, listener: () => void) => {
        if (event === "drain") gzip.on("drain", listener);
        else on.call(res, event, listener);
        return res;
      },
    });
    respond(req, res, file("8m")).catch(() => res.destroy());
  });
  const answer = await within(fetch(`http://127.0.0.1:${at.port}/`), "fetch");
  assert.is(answer.headers.get("content-encoding"), "gzip");
  assert.ok(Buffer.from(await within(answer.arrayBuffer(), "the body")).equals(bytes("8m")));
  await at.close();
});

unless(lacks("TLS with a shared key"), "HTTPS is never sent in the clear", async () => {
  const key = Buffer.alloc(16, 7);
  const psk = { ciphers: "PSK", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
  const server = https.createServer({ ...psk, pskCallback: () => key }, (req, res) => {
    respond(req, res, file("256k")).catch(() => res.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const raw: Buffer[] = [];
  const carrier = net.connect(port, "127.0.0.1");
  carrier.on("data", (part: Buffer) => raw.push(part));
  const socket = tls.connect({
    ...psk,
    socket: carrier,
    pskCallback: () => ({ psk: key, identity: "x" }),
    checkServerIdentity: () => undefined,
  });
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.on("error", () => {});
  socket.write(request("/"));
  await within(once(socket, "close"), "the end");
  server.close();
  const want = bytes("256k");
  assert.ok(parse(Buffer.concat(parts)).body.equals(want));
  assert.is(Buffer.concat(raw).includes(want.subarray(1000, 1032)), false);
});

test("HTTP/2", async () => {
  const server = http2.createServer((req, res) => {
    respond(req as never, res as never, file("8m")).catch(() => res.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = session.request({ ":path": "/" });
  const parts: Buffer[] = [];
  stream.on("data", (part: Buffer) => parts.push(part));
  await within(once(stream, "end"), "the end");
  session.close();
  server.close();
  assert.ok(Buffer.concat(parts).equals(bytes("8m")));
});

test("server.close() waits for the response, and keepAliveTimeout ends the idle connection", async () => {
  const at = await site((req, res) => void respond(req, res, file("8m")).catch(() => {}));
  at.server.keepAliveTimeout = 20;
  const socket = net.connect(at.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "readable");
  at.server.close();
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  const [got] = await within(Promise.all([once(socket, "close"), once(at.server, "close")]), "the end");
  assert.equal(got, [false]);
  assert.ok(parse(Buffer.concat(parts)).body.equals(bytes("8m")));
});

test("strictContentLength is kept", async () => {
  let failed: unknown = null;
  const at = await site((req, res) => {
    res.strictContentLength = true;
    respond(req, res, file("odd")).catch((error) => {
      failed = error;
      res.destroy();
    });
  });
  const got = parse(await within(exchange(at.port, request("/")), "the answer"));
  await at.close();
  assert.ok(got.body.equals(bytes("odd")));
  assert.is(failed, null);
});

test.run();
