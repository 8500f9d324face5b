// What only Bun has: the sockets of Bun.listen and Bun.connect, and Bun.file. The rest of the suite runs there too.

import { spawnSync } from "node:child_process";
import { getEventListeners, once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import * as tls from "node:tls";
import { fileURLToPath } from "node:url";
import { capabilities, type Progress, SendfileError, type SendfileOptions } from "sendoff";
import * as assert from "uvu/assert";
import type { TCPSocket } from "../host/runtimes/bun/socket.js";
import { pattern, same } from "./lib/bytes.js";
import { certificate } from "./lib/certificate.js";
import { collect, keep, listen, take } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { fdCount, openFd, position, tempFile, tempFolder } from "./lib/files.js";
import { runtime } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";

/** What is used of Bun's own socket, beside what the package needs. */
interface BunSocket extends TCPSocket {
  write(bytes: Uint8Array | string): number;
  end(): void;
  terminate(): void;
}
interface BunGlobal {
  listen(options: object): { port: number; stop(force?: boolean): void };
  connect(options: object): Promise<BunSocket>;
  file(path: string | number | URL, options?: { type: string }): Blob & { name: string };
  udpSocket(options: object): Promise<{ close(): void }>;
}
const { Bun } = globalThis as unknown as { Bun: BunGlobal };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MIB = 1024 * 1024;
const DATA = pattern(8 * MIB + 7);
/** More than the buffers of a loopback connection hold. */
const HUGE = pattern(64 * MIB);

const elsewhere = runtime === "bun" ? null : "not Bun";
const { native } = capabilities();
const off = native ? null : "no native calls here";
// The package's own name has Node's types here.
const { sendfile, drained } = (await import("sendoff")) as unknown as typeof import("../host/runtimes/bun/index.js");

type Over = "tcp" | "unix" | "tls";
interface Handlers {
  drain?(socket: BunSocket): void;
}

/** `near` is Bun's, accepted or connected; `far` takes its time, and is paused. */
async function line(t: Cleanup, over: Over = "tcp", side = "server", handlers: Handlers = {}) {
  let resolve = (_socket: BunSocket) => {};
  const promise = new Promise<BunSocket>((done) => (resolve = done));
  const opened = over === "tls" ? { handshake: resolve } : { open: resolve };
  const socket = { ...opened, data() {}, close() {}, error() {}, drain() {}, ...handlers };
  const unix = `${tempFolder(t)}/socket`;
  if (side === "server") {
    const place = over === "unix" ? { unix } : { hostname: "127.0.0.1", port: 0 };
    const server = Bun.listen({ ...place, socket, tls: over === "tls" ? certificate() : undefined });
    t.after(() => server.stop(true));
    const { port } = server;
    const far =
      over === "tls"
        ? tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false })
        : net.connect(over === "unix" ? { path: unix } : { host: "127.0.0.1", port });
    keep(t, far);
    await once(far, over === "tls" ? "secureConnect" : "connect");
    return { near: await promise, far };
  }
  const server = over === "tls" ? tls.createServer(certificate()) : net.createServer({ pauseOnConnect: true });
  const address = (await listen(t, server, over === "unix" ? "unix" : "tcp")) as {
    path: string;
    host: string;
    port: number;
  };
  const accepted = once(server, over === "tls" ? "secureConnection" : "connection");
  const place = over === "unix" ? { unix: address.path } : { hostname: address.host, port: address.port };
  const near = await Bun.connect({ ...place, socket, tls: over === "tls" ? { rejectUnauthorized: false } : undefined });
  const [far] = (await accepted) as [net.Socket];
  keep(t, far);
  t.after(() => near.terminate());
  if (over === "tls") await promise;
  return { near, far };
}

/** Once a transfer has sent all that the buffers on the way take. */
async function stalled(progress: () => number): Promise<void> {
  for (let before = -1, quiet = 0; quiet < 20; ) {
    await new Promise((next) => setTimeout(next, 5));
    const now = progress();
    quiet = now > 0 && now === before ? quiet + 1 : 0;
    before = now;
  }
}

/** Starts a transfer of HUGE that soon waits for its reader. */
function start(near: BunSocket, path: string, options: SendfileOptions = {}) {
  let sent = 0;
  const sending = sendfile(near, path, { ...options, onProgress: (progress) => (sent = progress.sent) });
  sending.catch(() => {}); // who waits for it is told
  return { sending, stalled: () => stalled(() => sent) };
}

row(
  "the entry point is Bun's, by its condition",
  async () => {
    assert.type(drained, "function");
    const found = capabilities();
    if (process.platform === "linux") assert.is(found.binding, "bun:ffi", String(found.reason));
  },
  elsewhere,
);

row(
  "the same from node_modules, by the condition of each door",
  async (t) => {
    const folder = tempFolder(t);
    const copy = `${folder}/node_modules/sendoff`;
    for (const part of ["package.json", "build/host", "build/assembly", "build/core.wasm"]) {
      fs.cpSync(`${ROOT}${part}`, `${copy}/${part}`, { recursive: true });
    }
    fs.cpSync(`${ROOT}node_modules/@assemblyscript/loader`, `${folder}/node_modules/@assemblyscript/loader`, {
      recursive: true,
    });
    fs.cpSync(`${ROOT}node_modules/send`, `${folder}/node_modules/send`, { recursive: true });
    const program = `
      import { capabilities, drained } from "sendoff";
      import { respond } from "sendoff/http";
      import { createHost } from "sendoff/host";
      import { onExit } from "sendoff/exit";
      console.log(capabilities().binding, ...[drained, respond, createHost, onExit].map((one) => typeof one));`;
    fs.writeFileSync(`${folder}/program.mjs`, program);
    const { stdout, stderr } = spawnSync(process.execPath, ["program.mjs"], { cwd: folder, encoding: "utf8" });
    assert.is(stdout, `${capabilities().binding} function function function function\n`, stderr);
  },
  elsewhere,
);

for (const mode of ["native", "copy"] as const) {
  const skip = elsewhere ?? (mode === "native" ? off : null);

  for (const over of ["tcp", "unix", "tls"] as const) {
    if (over === "tls" && mode === "native") continue;
    for (const side of ["server", "client"]) {
      row(
        `Bun's socket, ${over}, ${side}, ${mode}: a file, a range, header and trailer, one after the other`,
        async (t) => {
          const { near, far } = await line(t, over, side);
          const path = tempFile(t, DATA);
          const bytes = collect(far);
          let last: Progress | undefined;
          const first = sendfile(near, path, { mode, onProgress: (progress) => (last = progress) });
          const second = sendfile(near, path, {
            mode,
            offset: 4093,
            count: 300_001,
            header: Buffer.from("<"),
            trailer: Buffer.from(">"),
          });
          assert.equal([await first, await second], [DATA.length, 300_001]);
          near.end();
          const range = DATA.subarray(4093, 4093 + 300_001);
          same(await bytes, Buffer.concat([DATA, Buffer.from("<"), range, Buffer.from(">")]));
          const { native, doorbell, cold, copied } = last as Progress;
          assert.is(native + doorbell + cold + copied, DATA.length);
          assert.is(native > DATA.length / 2, mode === "native");
        },
        skip,
      );
    }
  }

  for (const rung of [true, false]) {
    const wired = rung ? "drained() wired to its drain" : "a drain of the user's own";
    row(
      `Bun's socket, ${mode}: a slow reader gets all of it, with ${wired}`,
      async (t) => {
        const { near, far } = await line(t, "tcp", "server", { drain: rung ? drained : () => {} });
        const { sending, stalled } = start(near, tempFile(t, HUGE), { mode });
        await stalled();
        const parts: Buffer[] = [];
        for (let i = 0; i < 8; i++) parts.push(await take(far, 4 * MIB));
        const rest = collect(far);
        assert.is(await sending, HUGE.length);
        near.end();
        same(Buffer.concat([...parts, await rest]), HUGE);
      },
      skip,
    );
  }

  for (const way of ["terminate", "end", "peer destroyed", "peer reset"] as const) {
    row(
      `Bun's socket, ${mode}: ${way} while a transfer waits ends it and those behind it`,
      async (t) => {
        const { near, far } = await line(t);
        const path = tempFile(t, HUGE);
        const fd = openFd(t, path);
        const { sending, stalled } = start(near, fd as never, { mode });
        const first = failure(sending);
        const second = failure(sendfile(near, path, { mode }));
        await stalled();
        if (way === "terminate") near.terminate();
        if (way === "end") near.end();
        if (way === "peer destroyed") far.destroy();
        if (way === "peer reset") far.resetAndDestroy();
        const error = await first;
        assert.instance(error, SendfileError);
        assert.is(error.code, "ERR_SENDFILE_CLOSED");
        assert.ok(error.sent > 0 && error.sent < HUGE.length);
        assert.equal([(await second).code, (await second).sent], ["ERR_SENDFILE_CLOSED", 0]);
        const third = await failure(sendfile(near, path, { mode }));
        assert.equal([third.code, third.sent], ["ERR_SENDFILE_CLOSED", 0]);
        if (native) assert.is(position(fd), error.sent);
      },
      skip,
    );
  }

  row(
    `Bun's socket, ${mode}: timeout, deadline and abort; the socket goes on where it was left`,
    async (t) => {
      const { near, far } = await line(t);
      const path = tempFile(t, HUGE);
      const controller = new AbortController();
      let at = 0;
      const fails = async (code: string, options: SendfileOptions) => {
        const error = await failure(sendfile(near, path, { mode, offset: at, ...options }));
        assert.is(error.code, code);
        at += error.sent;
      };
      await fails("ERR_SENDFILE_TIMEOUT", { timeout: 30 });
      await fails("ERR_SENDFILE_DEADLINE", { deadline: 30 });
      setTimeout(() => controller.abort(), 30);
      await fails("ERR_SENDFILE_ABORTED", { signal: controller.signal });
      assert.is(getEventListeners(controller.signal, "abort").length, 0);
      const rest = sendfile(near, path, { mode, offset: at });
      const bytes = collect(far);
      assert.is(await rest, HUGE.length - at);
      near.end();
      same(await bytes, HUGE);
    },
    skip,
  );

  row(
    `Bun's socket, ${mode}: 200 transfers that are aborted leave no fd open`,
    async (t) => {
      const { near, far } = await line(t);
      const path = tempFile(t, HUGE);
      await start(near, path, { mode, timeout: 20 }).sending.catch(() => {}); // the buffers are full now
      for (let i = 0; i < 200; i++) {
        const controller = new AbortController();
        const sending = failure(sendfile(near, path, { mode, signal: controller.signal }));
        if (i % 2 === 0) await new Promise((next) => setImmediate(next));
        controller.abort();
        assert.is((await sending).code, "ERR_SENDFILE_ABORTED");
      }
      far.destroy();
      while (fdCount(path) > 0) await new Promise((next) => setTimeout(next, 5)); // an open() may be under way
    },
    skip,
  );

  row(
    `Bun.file, ${mode}: whole, by URL, by fd, and slices`,
    async (t) => {
      const { near, far } = await line(t);
      const path = tempFile(t, DATA);
      const bytes = collect(far);
      const file = Bun.file(path);
      const ways: [unknown, number, number, SendfileOptions][] = [
        [file, 0, DATA.length, {}],
        [Bun.file(new URL(`file://${path}`)), 0, DATA.length, {}],
        [Bun.file(path, { type: "text/html; charset=utf-8" }), 0, DATA.length, {}],
        [Bun.file(openFd(t, path)), 0, DATA.length, {}],
        [file.slice(5, 700_000), 5, 700_000, {}],
        [file.slice(0, 10), 0, 10, {}],
        [file.slice(DATA.length - 3), DATA.length - 3, DATA.length, {}],
        [file.slice(100).slice(100, 600_000), 200, 600_100, {}],
        [file.slice(100, 600_000), 1100, 2100, { offset: 1000, count: 1000 }],
        [file.slice(5, 5), 5, 5, {}],
        [file.slice(0, 0), 0, 0, {}],
        [file.slice(DATA.length - 10, DATA.length + 10), DATA.length - 10, DATA.length, {}],
        [file.slice(DATA.length + 10, DATA.length + 20), 0, 0, {}],
      ];
      for (const [way, from, to, options] of ways) {
        assert.is(await sendfile(near, way as Blob, { ...options, mode }), to - from, `${from} to ${to}`);
      }
      near.end();
      same(await bytes, Buffer.concat(ways.map(([, from, to]) => DATA.subarray(from, to))));
    },
    skip,
  );
}

row(
  "drained() rings at once: a full socket is not asked before, and then without a timer",
  async () => {
    let writes = 0;
    let full = true;
    const write = (bytes: Uint8Array) => {
      writes++;
      return full ? 0 : bytes.length;
    };
    const socket = { [Symbol.toStringTag]: "TCPSocket", readyState: 1, fd: -1, write };
    const sending = sendfile(socket, DATA.subarray(0, 1000), { mode: "copy" });
    assert.is(writes, 1);
    full = false;
    drained(socket);
    for (let i = 0; i < 10; i++) await null; // no turn of the event loop, so no timer
    assert.is(writes, 2);
    assert.is(await sending, 1000);
    drained(socket); // nobody waits
    assert.is(writes, 2);
  },
  elsewhere,
);

row(
  "Bun.file: one that is missing, of /proc, and Blobs that are none",
  async (t) => {
    const { near, far } = await line(t);
    const bytes = collect(far);
    const path = tempFile(t, DATA);
    assert.is((await failure(sendfile(near, Bun.file(`${path}.missing`)))).code, "ENOENT");
    assert.is((await failure(sendfile(near, Bun.file(tempFolder(t))))).code, "EISDIR");
    const version = fs.readFileSync("/proc/version");
    assert.is(await sendfile(near, Bun.file("/proc/version")), version.length);
    const memory = Object.assign(new Blob(["abc"]), { name: path });
    assert.is(await sendfile(near, memory), 3);
    assert.is(await sendfile(near, new File(["def"], path)), 3);
    const renamed = Object.assign(Bun.file(path), { name: "/proc/version" });
    assert.is(await sendfile(near, renamed), DATA.length);
    near.end();
    same(await bytes, Buffer.concat([version, Buffer.from("abcdef"), DATA]));
  },
  elsewhere ?? (process.platform === "linux" ? null : "no /proc"),
);

row(
  "Bun.file on a net.Socket, by the kernel",
  async (t) => {
    const server = net.createServer();
    const address = await listen(t, server);
    const accepted = once(server, "connection");
    const far = net.connect(address);
    keep(t, far);
    const [near] = (await accepted) as [net.Socket];
    keep(t, near);
    const bytes = collect(far);
    near.write("A");
    const sending = sendfile(near, Bun.file(tempFile(t, DATA)), { mode: "native" });
    near.end("B");
    assert.is(await sending, DATA.length);
    same(await bytes, Buffer.concat([Buffer.from("A"), DATA, Buffer.from("B")]));
  },
  elsewhere ?? off,
);

row(
  "a socket that has ended, and one of datagrams, are refused",
  async (t) => {
    const { near } = await line(t);
    near.end();
    assert.is((await failure(sendfile(near, DATA))).code, "ERR_SENDFILE_CLOSED");
    const udp = await Bun.udpSocket({ hostname: "127.0.0.1" });
    t.after(() => udp.close());
    assert.instance(await failure(sendfile(udp as never, DATA)), TypeError);
  },
  elsewhere,
);

test.run();
