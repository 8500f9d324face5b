// What can be sent besides files, and where to besides sockets. T24 to T26 for streams.

import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import * as dgram from "node:dgram";
import { getEventListeners, once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import type * as net from "node:net";
import { PassThrough, Readable, Transform, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { createGzip, gunzipSync } from "node:zlib";
import { type File, sendfile } from "sendoff";
import * as assert from "uvu/assert";
import { pattern, same } from "./lib/bytes.js";
import { collect, connect, listen, still, take, until } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { openFd, tempFile } from "./lib/files.js";
import { lacks, RUN } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";

const DATA = pattern(1_500_007);
const TEXT = "grüße, 世界";

/** Each source of the same bytes. */
const SOURCES: [string, (t: Cleanup) => File | Promise<File>][] = [
  ["Uint8Array", () => new Uint8Array(DATA)],
  ["Buffer that is a part of another", () => Buffer.concat([Buffer.from("x"), DATA, Buffer.from("y")]).subarray(1, -1)],
  ["ArrayBuffer", () => new Uint8Array(DATA).buffer],
  ["DataView", () => new DataView(new Uint8Array(DATA).buffer)],
  ["Blob", () => new Blob([DATA.subarray(0, 1000), DATA.subarray(1000)])],
  ["fs.openAsBlob", (t) => fs.openAsBlob(tempFile(t, DATA))],
  ["fs.createReadStream", (t) => fs.createReadStream(tempFile(t, DATA))],
  ["Readable", () => Readable.from([DATA.subarray(0, 10), DATA.subarray(10)], { objectMode: false })],
  ["PassThrough", () => new PassThrough().end(DATA)],
  ["web ReadableStream", () => new Blob([DATA]).stream() as unknown as File],
  [
    "async iterable, empty chunks among others",
    async function* () {
      yield new Uint8Array(0);
      yield DATA.subarray(0, 7);
      yield new Uint8Array(0);
      yield DATA.subarray(7);
    } as unknown as () => File,
  ],
];

for (const [name, make] of SOURCES) {
  const once = name.includes("tream") || name.includes("able") || name.includes("Through");

  row(`a ${name} arrives whole, with header and trailer`, async (t) => {
    const { near, far } = await connect(t);
    const bytes = collect(far);
    const around = { header: Buffer.from("<"), trailer: Buffer.from(">") };
    assert.is(await sendfile(near, await make(t), around), DATA.length);
    near.end();
    same(await bytes, Buffer.concat([around.header, DATA, around.trailer]));
  });

  row(`a ${name}: count`, async (t) => {
    const { near, far } = await connect(t);
    const bytes = collect(far);
    assert.is(await sendfile(near, await make(t), { count: 600_000 }), 600_000);
    near.end();
    same(await bytes, DATA.subarray(0, 600_000));
  });

  row(`a ${name}: offset`, async (t) => {
    const { near, far } = await connect(t);
    const bytes = collect(far);
    const sending = sendfile(near, await make(t), { offset: 1000, count: 5000 });
    if (once) assert.is((await failure(sending)).code, "ESPIPE");
    else assert.is(await sending, 5000);
    near.end();
    same(await bytes, once ? Buffer.alloc(0) : DATA.subarray(1000, 6000));
  });
}

row("a stream is destroyed and an iterator returned on every way out", async (t) => {
  const { near } = await connect(t, { over: "unix" });
  for (const way of ["abort", "abort before its turn", "count"]) {
    let returned = 0;
    const iterable = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: Buffer.alloc(100_000) }),
        return: async () => {
          returned++;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const stream = new Readable({
      read() {
        setImmediate(() => this.push(Buffer.alloc(100_000)));
      },
    });
    if (way === "count") {
      const line = await connect(t);
      line.far.resume();
      await sendfile(line.near, iterable, { count: 10 });
      await sendfile(line.near, stream, { count: 10 });
    } else {
      for (const file of [iterable, stream]) {
        const stop = new AbortController();
        const sending = failure(sendfile(near, file, { signal: stop.signal }));
        if (way === "abort") await still(() => near.bytesWritten);
        stop.abort();
        assert.is((await sending).code, "ERR_SENDFILE_ABORTED");
      }
    }
    assert.is(returned, 1, way);
    assert.is(stream.destroyed, true, way);
  }
});

row("a source that fails: its error, with the bytes that went before", async (t) => {
  const fault = Object.assign(new Error("the disk is on fire"), { code: "EIO" });
  const { near, far } = await connect(t);
  async function* source() {
    yield DATA.subarray(0, 1000);
    throw fault;
  }
  const error = await failure(sendfile(near, source()));
  assert.is(error.name, "SendfileError");
  assert.is(error.code, "EIO");
  assert.is(error.cause, fault);
  assert.is(error.sent, 1000);
  const destroyed = new PassThrough();
  destroyed.write(DATA.subarray(0, 10));
  const cut = failure(sendfile(near, destroyed));
  setImmediate(() => destroyed.destroy());
  const premature = await cut;
  assert.is(premature.name, "SendfileError");
  near.end();
  same(await collect(far), Buffer.concat([DATA.subarray(0, 1000), DATA.subarray(0, premature.sent)]));
});

row("whatever a source throws is a failure, never taken for the end", async (t) => {
  const { near, far } = await connect(t);
  let total = 0;
  for (const thrown of [undefined, null, 0, "", "text", new Error("no code"), new DOMException("x", "DataError")]) {
    async function* source() {
      yield DATA.subarray(0, 1000);
      throw thrown;
    }
    const error = await failure(sendfile(near, source()));
    assert.is(error.name, "SendfileError", String(thrown));
    assert.type(error.code, "string");
    assert.is(error.sent, 1000);
    const progress = await failure(
      sendfile(near, DATA, {
        count: 10,
        onProgress() {
          throw thrown;
        },
      }),
    );
    assert.is(progress.name, "SendfileError", String(thrown));
    total += 1000 + progress.sent;
  }
  near.end();
  assert.is((await collect(far)).length, total);
});

row(
  "a Blob of a file that was changed meanwhile is a failure",
  async (t) => {
    const path = tempFile(t, DATA);
    const blob = await fs.openAsBlob(path);
    fs.writeFileSync(path, DATA.subarray(1));
    const { near, far } = await connect(t);
    const error = await failure(sendfile(near, blob));
    assert.is(error.name, "SendfileError");
    assert.type(error.code, "string");
    assert.is((error.cause as Error).name, "NotReadableError");
    assert.is(error.sent, 0);
    near.end();
    same(await collect(far), Buffer.alloc(0));
  },
  lacks("a Blob of a file is the file"),
);

row("a stream that fails before its turn is its transfer's failure, and nobody else's", async (t) => {
  const { near, far } = await connect(t, { over: "unix" });
  const first = sendfile(near, DATA);
  const missing = fs.createReadStream("/does/not/exist");
  const second = failure(sendfile(near, missing));
  const third = sendfile(near, DATA, { count: 10 });
  await new Promise((closed) => missing.on("close", closed));
  const bytes = collect(far);
  assert.is(await first, DATA.length);
  const error = await second;
  assert.is(error.name, "SendfileError");
  assert.is(error.code, "ENOENT");
  assert.is(error.sent, 0);
  assert.is(await third, 10);
  near.end();
  same(await bytes, Buffer.concat([DATA, DATA.subarray(0, 10)]));
});

row("T26 text is refused: a stream with an encoding, an iterable of strings", async (t) => {
  const { near, far } = await connect(t);
  const words = /^file should be opened in binary mode$/;
  const encoded = Readable.from([TEXT]).setEncoding("utf8");
  for (const file of [encoded, fs.createReadStream(tempFile(t, DATA), { encoding: "utf8" })]) {
    file.on("error", () => {});
    const error = await failure(sendfile(near, file));
    assert.instance(error, TypeError);
    assert.match(error.message, words);
    file.destroy();
  }
  async function* strings() {
    yield TEXT as unknown as Uint8Array;
  }
  assert.match((await failure(sendfile(near, strings()))).message, words);
  const objects = Readable.from([{ a: 1 }]);
  assert.match((await failure(sendfile(near, objects))).message, /object mode/);
  near.end();
  same(await collect(far), Buffer.alloc(0));
});

// Targets

/** Takes in what it is written, a little later. */
function sink(options: { batches?: boolean; highWaterMark?: number } = {}) {
  const chunks: Buffer[] = [];
  const later = (done: () => void) => setImmediate(done);
  const target = new Writable({
    highWaterMark: options.highWaterMark,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      later(done);
    },
    ...(options.batches && {
      writev(batch: { chunk: Buffer }[], done: () => void) {
        for (const { chunk } of batch) chunks.push(Buffer.from(chunk));
        later(done);
      },
    }),
  });
  return { target, bytes: () => Buffer.concat(chunks) };
}

for (const batches of [false, true]) {
  row(`a Writable${batches ? " with writev" : ""} gets everything in order`, async (t) => {
    const { target, bytes } = sink({ batches, highWaterMark: 10 });
    const path = tempFile(t, DATA);
    target.write("A");
    target.write("B");
    const first = sendfile(target, path, { header: Buffer.from("<"), trailer: Buffer.from(">") });
    target.write("C");
    target.write("D");
    const second = sendfile(target, path, { count: 5 });
    target.end("E");
    assert.is(await first, DATA.length);
    assert.is(await second, 5);
    await once(target, "finish");
    const parts = ["AB<", DATA, ">CD", DATA.subarray(0, 5), "E"];
    same(bytes(), Buffer.concat(parts.map((part) => Buffer.from(part as string))));
  });
}

row("a PassThrough, a Transform and a gzip get everything in order", async (t) => {
  const path = tempFile(t, DATA);
  const flip = new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, Buffer.from(chunk.map((byte) => byte ^ 1))),
  });
  const flipped = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 1));
  const cases: [Transform, (bytes: Buffer) => Buffer][] = [
    [new PassThrough(), (bytes) => bytes],
    [flip, flipped],
    [createGzip({ level: 1 }), gunzipSync],
  ];
  for (const [target, undo] of cases) {
    const bytes = collect(target);
    target.write("A");
    const sending = sendfile(target, path);
    target.end("B");
    assert.is(await sending, DATA.length);
    same(undo(await bytes), Buffer.concat([Buffer.from("A"), DATA, Buffer.from("B")]));
  }
});

row("a Writable that fails or is destroyed ends the transfer", async (t) => {
  const path = tempFile(t, DATA);
  const fault = Object.assign(new Error("no space"), { code: "ENOSPC" });
  const failing = new Writable({ write: (_chunk, _encoding, done) => done(fault) });
  failing.on("error", () => {});
  const error = await failure(sendfile(failing, path));
  assert.is(error.code, "ENOSPC");
  assert.is(error.cause, fault);
  assert.is(error.sent, 0);
  const silent = new Writable({ write() {} });
  const sending = failure(sendfile(silent, path));
  setTimeout(() => silent.destroy(), 5);
  assert.is((await sending).code, "ERR_SENDFILE_CLOSED");
});

row(
  "process.stdout, as a socketpair, a pipe and a file",
  async (t) => {
    const path = tempFile(t, DATA);
    const out = `${path}.out`;
    const wanted = Buffer.concat([Buffer.from("A"), DATA, Buffer.from("B")]);
    const program = fileURLToPath(new URL("../../test/fixtures/stdout.mjs", import.meta.url));
    const command = [process.execPath, ...RUN, program, path, String(DATA.length)];
    const run = async (script: string) => {
      const args = ["-c", script, out, ...command];
      const child = spawn("sh", args, { stdio: ["ignore", "pipe", "inherit"] });
      t.after(() => child.kill());
      const [bytes, [code]] = await Promise.all([collect(child.stdout), once(child, "close")]);
      assert.is(code, 0, script);
      return bytes;
    };
    same(await run('exec "$@"'), wanted, "socketpair");
    same(await run('"$@" | cat'), wanted, "pipe");
    await run('exec "$@" >"$0"');
    same(fs.readFileSync(out), wanted, "file");
  },
  lacks("stdout is a stream"),
);

/** One request to a server of its own; gives the response whole. */
async function request(t: Cleanup, listener: http.RequestListener, allowed = 1): Promise<string> {
  const server = http.createServer(listener);
  const address = (await listen(t, server)) as { host: string; port: number };
  t.after(() => server.closeAllConnections());
  const client = (await import("node:net")).connect(address);
  client.on("error", () => {});
  t.after(() => client.destroy());
  for (let i = 1; i <= allowed; i++) {
    client.write(`GET /${i} HTTP/1.1\r\nHost: localhost\r\n${i === allowed ? "Connection: close\r\n" : ""}\r\n`);
  }
  return (await collect(client)).toString("latin1");
}

const body = (answer: string) => Buffer.from(answer.slice(answer.indexOf("\r\n\r\n") + 4), "latin1");

row("an http.ServerResponse, with a length, chunked, and pipelined", async (t) => {
  const path = tempFile(t, DATA);
  const sized = await request(t, async (_request, response) => {
    response.writeHead(200, { "content-length": DATA.length + 2 });
    response.write("A");
    await sendfile(response, path);
    response.end("B");
  });
  same(body(sized), Buffer.concat([Buffer.from("A"), DATA, Buffer.from("B")]));

  const chunked = await request(t, async (_request, response) => {
    await sendfile(response, path);
    response.end();
  });
  assert.match(chunked, /transfer-encoding: chunked/i);
  const bytes = body(chunked);
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf("\r\n", at);
    const length = Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (length === 0) break;
    parts.push(bytes.subarray(line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
  same(Buffer.concat(parts), DATA);

  const three = await request(
    t,
    async ({ url }, response) => {
      response.writeHead(200, { "content-length": 100_000 });
      await sendfile(response, path, { offset: Number(url?.slice(1)), count: 100_000 });
      response.end();
    },
    3,
  );
  let rest = Buffer.from(three, "latin1");
  for (const offset of [1, 2, 3]) {
    rest = rest.subarray(rest.indexOf("\r\n\r\n") + 4);
    same(rest.subarray(0, 100_000), DATA.subarray(offset, offset + 100_000), `response ${offset}`);
    rest = rest.subarray(100_000);
  }
  assert.is(rest.length, 0);
});

row("a client that leaves ends the transfer into an http.ServerResponse", async (t) => {
  const path = tempFile(t, DATA);
  fs.truncateSync(path, 256 * 1024 * 1024);
  let sending: ReturnType<typeof failure> | undefined;
  const server = http.createServer((_request, response) => {
    response.on("error", () => {});
    sending = failure(sendfile(response, path));
  });
  const address = (await listen(t, server)) as net.TcpNetConnectOpts;
  const client = http.get(address as http.RequestOptions);
  client.on("error", () => {});
  const [response] = (await once(client, "response")) as [http.IncomingMessage];
  response.on("error", () => {});
  await take(response as unknown as net.Socket, 1000);
  response.destroy();
  const error = (await sending) as Awaited<ReturnType<typeof failure>>;
  assert.is(error.code, "ERR_SENDFILE_CLOSED");
  assert.ok(error.sent > 0 && error.sent < 256 * 1024 * 1024);
});

row("T25 datagrams are refused, bound and connected", async (t) => {
  const path = tempFile(t, DATA);
  for (const type of ["udp4", "udp6"] as const) {
    const socket = dgram.createSocket(type);
    t.after(() => socket.close());
    const error = await failure(sendfile(socket as unknown as Writable, path));
    assert.instance(error, TypeError);
    assert.is(error.message, "only SOCK_STREAM type sockets are supported");
    assert.is(error.code, "ERR_INVALID_ARG_TYPE");
  }
});

row("T26 a target in object mode, or ended, or destroyed is refused", async (t) => {
  const fd = openFd(t, tempFile(t, DATA));
  const objects = new PassThrough({ objectMode: true });
  assert.match((await failure(sendfile(objects, fd))).message, /object mode/);
  const ended = new PassThrough();
  ended.end();
  assert.is((await failure(sendfile(ended, fd))).code, "ERR_SENDFILE_CLOSED");
  const destroyed = new PassThrough();
  destroyed.destroy();
  assert.is((await failure(sendfile(destroyed, fd))).code, "ERR_SENDFILE_CLOSED");
});

row("transfers that wait behind one on a response all fail when the client vanishes", async (t) => {
  const path = tempFile(t, pattern(32 << 20));
  let sendings: Promise<unknown>[] = [];
  const server = http.createServer((_request, response) => {
    response.on("error", () => {});
    sendings = [0, 1, 2].map(() => failure(sendfile(response, path)));
  });
  const address = (await listen(t, server)) as net.TcpNetConnectOpts;
  const client = http.get(address as http.RequestOptions);
  client.on("error", () => {});
  const [response] = (await once(client, "response")) as [http.IncomingMessage];
  response.on("error", () => {}).pause();
  response.destroy();
  const errors = (await Promise.all(sendings)) as Awaited<ReturnType<typeof failure>>[];
  assert.equal(
    errors.map(({ code }) => code),
    Array(3).fill("ERR_SENDFILE_CLOSED"),
  );
});

row("what a source throws at its end stops neither the promise nor the queue", async (t) => {
  const { near, far } = await connect(t);
  const bytes = collect(far);
  const bad = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => {}),
      return(): never {
        throw new Error("no");
      },
    }),
  } as AsyncIterable<Uint8Array>;
  const error = await failure(sendfile(near, bad, { signal: AbortSignal.timeout(1) }));
  assert.is(error.code, "ERR_SENDFILE_ABORTED");
  assert.is(await sendfile(near, DATA, { count: 10 }), 10);
  near.end();
  same(await bytes, DATA.subarray(0, 10));
});

row("a buffer that is taken away in mid-transfer fails it, and the queue goes on", async (t) => {
  const { near, far } = await connect(t);
  const taken = new Uint8Array(32 << 20);
  const sending = failure(sendfile(near, taken));
  await still(() => near.bytesWritten);
  structuredClone(taken.buffer, { transfer: [taken.buffer] });
  far.resume();
  // The kernel refuses the memory of the write that is under way; or the next piece can't be made.
  assert.ok(["EFAULT", "ERR_SENDFILE_FAILED", "ERR_INVALID_ARG_TYPE"].includes((await sending).code));
  assert.is(await sendfile(near, DATA, { count: 10 }), 10);
});

row("a Writable that has only writev", async () => {
  const got: Buffer[] = [];
  const target = new Writable({
    writev(chunks, done) {
      got.push(...chunks.map(({ chunk }) => chunk as Buffer));
      setImmediate(done);
    },
  });
  target.write("a");
  target.write("b");
  assert.is(await sendfile(target, DATA, { count: 10 }), 10);
  await new Promise((resolve) => target.end("c", () => resolve(null)));
  same(Buffer.concat(got), Buffer.concat([Buffer.from("ab"), DATA.subarray(0, 10), Buffer.from("c")]));
});

row("what is written to through a write() of its own is written to again after 'drain', and not before", async () => {
  let writes = 0;
  const taken: (() => void)[] = [];
  const target = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void taken.push(done) });
  const { write } = target;
  target.write = function (this: Writable, ...args: unknown[]) {
    writes++;
    return Reflect.apply(write, this, args) as boolean;
  };
  const bytes = pattern(3 << 20);
  const sending = sendfile(target, bytes);
  let over = false;
  void sending.then(() => (over = true));
  let drained = 0;
  for (; ; drained++) {
    await until(() => over || taken.length > 0);
    if (over) break;
    for (let i = 0; i < 10; i++) await new Promise((next) => setImmediate(next)); // it could write more by now
    assert.is(writes, drained + 1);
    taken.shift()?.();
  }
  assert.is(await sending, bytes.length);
  assert.ok(writes > 1);
  assert.is(writes, drained);
});

row("an AbortSignal that outlives its transfers keeps no listener", async (t) => {
  const { near } = await connect(t, { over: "unix" });
  const stop = new AbortController();
  const { signal } = stop;
  await Promise.all([1, 2].map((count) => sendfile(near, DATA, { count, signal })));
  assert.is(getEventListeners(signal, "abort").length, 0);
  assert.is(await sendfile(near, DATA, { count: 3, signal }), 3);
  assert.is(getEventListeners(signal, "abort").length, 0);
});

row("one AbortSignal for many transfers warns of no leak", async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  const stop = new AbortController();
  const { near } = await connect(t, { over: "unix" });
  const path = tempFile(t, DATA);
  const sendings = Array.from({ length: 20 }, () => failure(sendfile(near, path, { signal: stop.signal })));
  stop.abort();
  for (const error of await Promise.all(sendings)) assert.is(error.code, "ERR_SENDFILE_ABORTED");
  await new Promise((resolve) => setImmediate(resolve));
  process.removeListener("warning", onWarning);
  assert.equal(warnings, []);
});

row("whoever aborts, the source is told in the async context of the caller", async (t) => {
  const als = new AsyncLocalStorage<string>();
  const { near } = await connect(t, { over: "unix" });
  const stop = new AbortController();
  let seen: string | undefined;
  const source = async function* () {
    try {
      for (;;) yield pattern(64 << 10);
    } finally {
      seen = als.getStore();
    }
  };
  const sending = als.run("caller", () => failure(sendfile(near, source(), { signal: stop.signal })));
  await still(() => near.bytesWritten);
  als.run("aborter", () => stop.abort());
  assert.is((await sending).code, "ERR_SENDFILE_ABORTED");
  while (seen === undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.is(seen, "caller");
});

test.run();
