// The servers that run on Node, each as its own README has it: a name, and a handler over one folder.
//
//   [node --import sendoff/register] node.js NAME FOLDER [CHECKOUT of sendoff]
//
// Prints {"port"} and serves until it is killed. On stdin `stats` prints those of a FileServer; `lag` begins to look
// how late the event loop is, and the next one prints it: lib/lag.js.

import { createReadStream, readdirSync, readFileSync, stat } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import https from "node:https";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { Lag } from "../../lib/lag.js";
import { entry } from "../../lib/ours.js";

const [name, root, checkout] = process.argv.slice(2);
const type = "application/octet-stream";
const stats = promisify(stat);

/** node:https with a self-signed certificate, made now. @param {import("node:http").RequestListener} listener */
async function encrypted(listener) {
  const { certificate } = await import("../../../build/test/lib/certificate.js");
  return https.createServer(certificate(), listener);
}

/** A handler with every file open. @param {import("sendoff").Mode} mode */
async function responding(mode) {
  const { respond } = await import(entry("sendoff/http", checkout));
  const files = new Map();
  for (const file of readdirSync(root)) {
    const handle = await open(join(root, file));
    files.set(`/${file}`, { handle, size: (await handle.stat()).size });
  }
  return (/** @type {any} */ req, /** @type {any} */ res) => {
    const { handle, size } = files.get(req.url);
    res.writeHead(200, { "Content-Type": type, "Content-Length": size });
    respond(req, res, handle, { count: size, mode }).catch(gone);
  };
}

/** Of Express: what it answers itself is in memory. */
async function app(files = (/** @type {any} */ _app) => {}) {
  const { default: express } = await import("express");
  const own = readFileSync(join(root, "own.bin"));
  const app = express();
  files(app);
  return app.get("/own.bin", (/** @type {any} */ _req, /** @type {any} */ res) => res.type(type).send(own));
}

/** It listens by itself. @param {object} [options] @returns {Promise<any>} */
async function looping(options, folder = root) {
  const { createFileServer } = await import(entry("sendoff/server", checkout));
  const server = createFileServer(folder, { engine: "loop", ...options });
  const address = await server.listen({ port: 0, host: "127.0.0.1" });
  return {
    address: () => address,
    listen: (/** @type {number} */ _port, /** @type {string} */ _host, /** @type {() => void} */ up) => up(),
    stats: () => server.stats(),
  };
}

/** @type {Record<string, () => Promise<import("node:http").Server | import("node:https").Server>>} */
const servers = {
  // As docs/guide/http.md says: "The fastest way is a FileHandle that you keep open, with its length said twice".
  async respond() {
    return createServer(await responding("native"));
  },

  // The most that node:https can do: every file is in memory.
  async https() {
    const files = new Map(readdirSync(root).map((file) => [`/${file}`, readFileSync(join(root, file))]));
    return encrypted((req, res) => {
      const bytes = files.get(/** @type {string} */ (req.url));
      res.writeHead(200, { "Content-Type": type, "Content-Length": /** @type {Buffer} */ (bytes).length });
      res.end(bytes);
    });
  },

  // The same with what most people have: a path.
  async "respond(path)"() {
    const { respond } = await import(entry("sendoff/http", checkout));
    return createServer((req, res) => {
      res.setHeader("Content-Type", type);
      respond(req, res, join(root, /** @type {string} */ (req.url)), { mode: "native" }).catch(gone);
    });
  },

  async "respond-https"() {
    return encrypted(await responding("auto"));
  },

  async "serveStatic-https"() {
    const { serveStatic } = await import(entry("sendoff/http", checkout));
    return encrypted(serveStatic(root));
  },

  async serveStatic() {
    const { serveStatic } = await import(entry("sendoff/http", checkout));
    return createServer(serveStatic(root));
  },

  // The epoll loop, with node:http behind it.
  async loop() {
    return looping();
  },

  // The same for clients that ask once and stay.
  async "loop-idle"() {
    return looping({ keepAliveTimeout: 3_600_000 });
  },

  // What every tutorial has, with the length said.
  async pipe() {
    return createServer((req, res) => {
      const path = join(root, /** @type {string} */ (req.url));
      stat(path, (error, stats) => {
        if (error) return res.writeHead(404).end();
        res.writeHead(200, { "Content-Type": type, "Content-Length": stats.size });
        createReadStream(path).on("error", gone).pipe(res);
      });
    });
  },

  // The same without it, in chunks.
  async "pipe-chunked"() {
    return createServer((req, res) => {
      const path = join(root, /** @type {string} */ (req.url));
      res.setHeader("Content-Type", type);
      createReadStream(path).on("error", gone).pipe(res);
    });
  },

  async send() {
    const { default: send } = await import("send");
    return createServer((req, res) => void send(req, req.url, { root }).pipe(res));
  },

  async accelerate() {
    const { default: send } = await import("send");
    const { accelerate } = await import(entry("sendoff/http", checkout));
    accelerate(send);
    return servers.send();
  },

  async "express.static"() {
    const { default: express } = await import("express");
    return createServer(express().use(express.static(root)));
  },

  // An app with a folder of files, and an answer of its own.
  async app() {
    const { default: express } = await import("express");
    return createServer(await app((app) => app.use("/static", express.static(join(root, "static")))));
  },

  // The same with its files in front of it.
  async "app, files in front"() {
    return looping({ app: await app(), prefix: "/static" }, join(root, "static"));
  },

  async "serve-static"() {
    const { default: serveStatic } = await import("serve-static");
    const serve = serveStatic(root);
    return createServer((req, res) => serve(req, res, () => res.writeHead(404).end()));
  },

  // Its production mode: the folder is listed and every header made once, when it starts.
  async sirv() {
    const { default: sirv } = await import("sirv");
    return createServer(sirv(root, { dev: false }));
  },

  async "koa-send"() {
    const [{ default: Koa }, { default: send }] = await Promise.all([import("koa"), import("koa-send")]);
    const app = new Koa();
    app.on("error", gone);
    app.use((ctx) => send(ctx, ctx.path, { root }));
    return createServer(app.callback());
  },

  async "@fastify/static"() {
    const [{ default: fastify }, { default: files }] = await Promise.all([
      import("fastify"),
      import("@fastify/static"),
    ]);
    const app = fastify();
    app.register(files, { root });
    await app.ready();
    return app.server;
  },

  // As its pages on streaming files have it, with the length said; without a compiler for its decorators.
  async nest() {
    await import("reflect-metadata");
    const [nest, { NestFactory }] = await Promise.all([import("@nestjs/common"), import("@nestjs/core")]);
    class Files {
      async file(/** @type {string} */ name) {
        const path = join(root, name);
        return new nest.StreamableFile(createReadStream(path), { type, length: (await stats(path)).size });
      }
    }
    const method = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(Files.prototype, "file"));
    nest.Get(":name")(Files.prototype, "file", method);
    nest.Param("name")(Files.prototype, "file", 0);
    nest.Controller()(Files);
    class App {}
    nest.Module({ controllers: [Files] })(App);
    const app = await NestFactory.create(App, { logger: ["error"] });
    await app.init();
    return app.getHttpServer();
  },

  async hono() {
    const [{ Hono }, { createAdaptorServer }, { serveStatic }] = await Promise.all([
      import("hono"),
      import("@hono/node-server"),
      import("@hono/node-server/serve-static"),
    ]);
    const app = new Hono().use(serveStatic({ root }));
    return createAdaptorServer({ fetch: app.fetch });
  },

  // Its own static() gives its adapter a FileHandle's stream, which register leaves alone.
  async srvx() {
    const { serve } = await import("srvx");
    const server = serve({
      manual: true,
      silent: true,
      async fetch(request) {
        const path = join(root, new URL(request.url).pathname);
        const headers = { "Content-Type": type, "Content-Length": String((await stats(path)).size) };
        return new Response(Readable.toWeb(createReadStream(path)), { headers });
      },
    });
    return server.node.server;
  },

  async fileResponse() {
    const [{ serve }, { fileResponse }] = await Promise.all([import("srvx"), import(entry("sendoff/http", checkout))]);
    const fetch = (request) => fileResponse(request, join(root, new URL(request.url).pathname));
    return serve({ manual: true, silent: true, fetch }).node.server;
  },
};

/** The load generator hangs up in the middle of a response when its time is over; all else is a fault. */
function gone(/** @type {NodeJS.ErrnoException} */ error) {
  if (/ECONNRESET|EPIPE|_CLOSED|PREMATURE_CLOSE|ABORTED/.test(error.code ?? "")) return;
  console.error(error);
}

// Where the kernel's way can't be had there is nothing to measure.
if (/^(respond|serveStatic|loop|accelerate|fileResponse)/.test(name) || process.execArgv.includes("--import")) {
  const { capabilities } = await import(entry("sendoff", checkout));
  const { native, reason } = capabilities();
  if (!native) throw new Error(`not native: ${reason}`);
}

const server = await servers[name]();
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));

/** @type {Lag | undefined} */
let lag;
process.stdin.on("data", (line) => {
  if (String(line) === "stats\n") return console.log(JSON.stringify(server.stats()));
  console.log(JSON.stringify(lag?.end() ?? null));
  lag = lag === undefined ? new Lag() : undefined;
});
