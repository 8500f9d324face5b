// npm test -- http: 10,000 requests of which a tenth abort, for each way to serve. Descriptors and
// memory have to come back to where they were.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { accelerate, respond, type Send, serveStatic } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "#process";
import { install } from "../host/register/install.js";
import { suite } from "./lib/suite.js";
import { descriptors, folder, request, site, within } from "./lib/web.js";

const test = suite("http, 10,000 requests");
const REQUESTS = 10_000;
const CLIENTS = 16;
const SIZE = 300_000;
const { root, remove } = folder({ file: SIZE });
test.after(remove);
const file = path.join(root, "file");

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function settled(): Promise<{ fds: number; rss: number; heap: number }> {
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
  }
  const { rss, heapUsed } = process.memoryUsage();
  return { fds: descriptors(), rss, heap: heapUsed };
}

/** One request on a connection of its own; one in ten goes away in the middle. */
async function one(port: number, i: number): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {});
  let bytes = 0;
  socket.write(request("/file"));
  socket.on("data", (part) => {
    bytes += part.length;
    if (i % 10 === 0) socket.destroy();
  });
  await new Promise((resolve) => socket.once("close", resolve));
  if (i % 10 !== 0) assert.ok(bytes > SIZE, `answer ${i}: ${bytes} bytes`);
}

async function run(listener: RequestListener): Promise<void> {
  const at = await site(listener);
  let i = 0;
  const many = async (count: number) => {
    const end = i + count;
    const client = async () => {
      while (i < end) await one(at.port, i++);
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  };
  await many(REQUESTS / 10);
  const before = await settled();
  await within(many(REQUESTS), "the requests", 300_000);
  const after = await settled();
  await at.close();
  assert.is(after.fds, before.fds, "descriptors");
  // A leaked response alone would be several KiB: 10,000 of them tens of MiB.
  const grown = `${(after.heap - before.heap) >> 10} KiB of heap, ${(after.rss - before.rss) >> 10} KiB of memory`;
  assert.ok(after.heap - before.heap < 4 << 20, grown);
  assert.ok(after.rss - before.rss < 64 << 20, grown);
}

test("respond: a path", () => run((req, res) => void respond(req, res, file).catch(() => {})));

test("respond: a FileHandle that is kept", async () => {
  const handle = await open(file);
  await run((req, res) => void respond(req, res, handle).catch(() => {}));
  await handle.close();
});

test("serveStatic", () => run(serveStatic(root)));

test("accelerated send", async () => {
  const send = createRequire(import.meta.url)("send") as Send;
  const undo = accelerate(send);
  await run((req, res) => void send(req, req.url as string, { root }).pipe(res as never));
  undo();
});

test("register", async () => {
  const undo = install(host().shared, () => {});
  await run((_req, res) => {
    res.setHeader("Content-Length", SIZE);
    const stream = createReadStream(file);
    stream.pipe(res);
    // As every server does that pipes: without it the aborted ones' files stay open.
    res.on("close", () => stream.destroy());
  });
  undo();
});

test.run();
