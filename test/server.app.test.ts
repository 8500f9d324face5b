// An app behind createFileServer(): files are served in front of it, and all else reaches it as if it had listened itself.
// By both engines, for a request listener and for an http.Server; what it answers is compared with what it answers alone.

import { EventEmitter, once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import { join } from "node:path";
import { createFileServer, type FileServer, type FileServerOptions } from "sendoff/server";
import * as assert from "uvu/assert";
import { Connections } from "../host/server/connections.js";
import { putBefore } from "../host/server/front.js";
import { below } from "../host/server/mount.js";
import { until } from "./lib/connection.js";
import {
  answersOf,
  ENGINES,
  type Engine,
  first,
  folder,
  get,
  head,
  noLoop,
  onBun,
  talk,
  undated,
} from "./lib/file-server.js";
import { type Cleanup, test } from "./lib/suite.js";

/** What Bun's http.Server does with connections that it was given is not all that it does with its own. */
const bunIsTwo = onBun
  ? "Bun's http.Server reads its own connections in another way than those that it was given"
  : null;

/** Tells what it was asked, once it has the whole of it. */
const echo: http.RequestListener = (req, res) => {
  const { method, url, headers, socket } = req;
  const { originalUrl = null } = req as { originalUrl?: string };
  let length = 0;
  req.on("data", (chunk: Buffer) => {
    length += chunk.length;
  });
  req.on("end", () => {
    res.setHeader("Content-Type", "application/json");
    res.end(JSON.stringify({ method, url, originalUrl, headers, length, from: socket.remoteAddress }));
  });
};

interface Fronted {
  readonly root: string;
  readonly server: FileServer;
  readonly app: http.Server;
  readonly port: number;
}

/** Files below /static, in front of an http.Server. */
async function front(t: Cleanup, engine: Engine, app: http.Server, more: FileServerOptions = {}): Promise<Fronted> {
  const root = folder(t);
  const server = createFileServer(root, { app, engine, prefix: "/static", ...more });
  t.after(() => server.close({ timeout: 0 }));
  const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
  return { root, server, app, port };
}

async function alone(t: Cleanup, app: http.Server): Promise<number> {
  t.after(() => {
    app.closeAllConnections();
    app.close();
  });
  await once(app.listen(0, "127.0.0.1"), "listening");
  return (app.address() as net.AddressInfo).port;
}

const post = (target: string, body: string, ...fields: string[]) =>
  first(target, ...fields, `Content-Length: ${body.length}`).replace("GET", "POST") + body;

/** Not of files. */
const THE_APPS: readonly string[] = [
  get("/"),
  get("/app?x=1"),
  head("/app"),
  get("/static/none"),
  head("/static/none?x"),
  get("/static/.hidden"),
  get("/static/../small.bin"),
  get("/static/%2e%2e/small.bin"),
  get("/static/small%2"),
  get("/staticfoo"),
  get("/static%2fsmall.bin"),
  get("/st%61tic/small.bin"),
  get("/Static/small.bin"),
  get("//static/small.bin"),
  get("/small.bin"),
  get("http://localhost/static/small.bin"),
  get("*").replace("GET", "OPTIONS"),
  post("/static/small.bin", "hello", "Connection: close"),
  get("/static/small.bin").replace("GET", "DELETE"),
  post("/app", "x".repeat(100_000), "Connection: close"),
  post("/app", "hello", "Expect: 100-continue", "Connection: close"),
  post("/app", "hello", "Expect: nothing", "Connection: close"),
  first("/app", "Transfer-Encoding: chunked", "Connection: close").replace("GET", "PUT") +
    "3\r\nabc\r\n0\r\nX: y\r\n\r\n",
  first("/app") + post("/app", "hello") + first("/static/none") + get("/app"),
  "GET /app HTTP/1.0\r\n\r\n",
  "GET /app HTTP/1.1\r\nConnection: close\r\n\r\n", // without a Host
  get("/app", "Upgrade: nothing"),
];

for (const prefix of ["/static", "/static/"]) {
  test.unless(bunIsTwo, `what no file answers is answered as by the app alone, prefix ${prefix}`, async (t) => {
    const port = await alone(t, http.createServer(echo));
    const ports: number[] = [];
    for (const engine of ENGINES) {
      ports.push((await front(t, engine, http.createServer(echo), { prefix })).port);
      const server = createFileServer(folder(t), { app: echo, engine, prefix, headers: { "X-File": "yes" } });
      t.after(() => server.close({ timeout: 0 }));
      ports.push((await server.listen({ port: 0, host: "127.0.0.1" })).port);
    }
    for (const request of THE_APPS) {
      const wanted = undated(await talk(port, [request]));
      assert.ok(wanted.startsWith("HTTP/1.1 "), request);
      for (const one of ports) assert.is(undated(await talk(one, [request])), wanted, request.slice(0, 200));
    }
  });
}

/** What a request comes to: its status, and one of its fields. */
const FILES: readonly [request: string, status: number, field?: string, value?: string][] = [
  [get("/static/small.bin"), 200, "content-length", "4096"],
  [head("/static/small.bin"), 200, "content-length", "4096"],
  [get("/static/small.bin?x=1"), 200, "x-file", "yes"],
  [get("/static//small.bin"), 200, "content-length", "4096"],
  [get("/static/a%20b.txt"), 200, "content-length", "8"],
  [get("/static/sub/../small.bin"), 200, "content-length", "4096"],
  [get("/static/small.bin", "Range: bytes=10-19"), 206, "content-range", "bytes 10-19/4096"],
  [get("/static/small.bin", "Range: bytes=5000-"), 416, "content-range", "bytes */4096"],
  [get("/static/small.bin", 'If-Match: "x"'), 412, "content-type", "text/html; charset=UTF-8"],
  [get("/static/small.bin", "If-None-Match: *"), 304],
  [get("/static/large.bin"), 200, "content-length", String(3 * 1024 * 1024)],
  [get("/static/empty.txt"), 200, "content-length", "0"],
  [get("/static/sub/"), 200, "content-type", "text/html; charset=utf-8"],
  [get("/static/sub"), 301, "location", "/static/sub/"],
  [get("/static/sub?a=b"), 301, "location", "/static/sub/?a=b"],
  [get("/static"), 301, "location", "/static/"],
  [get("/static?a=b"), 301, "location", "/static/?a=b"],
];

test("files below the prefix are answered before the app, the first on a connection and those behind", async (t) => {
  const root = folder(t);
  const texts = new Map<string, string>();
  for (const engine of ENGINES) {
    for (const app of [echo, http.createServer(echo)]) {
      const server = createFileServer(root, { app, engine, prefix: "/static", headers: { "X-File": "yes" } });
      t.after(() => server.close({ timeout: 0 }));
      const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
      for (const [request, status, field = "x-file", value = "yes"] of FILES) {
        for (const before of ["", "", first("/app"), post("/app", "hello")]) {
          const text = undated(await talk(port, [before + request]));
          const heads = request.startsWith("HEAD") ? [before === "" ? 0 : 1] : [];
          const answer = answersOf(text, heads).at(-1);
          assert.equal([answer?.status, answer?.fields[field]], [status, value], before + request);
          const own = text.slice(text.lastIndexOf("HTTP/1.1 "));
          assert.is(own, texts.get(request) ?? own, request);
          texts.set(request, own);
        }
      }
      if (engine === "loop") assert.ok(server.stats().requests > FILES.length);
    }
  }
});

test("without a prefix each file is answered, and the app has what is left", async (t) => {
  for (const engine of ENGINES) {
    const { port } = await front(t, engine, http.createServer(echo), { prefix: "/" });
    const got = answersOf(undated(await talk(port, [first("/small.bin") + first("/app") + get("/small.bin")])));
    assert.equal(
      got.map(({ fields }) => fields["content-type"]),
      ["application/octet-stream", "application/json", "application/octet-stream"],
    );
    const { url, originalUrl } = JSON.parse(got[1]?.body as string);
    assert.equal([url, originalUrl], ["/app", null]);
  }
});

test("S27 files and requests of an app in one pipeline, split at every byte", async (t) => {
  const pipeline =
    first("/static/small.bin") + post("/app", "hello") + first("/static/none") + get("/static/page.html");
  const texts = new Set<string>();
  for (const engine of ENGINES) {
    const { port } = await front(t, engine, http.createServer(echo));
    const splits = [[pipeline], [...pipeline]];
    for (let i = 1; i < pipeline.length; i++) splits.push([pipeline.slice(0, i), pipeline.slice(i)]);
    for (let i = 0; i < splits.length; i += 16) {
      const got = await Promise.all(splits.slice(i, i + 16).map((pieces) => talk(port, pieces, soon)));
      for (const one of got) texts.add(undated(one));
    }
  }
  assert.is(texts.size, 1);
  const answers = answersOf([...texts][0] as string);
  assert.equal(
    answers.map(({ fields }) => fields["content-type"]),
    ["application/octet-stream", "application/json", "application/json", "text/html; charset=utf-8"],
  );
  assert.is(JSON.parse(answers[1]?.body as string).length, 5);
});

const soon = () => new Promise<void>((done) => setImmediate(done));

for (const engine of ENGINES) {
  test(`${engine}: pipelined requests reach the app at once; a file waits for its turn`, async (t) => {
    const seen: string[] = [];
    const waiting: http.ServerResponse[] = [];
    const app = http.createServer((req, res) => {
      seen.push(req.url as string);
      waiting.push(res);
      if (waiting.length === 2) for (const one of waiting) one.end("both");
    });
    const { port } = await front(t, engine, app);
    const text = undated(await talk(port, [first("/1") + first("/2") + get("/static/sub/")]));
    assert.equal(
      answersOf(text).map(({ body }) => body),
      ["both", "both", "<p>sub</p>\n"],
    );
    assert.equal(seen, ["/1", "/2"]);
  });

  test(`${engine}: Expect is the app's own, if it listens for it`, async (t) => {
    const app = http.createServer(echo);
    app.on("checkContinue", (req, res) => {
      if (req.url === "/no") return void res.writeHead(417).end();
      res.writeContinue();
      app.emit("request", req, res); // as Node's documentation says
    });
    app.on("checkExpectation", (_req, res) => void res.writeHead(418).end());
    const { port } = await front(t, engine, app);
    const expect = (target: string, what: string) => post(target, "hello", `Expect: ${what}`);
    for (const [pipeline, statuses] of [
      [expect("/app", "100-continue") + get("/static/sub/"), [100, 200, 200]],
      [expect("/static/small.bin", "100-continue").replace("POST", "GET") + get("/static/sub/"), [100, 200, 200]],
      [expect("/app", "other") + get("/static/sub/"), [418, 200]],
      [expect("/no", "100-continue") + get("/static/sub/"), [417]], // node:http closes: the body may come, or not
    ] as const) {
      const answers = answersOf(undated(await talk(port, [pipeline])));
      assert.equal(
        answers.slice(0, statuses.length).map(({ status }) => status),
        statuses,
      );
    }
  });

  test(`${engine}: upgrades and CONNECT are the app's, also behind a file, and are not idle when it closes`, async (t) => {
    const app = http.createServer(echo);
    const sockets: net.Socket[] = [];
    for (const event of ["upgrade", "connect"] as const) {
      app.on(event, (req: http.IncomingMessage, socket: net.Socket, begun: Buffer) => {
        sockets.push(socket);
        socket.write(`HTTP/1.1 101 ${req.method} ${req.url} ${socket.remoteAddress}\r\n\r\n`);
        socket.write(begun);
        socket.pipe(socket);
      });
    }
    const { server, port } = await front(t, engine, app);
    const upgrade = first("/chat", "Connection: Upgrade", "Upgrade: echo");
    const connect = first("a:80").replace("GET", "CONNECT");
    const clients = [];
    for (const [before, end, request, wanted] of [
      ["", "", upgrade, "GET /chat"],
      [first("/static/sub/"), "<p>sub</p>\n", upgrade, "GET /chat"],
      [first("/app"), "}", connect, "CONNECT a:80"],
    ] as const) {
      const client = net.connect(port, "127.0.0.1");
      t.after(() => client.destroy());
      let text = "";
      client.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      client.write(before);
      await until(() => text.endsWith(end)); // node:http upgrades ahead of an answer that is not over
      client.write(`${request}begun`);
      await until(() => text.endsWith(`HTTP/1.1 101 ${wanted} 127.0.0.1\r\n\r\nbegun`));
      clients.push({ client, text: () => text });
    }
    assert.is(sockets.length, 3);
    const closed = server.close({ timeout: 60_000 });
    for (let i = 0; i < 10; i++) await new Promise((done) => setTimeout(done, 20)); // idle ones are looked for meanwhile
    for (const { client, text } of clients) {
      client.write("more");
      await until(() => text().endsWith("begunmore"));
      client.end();
    }
    await closed;
  });

  test(`${engine}: clientError is the app's`, async (t) => {
    const app = http.createServer(echo);
    const codes: string[] = [];
    app.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      codes.push(error.code as string);
      socket.end("HTTP/1.1 418 Mine\r\nConnection: close\r\n\r\n");
    });
    const { port } = await front(t, engine, app);
    assert.ok(undated(await talk(port, ["no http\r\n\r\n"])).startsWith("HTTP/1.1 418 Mine"));
    assert.is(codes.length, 1);
    assert.match(codes[0], /^HPE_/); // Deno says HPE_ERROR
  });

  const unlimited = onBun && engine === "loop" ? "Bun has no limits for a connection that it was given: no 408" : null;
  test.unless(unlimited, `S28 ${engine}: an app's limits hold, and it counts its connections`, async (t) => {
    const app = http.createServer(
      { connectionsCheckingInterval: 20, keepAliveTimeout: 200, headersTimeout: 400 },
      echo,
    );
    let closed = 0;
    app.on("close", () => closed++);
    const { port } = await front(t, engine, app);
    const count = () => new Promise<number>((done) => app.getConnections((_error, count) => done(count)));
    assert.equal([app.listening, (app.address() as net.AddressInfo).port], [true, port]);
    // Half a head, the first or a later one.
    const half = "GET /app HTTP/1.1\r\nHost: a\r\nX";
    assert.match(undated(await talk(port, [half])), /^HTTP\/1\.1 408 /);
    const [answer, late] = answersOf(undated(await talk(port, [first("/app") + half])));
    assert.equal([answer?.status, answer?.fields["keep-alive"], late?.status], [200, "timeout=0", 408]);
    // Idle: its own, and a loop's.
    assert.is(answersOf(undated(await talk(port, [first("/app")]))).length, 1);
    assert.is(answersOf(undated(await talk(port, [first("/static/small.bin")]))).length, 1);
    await comes(async () => (await count()) === 0);
    assert.is(closed, 0);
    const client = net.connect(port, "127.0.0.1");
    t.after(() => client.destroy());
    client.write(half);
    await comes(async () => (await count()) === 1);
    client.destroy();
    await comes(async () => (await count()) === 0);
  });

  for (const whose of ["app", "server"] as const) {
    const keeps =
      onBun && engine === "node" && whose === "app" ? "close() of Bun's http.Server keeps idle connections" : null;
    test.unless(
      keeps,
      `${engine}: close() of the ${whose} ends the other, once what is on its way is over`,
      async (t) => {
        const answers: http.ServerResponse[] = [];
        const app = http.createServer((req, res) => {
          if (req.url === "/slow") answers.push(res);
          else res.end();
        });
        const ends: string[] = [];
        app.on("close", () => ends.push("app"));
        // By Node's close() a connection with an answer on its way is kept, idle, for this long behind it.
        const keepAliveTimeout = engine === "node" && whose === "app" ? 100 : 5000;
        const { server, port } = await front(t, engine, app, { keepAliveTimeout });
        server.on("close", () => ends.push("server"));
        const idle = talk(port, [first("/app")]);
        const loops = talk(port, [first("/static/small.bin")]);
        const slow = talk(port, [first("/slow")]);
        await until(() => answers.length === 1);
        const called = new Promise<unknown[]>((done) => {
          if (whose === "app")
            assert.is(
              app.close((...args: unknown[]) => done(args)),
              app,
            );
          else server.close({ timeout: 60_000 }).then(() => done([]));
        });
        await Promise.all([idle, loops]);
        await comes(() => refused(port));
        assert.equal(ends, []);
        answers[0]?.end("at last");
        assert.match(undated(await slow), /at last$/);
        assert.equal(
          (await called).filter((error) => error !== undefined),
          [],
        );
        await until(() => ends.length === 2);
        await server.close();
        assert.equal([ends.sort(), app.listening, app.address()], [["app", "server"], false, null]);
      },
    );
  }

  test(`${engine}: closeAllConnections() cuts what close() of the app waits for`, async (t) => {
    let asked = 0;
    const app = http.createServer(() => asked++);
    const { root, port } = await front(t, engine, app);
    fs.truncateSync(join(root, "large.bin"), 64 * 1024 * 1024); // more than is on its way at once
    const download = net.connect(port, "127.0.0.1").on("error", () => {});
    t.after(() => download.destroy());
    download.write(first("/static/large.bin"));
    await once(download, "readable");
    const never = talk(port, [first("/never")]);
    await until(() => asked === 1);
    const closed = new Promise((done) => app.close(done));
    app.closeAllConnections();
    assert.is((await never).length, 0);
    assert.is(await closed, undefined);
  });

  test(`${engine}: listeners that are added, wrapped and removed later hear what they would`, async (t) => {
    const app = http.createServer();
    const { port } = await front(t, engine, app);
    const urls: string[] = [];
    app.on("request", (req) => urls.push(req.url as string));
    app.on("request", (_req, res) => void res.end("first"));
    const ask = async () => answersOf(await text(port, first("/app") + get("/static/sub/"))).map(({ body }) => body);
    assert.equal(await ask(), ["first", "<p>sub</p>\n"]);
    // As socket.io does.
    const listeners = app.listeners("request").slice(1) as http.RequestListener[];
    app.removeAllListeners("request");
    app.on("request", (req, res) => {
      for (const one of listeners) one(req, res as Parameters<http.RequestListener>[1]);
    });
    assert.equal(await ask(), ["first", "<p>sub</p>\n"]);
    assert.equal(urls, ["/app"]);
  });
}

/** As `until`, for what takes its time to be known. */
async function comes(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((next) => setTimeout(next, 5));
}

const text = async (port: number, request: string) => undated(await talk(port, [request]));

async function refused(port: number): Promise<boolean> {
  const client = net.connect(port, "127.0.0.1");
  try {
    await once(client, "connect");
    return false;
  } catch {
    return true;
  } finally {
    client.destroy();
  }
}

test.unless(
  noLoop,
  "handed over is kept: the loop has the first file, serveStatic those behind the app's",
  async (t) => {
    const { server, port } = await front(t, "loop", http.createServer(echo));
    await talk(port, [get("/static/small.bin")]);
    assert.is(server.stats().requests, 1);
    await talk(port, [first("/app") + first("/static/small.bin") + get("/static/small.bin")]);
    assert.equal([server.stats().requests, server.stats().handedOver.missing], [1, 1]);
  },
);

test("limits that are given are the app's, too; those that are not given are its own", (t) => {
  const app = http.createServer({ keepAliveTimeout: 7000, headersTimeout: 8000 });
  app.maxConnections = 9;
  createFileServer(folder(t), { app });
  const limits = () => [app.keepAliveTimeout, app.headersTimeout, app.maxConnections];
  assert.equal(limits(), [7000, 8000, 9]);
  createFileServer(folder(t), { app, keepAliveTimeout: 1000, headersTimeout: 0, maxConnections: 3 });
  assert.equal(limits(), [1000, 0, 3]);
});

test("what can't be an app, or a prefix, is refused with the reason", async (t) => {
  const root = folder(t);
  const listening = http.createServer(echo);
  await alone(t, listening);
  const app = http.createServer(echo);
  for (const [options, message] of [
    [{ app: https.createServer() }, /^app must not be an https\.Server: a TLS connection can't be handed over/],
    [{ app: {} }, /^app must be an http\.Server or a request listener \(got /],
    [{ app: net.createServer() }, /^app must be an http\.Server or a request listener/],
    [{ app: listening }, /^app must not listen itself/],
    [{ app, fallback: "/index.html" }, /^app, or fallback or notFound/],
    [{ app, notFound: "/404.html" }, /^app, or fallback or notFound/],
    [{ prefix: "/static" }, /^prefix is for a server with an app/],
    ...["", "static", "/a b", "/ä", "/a?b", "/a#b", 7, null].map(
      (prefix) => [{ app, prefix }, /^prefix must be a target such as '\/static', percent-encoded/] as const,
    ),
  ] as [FileServerOptions, RegExp][]) {
    assert.throws(
      () => createFileServer(root, options),
      (error: Error) => error instanceof TypeError && message.test(error.message),
    );
  }
});

test("a target below a prefix", () => {
  for (const [prefix, target, inside] of [
    ["", "/a?b", "/a?b"],
    ["", "http://a/b", null],
    ["", "*", null],
    ["", "", null],
    ["/s", "/s", "/"],
    ["/s", "/s?a/b", "/?a/b"],
    ["/s", "/s/", "/"],
    ["/s", "/s/a?b", "/a?b"],
    ["/s", "/sa", null],
    ["/s", "/s#a", null],
    ["/s/t", "/s/t/u", "/u"],
    ["/s/t", "/s", null],
  ] as const) {
    assert.is(below(prefix, target), inside, `${prefix} ${target}`);
  }
});

test("answers of files wait for their turn, those of the app do not", () => {
  const begun: string[] = [];
  const connections = new Connections(({ url = "" }) => void begun.push(url));
  const app = http.createServer();
  putBefore(app, connections, ({ url = "" }) => url.startsWith("/file"));
  const socket = Object.assign(new EventEmitter(), { writable: true, bytesRead: 0 });
  connections.follow(socket as unknown as net.Socket);
  const [res] = ["/file1", "/file2", "/app"].map((url) => {
    const res = new EventEmitter();
    app.emit("request", { url, socket }, res);
    return res;
  });
  assert.equal(begun, ["/file1", "/app"]);
  res?.emit("close");
  assert.equal(begun, ["/file1", "/app", "/file2"]);
});

test.run();
