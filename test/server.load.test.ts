// sendoff/server with few fds, with many connections, and with clients that do odd things: all that is accepted is
// answered, and the loop turns only for a reason.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import { createFileServer } from "sendoff/server";
import * as assert from "uvu/assert";
import { host, serverRuntime } from "#process";
import { FileServer } from "../host/server/server.js";
import { pattern, same } from "./lib/bytes.js";
import { still, until } from "./lib/connection.js";
import { FaultPlan } from "./lib/fault-plan.js";
import { noLoop } from "./lib/file-server.js";
import { tempFolder } from "./lib/files.js";
import { without } from "./lib/programs.js";
import { Program, ServedFolder } from "./lib/served-folder.js";
import { type Cleanup, test } from "./lib/suite.js";

const name = host().shared.sys?.libc.name;
const faulty = noLoop ?? (name === "koffi" ? null : `calls fail by koffi only, not by ${name}`);

const SMALL = pattern(4096, 2);
const LARGE = pattern(8 * 1024 * 1024, 3);
const FILES: { [path: string]: Buffer } = { "/small.bin": SMALL, "/other.bin": pattern(300_000, 4) };

function folder(t: Cleanup): string {
  const root = tempFolder(t);
  for (const [path, bytes] of Object.entries(FILES)) fs.writeFileSync(join(root, path), bytes);
  fs.writeFileSync(join(root, "large.bin"), LARGE);
  return root;
}

/** Turns that come by themselves: each 500 ms. */
const own = (since: number) => Math.ceil((performance.now() - since) / 500) + 1;

const pause = (ms: number) => new Promise((next) => setTimeout(next, ms));

const CLIENTS = 200;

const noLimit = noLoop ?? without("prlimit");

test.unless(noLimit, `64 fds and ${CLIENTS} clients: accept rests, and all are answered`, async (t) => {
  const server = await ServedFolder.start(t, folder(t));
  const began = performance.now();
  const answers = { good: 0, other: 0, lost: 0 };
  const get = (agent: http.Agent, path: string) =>
    new Promise<void>((resolve) => {
      const request = http.get({ port: server.port, host: "127.0.0.1", path, agent }, async (res) => {
        const chunks: Buffer[] = [];
        for await (const chunk of res) chunks.push(chunk as Buffer);
        if (res.statusCode === 200) {
          answers.good++;
          same(Buffer.concat(chunks), FILES[path] as Buffer, path);
        } else answers.other++;
        resolve();
      });
      request.on("error", () => {
        answers.lost++;
        resolve();
      });
    });
  const first = new http.Agent();
  // Once they are known the main thread opens nothing.
  for (const path of Object.keys(FILES)) await get(first, path);
  await server.limit(64);
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (const path of [...Object.keys(FILES), ...Object.keys(FILES)]) await get(agent, path);
      agent.destroy();
    }),
  );
  const { wakeUps, requests } = await server.stats();
  const all = 4 * CLIENTS + Object.keys(FILES).length;
  assert.equal(answers, { good: all, other: 0, lost: 0 });
  assert.is(requests, all, "the loop has no fd left for a file");
  assert.ok(wakeUps <= 4 * (requests + CLIENTS) + own(began), `${wakeUps} turns for ${requests} requests`);
  await server.close();
});

const MANY = 10_000;

/** fds that a process may have. */
function most(): number {
  try {
    const text = execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
    return text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
  } catch {
    return 0;
  }
}

const few = noLoop ?? (most() < MANY + 500 ? `a process may have ${most()} fds` : null);

test.unless(few, `${MANY} idle connections: those that ask are answered, and the loop sleeps`, async (t) => {
  const server = await ServedFolder.start(t, folder(t));
  const request = "HEAD /small.bin HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n";
  const clients = new Program(t, "idle-clients.mjs", [String(server.port), String(MANY), request]);
  assert.is(Number(await clients.line()), MANY);
  for (let connections = 0; connections < MANY; ) ({ connections } = await server.stats());
  const before = await server.stats();
  const began = performance.now();
  await pause(300);
  clients.tell("ask");
  const lengths = JSON.parse(await clients.line()) as number[];
  assert.is(lengths.length, 10);
  const after = await server.stats();
  assert.is(after.requests - before.requests, 10);
  const turns = after.wakeUps - before.wakeUps;
  assert.ok(turns <= 2 * 10 + 2 + own(began), `${turns} turns for 10 requests`);
  await server.close();
  assert.is(Number(await clients.line()), MANY);
});

interface Scene {
  readonly server: FileServer;
  readonly plan: FaultPlan;
  /** Sends this, and reads nothing. */
  client(text: string): Promise<net.Socket>;
}

const GET = "GET /small.bin HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_LARGE = "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_LAST = "GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Once an answer stands still. */
async function stalled({ server, client }: Scene, request: string): Promise<net.Socket> {
  const socket = await client(request);
  await once(socket, "readable");
  await still(() => server.stats().wakeUps);
  return socket;
}

/** Reads so much at least. */
async function read(socket: net.Socket, bytes: number): Promise<void> {
  for (let left = bytes; ; await once(socket, "readable")) {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) left -= chunk.length;
    if (left <= 0) return;
  }
}

/** What is arranged first, and what the client does then. */
type Arrange = (scene: Scene) => Promise<() => unknown>;

const idle =
  (act: (socket: net.Socket) => unknown): Arrange =>
  async ({ client }) => {
    const socket = await client(GET);
    await once(socket, "readable");
    return () => act(socket);
  };

const during =
  (request: string, act: (socket: net.Socket) => unknown): Arrange =>
  async (scene) => {
    const socket = await stalled(scene, request);
    return () => act(socket);
  };

const ODD: [what: string, arrange: Arrange][] = [
  [
    "half a head, then silence",
    async ({ client }) =>
      () =>
        client("GET /small.bin HT"),
  ],
  [
    "a connection without a byte",
    async ({ client }) =>
      () =>
        client(""),
  ],
  ["a half-close, while idle", idle((socket) => socket.end())],
  ["a half-close during a long answer", during(GET_LARGE, (socket) => socket.end())],
  ["more requests during a long answer", during(GET_LARGE, (socket) => socket.write(GET))],
  ["RST during a long answer", during(GET_LARGE, (socket) => socket.resetAndDestroy())],
  ["RST, while idle", idle((socket) => socket.resetAndDestroy())],
  [
    "HUP: the client closes as well, after its last answer",
    async (scene) => {
      const socket = await stalled(scene, GET_LAST);
      socket.write("more"); // so that the loop lingers
      await read(socket, LARGE.length);
      await still(() => scene.server.stats().wakeUps);
      assert.is(scene.server.stats().connections, 1, "it does not linger");
      return () => socket.end();
    },
  ],
  [
    "RST while the disk is waited for",
    async ({ plan, client }) => {
      plan.hold();
      plan.fail("preadv2", 1, "EAGAIN");
      const socket = await client(GET_LARGE);
      await until(() => plan.isReading);
      return async () => {
        socket.resetAndDestroy();
        await pause(20);
        plan.letGo();
      };
    },
  ],
  [
    "a half-close while the disk is waited for",
    async ({ plan, client }) => {
      plan.hold();
      plan.fail("preadv2", 1, "EAGAIN");
      const socket = await client(GET_LARGE);
      await until(() => plan.isReading);
      return () => socket.end();
    },
  ],
];

for (const [what, arrange] of ODD) {
  test.unless(faulty, `at most three turns for ${what}`, async (t) => {
    const plan = new FaultPlan("");
    const runtime = {
      ...serverRuntime,
      loop: () => new URL("./lib/faulty-loop.js", import.meta.url),
      reader: () => new URL("./lib/held-reader.js", import.meta.url),
    };
    const server = new FileServer(host().shared, runtime, folder(t));
    t.after(() => server.close({ timeout: 0 }));
    t.after(() => plan.letGo());
    const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
    const client = async (text: string) => {
      const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.on("error", () => {});
      t.after(() => socket.destroy());
      await once(socket, "connect");
      if (text !== "") socket.write(text);
      return socket;
    };
    // So that it knows the files.
    for (const text of [GET, GET_LARGE]) {
      const socket = await client(text);
      socket.resume();
      await until(() => socket.bytesRead > 4096);
      socket.destroy();
    }
    await until(() => server.stats().connections === 0);
    const act = await arrange({ server, plan, client });
    const { wakeUps } = server.stats();
    const began = performance.now();
    await act();
    await pause(100);
    const turns = server.stats().wakeUps - wakeUps;
    assert.ok(turns <= 3 + own(began), `${turns} turns`);
  });
}

test.unless(noLoop, "close() ends a connection that is handed over meanwhile", async (t) => {
  const server = createFileServer(folder(t));
  t.after(() => server.close({ timeout: 0 }));
  const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
  const socket = net.connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  socket.write(GET_LARGE);
  await once(socket, "readable");
  await still(() => server.stats().wakeUps);
  // Several ranges are for the server behind the loop; they are not read.
  socket.write(GET_LARGE.replace("Host", `Range: bytes=1-${LARGE.length - 9},-9\r\nHost`));
  const closed = server.close({ timeout: 1000 });
  await read(socket, LARGE.length);
  await closed;
  assert.is(server.stats().handedOver.range, 1);
  assert.is(server.stats().connections, 0);
});

test.unless(faulty, "what a disk is read to is kept: nobody else holds it", async (t) => {
  const plan = new FaultPlan("");
  const runtime = {
    ...serverRuntime,
    loop: () => new URL("./lib/faulty-loop.js", import.meta.url),
    reader: () => new URL("./lib/collecting-reader.js", import.meta.url),
  };
  const server = new FileServer(host().shared, runtime, folder(t));
  t.after(() => server.close({ timeout: 0 }));
  const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
  plan.fail("preadv2", 1, "EAGAIN"); // as of a cold disk
  const socket = net.connect({ port, host: "127.0.0.1" }).resume();
  t.after(() => socket.destroy());
  let isCut = false;
  socket.on("close", () => {
    isCut = true;
  });
  socket.write(GET_LARGE);
  await until(() => isCut || socket.bytesRead > LARGE.length);
  assert.ok(plan.fired);
  assert.not.ok(isCut);
});

test.run();
