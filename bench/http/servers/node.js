// The servers that run on Node, each as its own README has it: a name, and a handler over one folder.
//
//   [node --import sendoff/register] node.js NAME FOLDER [CHECKOUT of sendoff]
//
// Prints {"port"} and serves until it is killed.

import { createReadStream, readdirSync, stat } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { entry } from "../../lib/ours.js";

const [name, root, checkout] = process.argv.slice(2);
const type = "application/octet-stream";

/** @type {Record<string, () => Promise<import("node:http").Server>>} */
const servers = {
  // As docs/guide/http.md says: "The fastest way is a FileHandle that you keep open, with its length said twice".
  async respond() {
    const { respond } = await import(entry("sendoff/http", checkout));
    const files = new Map();
    for (const file of readdirSync(root)) {
      const handle = await open(join(root, file));
      files.set(`/${file}`, { handle, size: (await handle.stat()).size });
    }
    return createServer((req, res) => {
      const { handle, size } = files.get(req.url);
      res.writeHead(200, { "Content-Type": type, "Content-Length": size });
      respond(req, res, handle, { count: size, mode: "native" }).catch(gone);
    });
  },

  async serveStatic() {
    const { serveStatic } = await import(entry("sendoff/http", checkout));
    return createServer(serveStatic(root));
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
};

/** The load generator hangs up in the middle of a response when its time is over; all else is a fault. */
function gone(/** @type {NodeJS.ErrnoException} */ error) {
  if (/ECONNRESET|EPIPE|_CLOSED|PREMATURE_CLOSE|ABORTED/.test(error.code ?? "")) return;
  console.error(error);
}

// Where the kernel's way can't be had there is nothing to measure.
if (["respond", "serveStatic", "accelerate"].includes(name) || process.execArgv.includes("--import")) {
  const { capabilities } = await import(entry("sendoff", checkout));
  const { native, reason } = capabilities();
  if (!native) throw new Error(`not native: ${reason}`);
}

const server = await servers[name]();
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
