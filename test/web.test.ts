// Files in web Responses: what fileResponse() decides; and which bodies the kernel sends, with the loops of the adapters as
// they are published. The adapters themselves are asked by web.long.ts.

import { execFile } from "node:child_process";
import { once } from "node:events";
import fs, { createReadStream } from "node:fs";
import { type IncomingMessage, OutgoingMessage, type ServerOptions, type ServerResponse } from "node:http";
import net from "node:net";
import path from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { fileResponse } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "#process";
import { installToWeb } from "../host/register/to-web.js";
import { counting } from "./lib/counting.js";
import { lacks, runtime } from "./lib/runtime.js";
import { type Body, type Cleanup, suite } from "./lib/suite.js";
import { exchange, folder, header, parse, request, site, within } from "./lib/web.js";

const test = suite("web");
const MIB = 1 << 20;
const BIG = 24 * MIB;
const { root, remove } = folder({ odd: 200_001, small: 5000, page: 16 << 10, empty: 0, "a.txt": "hello", dir: "" });
const file = (name: string) => path.join(root, name);
const bytes = (name: string) => fs.readFileSync(file(name));
fs.rmSync(file("dir"));
fs.mkdirSync(file("dir"));
fs.writeFileSync(file("big"), Buffer.alloc(BIG, "0123456789abcdefghijklmnopqrstuvwxyz\n"));
test.after(remove);

const { shared } = host();
const copied = shared.sys === null ? "nothing goes by the kernel here" : lacks("fd of a response");
const natively = (name: string, body: Body) => test.unless(copied, name, body);

/** Descriptors of a file that are open. */
function open(name: string): number {
  shared.files.clear(); // they only stay open for their next use
  const real = fs.realpathSync(file(name));
  return fs.readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`) === real;
    } catch {
      return false;
    }
  }).length;
}
const noProc = fs.existsSync("/proc/self/fd") ? null : "no /proc";
const closes = (name: string, body: Body) => test.unless(noProc, name, body);

/** A file is closed by the pool, in a turn of its own. */
async function closed(name: string): Promise<void> {
  await within(
    (async () => {
      while (open(name) > 0) await new Promise((next) => setImmediate(next));
    })(),
    `${name} is closed`,
  );
}

// fileResponse(): decisions

const ask = (headers: Record<string, string> = {}, method = "GET") => new Request("http://x/", { method, headers });
const text = async (res: Response) => Buffer.from(await res.arrayBuffer()).toString("latin1");

test("fileResponse: 200, with the headers of the file", async () => {
  const res = await fileResponse(ask(), file("a.txt"));
  assert.is(res.status, 200);
  const { mtime } = fs.statSync(file("a.txt"));
  assert.is(res.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.is(res.headers.get("content-length"), "5");
  assert.is(res.headers.get("accept-ranges"), "bytes");
  assert.is(res.headers.get("last-modified"), mtime.toUTCString());
  assert.match(res.headers.get("etag") ?? "", /^W\/"5-[0-9a-f]+"$/);
  assert.is(res.headers.get("cache-control"), null);
  assert.is(await text(res), "hello");
  assert.is(await text(await fileResponse(ask(), pathToFileURL(file("a.txt")))), "hello");
});

test("fileResponse: options", async () => {
  const off = { acceptRanges: false, etag: false, lastModified: false };
  const bare = await fileResponse(ask({ range: "bytes=0-1" }), file("a.txt"), off);
  assert.equal([...bare.headers.keys()].sort(), ["content-length", "content-type"]);
  assert.is(await text(bare), "hello");
  const headers = { "Content-Type": "text/x-log", "X-A": "b" };
  const res = await fileResponse(ask(), file("a.txt"), { maxAge: "1d", immutable: true, headers });
  assert.is(res.headers.get("cache-control"), "public, max-age=86400, immutable");
  assert.is(res.headers.get("content-type"), "text/x-log");
  assert.is(res.headers.get("x-a"), "b");
  await res.body?.cancel();
});

const [past, future] = ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"];
/** The request's headers, with {etag} for the file's own, and the status; in the order of RFC 9110 section 13.2.2. */
const conditions: [Record<string, string>, number][] = [
  [{ "if-none-match": "{etag}" }, 304],
  [{ "if-none-match": '"a", {etag}' }, 304],
  [{ "if-none-match": "*" }, 304],
  [{ "if-none-match": '"a"' }, 200],
  [{ "if-none-match": '"a"', "if-modified-since": future }, 200],
  [{ "if-modified-since": future }, 304],
  [{ "if-modified-since": past }, 200],
  [{ "if-match": "{etag}" }, 412], // weak
  [{ "if-match": "*" }, 200],
  [{ "if-match": '"a"' }, 412],
  [{ "if-match": "*", "if-unmodified-since": past }, 200],
  [{ "if-unmodified-since": past }, 412],
  [{ "if-unmodified-since": future }, 200],
  [{ "if-match": '"a"', "if-none-match": "{etag}" }, 412],
  [{ "if-match": "*", "if-none-match": "{etag}" }, 304],
  [{ "if-none-match": "{etag}", range: "bytes=0-1" }, 304],
  [{ range: "bytes=0-1", "if-range": "{etag}" }, 200], // weak
  [{ range: "bytes=0-1", "if-range": '"a"' }, 200],
  [{ range: "bytes=0-1", "if-range": future }, 200],
  [{ range: "bytes=0-1", "if-range": past }, 200],
];
for (const [given, status] of conditions) {
  test(`fileResponse: ${JSON.stringify(given)} is ${status}`, async () => {
    const etag = (await fileResponse(ask({}, "HEAD"), file("a.txt"))).headers.get("etag") as string;
    const headers = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, value.replace("{etag}", etag)]),
    );
    const res = await fileResponse(ask(headers), file("a.txt"));
    assert.is(res.status, status);
    assert.is(await text(res), status === 200 ? "hello" : status === 206 ? "he" : "");
    if (status === 304) assert.is(res.headers.get("etag"), etag);
    if (status === 412) assert.is(res.headers.get("etag"), null);
  });
}

const ranges: [string, number, string, string | null][] = [
  ["bytes=1-3", 206, "ell", "bytes 1-3/5"],
  ["bytes=3-", 206, "lo", "bytes 3-4/5"],
  ["bytes=-2", 206, "lo", "bytes 3-4/5"],
  ["bytes=-99", 206, "hello", "bytes 0-4/5"],
  ["bytes=0-99", 206, "hello", "bytes 0-4/5"],
  ["bytes=5-", 416, "", "bytes */5"],
  ["bytes=0-1,3-4", 200, "hello", null],
  ["bytes=x", 200, "hello", null],
  ["lines=0-1", 200, "hello", null],
];
for (const [range, status, body, content] of ranges) {
  test(`fileResponse: ${range} is ${status}`, async () => {
    const res = await fileResponse(ask({ range }), file("a.txt"));
    assert.equal([res.status, await text(res), res.headers.get("content-range")], [status, body, content]);
    if (status < 400) assert.is(res.headers.get("content-length"), String(body.length));
  });
}

test("fileResponse: methods", async () => {
  const head = await fileResponse(ask({ range: "bytes=0-1" }, "HEAD"), file("a.txt"));
  assert.equal([head.status, head.headers.get("content-length"), head.body], [200, "5", null]);
  const post = await fileResponse(ask({ range: "bytes=0-1", "if-none-match": "*" }, "POST"), file("a.txt"));
  assert.equal([post.status, await text(post)], [200, "hello"]);
});

test("fileResponse: an empty file", async () => {
  const res = await fileResponse(ask(), file("empty"));
  assert.equal([res.status, res.headers.get("content-length"), await text(res)], [200, "0", ""]);
});

test("fileResponse: what is no file is a 404, and what can't be looked at an error", async () => {
  fs.symlinkSync("loop", file("loop"));
  for (const name of ["none", "dir", "a.txt/b", "loop", "n".repeat(300)]) {
    const res = await fileResponse(ask(), file(name));
    assert.equal([res.status, await text(res)], [404, "Not Found"], name);
    assert.is((await fileResponse(ask({}, "HEAD"), file(name))).body, null);
  }
});

test("fileResponse: bad arguments", async () => {
  const rows: [unknown[], RegExp][] = [
    [[null, file("a.txt")], /request must be a Request \(got null\)/],
    [[{ method: "GET", headers: {} }, file("a.txt")], /request must be a Request/],
    [[ask(), 5], /path must be a path or a file URL \(got 5\)/],
    [[ask(), ""], /path must be a path or a file URL/],
    [[ask(), "a\0b"], /path must be without null bytes/],
    [[ask(), new URL("http://x/")], /path must be a file URL \(got http:\)/],
    [[ask(), file("a.txt"), 5], /options must be an object/],
  ];
  for (const [args, message] of rows) {
    try {
      await (fileResponse as (...args: unknown[]) => Promise<unknown>)(...args);
    } catch (error) {
      assert.instance(error, TypeError);
      assert.match((error as Error).message, message);
      continue;
    }
    assert.unreachable(String(message));
  }
});

// fileResponse(): its body

test("fileResponse: a long body, in chunks", async () => {
  const res = await fileResponse(ask(), file("odd"));
  assert.ok(Buffer.from(await res.arrayBuffer()).equals(bytes("odd")));
  const part = await fileResponse(ask({ range: "bytes=70000-199999" }), file("odd"));
  assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes("odd").subarray(70_000, 200_000)));
});

closes("fileResponse: nothing is open before the first read, nor after the end, a cancel, or an error", async () => {
  const unread: Response[] = [];
  for (const headers of [{}, { range: "bytes=0-9" }, { range: "bytes=999999-" }, { "if-none-match": "*" }]) {
    unread.push(await fileResponse(ask(headers as Record<string, string>), file("odd")));
  }
  unread.push(await fileResponse(ask({}, "HEAD"), file("odd")));
  assert.is(open("odd"), 0);
  await unread[0]?.body?.cancel();
  assert.is(open("odd"), 0);

  const reader = ((await fileResponse(ask(), file("big"))).body as ReadableStream).getReader();
  await reader.read();
  assert.is(open("big"), 1);
  await reader.cancel();
  await closed("big");
  const early = ((await fileResponse(ask(), file("big"))).body as ReadableStream).getReader();
  const first = early.read();
  await early.cancel();
  await first;
  await closed("big");
  await (await fileResponse(ask(), file("odd"))).arrayBuffer();
  await closed("odd");
});

closes("fileResponse: a file that gets shorter, or is replaced, is an error and not a short body", async () => {
  const rows: [string, (name: string) => void][] = [
    ["shorter", (name) => fs.truncateSync(name, 100)],
    [
      "replaced",
      (name) => {
        fs.writeFileSync(`${name}.new`, Buffer.alloc(BIG));
        fs.renameSync(`${name}.new`, name);
      },
    ],
    ["gone", (name) => fs.rmSync(name)],
  ];
  for (const [name, change] of rows) {
    fs.copyFileSync(file("odd"), file(name));
    const res = await fileResponse(ask(), file(name));
    change(file(name));
    const failure = await res.arrayBuffer().then(
      () => null,
      (error) => error,
    );
    assert.is(failure?.code ?? failure?.cause?.code, name === "gone" ? "ENOENT" : "ERR_SENDFILE_TRUNCATED", name);
    if (name !== "gone") await closed(name);
  }
  fs.copyFileSync(file("big"), file("shrinks"));
  const reader = ((await fileResponse(ask(), file("shrinks"))).body as ReadableStream).getReader();
  await reader.read();
  fs.truncateSync(file("shrinks"), 100);
  const failure = await reader.read().catch((error) => error);
  assert.is(failure.code, "ERR_SENDFILE_TRUNCATED");
  await closed("shrinks");
});

interface Serving {
  Bun?: { serve(options: object): { port: number; stop(now: boolean): Promise<void> } };
  Deno?: { serve(options: object): { addr: { port: number }; shutdown(): Promise<void> } };
}

const own = runtime === "node" ? "Node has no server of web Responses" : null;
test.unless(own, "fileResponse: the runtime's own server", async (cleanup) => {
  const { Bun, Deno } = globalThis as Serving;
  const fetch_ = (request: Request) => fileResponse(request, file(new URL(request.url).pathname.slice(1)));
  let port = 0;
  if (Deno !== undefined) {
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {}, handler: fetch_ });
    port = server.addr.port;
    cleanup.after(() => server.shutdown());
  } else if (Bun !== undefined) {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: fetch_ });
    port = server.port;
    cleanup.after(() => server.stop(true));
  }
  const get = (name: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}/${name}`, init);
  const whole = await get("odd");
  const etag = whole.headers.get("etag") as string;
  assert.ok(Buffer.from(await whole.arrayBuffer()).equals(bytes("odd")));
  const part = await get("odd", { headers: { range: "bytes=100-70000" } });
  assert.is(part.status, 206);
  assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes("odd").subarray(100, 70_001)));
  assert.is((await get("odd", { headers: { "if-none-match": etag } })).status, 304);
  assert.is((await get("odd", { method: "HEAD" })).headers.get("etag"), etag);
  assert.is((await get("none")).status, 404);
  for (let i = 0; i < 5; i++) {
    const socket = net.connect(port, "127.0.0.1").on("error", () => {});
    socket.write(request("/big"));
    await within(once(socket, "data"), "a part");
    socket.destroy();
  }
  if (noProc === null) await closed("big");
});

// The adapters' loops, as published, but for their types.

type Reader = ReadableStreamDefaultReader<Uint8Array>;
/** As loose as their JavaScript. */
// biome-ignore lint/suspicious/noExplicitAny: a chunk, or none at the end
type Result = { done: boolean; value?: any };
type Loop = (reader: Reader, res: ServerResponse) => void;

const hono: Loop = (reader, writable) => {
  const cancel = (error?: unknown) => {
    reader.cancel(error).catch(() => {});
  };
  writable.on("close", cancel);
  writable.on("error", cancel);
  reader.read().then(flow, handleStreamError);
  reader.closed.catch(() => {});
  function handleStreamError(error: unknown) {
    if (error) writable.destroy(error as Error);
  }
  function onDrain() {
    reader.read().then(flow, handleStreamError);
  }
  function flow({ done, value }: Result) {
    try {
      if (done) writable.end();
      else if (!writable.write(value)) writable.once("drain", onDrain);
      else reader.read().then(flow, handleStreamError);
    } catch (e) {
      handleStreamError(e);
    }
  }
};

const srvx: Loop = (reader, nodeRes) => {
  function streamCancel(error?: Error) {
    reader.cancel(error).catch(() => {});
    if (error) nodeRes.destroy(error);
  }
  function streamHandle({ done, value }: Result) {
    try {
      if (done) nodeRes.end();
      else if (nodeRes.write(value)) reader.read().then(streamHandle, streamCancel);
      else nodeRes.once("drain", () => reader.read().then(streamHandle, streamCancel));
    } catch (error) {
      streamCancel(error instanceof Error ? error : void 0);
    }
  }
  nodeRes.on("close", streamCancel);
  nodeRes.on("error", streamCancel);
  reader.read().then(streamHandle, streamCancel);
  reader.closed.catch(streamCancel);
};

/** Looks at each chunk, in a loop that is no adapter's: nothing may be hidden from it. */
const looks: (seen: { bytes: number }) => Loop = (seen) => (reader, res) => {
  function step({ done, value }: Result) {
    if (done) return void res.end();
    seen.bytes += value.length;
    if (res.write(value)) reader.read().then(step);
    else res.once("drain", () => reader.read().then(step));
  }
  res.on("close", () => reader.cancel().catch(() => {}));
  reader.read().then(step);
};

interface Played {
  got: ReturnType<typeof parse>;
  native: number;
  events: string[];
}

type Play = (req: IncomingMessage, res: ServerResponse, events: string[]) => unknown;

/** Asks a server of one handler, and counts what the kernel sends. */
async function play(cleanup: Cleanup, handler: Play, ask = request("/"), options: ServerOptions = {}): Promise<Played> {
  const events: string[] = [];
  const at = await site(async (req, res) => {
    for (const name of ["finish", "close", "error"]) res.on(name, () => events.push(`res ${name}`));
    await handler(req, res, events);
  }, options);
  cleanup.after(at.close);
  const [answer, native] = await counting(() => within(exchange(at.port, ask), "the answer"));
  return { got: parse(answer), native, events };
}

function send(res: ServerResponse, body: ReadableStream, length: number | null, loop: Loop): Reader {
  res.writeHead(200, length === null ? {} : { "Content-Length": length });
  const reader = body.getReader() as Reader;
  loop(reader, res);
  return reader;
}

/** Bodies by their makers: fileResponse's own, and under register those of Readable.toWeb(). */
const makers: Record<string, (name: string, events?: string[]) => Promise<ReadableStream>> = {
  fileResponse: async (name) => (await fileResponse(ask(), file(name))).body as ReadableStream,
  toWeb: async (name, events = []) => {
    const stream = createReadStream(file(name));
    for (const one of ["open", "end", "close", "error"]) stream.on(one, () => events.push(`stream ${one}`));
    return Readable.toWeb(stream) as ReadableStream;
  },
};

/** With Readable.toWeb() as register has it, while the test lasts. */
function registered(cleanup: Cleanup): void {
  reasons = [];
  cleanup.after(installToWeb(shared, (reason) => reasons.push(reason)));
}

/** Why bodies were copied. */
let reasons: string[] = [];

for (const [maker, make] of Object.entries(makers)) {
  for (const [adapter, loop] of Object.entries({ hono, srvx })) {
    for (const name of ["odd", "big"]) {
      natively(`${maker}, ${adapter}: ${name} goes by the kernel`, async (cleanup) => {
        registered(cleanup);
        const body = bytes(name);
        const { got, native, events } = await play(cleanup, async (_req, res, events) =>
          send(res, await make(name, events), body.length, loop),
        );
        assert.ok(got.body.equals(body));
        assert.is(header(got.headers, "content-length"), String(body.length));
        assert.ok(native > body.length * 0.8, `${native} of ${body.length}`);
        assert.equal(
          events.filter((event) => event !== "stream close" && event !== "stream open"),
          [...(maker === "toWeb" ? ["stream end"] : []), "res finish", "res close"],
        );
      });
    }

    test.unless(
      copied ?? lacks("highWaterMark of a response"),
      `${maker}, ${adapter}: while the first chunk waits nothing is read ahead`,
      async (cleanup) => {
        registered(cleanup);
        const handler: Play = async (_req, res) => {
          const { socket } = res;
          socket?.cork();
          const turn = () => new Promise((next) => setImmediate(next));
          send(res, await make("odd"), 200_001, loop);
          while (!res.destroyed && res.writableLength <= 1024) await turn(); // the first chunk
          for (let turns = 0; turns < 20; turns++) await turn();
          socket?.uncork();
        };
        const { got, native } = await play(cleanup, handler, request("/"), { highWaterMark: 1024 });
        assert.ok(got.body.equals(bytes("odd")));
        assert.ok(native > 150_000, String(native));
      },
    );

    for (const name of ["small", "page"]) {
      test(`${maker}, ${adapter}: ${name} arrives whole`, async (cleanup) => {
        registered(cleanup);
        const { got } = await play(cleanup, async (_req, res) => send(res, await make(name), bytes(name).length, loop));
        assert.ok(got.body.equals(bytes(name)));
      });
    }

    test(`${maker}, ${adapter}: HEAD has no body`, async (cleanup) => {
      registered(cleanup);
      const ask = request("/", [], "HEAD");
      const { got, native } = await play(
        cleanup,
        async (_req, res) => send(res, await make("odd"), 200_001, loop),
        ask,
      );
      assert.is(got.body.length, 0);
      assert.ok(!(native > 0));
    });

    test(`${maker}, ${adapter}: a chunked response is written to`, async (cleanup) => {
      registered(cleanup);
      const { got, native } = await play(cleanup, async (_req, res) => send(res, await make("odd"), null, loop));
      if (maker === "toWeb" && copied === null) assert.equal(reasons, ["a response without a body, or another one"]);
      assert.ok(got.body.length > 200_001 && got.body.includes(bytes("odd").subarray(0, 1000)));
      assert.ok(!(native > 0));
    });

    test(`${maker}, ${adapter}: a response that is wrapped sees every byte`, async (cleanup) => {
      registered(cleanup);
      let seen = 0;
      const { got, native } = await play(cleanup, async (_req, res) => {
        const { write } = res;
        res.write = ((chunk: Uint8Array) => {
          seen += chunk.length;
          return (write as (chunk: Uint8Array) => boolean).call(res, chunk);
        }) as never;
        send(res, await make("odd"), 200_001, loop);
      });
      assert.ok(got.body.equals(bytes("odd")));
      assert.is(seen, 200_001);
      assert.ok(!(native > 0));
    });

    test(`${maker}, ${adapter}: a client that goes away leaves nothing open`, async (cleanup) => {
      registered(cleanup);
      let gone: Promise<unknown> | undefined;
      let failed = false;
      const at = await site(async (_req, res) => {
        gone = new Promise((resolve) => res.once("close", resolve));
        res.on("error", () => {
          failed = true;
        });
        send(res, await make("big"), BIG, loop).closed.catch(() => {
          failed = true; // an adapter would say so
        });
      });
      cleanup.after(at.close);
      for (let i = 0; i < 20; i++) {
        const socket = net.connect(at.port, "127.0.0.1");
        socket.on("error", () => {});
        socket.write(request("/"));
        await within(once(socket, "data"), "a part");
        socket.destroy();
        await within(gone as Promise<unknown>, "the response is closed");
      }
      if (noProc === null) await closed("big");
      assert.is(failed, false);
    });
  }

  test(`${maker}: a loop that is no adapter's sees every byte`, async (cleanup) => {
    registered(cleanup);
    const seen = { bytes: 0 };
    const { got, native } = await play(cleanup, async (_req, res) =>
      send(res, await make("odd"), 200_001, looks(seen)),
    );
    assert.ok(got.body.equals(bytes("odd")));
    assert.is(seen.bytes, 200_001);
    assert.ok(!(native > 0));
  });

  test(`${maker}: what stands between the file and an adapter sees every byte`, async (cleanup) => {
    registered(cleanup);
    const seen = { transform: 0, source: 0 };
    const between: Record<string, (body: ReadableStream) => ReadableStream> = {
      transform: (body) =>
        body.pipeThrough(
          new TransformStream({
            transform(chunk, controller) {
              seen.transform += chunk.length;
              controller.enqueue(chunk);
            },
          }),
        ),
      source: (body) => {
        const reader = body.getReader();
        return new ReadableStream({
          pull: (controller) =>
            reader.read().then(({ done, value }) => {
              seen.source += value?.length ?? 0;
              if (done) controller.close();
              else controller.enqueue(value);
            }),
        });
      },
    };
    for (const [name, wrap] of Object.entries(between)) {
      const { got, native } = await play(cleanup, async (_req, res) =>
        send(res, wrap(await make("odd")), 200_001, hono),
      );
      assert.ok(got.body.equals(bytes("odd")), name);
      assert.ok(!(native > 0), name);
    }
    assert.equal(seen, { transform: 200_001, source: 200_001 });
  });

  test(`${maker}: a tee is read by both`, async (cleanup) => {
    registered(cleanup);
    let other: Promise<ArrayBuffer> | undefined;
    const { got } = await play(cleanup, async (_req, res) => {
      const [one, two] = (await make("odd")).tee() as [ReadableStream, ReadableStream];
      other = new Response(two).arrayBuffer();
      send(res, one, 200_001, srvx);
    });
    assert.ok(got.body.equals(bytes("odd")));
    assert.ok(Buffer.from((await other) as ArrayBuffer).equals(bytes("odd")));
  });

  test(`${maker}: two responses that a loop writes in turn get their own bytes`, async (cleanup) => {
    registered(cleanup);
    const { got } = await play(
      cleanup,
      async (req, res) =>
        send(res, await make(req.url === "/" ? "odd" : "page"), req.url === "/" ? 200_001 : 16384, hono),
      `GET / HTTP/1.1\r\nHost: x\r\n\r\n${request("/2")}`,
    );
    assert.ok(got.body.subarray(0, 200_001).equals(bytes("odd")));
    assert.ok(got.body.subarray(-16384).equals(bytes("page")));
  });
}

natively("toWeb: a start and an end", async (cleanup) => {
  registered(cleanup);
  for (const [start, end] of [
    [1, 150_000],
    [4096, 4099],
    [0, 16_383],
    [0, 16_384],
    [199_999, 999_999],
  ] as const) {
    const body = bytes("odd").subarray(start, end + 1);
    const { got, native } = await play(cleanup, async (_req, res) => {
      const stream = createReadStream(file("odd"), { start, end });
      send(res, Readable.toWeb(stream) as ReadableStream, body.length, srvx);
    });
    assert.ok(got.body.equals(body), `${start}-${end}`);
    assert.ok(body.length < 100_000 || native > 0);
  }
});

natively("toWeb: a file that grows meanwhile is read to its end, as with Node alone", async (cleanup) => {
  registered(cleanup);
  const sys = shared.sys as NonNullable<typeof shared.sys>;
  for (const end of [undefined, 200_000]) {
    fs.copyFileSync(file("odd"), file("grows"));
    const { sendfile } = sys;
    let grown = false;
    sys.sendfile = (...args) => {
      if (!grown) fs.appendFileSync(file("grows"), "more");
      grown = true;
      return sendfile(...args);
    };
    cleanup.after(() => Object.assign(sys, { sendfile }));
    const { got } = await play(cleanup, async (_req, res) => {
      const stream = createReadStream(file("grows"), { end });
      send(res, Readable.toWeb(stream) as ReadableStream, 200_001, hono);
    });
    Object.assign(sys, { sendfile });
    assert.ok(grown);
    assert.ok(got.body.equals(bytes("grows").subarray(0, (end ?? Number.POSITIVE_INFINITY) + 1)), String(end));
  }
});

test("toWeb: streams that others use are left to Node", async (cleanup) => {
  registered(cleanup);
  const streams: fs.ReadStream[] = [
    createReadStream("", { fd: fs.openSync(file("small"), "r") }),
    createReadStream(file("small"), { encoding: "utf8" }),
    createReadStream(file("small"), { fs: { ...fs } }),
    createReadStream(file("small")).on("readable", () => {}),
  ];
  for (const stream of streams) {
    Readable.toWeb(stream);
    assert.is(Object.hasOwn(stream, "_read"), false);
    stream.on("error", () => {}).destroy();
  }
  const ours = createReadStream(file("small"));
  const web = Readable.toWeb(ours);
  assert.is(Object.hasOwn(ours, "_read"), true);
  assert.equal(Object.keys(ours).includes("_read"), false);
  assert.is((await new Response(web as ReadableStream).arrayBuffer()).byteLength, 5000);
});

test("toWeb: a missing file, and one that is destroyed, fail as with Node alone", async (cleanup) => {
  const outcomes: unknown[] = [];
  for (const ours of [false, true]) {
    if (ours) registered(cleanup);
    const none = Readable.toWeb(createReadStream(file("none"))).getReader();
    const stream = createReadStream(file("big"));
    const reader = Readable.toWeb(stream).getReader();
    await reader.read();
    stream.destroy();
    const failures = [none.read(), reader.closed].map((one) =>
      (one as Promise<unknown>).then(String, ({ name, code }) => `${name} ${code}`),
    );
    outcomes.push(await within(Promise.all(failures), "failures"));
  }
  assert.equal(outcomes[1], outcomes[0]);
});

const node = copied ?? (runtime === "node" ? null : "Node's command line");
test.unless(node, "sendoff/register patches Readable.toWeb(), but not with SENDOFF_MODE=copy", async () => {
  const register = new URL("../host/register/index.js", import.meta.url).href;
  const program = `import fs from "node:fs"; import { Readable } from "node:stream";
    const stream = fs.createReadStream(${JSON.stringify(file("small"))});
    const body = Readable.toWeb(stream);
    const { byteLength } = await new Response(body).arrayBuffer();
    console.log(byteLength, Object.hasOwn(stream, "_read"), stream.destroyed);`;
  const run = async (mode: string) => {
    const args = ["--import", register, "--input-type=module", "--eval", program];
    const env = { ...process.env, SENDOFF_MODE: mode };
    return (await promisify(execFile)(process.execPath, args, { env })).stdout.trim();
  };
  assert.is(await run(""), "5000 true true");
  assert.is(await run("copy"), "5000 false true");
});

test("after the undo Readable.toWeb is Node's own, and a response's write is as it was", (cleanup) => {
  const { toWeb } = Readable;
  const { write } = OutgoingMessage.prototype;
  installToWeb(shared, () => {})();
  assert.is(Readable.toWeb, toWeb);
  assert.is(OutgoingMessage.prototype.write, write);
  cleanup.after(() => {});
});

test.run();
