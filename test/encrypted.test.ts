// Copies from the page cache: over TLS, HTTP/2, and wherever else the kernel can't send. By a host whose calls are
// counted and can fail; a read by the thread pool is one of the FileHandle's.

import { once } from "node:events";
import * as fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import * as net from "node:net";
import * as tls from "node:tls";
import { capabilities } from "sendoff";
import * as assert from "uvu/assert";
import { Fault } from "../assembly/abi.js";
import { type RespondOptions, respond } from "../host/http/respond.js";
import { serveStatic } from "../host/http/static.js";
import { pattern, same } from "./lib/bytes.js";
import { certificate } from "./lib/certificate.js";
import { collect, connect, keep, listen, still, take, until } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { type Call, type FaultyHost, faultyHost, type Verdict } from "./lib/faulty.js";
import { fdCount, openHandle, tempFile, tempFolder } from "./lib/files.js";
import { noNowait } from "./lib/nowait.js";
import { runtime } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";

const KIB = 1 << 10;
const MIB = 1 << 20;
/** The most bytes of a file in one copy from the page cache, of one system call, and of a TLS record. */
const CHUNK = 256 * KIB;
const CALL = 32 * KIB;
const RECORD = 16 * KIB;
const SIZES = [0, 1, RECORD - 1, RECORD, RECORD + 1, CALL - 1, CALL, CALL + 1, CHUNK - 1, CHUNK, CHUNK + 1, 700_001];
const DATA = pattern(5 * MIB + 123);

const { native, reason } = capabilities();
const off = native ? (runtime === "node" ? noNowait : "its TLS is another") : (reason as string);

/** The system calls that read `size` bytes. */
function calls(size: number): number {
  const rest = size % CHUNK;
  return Math.floor(size / CHUNK) * (CHUNK / CALL) + Math.ceil(rest / CALL);
}

interface Warm extends FaultyHost {
  /** Bytes read from the page cache. */
  bytes(): number;
}

/** A host for which every byte is cached, unless `judge` says otherwise: a page can be locked for a moment. */
function warm(judge: (call: Call) => Verdict = () => null): Warm {
  let judged: Verdict = null;
  const host = faultyHost({ judge: (call) => (judged = judge(call)) });
  const { read } = host.sys;
  let bytes = 0;
  host.sys.read = (file, ptr, offset, count) => {
    let n = read(file, ptr, offset, count);
    while (n === -Fault.WouldBlock && judged === null) {
      host.calls.pop();
      fs.readSync(file, Buffer.alloc(count), 0, count, offset);
      n = read(file, ptr, offset, count);
    }
    bytes += Math.max(n, 0);
    return n;
  };
  return { ...host, sys: host.sys, calls: host.calls, bytes: () => bytes };
}

interface Counted {
  handle: FileHandle;
  /** Reads by the thread pool. */
  pool: () => number;
}

async function counted(t: Cleanup, path: string, flags?: string): Promise<Counted> {
  const handle = await openHandle(t, path, flags);
  let pool = 0;
  const { read } = handle;
  Object.defineProperty(handle, "read", {
    value(...args: never[]) {
      pool++;
      return (read as (...args: never[]) => unknown).apply(handle, args);
    },
  });
  return { handle, pool: () => pool };
}

type Listener = (req: http.IncomingMessage, res: http.ServerResponse) => void;

async function serve(
  t: Cleanup,
  listener: Listener,
  options: tls.SecureContextOptions = {},
): Promise<net.NetConnectOpts> {
  const server = https.createServer({ ...certificate(), ...options }, listener);
  server.on("tlsClientError", () => {});
  server.on("secureConnection", (socket: tls.TLSSocket) => keep(t, socket));
  return listen(t, server);
}

interface Answer {
  status: number | undefined;
  body: Buffer;
}

/** One request; rejects if the answer breaks off. */
async function get(address: net.NetConnectOpts, path = "/", agent: https.Agent | false = false): Promise<Answer> {
  const request = https.get({ ...(address as object), path, agent, rejectUnauthorized: false });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  return { status: response.statusCode, body: await collect(response) };
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  row(
    `${version}: the bytes of every size around a bound, none of them by the pool`,
    async (t) => {
      const host = warm();
      const file = await counted(t, tempFile(t, DATA));
      let sent = -1;
      const address = await serve(
        t,
        (req, res) => {
          const count = Number(req.url?.slice(1));
          respond(host.shared, req, res, file.handle, { offset: 77, count }).then((n) => {
            sent = n;
          }, assert.unreachable);
        },
        { minVersion: version, maxVersion: version },
      );
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      t.after(() => agent.destroy());
      for (const size of SIZES) {
        const before = host.calls.length;
        const { body } = await get(address, `/${size}`, agent);
        same(body, DATA.subarray(77, 77 + size), `${size} bytes`);
        await until(() => sent === size);
        const made = host.calls.slice(before);
        assert.ok(
          made.every(({ name }) => name === "read"),
          "nothing goes past TLS",
        );
        assert.is(made.length, calls(size), `${size} bytes`);
      }
      assert.is(file.pool(), 0);
    },
    off,
  );
}

row(
  "HTTP/2: the bytes of every size around a bound, none of them by the pool",
  async (t) => {
    const host = warm();
    const file = await counted(t, tempFile(t, DATA));
    const server = http2.createSecureServer(certificate(), (req, res) => {
      const count = Number(req.url.slice(1));
      const [request, response] = [req, res] as unknown as Parameters<Listener>;
      respond(host.shared, request, response, file.handle, { offset: 5, count }).catch(assert.unreachable);
    });
    const { port } = (await listen(t, server)) as { port: number };
    const client = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    t.after(() => client.destroy());
    for (const size of SIZES) {
      const before = host.calls.length;
      const body = await collect(client.request({ ":path": `/${size}` }));
      same(body, DATA.subarray(5, 5 + size), `${size} bytes`);
      assert.is(host.calls.length - before, calls(size), `${size} bytes`);
    }
    assert.is(file.pool(), 0);
  },
  off,
);

row(
  "TLS: header and a small body are one record",
  async (t) => {
    const host = warm();
    const file = await counted(t, tempFile(t, DATA));
    const options = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
    const address = await serve(
      t,
      (req, res) => void respond(host.shared, req, res, file.handle, { count: 4 * KIB }).catch(assert.unreachable),
      options,
    );
    // What the server has sent, still encrypted.
    const parts: Buffer[] = [];
    const relay = net.createServer((near) => {
      const far = net.connect(address);
      keep(t, near);
      keep(t, far);
      far.on("data", (part: Buffer) => parts.push(part));
      near.pipe(far).pipe(near);
    });
    const { body } = await get(await listen(t, relay));
    same(body, DATA.subarray(0, 4 * KIB));
    const wire = Buffer.concat(parts);
    const data: number[] = [];
    for (let at = 0; at < wire.length; at += 5 + wire.readUInt16BE(at + 3)) {
      if (wire[at] === 23) data.push(wire.readUInt16BE(at + 3)); // application data: RFC 5246 section 6.2.1
    }
    assert.is(data.length, 1, `records of ${data} bytes`);
  },
  off,
);

row(
  "TLS: the answers of a pipeline arrive in order",
  async (t) => {
    const host = warm();
    const file = await counted(t, tempFile(t, DATA));
    const address = await serve(t, (req, res) => {
      const [, offset, count] = (req.url as string).split("/").map(Number);
      respond(host.shared, req, res, file.handle, { offset, count } as RespondOptions).catch(assert.unreachable);
    });
    const socket = tls.connect({ ...address, rejectUnauthorized: false });
    keep(t, socket);
    const ranges = [
      [10, 300_000],
      [5, 1],
      [99, 70_000],
      [0, 0],
      [1000, 20],
    ] as const;
    const last = (i: number) => (i === ranges.length - 1 ? "Connection: close\r\n" : "");
    socket.write(ranges.map(([at, n], i) => `GET /${at}/${n} HTTP/1.1\r\nHost: x\r\n${last(i)}\r\n`).join(""));
    let rest = await collect(socket);
    for (const [at, n] of ranges) {
      const head = rest.indexOf("\r\n\r\n") + 4;
      assert.match(rest.subarray(0, head).toString("latin1"), `Content-Length: ${n}\r\n`);
      same(rest.subarray(head, head + n), DATA.subarray(at, at + n), `${n} bytes from ${at}`);
      rest = rest.subarray(head + n);
    }
    assert.is(rest.length, 0);
  },
  off,
);

row(
  "TLS: header, file, trailer and the writes around them arrive in order",
  async (t) => {
    const host = warm();
    for (const header of [10, 4 * KIB, 4 * KIB + 1, 300_000]) {
      const file = await counted(t, tempFile(t, DATA));
      const { near, far } = await connect(t, { over: "tls" });
      const bytes = collect(far);
      near.write("before");
      const [head, trailer] = [pattern(header, 3), pattern(100, 4)];
      const sending = host.sendfile(near, file.handle, { header: head, trailer });
      near.end("after");
      assert.is(await sending, DATA.length);
      same(await bytes, Buffer.concat([Buffer.from("before"), head, DATA, trailer, Buffer.from("after")]));
      assert.is(file.pool(), 0);
    }
  },
  off,
);

for (const mode of ["auto", "copy"] as const) {
  for (const fate of ["EAGAIN", "EIO", "ENOSYS", { atMost: 7 }] as const) {
    const words = typeof fate === "string" ? fate : "a short read";
    for (const lasting of typeof fate === "string" ? [false, true] : [false]) {
      row(
        `${words} at the nth read, ${lasting ? "and at all later ones" : "once"}, ${mode}: the bytes are right`,
        async (t) => {
          const data = DATA.subarray(0, CHUNK + 3 * CALL);
          const path = tempFile(t, data);
          for (let nth = 1; ; nth++) {
            let met = false;
            const host = warm((call) => {
              if (call.nth !== nth && !(lasting && call.nth > nth)) return null;
              met = true;
              return fate;
            });
            const file = await counted(t, path);
            const { near, far } = await connect(t, { over: mode === "auto" ? "tls" : "tcp" });
            const bytes = collect(far);
            const header = Buffer.from("header");
            const trailer = Buffer.from("trailer");
            assert.is(await host.sendfile(near, file.handle, { header, trailer, mode }), data.length);
            near.end();
            same(await bytes, Buffer.concat([header, data, trailer]), `${nth}`);
            await file.handle.close();
            if (!met) return void assert.is(file.pool(), 0);
            // Bytes that were read before the refusal go first, and the next copy asks once more.
            const first = nth === 1 || nth === CHUNK / CALL + 1;
            if (typeof fate === "string" && (lasting || first)) assert.ok(file.pool() > 0, `${nth}`);
            if (lasting) assert.ok(host.calls.length <= nth + 1, `${nth}: asked again and again`);
          }
        },
        off,
      );
    }
  }
}

row(
  "TLS: from the first cold byte on the pool reads, and nobody asks again",
  async (t) => {
    const host = warm(({ nth }) => (nth === calls(CHUNK) + 1 ? "EAGAIN" : null));
    const file = await counted(t, tempFile(t, DATA));
    const { near, far } = await connect(t, { over: "tls" });
    const bytes = collect(far);
    assert.is(await host.sendfile(near, file.handle), DATA.length);
    near.end();
    same(await bytes, DATA);
    assert.is(host.calls.length, calls(CHUNK) + 1);
    assert.is(file.pool(), Math.ceil(DATA.length / (512 * KIB)), "up to each multiple of 512 KiB");
  },
  off,
);

row(
  "TLS: a file truncated in the middle is an error, and nothing but its bytes was sent",
  async (t) => {
    const size = 3 * CHUNK;
    for (const rest of [1000, CHUNK, CHUNK + CALL + 1, 2 * CHUNK]) {
      const path = tempFile(t, DATA.subarray(0, size));
      // After the first call of the second chunk: buffers that were used before are full of other bytes.
      const host = warm(({ nth }) => {
        if (nth === calls(size) + CHUNK / CALL + 1) fs.truncateSync(path, rest);
        return null;
      });
      const canary = await connect(t, { over: "tls" });
      const full = collect(canary.far);
      await host.sendfile(canary.near, await openHandle(t, tempFile(t, Buffer.alloc(size, 0xaa))));
      canary.near.end();
      assert.is((await full).length, size);

      const file = await counted(t, path);
      let failed: Promise<unknown> | undefined;
      const address = await serve(t, (req, res) => {
        failed = failure(respond(host.shared, req, res, file.handle));
      });
      const socket = tls.connect({ ...address, rejectUnauthorized: false });
      keep(t, socket);
      const parts: Buffer[] = [];
      socket.on("data", (part: Buffer) => parts.push(part));
      socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await once(socket, "close");
      const { code, sent } = (await failed) as { code: string; sent: number };
      assert.is(code, "ERR_SENDFILE_TRUNCATED");
      const wire = Buffer.concat(parts);
      const body = wire.subarray(wire.indexOf("\r\n\r\n") + 4);
      assert.ok(body.length <= sent && sent < size, `${body.length} came of ${sent}`);
      same(body, DATA.subarray(0, body.length));
    }
  },
  off,
);

row(
  "TLS: no more is read ahead of a slow reader than one chunk",
  async (t) => {
    const size = 32 * MIB;
    const path = tempFile(t, Buffer.alloc(size, 7));
    const host = warm();
    const file = await counted(t, path);
    const { near, far } = await connect(t, { over: "tls" });
    const sending = failure(host.sendfile(near, file.handle));
    await still(() => host.bytes());
    const read = host.bytes();
    assert.ok(read < size);
    let came = 0;
    far.on("data", (part: Buffer) => (came += part.length));
    near.destroy();
    await once(far, "close");
    assert.is((await sending).code, "ERR_SENDFILE_CLOSED");
    // A record of which only a part is here does not count.
    assert.ok(read - came <= CHUNK + RECORD, `${read} bytes were read, ${came} came`);
    assert.is(file.pool(), 0);
  },
  off,
);

for (const over of ["tls", "tcp"] as const) {
  row(
    `T28 ${over}: a buffer is not used again before its write is over`,
    async (t) => {
      const host = warm();
      const sends = [];
      for (let i = 1; i <= 4; i++) {
        const { near, far } = await connect(t, { over });
        const data = pattern(24 * MIB, i);
        const sending = host.sendfile(near, tempFile(t, data), { mode: "copy" });
        sends.push({ near, far, data, sending });
      }
      await still(() => host.bytes());
      for (let i = 0; i < 3; i++) {
        const { near, far } = await connect(t, { over });
        const bytes = collect(far);
        await host.sendfile(near, tempFile(t, Buffer.alloc(2 * MIB, i)), { mode: "copy" });
        near.end();
        same(await bytes, Buffer.alloc(2 * MIB, i));
      }
      for (const { near, far, data, sending } of sends) {
        const bytes = collect(far);
        assert.is(await sending, data.length);
        near.end();
        same(await bytes, data);
      }
    },
    off,
  );
}

row(
  "TLS: clients that vanish leave no fd, and no bytes for others",
  async (t) => {
    const host = warm();
    const path = tempFile(t, DATA);
    const codes: string[] = [];
    let over = 0;
    const address = await serve(t, (req, res) => {
      respond(host.shared, req, res, path)
        .catch(({ code }) => codes.push(code))
        .finally(() => over++);
    });
    const AGAIN = 10;
    for (let i = 0; i < AGAIN; i++) {
      const socket = tls.connect({ ...address, rejectUnauthorized: false });
      keep(t, socket);
      socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await take(socket, 1 + i * 100_000);
      socket.destroy();
    }
    await until(() => over === AGAIN);
    for (const code of codes) assert.is(code, "ERR_SENDFILE_CLOSED");
    assert.is(fdCount(path), 0);
    same((await get(address)).body, DATA);
  },
  off,
);

row(
  "mode 'native' is refused over TLS before the header is sent",
  async (t) => {
    const host = warm();
    const file = await counted(t, tempFile(t, DATA));
    const address = await serve(t, (req, res) => {
      respond(host.shared, req, res, file.handle, { mode: "native" }).catch(({ code }) =>
        res.writeHead(500, { "Content-Length": code.length }).end(code),
      );
    });
    const { status, body } = await get(address);
    assert.is(status, 500);
    assert.is(body.toString(), "ERR_SENDFILE_NOT_AVAILABLE");
    assert.is(host.calls.length, 0);
  },
  off,
);

row(
  "a response over TLS whose write() was replaced gets the body by it",
  async (t) => {
    const host = warm();
    const file = await counted(t, tempFile(t, DATA));
    const address = await serve(t, (req, res) => {
      const write = res.write.bind(res) as (chunk: Uint8Array, encoding?: unknown, callback?: unknown) => boolean;
      res.write = ((chunk: Uint8Array, encoding?: unknown, callback?: unknown) =>
        write(Buffer.from(chunk.map((byte) => byte ^ 0xff)), encoding, callback)) as typeof res.write;
      // A client that has all of it may be gone before 'drain'.
      respond(host.shared, req, res, file.handle, { count: 300_000 }).catch(({ code }) =>
        assert.is(code, "ERR_SENDFILE_CLOSED"),
      );
    });
    const flipped = DATA.subarray(0, 300_000).map((byte) => byte ^ 0xff);
    same((await get(address)).body, Buffer.from(flipped));
    assert.is(file.pool(), 0);
  },
  off,
);

row(
  "serveStatic: the same answers over HTTPS and HTTP/2, their bodies by no stream",
  async (t) => {
    const folder = tempFolder(t);
    for (const size of SIZES) fs.writeFileSync(`${folder}/${size}`, DATA.subarray(0, size));
    const host = warm();
    const serves = serveStatic(host.shared, folder, { setHeaders: (res) => void res.setHeader("X-Wrapped", "no") });
    const handler = (req: http.IncomingMessage, res: http.ServerResponse) => serves(req, res);
    const made = (size: number, act: () => Promise<Buffer>) => async () => {
      const before = host.calls.length;
      const body = await act();
      assert.is(host.calls.length - before, calls(size), `${size} bytes`);
      return body;
    };

    const address = await serve(t, handler);
    for (const size of SIZES) {
      same(
        await made(size, async () => (await get(address, `/${size}`)).body)(),
        DATA.subarray(0, size),
        `${size} bytes`,
      );
    }

    const server = http2.createSecureServer(certificate(), (req, res) => {
      const [request, response] = [req, res] as unknown as Parameters<Listener>;
      if (req.headers["x-wrap"] === "yes") {
        const write = response.write.bind(response) as (chunk: Uint8Array) => boolean;
        response.write = ((chunk: Uint8Array) =>
          write(Buffer.from(chunk.map((byte) => byte ^ 0xff)))) as typeof response.write;
      }
      handler(request, response);
    });
    const { port } = (await listen(t, server)) as { port: number };
    const client = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    t.after(() => client.destroy());
    const ask = async (headers: http2.OutgoingHttpHeaders) => {
      const stream = client.request(headers);
      const [answer] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
      return { answer, body: await collect(stream) };
    };
    for (const size of SIZES) {
      const path = `/${size}`;
      same(
        await made(size, async () => (await ask({ ":path": path })).body)(),
        DATA.subarray(0, size),
        `${size} bytes`,
      );
      const head = await made(0, async () => {
        const { answer, body } = await ask({ ":path": path, ":method": "HEAD" });
        assert.is(answer["content-length"], `${size}`);
        return body;
      })();
      assert.is(head.length, 0);
    }
    const range = await ask({ ":path": "/700001", range: "bytes=5-300000" });
    assert.is(range.answer[":status"], 206);
    same(range.body, DATA.subarray(5, 300_001));
    const { etag } = range.answer;
    assert.is((await ask({ ":path": "/700001", "if-none-match": etag })).answer[":status"], 304);
    assert.is((await ask({ ":path": "/missing" })).answer[":status"], 404);

    const wrapped = await ask({ ":path": "/700001", "x-wrap": "yes" });
    same(wrapped.body, Buffer.from(DATA.subarray(0, 700_001).map((byte) => byte ^ 0xff)));

    // A client that resets its stream.
    const gone = client.request({ ":path": "/700001" });
    await once(gone, "data");
    gone.close(http2.constants.NGHTTP2_CANCEL);
    await once(gone, "close");
    await until(() => fdCount(`${folder}/700001`) === 0);
  },
  off,
);

test.run();
