// docs/internals/pitfalls.md, of the socket: T11, T16 to T20, T24, T30, T31, on real sockets and files.

import { getEventListeners, once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import { capabilities, type Mode, type Progress, sendfile } from "sendoff";
import * as assert from "uvu/assert";
import { pattern, same } from "./lib/bytes.js";
import {
  type ConnectionOptions,
  collect,
  connect,
  fdOf,
  keep,
  listen,
  type Over,
  still,
  take,
  until,
} from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { faultyHost } from "./lib/faulty.js";
import { fdCount, openFd, openHandle, position, tempFile } from "./lib/files.js";
import { lacks, runtime } from "./lib/runtime.js";
import { row, test } from "./lib/suite.js";

const MIB = 1024 * 1024;
const DATA = pattern(8 * MIB);
const { native, binding } = capabilities();
const MODES: Mode[] = native ? ["native", "copy"] : ["copy"];
/** More than the buffers of a loopback connection hold. */
const HUGE = 128 * MIB;

/** Bytes that have left the process. */
const left = (socket: net.Socket) =>
  socket.bytesWritten - ((socket as unknown as { _handle: { writeQueueSize?: number } })._handle.writeQueueSize ?? 0);

/** Everything that a transfer could leave behind on a socket. */
function state(socket: net.Socket) {
  const inner = socket as unknown as { _writev: unknown };
  const listeners = socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]);
  return { listeners, writev: inner._writev, corked: socket.writableCorked, length: socket.writableLength };
}

const LINES: ConnectionOptions[] = [
  ...(["server", "client"] as const).flatMap((side) => (["tcp", "unix"] as const).map((over) => ({ side, over }))),
  { side: "server", over: "tls" },
  { side: "client", over: "tls" },
];
const ipv6 = await new Promise<boolean>((resolve) => {
  const server = net.createServer();
  server.once("error", () => resolve(false));
  server.listen(0, "::1", () => server.close(() => resolve(true)));
});
if (ipv6) LINES.push({ over: "tcp6", side: "server" }, { over: "tcp6", side: "client" });

for (const line of LINES) {
  row(
    `T17 writes, transfers and end() of one tick keep their order: ${line.over}, ${line.side}`,
    async (t) => {
      const { near, far } = await connect(t, line);
      const path = tempFile(t, DATA);
      const bytes = collect(far);
      near.write("AAA");
      const first = sendfile(near, path, { header: Buffer.from("<1"), trailer: Buffer.from("1>") });
      near.write("BBB");
      near.write("CCC");
      const second = sendfile(near, path, { offset: 5, count: 70_000 });
      near.write("DDD");
      near.end("EEE");
      assert.is(await first, DATA.length);
      assert.is(await second, 70_000);
      const text = (s: string) => Buffer.from(s);
      const wanted = [text("AAA<1"), DATA, text("1>BBBCCC"), DATA.subarray(5, 70_005), text("DDDEEE")];
      same(await bytes, Buffer.concat(wanted));
    },
    line.over === "tls" ? lacks("the end of a TLS connection") : null,
  );

  row(
    `T17 the socket is left as it was: ${line.over}, ${line.side}`,
    async (t) => {
      const { near, far } = await connect(t, line);
      const path = tempFile(t, DATA);
      const before = state(near);
      // Success,
      let bytes = take(far, DATA.length);
      await sendfile(near, path);
      same(await bytes, DATA);
      await until(() => near.writableLength === 0);
      assert.equal(state(near), before);
      // failure,
      await failure(sendfile(near, "/does/not/exist"));
      await until(() => near.writableLength === 0);
      assert.equal(state(near), before);
      // and abort in the middle.
      const stop = new AbortController();
      const sending = failure(sendfile(near, path, { signal: stop.signal }));
      await take(far, 1);
      stop.abort();
      const { sent } = await sending;
      bytes = collect(far);
      near.write("after");
      await until(() => near.writableLength === 0);
      assert.equal(state(near), before);
      near.end();
      const rest = await bytes;
      same(rest.subarray(-5), Buffer.from("after"));
      if (line.over !== "tls") assert.ok(rest.length - 5 <= sent);
    },
    line.over === "tls" ? lacks("the end of a TLS connection") : null,
  );
}

for (const over of ["tcp", "unix"] as const) {
  row(`T17 a socket that is still connecting: ${over}`, async (t) => {
    const accepted: net.Socket[] = [];
    const server = net.createServer((socket) => {
      keep(t, socket);
      accepted.push(socket);
    });
    const address = await listen(t, server, over);
    const path = tempFile(t, DATA);
    const near = net.connect(address);
    keep(t, near);
    const first = sendfile(near, path);
    near.write("between");
    const second = sendfile(near, path, { count: 10 });
    near.end();
    await once(server, "connection");
    const bytes = collect(accepted[0] as net.Socket);
    assert.is(await first, DATA.length);
    assert.is(await second, 10);
    same(await bytes, Buffer.concat([DATA, Buffer.from("between"), DATA.subarray(0, 10)]));
  });
}

row("T17 a connection that can't be made fails every transfer that waits for it", async (t) => {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  await new Promise((done) => server.close(done));
  const near = net.connect(port, "127.0.0.1");
  keep(t, near);
  const path = tempFile(t, DATA);
  const sendings = [failure(sendfile(near, path)), failure(sendfile(near, path))];
  const [first, second] = await Promise.all(sendings);
  assert.is(first?.code, "ECONNREFUSED");
  assert.is(first?.sent, 0);
  assert.is(second?.name, "SendfileError");
  assert.is(second?.sent, 0);
});

row("T17 a corked socket sends nothing before uncork(), then all of it in order", async (t) => {
  const { near, far } = await connect(t);
  const path = tempFile(t, DATA);
  const bytes = collect(far);
  near.cork();
  near.write("A");
  near.write("B");
  const sending = sendfile(near, path);
  near.write("C");
  await new Promise((next) => setImmediate(next));
  assert.is(near.bytesWritten, 3);
  near.uncork();
  assert.is(await sending, DATA.length);
  near.end();
  same(await bytes, Buffer.concat([Buffer.from("AB"), DATA, Buffer.from("C")]));
});

row("T17 each write's own callback comes in its turn, and so does 'drain'", async (t) => {
  const { near, far } = await connect(t);
  const path = tempFile(t, DATA);
  const bytes = collect(far);
  const order: string[] = [];
  near.write("A", () => order.push("A"));
  const sending = sendfile(near, path);
  near.write("B", () => order.push("B"));
  const full = near.write(Buffer.alloc(MIB), () => order.push("C"));
  assert.is(full, false);
  await once(near, "drain");
  await sending;
  near.end();
  await bytes;
  assert.equal(order, ["A", "B", "C"]);
});

row(
  "T17 what waits in a handle's own queue goes first: no native call may overtake it",
  async (t) => {
    const path = tempFile(t, DATA.subarray(0, 300_000));
    const { near, far } = await connect(t);
    const bytes = collect(far);
    const { _handle: handle } = near as unknown as { _handle: { writeQueueSize?: number } };
    const waiting = (size: number) =>
      Object.defineProperty(handle, "writeQueueSize", { value: size, writable: true, configurable: true });
    const native: number[] = [];
    const onProgress = (progress: Progress) => (native[native.length - 1] = progress.native);
    for (const size of [0, 1, 0]) {
      waiting(size);
      native.push(0);
      assert.is(await sendfile(near, path, { onProgress }), 300_000);
    }
    near.end();
    assert.is((await bytes).length, 900_000);
    assert.equal(
      native.map((n) => n > 0),
      [true, false, true],
    );
  },
  native ? null : "nothing goes by the kernel here",
);

row("T17 a socket whose _write the user replaced goes through it, before and after a first transfer", async (t) => {
  const data = DATA.subarray(0, 300_000);
  const path = tempFile(t, data);
  for (const when of ["before", "after"] as const) {
    const { near, far } = await connect(t);
    const bytes = collect(far);
    if (when === "after") await sendfile(near, path, { count: 10 });
    const inner = near as unknown as {
      _write(chunk: Buffer, encoding: string, done: () => void): void;
    };
    const real = inner._write;
    inner._write = function (chunk, encoding, done) {
      real.call(this, Buffer.from(chunk.map((byte) => byte ^ 0xff)), encoding, done);
    };
    let last: Progress | undefined;
    const header = data.subarray(20, 30);
    const sending = sendfile(near, path, { header, onProgress: (progress) => (last = progress) });
    near.write(data.subarray(0, 10));
    assert.is(await sending, data.length);
    near.end();
    assert.is(last?.copied, data.length + 10, when);
    const flipped = Buffer.from(Buffer.concat([header, data]).map((byte) => byte ^ 0xff));
    const first = when === "after" ? data.subarray(0, 10) : Buffer.alloc(0);
    same(await bytes, Buffer.concat([first, flipped, flipped.subarray(10, 20)]), when);
    assert.is(near.bytesWritten, first.length + flipped.length + 10);
  }
});

row("T17 a socket whose write() the user replaced goes through it", async (t) => {
  const data = DATA.subarray(0, 300_000);
  const path = tempFile(t, data);
  const { near, far } = await connect(t);
  const bytes = collect(far);
  const real = near.write;
  let counted = 0;
  near.write = function (this: net.Socket, chunk: Uint8Array, ...rest: never[]) {
    counted += chunk.length;
    return real.call(this, chunk, ...rest);
  } as typeof near.write;
  assert.is(await sendfile(near, path), data.length);
  near.end();
  same(await bytes, data);
  assert.is(counted, data.length);
});

for (const mode of MODES) {
  row(
    `T11 no timeout while a slow reader reads, one when it stalls, ${mode}`,
    async (t) => {
      let clock = 0;
      const host = faultyHost({ now: () => clock });
      const { near, far } = await connect(t, { over: "unix" });
      // More than 16 reads of a far side take, of which some are half a MiB.
      const path = tempFile(t, pattern(24 * MIB));
      const sending = failure(host.sendfile(near, path, { mode, timeout: 100 }));
      let over = false;
      sending.then(() => (over = true));
      await still(() => near.bytesWritten);
      // 16 times nine tenths of the timeout, and each time something has left.
      for (let i = 0; i < 16; i++) {
        const before = left(near);
        while (!over && left(near) === before) await take(far, 32 * 1024);
        clock += 90;
        await new Promise((next) => setTimeout(next, 30)); // the transfer looks at its limits meanwhile
        assert.is(over, false, `the timeout fired in round ${i}`);
      }
      await still(() => near.bytesWritten);
      clock += 101;
      const error = await sending;
      assert.is(error.code, "ERR_SENDFILE_TIMEOUT");
      near.end();
      far.resume();
    },
    mode === "copy" ? lacks("progress of a write") : null,
  );

  row(`T11 a deadline ends a transfer that makes progress, ${mode}`, async (t) => {
    let clock = 0;
    const host = faultyHost({ now: () => clock });
    const { near, far } = await connect(t, { over: "unix" });
    const sending = failure(host.sendfile(near, tempFile(t, DATA), { mode, deadline: 1000 }));
    await take(far, 300_000);
    clock += 1001;
    far.resume();
    const error = await sending;
    assert.is(error.code, "ERR_SENDFILE_DEADLINE");
    assert.match(error.message, /the deadline has passed/);
    assert.ok(error.sent >= 300_000 && error.sent < DATA.length);
  });

  row(`T11 a deadline counts in the queue, a timeout does not, ${mode}`, async (t) => {
    const { near, far } = await connect(t, { over: "unix" });
    const path = tempFile(t, DATA);
    const first = sendfile(near, path, { mode });
    const patient = sendfile(near, path, { mode, timeout: 20_000, count: 100 });
    const hasty = await failure(sendfile(near, path, { mode, deadline: 20 }));
    assert.is(hasty.code, "ERR_SENDFILE_DEADLINE");
    assert.is(hasty.sent, 0);
    const bytes = collect(far);
    assert.is(await first, DATA.length);
    assert.is(await patient, 100);
    near.end();
    same(await bytes, Buffer.concat([DATA, DATA.subarray(0, 100)]));
  });

  row(`T16 a socket's fd that is closed and reused gets no byte of the transfer, ${mode}`, async (t) => {
    const path = tempFile(t, DATA);
    const { near, far } = await connect(t, { over: "unix" });
    const server = net.createServer((socket) => keep(t, socket));
    const address = await listen(t, server, "unix");
    const sending = failure(sendfile(near, path, { mode }));
    await still(() => near.bytesWritten);
    const fd = fdOf(near);
    near.destroy();
    // New sockets take the lowest free numbers: one of them, at either end, is the one that was just closed.
    const strangers: net.Socket[] = [];
    const accepted: net.Socket[] = [];
    server.on("connection", (socket) => accepted.push(socket));
    let reused: net.Socket | undefined;
    for (let i = 0; i < 64 && reused === undefined; i++) {
      const stranger = net.connect(address);
      keep(t, stranger);
      strangers.push(stranger);
      await once(stranger, "connect");
      await until(() => accepted.length === strangers.length);
      reused = [...strangers, ...accepted].find((socket) => fdOf(socket) === fd);
    }
    far.resume();
    const error = await sending;
    assert.is(error.code, "ERR_SENDFILE_CLOSED");
    assert.ok(reused, "no new socket took the number");
    const arrived = [...strangers, ...accepted].map(collect);
    for (const socket of [...strangers, ...accepted]) socket.end(socket === reused ? "reuse" : "");
    same(Buffer.concat(await Promise.all(arrived)), Buffer.from("reuse"));
  });

  for (const kind of ["fd", "FileHandle"] as const) {
    row(`T16 a file's ${kind} that is closed and reused: none of the stranger's bytes are sent, ${mode}`, async (t) => {
      const path = tempFile(t, DATA);
      const strange = tempFile(t, Buffer.alloc(DATA.length, "x"));
      const { near, far } = await connect(t, { over: "unix" });
      const handle = await openHandle(t, path);
      const file = kind === "fd" ? fs.openSync(path, "r") : handle;
      const fd = typeof file === "number" ? file : file.fd;
      const sending = failure(sendfile(near, file, { mode }));
      await still(() => near.bytesWritten);
      const closing = typeof file === "number" ? fs.closeSync(file) : file.close();
      // A FileHandle closes once its reads are over.
      await closing;
      let stranger = -1;
      for (let i = 0; i < 64 && stranger !== fd; i++) stranger = openFd(t, strange);
      assert.is(stranger, fd);
      const bytes = collect(far);
      const error = await sending;
      assert.is(error.code, "EBADF");
      near.end();
      same(await bytes, DATA.subarray(0, error.sent));
      assert.is(position(fd), 0); // and its position is nobody's business
    });
  }

  row(`T18 1,000 aborted transfers leave no fd open, ${mode}`, async (t) => {
    const path = tempFile(t, DATA);
    const { near, far } = await connect(t, { over: "unix" });
    const head = sendfile(near, path, { mode }); // stalls, so that the others wait behind it
    await still(() => near.bytesWritten);
    const before = fdCount();
    for (let batch = 0; batch < 20; batch++) {
      const sendings = Array.from({ length: 50 }, (_, i) => {
        const stop = new AbortController();
        const sending = failure(sendfile(near, path, { mode, signal: stop.signal }));
        // At once, in a microtask, in the next turn, and once the file is open.
        if (i % 4 === 0) stop.abort();
        else if (i % 4 === 1) queueMicrotask(() => stop.abort());
        else if (i % 4 === 2) setImmediate(() => stop.abort());
        else setTimeout(() => stop.abort(), 2);
        return sending;
      });
      for (const error of await Promise.all(sendings)) assert.is(error.code, "ERR_SENDFILE_ABORTED");
    }
    await until(() => fdCount(path) <= 1); // that of the first
    assert.ok(fdCount() <= before);
    const bytes = collect(far);
    assert.is(await head, DATA.length);
    near.end();
    same(await bytes, DATA);
  });

  row(`T18 transfers that are aborted in the middle leave no fd open, ${mode}`, async (t) => {
    const path = tempFile(t, DATA);
    const before = fdCount();
    for (let i = 0; i < 20; i++) {
      const { near, far } = await connect(t, { over: "unix" });
      const stop = new AbortController();
      const sending = failure(sendfile(near, path, { mode, signal: stop.signal }));
      await take(far, 1 + i * 10_000);
      stop.abort(new Error("enough"));
      const error = await sending;
      assert.is(error.code, "ERR_SENDFILE_ABORTED");
      assert.is((error.cause as Error).message, "enough");
      near.destroy();
      far.destroy();
    }
    await until(() => fdCount(path) === 0);
    await t.end();
    await until(() => fdCount() <= before);
  });

  for (const way of ["destroy", "reset"] as const) {
    row(`T19 a peer that goes away is one error, ${way}, ${mode}`, async (t) => {
      const { near, far } = await connect(t);
      const path = tempFile(t, DATA);
      fs.truncateSync(path, HUGE);
      const sending = failure(sendfile(near, path, { mode }));
      const queued = failure(sendfile(near, path, { mode }));
      await take(far, 100_000);
      if (way === "destroy") far.destroy();
      else far.resetAndDestroy();
      const error = await sending;
      assert.is(error.name, "SendfileError");
      assert.is(error.code, "ERR_SENDFILE_CLOSED");
      assert.match(error.message, /the connection is closed/);
      // Of a write that failed, what the kernel took later than at once is not known.
      assert.ok(error.sent >= (mode === "native" ? 95_000 : 1) && error.sent < HUGE, `${error.sent}`);
      const names = [-32, -104, undefined]; // EPIPE, ECONNRESET, or the socket was closed before we were told
      assert.ok(names.includes(error.errno), `${error.errno}`);
      const second = await queued;
      assert.is(second.code, "ERR_SENDFILE_CLOSED");
      assert.is(second.sent, 0);
    });
  }

  row(`T19 our own destroy() ends a transfer, started or queued, ${mode}`, async (t) => {
    const path = tempFile(t, DATA);
    const before = fdCount();
    for (const over of ["tcp", "unix", "tls"] as Over[]) {
      if (mode === "native" && over === "tls") continue;
      const { near, far } = await connect(t, { over });
      if (over === "tcp") fs.truncateSync(path, HUGE);
      const sendings = [1, 2, 3].map(() => failure(sendfile(near, path, { mode })));
      await take(far, 1000);
      near.destroy();
      for (const [i, error] of (await Promise.all(sendings)).entries()) {
        assert.is(error.code, "ERR_SENDFILE_CLOSED");
        if (i > 0) assert.is(error.sent, 0);
      }
      far.destroy();
    }
    await until(() => fdCount(path) === 0);
    await t.end();
    await until(() => fdCount() <= before);
  });

  row(`T20 a client that half-closes gets the whole download, ${mode}`, async (t) => {
    for (const allowHalfOpen of [true, false]) {
      const { near, far } = await connect(t, { allowHalfOpen, over: "unix" });
      near.resume(); // so that it sees the FIN; without allowHalfOpen it then ends itself, behind the transfer
      const sending = sendfile(near, tempFile(t, DATA), { mode });
      await still(() => near.bytesWritten);
      far.end("request");
      await once(near, "end");
      const bytes = collect(far);
      assert.is(await sending, DATA.length);
      if (allowHalfOpen) near.end();
      same(await bytes, DATA);
    }
  });

  row(`T30 bytesWritten counts every byte, and the socket's own timeout sees progress, ${mode}`, async (t) => {
    const { near, far } = await connect(t);
    const bytes = collect(far);
    const timer = near as unknown as { _unrefTimer(): void };
    const real = timer._unrefTimer;
    let refreshed = 0;
    timer._unrefTimer = function () {
      refreshed++;
      real.call(this);
    };
    near.write("AAA");
    const sending = sendfile(near, tempFile(t, DATA), { mode, header: Buffer.from("<") });
    near.write("BBB");
    await sending;
    await until(() => near.writableLength === 0);
    assert.is(near.bytesWritten, DATA.length + 7);
    assert.ok(refreshed >= DATA.length / MIB, `${refreshed}`);
    near.end();
    await bytes;
    assert.is(near.bytesWritten, DATA.length + 7);
  });

  row(`T30 bytes that go at once are the socket's activity, ${mode}`, async (t) => {
    const { near } = await connect(t);
    const timer = near as unknown as { _unrefTimer(): void };
    let refreshed = 0;
    timer._unrefTimer = () => void refreshed++;
    await sendfile(near, tempFile(t, DATA), { mode, count: 4096 });
    assert.ok(refreshed > 0);
  });

  row(
    `a transfer that is over leaves no timer behind, ${mode}`,
    async (t) => {
      const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
      const { near } = await connect(t);
      const before = timers();
      await sendfile(near, tempFile(t, DATA), { mode, count: 4096, timeout: 60_000, deadline: 60_000 });
      assert.is(timers(), before);
    },
    typeof process.getActiveResourcesInfo === "function" ? null : "this runtime tells of no timers",
  );

  row(
    `T30 the socket's own timeout fires when the transfer stalls, and ends nothing by itself, ${mode}`,
    async (t) => {
      const { near, far } = await connect(t, { over: "unix" });
      near.setTimeout(50);
      const sending = sendfile(near, tempFile(t, DATA), { mode });
      await once(near, "timeout");
      near.setTimeout(0);
      const bytes = collect(far);
      assert.is(await sending, DATA.length);
      near.end();
      same(await bytes, DATA);
    },
    lacks("timeout of a stalled socket"),
  );

  row(`T31 a socket destroyed between two calls is one clean error, ${mode}`, async (t) => {
    const fd = openFd(t, tempFile(t, DATA));
    for (const over of ["tcp", "unix"] as const) {
      const { near, far } = await connect(t, { over });
      const bytes = collect(far).catch(() => null);
      const error = await failure(
        sendfile(near, fd, {
          mode,
          onProgress({ sent }) {
            if (sent > 100_000) near.destroy();
          },
        }),
      );
      await bytes;
      assert.is(error.code, "ERR_SENDFILE_CLOSED");
      assert.ok(error.sent > 100_000 && error.sent < DATA.length);
      if (binding !== null) assert.is(position(fd), error.sent);
    }
  });

  row(`abort: before, while queued, and during; the socket goes on, ${mode}`, async (t) => {
    const path = tempFile(t, DATA);
    const { near, far } = await connect(t, { over: "unix" });
    const reason = new Error("not wanted");
    const before = await failure(sendfile(near, path, { mode, signal: AbortSignal.abort(reason) }));
    assert.is(before.code, "ERR_SENDFILE_ABORTED");
    assert.is(before.cause, reason);
    assert.is(before.sent, 0);

    const [during, queued] = [new AbortController(), new AbortController()];
    const first = failure(sendfile(near, path, { mode, signal: during.signal }));
    const second = failure(sendfile(near, path, { mode, signal: queued.signal }));
    const third = sendfile(near, path, { mode, count: 10 });
    await still(() => near.bytesWritten);
    queued.abort();
    assert.is((await second).sent, 0);
    during.abort(reason);
    const error = await first;
    assert.is(error.cause, reason);
    assert.is(getEventListeners(during.signal, "abort").length, 0);
    assert.ok(error.sent > 0 && error.sent < DATA.length);
    const bytes = collect(far);
    assert.is(await third, 10);
    near.end();
    same(await bytes, Buffer.concat([DATA.subarray(0, error.sent), DATA.subarray(0, 10)]));
  });

  row(`sent tells where to go on: an aborted transfer is resumed on the same socket, ${mode}`, async (t) => {
    const path = tempFile(t, DATA);
    const { near, far } = await connect(t, { over: "unix" });
    let at = 0;
    const header = pattern(5000, 3);
    const got: Buffer[] = [];
    while (at < 4 * MIB) {
      const stop = new AbortController();
      const sending = failure(sendfile(near, path, { mode, offset: at, signal: stop.signal }));
      got.push(await take(far, 250_000));
      stop.abort();
      at += (await sending).sent;
    }
    const rest = collect(far);
    at += await sendfile(near, path, { mode, offset: at });
    await sendfile(near, path, { mode, header, count: 1 });
    near.end();
    assert.is(at, DATA.length);
    same(Buffer.concat([...got, await rest]), Buffer.concat([DATA, header, DATA.subarray(0, 1)]));
  });
}

row(
  "T24 TLS never goes natively: what arrives was encrypted",
  async (t) => {
    const { near, far } = await connect(t, { over: "tls" });
    const bytes = collect(far);
    let last: Progress | undefined;
    await sendfile(near, tempFile(t, DATA), { onProgress: (progress) => (last = progress) });
    near.end();
    same(await bytes, DATA);
    assert.is(last?.native, 0);
    assert.is(last?.copied, DATA.length);
  },
  lacks("the end of a TLS connection"),
);

row(
  "what was on its way when the socket went is not said to be sent",
  async (t) => {
    const { near, far } = await connect(t, { over: "unix" });
    const sending = failure(sendfile(near, DATA));
    await still(() => left(near));
    near.destroy();
    const { code, sent } = await sending;
    assert.is(code, "ERR_SENDFILE_CLOSED");
    same(await collect(far), DATA.subarray(0, sent));
  },
  lacks("progress of a write"),
);

row(
  "what somebody has written past the stream goes first",
  async (t) => {
    const { near, far } = await connect(t);
    const path = tempFile(t, DATA);
    assert.is(await sendfile(near, path, { count: 5 }), 5); // the socket has been looked at
    const inner = near as unknown as { _handle: { writeBuffer(req: object, bytes: Uint8Array): number } };
    const { binding } = process as unknown as { binding(name: string): { WriteWrap: new () => object } };
    const past = pattern(8 * MIB, 9);
    const request = Object.assign(new (binding("stream_wrap").WriteWrap)(), { handle: inner._handle, oncomplete() {} });
    assert.is(inner._handle.writeBuffer(request, past), 0);
    const sending = sendfile(near, path, { count: 70_000 });
    near.end();
    same(await collect(far), Buffer.concat([DATA.subarray(0, 5), past, DATA.subarray(0, 70_000)]));
    assert.is(await sending, 70_000);
  },
  runtime === "node" ? null : "only Node's handles are written to like this",
);

row("onProgress counts up to the end, and its exception ends the transfer", async (t) => {
  const { near, far } = await connect(t);
  const path = tempFile(t, DATA);
  const bytes = collect(far);
  const seen: number[] = [];
  await sendfile(near, path, {
    header: Buffer.from("12345"),
    onProgress(progress) {
      assert.is(progress.total, DATA.length);
      const { native: kernel, doorbell, cold, copied } = progress;
      assert.ok(kernel + doorbell + cold + copied >= progress.sent);
      seen.push(progress.sent);
    },
  });
  assert.is(seen.at(-1), DATA.length);
  assert.equal(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  const fault = new Error("no more");
  const error = await failure(
    sendfile(near, path, {
      onProgress() {
        throw fault;
      },
    }),
  );
  assert.is(error.cause, fault);
  near.end("after");
  same(await bytes, Buffer.concat([Buffer.from("12345"), DATA, DATA.subarray(0, error.sent), Buffer.from("after")]));
});

/** What is used of a socket's inside. */
interface Inside {
  _bytesDispatched: number;
  _handle: { bytesWritten: number } & Record<string, unknown>;
}

const inside = (socket: net.Socket) => socket as unknown as Inside & Record<string, unknown>;

row(
  "whoever counts the bytes of a socket or of its handle counts native ones, on a second connection of it too",
  async (t) => {
    const path = tempFile(t, DATA);
    const { near, far } = await connect(t, { side: "client" });
    const bytes = collect(far);
    near.write("before");
    await sendfile(near, path, { mode: "native" });
    const handle = inside(near)._handle;
    const counts = () => [near.bytesWritten, inside(near)._bytesDispatched];
    const all = DATA.length + 6;
    assert.equal([...counts(), handle.bytesWritten], [all, all, all]);
    near.end();
    await bytes;
    if (!near.closed) await once(near, "close");
    assert.equal(counts(), [all, all]);

    near.connect(
      await listen(
        t,
        net.createServer((socket) => socket.resume()),
      ),
    );
    await once(near, "connect");
    assert.equal([...counts(), inside(near)._handle.bytesWritten], [0, 0, 0]);
    near.destroy();
  },
  native ? lacks("a handle as Node's") : "nothing goes by the kernel here",
);

row("nothing that a transfer leaves on a socket can be enumerated", async (t) => {
  const path = tempFile(t, DATA.subarray(0, 300_000));
  const keys = async (send: (socket: net.Socket) => Promise<unknown>) => {
    const { near, far } = await connect(t);
    const bytes = collect(far);
    await send(near);
    const seen = [near, inside(near)._handle].map((object) => {
      const symbols = Object.getOwnPropertySymbols(object).filter((key) => Object.hasOwn({ ...object }, key));
      return [...Object.keys(object), ...symbols.map(String)].sort();
    });
    near.end();
    await bytes;
    return seen;
  };
  const write = (socket: net.Socket) =>
    new Promise<void>((resolve) => socket.write(fs.readFileSync(path), () => resolve()));
  const plainly = await keys(write);
  const transfers = await keys(async (socket) => {
    const sending = [sendfile(socket, path), sendfile(socket, path, { mode: "copy" })];
    await write(socket);
    await Promise.all(sending);
  });
  assert.equal(transfers, plainly);
});

/** The prototype that has the method. */
function ownerOf(object: Record<string, unknown>, name: string): Record<string, unknown> {
  let owner = object;
  while (!Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner);
  return owner;
}

for (const name of ["_writeGeneric", "writeBuffer", "writev", "writeUtf8String", "writeLatin1String"]) {
  row(
    `a socket where ${name} was replaced goes through it, before and after a first transfer`,
    async (t) => {
      const path = tempFile(t, DATA);
      for (const when of ["before", "after", "for all"] as const) {
        const { near, far } = await connect(t);
        const bytes = collect(far);
        if (when === "after") await sendfile(near, path, { count: 10 });
        const direct = name.startsWith("_") ? inside(near) : inside(near)._handle;
        const owner = when === "for all" ? ownerOf(direct, name) : direct;
        const real = owner[name] as (...args: unknown[]) => unknown;
        if (when === "for all") t.after(() => Object.assign(owner, { [name]: real }));
        let calls = 0;
        owner[name] = function (this: unknown, ...args: unknown[]) {
          calls++;
          return real.apply(this, args);
        };
        let last: Progress | undefined;
        await sendfile(near, path, { header: Buffer.from("header"), onProgress: (progress) => (last = progress) });
        assert.is(last?.native, 0, when);
        assert.is(last?.copied, DATA.length + 6, when);
        if (name === "_writeGeneric" || name === "writeBuffer") assert.ok(calls > 0, when);
        near.end();
        const first = when === "after" ? DATA.subarray(0, 10) : Buffer.alloc(0);
        same(await bytes, Buffer.concat([first, Buffer.from("header"), DATA]), when);
      }
    },
    lacks("a handle as Node's"),
  );
}

test.run();
