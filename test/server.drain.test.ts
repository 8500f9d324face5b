// A server that drains: what a balancer, clients that are connected, and those that still come get of it. By both engines.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createFileServer } from "sendoff/server";
import * as assert from "uvu/assert";
import { until } from "./lib/connection.js";
import { COMMAND } from "./lib/exit-process.js";
import { answersOf, ENGINES, first, folder, get, head, LARGE, onBun, SMALL, serve, talk } from "./lib/file-server.js";
import { tempFolder } from "./lib/files.js";
import { type Cleanup, test } from "./lib/suite.js";

const FIXTURE = fileURLToPath(new URL("../../test/fixtures/draining-server.mjs", import.meta.url));

/** TCP_DEFER_ACCEPT. */
const bunIsDeaf = onBun ? "Bun's http.Server knows of no connection that has not said a word" : null;

/** Longer than any test. */
const LONG = 60_000;

const ask = async (port: number, request: string, heads: readonly number[] = []) =>
  answersOf((await talk(port, [request])).toString("latin1"), heads);

/** A connection that stays, and all that has come on it. */
async function connected(t: Cleanup, port: number) {
  const socket = net.connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  let text = "";
  let error: Error | null = null;
  socket.setEncoding("latin1").on("data", (more: string) => {
    text += more;
  });
  socket.on("error", (thrown) => {
    error = thrown;
  });
  const ended = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  await once(socket, "connect");
  return {
    socket,
    /** Sends a request, and waits for its answer. */
    async ask(request: string) {
      text = "";
      socket.write(request);
      await until(() => isWhole(text));
      return () => text;
    },
    /** All that comes until the server ends it. */
    async rest(): Promise<string> {
      await ended;
      assert.is(error, null, "an end, and no reset");
      return text;
    },
  };
}

/** Of an answer. */
function isWhole(text: string): boolean {
  const [head = "", body] = text.split(/\r\n\r\n(.*)/s);
  return body !== undefined && body.length >= Number(/\r\nContent-Length: (\d+)/.exec(head)?.[1] ?? 0);
}

const refused = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => resolve(true));
  });

for (const engine of ENGINES) {
  test(`${engine}: while it drains health is 503, connections are taken, and each answer ends its connection`, async (t) => {
    const { server, port } = await serve(t, folder(t), { engine, health: "/healthz" });
    const ready = await ask(port, get("/healthz?x") + head("/healthz"), [1]);
    const [one] = ready;
    assert.is(one?.status, 200);
    assert.is(one?.body, "ok\n");
    assert.is(one?.fields["cache-control"], "no-store");
    const [asked] = await ask(port, head("/healthz"), [0]);
    assert.equal([asked?.status, asked?.fields["content-length"], asked?.body], [200, "3", ""]);
    assert.is.not((await ask(port, get("/healthz").replace("GET", "POST")))[0]?.status, 200);
    assert.is((await ask(port, get("/healthz/")))[0]?.status, 404);
    assert.is(server.stats().draining, false);

    const closed = server.close({ delay: LONG });
    assert.is(server.stats().draining, true);
    const [gone] = await ask(port, first("/healthz")); // until the server ends the connection
    assert.equal([gone?.status, gone?.body, gone?.fields.connection], [503, "draining\n", "close"]);
    const [file] = await ask(port, first("/small.bin"));
    assert.equal([file?.status, file?.body.length, file?.fields.connection], [200, SMALL.length, "close"]);
    const [missing] = await ask(port, first("/none"));
    assert.equal([missing?.status, missing?.fields.connection], [404, "close"]);

    void server.close(); // told again, without a delay
    await closed;
    assert.ok(await refused(port));
  });

  test.unless(
    engine === "node" ? bunIsDeaf : null,
    `${engine}: who is idle when it ends may ask once more, within its time`,
    async (t) => {
      const { server, port } = await serve(t, folder(t), { engine });
      const clients = await Promise.all([0, 1, 2, 3].map(() => connected(t, port)));
      const [used, handed, fresh, mute] = clients as [(typeof clients)[0], ...typeof clients] & typeof clients;
      assert.match((await used.ask(first("/small.bin")))(), /^HTTP\/1.1 200 .*\r\nConnection: keep-alive\r\n/s);
      await handed?.ask(first("/none"));
      await until(() => server.stats().connections === 4);
      const closed = server.close({ idle: LONG, timeout: LONG });
      for (const one of [used, handed, fresh] as (typeof used)[]) {
        // The loop may not have heard of it yet.
        while (!/\r\nConnection: close\r\n/.test((await one.ask(first("/small.bin")))()));
        const [answer] = answersOf(await one.rest());
        assert.equal([answer?.status, answer?.body.length], [200, SMALL.length]);
      }
      void server.close({ idle: 0, timeout: LONG });
      assert.is(await mute?.rest(), "");
      await closed;
    },
  );

  test(`${engine}: a request that has come in half when it ends is answered`, async (t) => {
    const { server, port } = await serve(t, folder(t), { engine });
    const used = await connected(t, port);
    const fresh = await connected(t, port);
    await used.ask(first("/none")); // the server behind the loop has it
    const request = first("/small.bin");
    for (const { socket } of [used, fresh]) socket.write(request.slice(0, 20));
    await ask(port, get("/none")); // what was sent before has been read, too
    if (engine === "loop") await until(() => server.stats().handedOver.partial === 1);
    await ask(port, get("/none"));
    const closed = server.close({ idle: 0, timeout: LONG });
    for (const { socket } of [used, fresh]) socket.write(request.slice(20));
    for (const one of [used, fresh]) {
      const text = await one.rest();
      const [answer] = answersOf(text.slice(text.lastIndexOf("HTTP/1.1 ")));
      assert.equal([answer?.status, answer?.fields.connection], [200, "close"]);
    }
    await closed;
  });

  test(`${engine}: who has connected when it ends is answered, and not reset`, async (t) => {
    const { server, port } = await serve(t, folder(t), { engine });
    const sockets = Array.from({ length: 50 }, () => net.connect(port, "127.0.0.1"));
    const answers = sockets.map(async (socket) => {
      const chunks: Buffer[] = [];
      socket.write(first("/small.bin"));
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      return answersOf(Buffer.concat(chunks).toString("latin1"))[0]?.body.length;
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    await Promise.all([server.close({ timeout: LONG }), ...answers]);
    for (const answer of answers) assert.is(await answer, SMALL.length);
  });

  test(`${engine}: a download that is under way gets its time, and its connection ends behind it`, async (t) => {
    const { server, port } = await serve(t, folder(t), { engine });
    const { socket, rest } = await connected(t, port);
    socket.write(first("/large.bin"));
    await once(socket, "readable");
    socket.pause();
    const closed = server.close({ timeout: LONG, idle: 0 });
    socket.resume();
    const [answer] = answersOf(await rest());
    assert.is(answer?.body.length, LARGE.length);
    await closed;
  });

  test(`${engine}: an app's answers under way end their connections, and health comes before the app`, async (t) => {
    const waiting: http.ServerResponse[] = [];
    const app = http.createServer((req, res) => {
      if (req.url === "/slow") waiting.push(res);
      else res.end("app");
    });
    const { server, port } = await serve(t, folder(t), { engine, app, prefix: "/static", health: "/healthz" });
    assert.is((await ask(port, get("/healthz")))[0]?.body, "ok\n");
    const slow = await connected(t, port);
    slow.socket.write(first("/slow"));
    await until(() => waiting.length === 1);
    const closed = server.close({ delay: LONG, timeout: LONG });
    const [mine] = await ask(port, first("/other"));
    assert.equal([mine?.body, mine?.fields.connection], ["app", "close"]);
    assert.is((await ask(port, first("/healthz")))[0]?.status, 503);
    waiting[0]?.end("slow");
    const [answer] = answersOf(await slow.rest());
    assert.equal([answer?.body, answer?.fields.connection], ["slow", "close"]);
    void server.close();
    await closed;
  });

  test(`${engine}: each upgraded connection is told of, and cut when its time is over`, async (t) => {
    const app = http.createServer();
    app.on("upgrade", (_req, socket) => {
      socket
        .on("error", () => {})
        .write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    });
    const { server, port } = await serve(t, folder(t), { engine, app, prefix: "/static" });
    const upgrade = first("/", "Connection: Upgrade", "Upgrade: x");
    const kind = await connected(t, port);
    const text = await kind.ask(upgrade);
    const deaf = await connected(t, port);
    await deaf.ask(upgrade);
    const told: unknown[] = [];
    const upgraded = (socket: { end(text: string): void }) => {
      if (told.push(socket) === 1) socket.end("bye");
    };
    const closed = server.close({ timeout: LONG, upgraded });
    await kind.rest();
    assert.match(text(), /bye$/);
    await until(() => told.length === 2);
    void server.close({ timeout: 0 });
    await Promise.all([closed, deaf.rest()]);
    assert.is(new Set(told).size, 2);
  });

  test(`${engine}: SIGTERM drains it by onExit(), and then it dies by the signal`, async (t) => {
    const [command = "", ...args] = COMMAND;
    const go = join(tempFolder(t), "go");
    const env = { ...process.env, ROOT: folder(t), ENGINE: engine, GO: go };
    const child = spawn(command, [...args, FIXTURE], { env, stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    const ended = once(child, "exit");
    const [line] = await once(child.stdout, "data");
    const port = Number(line);
    const health = async () => (await ask(port, get("/healthz")))[0]?.status;
    assert.is(await health(), 200);
    child.kill("SIGTERM");
    while ((await health()) !== 503) assert.is(child.exitCode, null);
    assert.is((await ask(port, get("/small.bin")))[0]?.status, 200);
    writeFileSync(go, "");
    assert.equal(await ended, [null, "SIGTERM"]);
  });
}

test("times, a callback and a target that are none are refused", async (t) => {
  const { server } = await serve(t, folder(t), {});
  for (const name of ["delay", "idle", "timeout"]) {
    assert.throws(() => server.close({ [name]: -1 }), new RegExp(`^${name} must be`));
  }
  assert.throws(() => server.close({ upgraded: 1 as never }), /^upgraded must be a function/);
  for (const health of ["healthz", "", "/a?b", "/a#b", "/ä", 1]) {
    assert.throws(() => createFileServer(".", { health: health as string }), /^health must be a target/);
  }
  assert.is(server.stats().draining, false);
});

test.run();
