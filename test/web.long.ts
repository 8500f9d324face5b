// npm test -- http: files by the frameworks themselves, as examples/ has them: in web Responses, and as streams.

import { once } from "node:events";
import fs, { createReadStream } from "node:fs";
import http, { type Server } from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { pipeline, Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { fileResponse } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "#process";
import { install } from "../host/register/install.js";
import { installToWeb } from "../host/register/to-web.js";
import { counting } from "./lib/counting.js";
import { missing } from "./lib/example.js";
import { suite } from "./lib/suite.js";
import { folder, within } from "./lib/web.js";

const test = suite("web");
const SIZE = 8 << 20;
const { root, remove } = folder({ big: SIZE, odd: 70_001, small: 100 });
const file = (name: string) => path.join(root, name);
const { shared } = host();
const undo = [install(shared, () => {}), installToWeb(shared, () => {})];
test.after(() => {
  for (const one of undo) one();
  remove();
});

/** A package of examples/, as the program there has it. */
// They have types of their own, which nobody else needs.
async function load(name: string): Promise<ReturnType<typeof JSON.parse>> {
  const require = createRequire(new URL("../../examples/package.json", import.meta.url));
  return import(pathToFileURL(require.resolve(name)).href);
}

/** Of Hono. */
interface Context {
  req: { raw: Request; param(name: string): string };
  body(stream: ReadableStream, status: number, headers: object): Response;
}

/** Of Fastify. */
interface Reply {
  headers(all: object): Reply;
  send(body: unknown): Reply;
}

const length = (name: string) => ({ "Content-Length": String(fs.statSync(file(name)).size) });
const nameOf = (url: string) => new URL(url, "http://x").pathname.slice(1);
const toWeb = (name: string) => Readable.toWeb(createReadStream(file(name))) as ReadableStream;

/** Servers by framework, and by what their handlers answer with. */
const servers: Record<string, () => Promise<Server>> = {
  // First: the others replace the global Response by Hono's own.
  async "hono with Node's Response, fileResponse"() {
    const [{ Hono }, { createAdaptorServer }] = [await load("hono"), await load("@hono/node-server")];
    const app = new Hono().get("/:name", (c: Context) => fileResponse(c.req.raw, file(c.req.param("name"))));
    return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false });
  },
  async "hono, serveStatic"() {
    const [{ Hono }, { createAdaptorServer }] = [await load("hono"), await load("@hono/node-server")];
    const { serveStatic } = await load("@hono/node-server/serve-static");
    return createAdaptorServer({ fetch: new Hono().use(serveStatic({ root })).fetch });
  },
  async "hono, c.body"() {
    const [{ Hono }, { createAdaptorServer }] = [await load("hono"), await load("@hono/node-server")];
    const app = new Hono().get("/:name", (c: Context) => {
      const name = c.req.param("name");
      return c.body(toWeb(name), 200, length(name));
    });
    return createAdaptorServer({ fetch: app.fetch });
  },
  async "hono, fileResponse"() {
    const [{ Hono }, { createAdaptorServer }] = [await load("hono"), await load("@hono/node-server")];
    const app = new Hono().get("/:name", (c: Context) => fileResponse(c.req.raw, file(c.req.param("name"))));
    return createAdaptorServer({ fetch: app.fetch });
  },
  async "srvx, Response"() {
    const { serve } = await load("srvx");
    const fetch = ({ url }: Request) => new Response(toWeb(nameOf(url)), { headers: length(nameOf(url)) });
    return serve({ manual: true, silent: true, fetch }).node.server;
  },
  async "srvx, fileResponse"() {
    const { serve } = await load("srvx");
    const fetch = (request: Request) => fileResponse(request, file(nameOf(request.url)));
    return serve({ manual: true, silent: true, fetch }).node.server;
  },
  async "koa, ctx.body"() {
    const { default: Koa } = await load("koa");
    const app = Object.assign(new Koa(), { silent: true }); // about clients that go away
    app.use((ctx: { path: string; body: unknown; length: number }) => {
      const name = nameOf(ctx.path);
      ctx.body = createReadStream(file(name));
      ctx.length = fs.statSync(file(name)).size;
    });
    return http.createServer(app.callback());
  },
  async "fastify, reply.send"() {
    const { default: fastify } = await load("fastify");
    const app = fastify();
    app.get("/:name", (request: { url: string }, reply: Reply) => {
      const name = nameOf(request.url);
      return reply.headers(length(name)).send(createReadStream(file(name)));
    });
    await app.ready();
    return app.server;
  },
  async "express, pipe"() {
    const { default: express } = await load("express");
    const app = express();
    app.get("/:name", ({ url }: { url: string }, res: http.ServerResponse) => {
      const name = nameOf(url);
      for (const [key, value] of Object.entries(length(name))) res.setHeader(key, value);
      pipeline(createReadStream(file(name)), res, () => {});
    });
    return http.createServer(app);
  },
  async "nest, StreamableFile"() {
    await load("reflect-metadata");
    const [nest, { NestFactory }] = [await load("@nestjs/common"), await load("@nestjs/core")];
    class Files {
      file(name: string) {
        return new nest.StreamableFile(createReadStream(file(name)), { length: fs.statSync(file(name)).size });
      }
    }
    nest.Get(":name")(Files.prototype, "file", Object.getOwnPropertyDescriptor(Files.prototype, "file"));
    nest.Param("name")(Files.prototype, "file", 0);
    nest.Controller()(Files);
    class App {}
    nest.Module({ controllers: [Files] })(App);
    const app = await NestFactory.create(App, { logger: false });
    await app.init();
    return app.getHttpServer();
  },
};

async function get(port: number, name: string, method = "GET"): Promise<{ length: string; body: Buffer }> {
  const req = http.request({ port, path: `/${name}`, agent: false, method }).end();
  const [res] = (await once(req, "response")) as [http.IncomingMessage];
  assert.is(res.statusCode, 200);
  const parts: Buffer[] = [];
  for await (const part of res) parts.push(part);
  return { length: res.headers["content-length"] as string, body: Buffer.concat(parts) };
}

const native = shared.sys === null ? "nothing goes by the kernel here" : null;
for (const [name, make] of Object.entries(servers)) {
  test.unless(missing ?? native, name, async (cleanup) => {
    const told: unknown[] = []; // an adapter says so if its stream has failed
    const { error } = console;
    console.error = (...args) => told.push(args);
    cleanup.after(() => Object.assign(console, { error }));
    const server = await make();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanup.after(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    });
    const { port } = server.address() as net.AddressInfo;
    for (const [asked, least] of [
      ["big", SIZE * 0.7], // the rest are doorbells, and the first chunks
      ["odd", name.includes("Node's") ? 0 : 50_000], // which writes the first chunks itself
      ["small", 0],
    ] as const) {
      const [{ length, body }, moved] = await counting(() => within(get(port, asked), asked));
      assert.ok(body.equals(fs.readFileSync(file(asked))), asked);
      assert.is(length, String(body.length));
      assert.ok(moved >= least, `${asked}: ${moved} bytes went by the kernel`);
    }
    assert.is((await within(get(port, "odd", "HEAD"), "HEAD")).length, "70001");
    // Clients that go away: nothing of the file stays open.
    for (let i = 0; i < 10; i++) {
      const socket = net.connect(port, "127.0.0.1").on("error", () => {});
      socket.write("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
      await within(once(socket, "data"), "a part");
      socket.destroy();
    }
    const open = () => {
      const all = fs.readdirSync("/proc/self/fd").map((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return "";
        }
      });
      return all.includes(fs.realpathSync(file("big")));
    };
    const closed = async () => {
      while (open()) await new Promise((next) => setImmediate(next));
    };
    await within(closed(), "the file is closed");
    assert.equal(told, []);
  });
}

test.run();
