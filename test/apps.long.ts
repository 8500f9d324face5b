// npm test -- http: apps of Express, Koa and Fastify, and WebSockets by ws, behind createFileServer(), by real clients.

import { once } from "node:events";
import * as http from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo, ListenOptions } from "node:net";
import { createFileServer } from "sendoff/server";
import * as assert from "uvu/assert";
import { echoed } from "./lib/echoed.js";
import { answersOf, ENGINES, type Engine, folder, get, talk, undated } from "./lib/file-server.js";
import { type Cleanup, test } from "./lib/suite.js";

const load = createRequire(new URL("../../examples/package.json", import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: none of these packages has types where this is compiled
type Loose = any;
const library = (name: string): Loose => load(name);

/** What is behind, and how it ends. */
interface App {
  readonly app: http.Server | http.RequestListener;
  end?(): Promise<void>;
}

const JSON_TYPE = "application/json; charset=utf-8";

/** Each answers POST /echo with its body and the client's address, and all else but files with 404. */
const APPS: Record<string, () => App | Promise<App>> = {
  Express: () => ({ app: express() }),
  "an http.Server of Express": () => ({ app: http.createServer(express()) }),
  Koa: () => {
    const app = new (library("koa"))();
    app.use(async (ctx: Loose) => {
      if (ctx.path !== "/echo") return;
      let body = "";
      for await (const chunk of ctx.req) body += chunk;
      ctx.body = { body, ip: ctx.ip };
    });
    return { app: app.callback() };
  },
  Fastify: async () => {
    const app = library("fastify")({ forceCloseConnections: true });
    app.addContentTypeParser("*", { parseAs: "string" }, (_req: unknown, body: string, done: Loose) =>
      done(null, body),
    );
    app.post("/echo", async (req: Loose) => ({ body: req.body, ip: req.ip }));
    await app.ready();
    return { app: app.server, end: () => app.close() };
  },
};

function express() {
  const app = library("express")();
  app.post("/echo", library("express").text({ type: "*/*" }), (req: Loose, res: Loose) => {
    res.json({ body: req.body, ip: req.ip });
  });
  return app;
}

async function front(t: Cleanup, engine: Engine, app: App["app"]): Promise<number> {
  const server = createFileServer(folder(t), { app, engine, prefix: "/static" });
  t.after(() => server.close({ timeout: 0 }));
  return (await server.listen({ port: 0, host: "127.0.0.1" } as ListenOptions)).port;
}

for (const [name, make] of Object.entries(APPS)) {
  for (const engine of ENGINES) {
    test(`${name} behind files, engine ${engine}`, async (t) => {
      const { app, end } = await make();
      const port = await front(t, engine, app);
      for (const answers of await echoed(port)) assert.is(answers[0]?.fields["content-type"], JSON_TYPE);
      await end?.();
    });
  }
}

for (const engine of ENGINES) {
  test(`ws behind files, engine ${engine}: messages, a file beside them, and its end`, async (t) => {
    const { WebSocketServer, WebSocket } = library("ws");
    const app = http.createServer(express());
    const sockets = new WebSocketServer({ server: app, path: "/chat" });
    sockets.on("connection", (socket: Loose, req: http.IncomingMessage) => {
      socket.send(`hello ${req.socket.remoteAddress}`);
      socket.on("message", (data: Buffer, isBinary: boolean) => socket.send(data, { binary: isBinary }));
    });
    const listening = once(sockets, "listening");
    const port = await front(t, engine, app);
    await listening;
    assert.is((sockets.address() as AddressInfo).port, port);

    const client = new WebSocket(`ws://127.0.0.1:${port}/chat`);
    t.after(() => client.terminate());
    const [hello] = (await once(client, "message")) as [Buffer];
    assert.is(String(hello), "hello 127.0.0.1");
    const sent = Buffer.alloc(1 << 20, "0123456789");
    client.send(sent);
    const [back] = (await once(client, "message")) as [Buffer];
    assert.ok(sent.equals(back));
    assert.is(answersOf(undated(await talk(port, [get("/static/sub/")])))[0]?.status, 200);

    const wrong = new WebSocket(`ws://127.0.0.1:${port}/elsewhere`);
    assert.match(String((await once(wrong, "error"))[0]), /400/);

    // As ws's documentation ends them.
    const closed = once(app, "close");
    app.close();
    client.send("still here");
    assert.is(String((await once(client, "message"))[0]), "still here");
    for (const socket of sockets.clients) socket.close(1001);
    const [code] = await once(client, "close");
    assert.is(code, 1001);
    await closed;
  });
}

test.run();
