// SENDOFF_FILES under `sendoff/register`: folders before an app's own listen(), which does what it always does.

import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import { join, relative } from "node:path";
import process from "node:process";
import { createFileServer } from "sendoff/server";
import * as assert from "uvu/assert";
import { host } from "#process";
import { duplicate, type LoopLibc } from "../host/libc/epoll.js";
import { frontAll } from "../host/register/front.js";
import { mountsOf, portsOf, textOf } from "../host/register/mounts.js";
import { fdOfServer } from "../host/server/listener.js";
import { certificate } from "./lib/certificate.js";
import { place, until } from "./lib/connection.js";
import { answersOf, first, folder, get, noLoop, onBun, SMALL, talk, undated } from "./lib/file-server.js";
import { tempFolder } from "./lib/files.js";
import { registered } from "./lib/registered.js";
import { lacks, runtime } from "./lib/runtime.js";
import { type Cleanup, test } from "./lib/suite.js";

/** Who is before an http.Server here that listens by itself. */
const BY = noLoop === null && !onBun ? /by a loop$/ : /by its own thread: ./;

const app: http.RequestListener = (req, res) => void res.end(`app ${req.method} ${req.url}`);

/** In this process, for as long as the test runs: `said` is what was said. */
function fronting(t: Cleanup, ports: number[] | null = null) {
  const root = folder(t);
  const said: string[] = [];
  t.after(frontAll(host().shared, [{ prefix: "/static", root }], ports, (what) => said.push(what)));
  return { root, said };
}

function serverFor(t: Cleanup, options: http.ServerOptions = {}): http.Server {
  const server = http.createServer(options, app);
  t.after(() => {
    server.closeAllConnections();
    if (server.listening) return new Promise((done) => server.close(done));
  });
  return server;
}

/** Of a GET over a connection of its own. */
function ask(where: number | string, path: string): Promise<{ status: number; body: Buffer }> {
  const to = typeof where === "string" ? { socketPath: where } : { port: where, host: "localhost" };
  return new Promise((resolve, reject) => {
    const req = http.get({ ...to, path, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("end", () => resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    req.on("error", reject);
  });
}

/** A file comes before the app, and all else is the app's. */
async function both(where: number | string): Promise<void> {
  const file = await ask(where, "/static/small.bin");
  assert.equal([file.status, file.body.equals(SMALL)], [200, true]);
  for (const path of ["/", "/static/none", "/small.bin"]) {
    assert.is(String((await ask(where, path)).body), `app GET ${path}`);
  }
}

const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;
const closed = (server: net.Server) => new Promise<Error | undefined>((done) => server.close(done));

type Said = { events: unknown[][]; server: http.Server };

/** Each event that a program may wait for. */
function watched(server: http.Server): Said {
  const events: unknown[][] = [];
  for (const event of ["listening", "error", "close"]) {
    server.on(event, (error?: NodeJS.ErrnoException) => events.push([event, error?.code]));
  }
  return { events, server };
}

/** listen() as it can be called, on a port that is free. */
const WAYS: Record<string, (server: http.Server, done: () => void) => unknown> = {
  "(port, callback)": (server, done) => server.listen(0, done),
  "(port, host, callback)": (server, done) => server.listen(0, "localhost", done),
  "(port, host, backlog, callback)": (server, done) => server.listen(0, "127.0.0.1", 100, done),
  "(text, callback)": (server, done) => server.listen("0", done),
  "(callback)": (server, done) => server.listen(done),
  "()": (server, done) => server.once("listening", done).listen(),
  "(options, callback)": (server, done) => server.listen({ port: 0, host: "127.0.0.1", backlog: 100 }, done),
};

for (const [how, listen] of Object.entries(WAYS)) {
  test(`listen${how}: its events, its address, its close(), and then again`, async (t) => {
    const { said } = fronting(t);
    const { events, server } = watched(serverFor(t));
    for (const time of [1, 2]) {
      const listening = new Promise<void>((done) =>
        assert.is(
          listen(server, function (this: unknown) {
            assert.is(this, server);
            done();
          }),
          server,
        ),
      );
      const early = server.address() as net.AddressInfo | null;
      await listening;
      const port = portOf(server);
      if (early !== null) assert.is(early.port, port);
      assert.is(server.listening, true);
      await both(port);
      assert.is(await closed(server), undefined);
      assert.equal([server.listening, server.address()], [false, null]);
      const code = await ask(port, "/").then(String, (error: NodeJS.ErrnoException) => error.code);
      assert.is(code, "ECONNREFUSED");
      assert.equal(events.splice(0), [
        ["listening", undefined],
        ["close", undefined],
      ]);
      assert.is(said.length, time);
      assert.match(said[time - 1] as string, BY);
    }
  });
}

test("listen(path): a Unix socket keeps its name and its mode, and goes with the server", async (t) => {
  const options = { path: place(tempFolder(t)), readableAll: true, writableAll: true };
  const plain = http.createServer();
  await once(plain.listen(options), "listening");
  const { mode } = fs.statSync(options.path);
  await closed(plain);
  const { said } = fronting(t);
  for (const way of ["text", "options"]) {
    const server = serverFor(t);
    const path = place(tempFolder(t));
    server.listen(way === "text" ? path : { ...options, path });
    await once(server, "listening");
    if (way === "options") assert.is(fs.statSync(path).mode, mode);
    assert.is(server.address(), path);
    await both(path);
    assert.is(await closed(server), undefined);
    assert.not(fs.existsSync(path));
    assert.equal(fs.readdirSync(join(path, "..")), []);
    assert.match(said.at(-1) as string, BY);
  }
});

const noFd = runtime === "node" ? noLoop : "only Node listens on an fd";

test.unless(noFd, "listen({ fd }): whoever has it, too, goes on", async (t) => {
  const { said } = fronting(t);
  const other = net.createServer((socket) => socket.end("other"));
  t.after(() => closed(other));
  await once(other.listen(0, "127.0.0.1"), "listening");
  const libc = host().shared.sys?.libc as unknown as LoopLibc;
  const fd = duplicate(libc, fdOfServer(other));
  const port = portOf(other);
  const server = serverFor(t);
  server.listen({ fd });
  await once(server, "listening");
  assert.match(said[0] as string, BY);
  assert.is(await closed(server), undefined);
  const socket = net.connect(port, "127.0.0.1");
  assert.is(String((await once(socket, "data"))[0]), "other");
});

test("a port that is taken is an 'error', and then another one can be tried", async (t) => {
  const { said } = fronting(t);
  const taken = net.createServer();
  t.after(() => closed(taken));
  await once(taken.listen(0, "127.0.0.1"), "listening");
  const { events, server } = watched(serverFor(t));
  for (let i = 0; i < 12; i++) {
    server.listen(portOf(taken), "127.0.0.1");
    await once(server, "error").catch(() => {});
    await until(() => events.length > i);
  }
  assert.equal(
    events.splice(0),
    Array.from({ length: 12 }, () => ["error", "EADDRINUSE"]),
  );
  assert.equal([server.listening, said], [false, []]);
  assert.ok(server.listenerCount("listening") <= 4, "one of ours at the most");
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await both(portOf(server));
  assert.is(said.length, 1);
});

test("what listen() throws it throws as ever, and a server that is closed at once stays closed", async (t) => {
  const { said } = fronting(t);
  const server = serverFor(t);
  const code = (call: () => unknown): unknown => {
    try {
      call();
      return null;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? (error as Error).name;
    }
  };
  const plain = net.createServer();
  for (const bad of [70_000, {}]) {
    if (!onBun)
      assert.is(
        code(() => server.listen(bad as number)),
        code(() => plain.listen(bad as number)),
      );
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  assert.is(
    code(() => server.listen(0)),
    "ERR_SERVER_ALREADY_LISTEN",
  );
  await both(portOf(server));
  await closed(server);
  const short = serverFor(t);
  short.listen(0);
  await closed(short);
  assert.is(said.length, onBun ? 2 : 1);
});

const noSignal = onBun ? "listen() of Bun's http.Server knows no signal" : null;

test.unless(noSignal, "listen({ signal }) closes both", async (t) => {
  fronting(t);
  const { events, server } = watched(serverFor(t));
  const controller = new AbortController();
  server.listen({ port: 0, host: "127.0.0.1", signal: controller.signal });
  await once(server, "listening");
  const port = portOf(server);
  await both(port);
  controller.abort();
  await until(() => events.length === 2);
  assert.is(await ask(port, "/").then(String, (error: NodeJS.ErrnoException) => error.code), "ECONNREFUSED");
});

test.unless(noLoop, "limits that a program sets behind listen() are those of the loop", async (t) => {
  fronting(t);
  const server = serverFor(t);
  server.listen(0, "127.0.0.1");
  server.keepAliveTimeout = 65_000;
  await once(server, "listening");
  const [file, other] = answersOf(undated(await talk(portOf(server), [first("/static/small.bin") + get("/")])));
  assert.equal([file?.fields["keep-alive"], other?.body], ["timeout=65", "app GET /"]);
});

test("a limit that only node:http takes for one: a warning, and the app without files", async (t) => {
  fronting(t);
  const warnings: Error[] = [];
  const listener = (warning: Error) => warnings.push(warning);
  process.on("warning", listener);
  t.after(() => process.off("warning", listener));
  const server = serverFor(t);
  server.maxConnections = "many" as unknown as number;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  assert.is(String((await ask(portOf(server), "/static/small.bin")).body), "app GET /static/small.bin");
  await until(() => warnings.length > 0);
  assert.match(String(warnings[0]), /maxConnections must be/);
});

test("SENDOFF_FILES_PORT: servers on other ports, and Unix sockets, are left alone", async (t) => {
  const free = net.createServer();
  await once(free.listen(0, "127.0.0.1"), "listening");
  const port = portOf(free);
  await closed(free);
  const { said } = fronting(t, [port]);
  for (const where of [0, place(tempFolder(t)), port]) {
    const server = serverFor(t);
    if (typeof where === "string") server.listen(where);
    else server.listen(where, "127.0.0.1");
    await once(server, "listening");
    const at = typeof where === "string" ? where : portOf(server);
    if (where === port) await both(at);
    else assert.is(String((await ask(at, "/static/small.bin")).body), "app GET /static/small.bin");
  }
  assert.match(said[0] as string, /^an http\.Server was left alone: 127\.0\.0\.1:\d+ is not in SENDOFF_FILES_PORT$/);
  assert.match(
    said[1] as string,
    /^an http\.Server was left alone: (\/.*|a Unix socket) is not in SENDOFF_FILES_PORT$/,
  );
  assert.match(said[2] as string, BY);
});

test("an https.Server, other servers, and those of this package are left alone", async (t) => {
  const { root, said } = fronting(t);
  const secure = https.createServer(certificate(), app);
  await once(secure.listen(0, "127.0.0.1"), "listening");
  assert.equal(said.splice(0), ["an https.Server was left alone: a TLS connection can't be handed over to it"]);
  const agent = new https.Agent({ rejectUnauthorized: false });
  const body = await new Promise<string>((done, failed) => {
    const options = { port: portOf(secure), host: "127.0.0.1", path: "/static/small.bin", agent };
    https.get(options, (res) => res.once("data", (chunk) => done(String(chunk)))).on("error", failed);
  });
  assert.is(body, "app GET /static/small.bin");
  agent.destroy();
  await closed(secure);
  const plain = net.createServer((socket) => socket.end("plain"));
  await once(plain.listen(0, "127.0.0.1"), "listening");
  await closed(plain);
  for (const options of [{}, { app }, { app: http.createServer(app) }]) {
    const server = createFileServer(root, { ...options, engine: "node" });
    const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
    const { body } = await ask(port, "/static/small.bin");
    assert.not(body.equals(SMALL));
    assert.ok((await ask(port, "/small.bin")).body.equals(SMALL));
    await server.close();
  }
  assert.equal(said, []);
});

test("undone, it is as it was", (t) => {
  const own = Object.getOwnPropertyDescriptor(http.Server.prototype, "listen");
  const undo = frontAll(host().shared, [{ prefix: "", root: tempFolder(t) }], null, () => {});
  assert.ok(Object.hasOwn(http.Server.prototype, "listen"));
  assert.is(http.Server.prototype.listen.name, "listen");
  undo();
  assert.equal(Object.getOwnPropertyDescriptor(http.Server.prototype, "listen")?.value, own?.value);
  assert.not(Object.hasOwn(https.Server.prototype, "listen") && onBun === false && runtime === "node");
});

test("several folders: the longest prefix decides, in whatever order", async (t) => {
  const [all, media, film] = ["all", "media", "film"].map((text) => {
    const root = tempFolder(t);
    fs.writeFileSync(join(root, "a.txt"), text);
    fs.writeFileSync(join(root, `${text}.txt`), text);
    return root;
  }) as [string, string, string];
  const mounts = mountsOf(`/media=${media},/=${all},/media/film=${film}`);
  t.after(frontAll(host().shared, mounts, null, () => {}));
  const server = serverFor(t);
  await once(server.listen(0, "127.0.0.1"), "listening");
  for (const [path, body] of [
    ["/a.txt", "all"],
    ["/media/a.txt", "media"],
    ["/media/film/a.txt", "film"],
    ["/mediafile", "app GET /mediafile"],
    ["/media/film/media.txt", "app GET /media/film/media.txt"],
    ["/media/all.txt", "app GET /media/all.txt"],
    ["/media/media.txt", "media"],
  ]) {
    assert.is(String((await ask(portOf(server), path as string)).body), body, path);
  }
});

test("SENDOFF_FILES as it is written, and what is no such text", (t) => {
  const root = tempFolder(t);
  fs.mkdirSync(join(root, "a,b"));
  fs.mkdirSync(join(root, "c=d,"));
  fs.writeFileSync(join(root, "file"), "");
  const mounts = [
    { prefix: "/a,b", root: join(root, "a,b") },
    { prefix: "", root: join(root, "c=d,") },
    { prefix: "/c", root },
  ];
  const text = `/a,,b=${root}/a,,b,/=${root}/c=d,,,/c/=${relative(process.cwd(), root)}`;
  if (process.platform !== "win32") assert.equal(mountsOf(text), mounts);
  assert.equal(mountsOf(textOf(mounts)), mounts);
  assert.equal([mountsOf(undefined), mountsOf("")], [[], []]);
  for (const [wrong, message] of [
    ["public", /an entry must be as \/static=public \(got 'public'\)/],
    ["/static", /an entry must be/],
    ["/static=", /an entry must be/],
    [`/a=${root},`, /an entry must be .*\(got ''\)/],
    [`static=${root}`, /prefix must be a target .*\(got 'static'\)/],
    [` /static=${root}`, /prefix must be a target/],
    [`=${root}`, /prefix must be a target/],
    [`/a?b=${root}`, /prefix must be a target/],
    [`/a=${root},/a/=${root}`, /two folders for '\/a'/],
    [`/a=${root}/none`, /no folder '.*none'/],
    [`/a=${root}/file`, /no folder '.*file'/],
    [`/a=${root}/a,b`, /no folder '.*a'/],
  ] as const) {
    assert.throws(
      () => mountsOf(wrong),
      (error: Error) =>
        error instanceof TypeError && error.message.startsWith("SENDOFF_FILES: ") && message.test(error.message),
      wrong,
    );
  }
});

test("SENDOFF_FILES_PORT as it is written, and what is no port", () => {
  assert.equal([portsOf(undefined), portsOf(""), portsOf("80"), portsOf("80,8080")], [null, null, [80], [80, 8080]]);
  for (const wrong of ["0", "65536", "http", "80,", "80, 81", "-1", "1e3"]) {
    assert.throws(
      () => portsOf(wrong),
      (error: Error) => error instanceof TypeError && error.message.startsWith("SENDOFF_FILES_PORT must be a port"),
      wrong,
    );
  }
});

/** The folder as the environment has it: from the working directory. */
const setting = (root: string) => ({ SENDOFF_FILES: `/static=${relative(process.cwd(), root)}` });

const noPreload = lacks("workers that import what the primary does");
const CHILDREN: [how: string, env: NodeJS.ProcessEnv, by: RegExp, lack?: string | null][] = [
  ["plain", {}, BY],
  ["plain", { SENDOFF_MODE: "copy" }, /by its own thread: SENDOFF_MODE=copy/],
  ["again", {}, BY],
  ["again", { SENDOFF_MODE: "copy" }, /by its own thread: ./],
  ["cluster", {}, /by its own thread: ./, noPreload],
  ["thread", {}, /by its own thread: ./, noPreload ?? (onBun ? "Bun preloads nothing in a thread" : null)],
];

for (const [how, env, by, lack = null] of CHILDREN) {
  test.unless(lack, `a program that knows of none, ${how} ${JSON.stringify(env)}`, async (t) => {
    const root = folder(t);
    const { child, ended, out, err } = registered(t, "fronted.mjs", how, { ...setting(root), ...env });
    await until(() => out().includes("\n") || child.exitCode !== null);
    assert.match(out(), /^\d+\n/, err());
    await both(Number(out()));
    const told = new RegExp(
      `^sendoff: files come before the http\\.Server of (127\\.0\\.0\\.1|\\[::\\]):${Number(out())}, `,
      "m",
    );
    await until(() => told.test(err()));
    const line = err()
      .split("\n")
      .find((one) => told.test(one)) as string;
    assert.match(line, by);
    process.kill(child.pid as number, "SIGTERM"); // by its own kill() Deno takes it for dead
    const code = await ended;
    assert.is(code, 0, err());
  });
}

for (const how of ["unref", "unref-before"]) {
  test(`${how}: a server that does not keep its process running`, async (t) => {
    const { ended, err } = registered(t, "fronted.mjs", how, setting(folder(t)));
    const code = await ended;
    assert.is(code, 0, err());
  });
}

test("a mistake in the environment ends a program at its start, with the variable's name", async (t) => {
  for (const [env, message] of [
    [{ SENDOFF_FILES: "/static=none" }, /TypeError: SENDOFF_FILES: no folder '.*none'/],
    [{ ...setting(folder(t)), SENDOFF_FILES_PORT: "http" }, /TypeError: SENDOFF_FILES_PORT must be a port/],
  ] as [NodeJS.ProcessEnv, RegExp][]) {
    const { ended, out, err } = registered(t, "fronted.mjs", "plain", env);
    const code = await ended;
    assert.match(err(), message);
    assert.equal([out(), code !== 0], ["", true]);
  }
});

test.run();
