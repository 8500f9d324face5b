// serveStatic and accelerate: every answer as `send` gives it, and the body by the kernel.

import { AsyncLocalStorage } from "node:async_hooks";
import { execFileSync } from "node:child_process";
import { type EventEmitter, once } from "node:events";
import fs from "node:fs";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import zlib from "node:zlib";
import { accelerate, respond, type Send, type StaticOptions, serveStatic } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "#process";
import { negotiate } from "../host/negotiate.js";
import { until } from "./lib/command.js";
import { counting } from "./lib/counting.js";
import { fdCount } from "./lib/files.js";
import { without } from "./lib/programs.js";
import { lacks } from "./lib/runtime.js";
import { suite } from "./lib/suite.js";
import { descriptors, exchange, folder, header, parse, request, site, undated, within } from "./lib/web.js";

const test = suite("static");
const send = createRequire(import.meta.url)("send") as Send;
const text = "text ".repeat(20_000);
const { root, remove } = folder({
  "a.txt": text,
  "b c.html": "<p>b c",
  "big.bin": 3_000_001,
  empty: 0,
  page: "without an extension",
  "page.html": "with one",
  ".hidden": "hidden",
  "sub/index.html": "<p>index",
  "sub/.git/config": "hidden",
  "only/x": "x",
  "p/app.js": text,
  "p/app.js.br": zlib.brotliCompressSync(text),
  "p/app.js.gz": zlib.gzipSync(text),
  "p/gz.css": text,
  "p/gz.css.gz": zlib.gzipSync(text),
  "p/none.svg": "<svg/>",
});
test.after(remove);
const { shared } = host();
/** Whether bodies can go by the kernel here. */
const copied = shared.sys === null ? "nothing goes by the kernel here" : lacks("fd of a response");
const native = copied === null;
const etag = (name: string) => {
  const { size, mtime } = fs.statSync(path.join(root, name));
  return `W/"${size.toString(16)}-${mtime.getTime().toString(16)}"`;
};
const day = 86_400_000;
const date = (offset: number) => new Date(fs.statSync(path.join(root, "a.txt")).mtimeMs + offset).toUTCString();

const requests: Record<string, string> = {
  "a file": request("/a.txt"),
  "a large file": request("/big.bin"),
  "an empty file": request("/empty"),
  "a name with a space": request("/b%20c.html"),
  "a query": request("/a.txt?x=1"),
  HEAD: request("/a.txt", [], "HEAD"),
  "HEAD of a range": request("/a.txt", ["Range: bytes=1-2"], "HEAD"),
  "the first byte": request("/a.txt", ["Range: bytes=0-0"]),
  "a range": request("/big.bin", ["Range: bytes=4097-2000000"]),
  "a range to the end": request("/a.txt", ["Range: bytes=99990-"]),
  "the last bytes": request("/a.txt", ["Range: bytes=-5"]),
  "more than there is": request("/a.txt", ["Range: bytes=5-99999999"]),
  "past the end": request("/a.txt", ["Range: bytes=100000-"]),
  "two ranges": request("/a.txt", ["Range: bytes=0-1,5-6"]),
  "ranges that touch": request("/a.txt", ["Range: bytes=0-1,2-6"]),
  "no range at all": request("/a.txt", ["Range: bytes=x"]),
  "another unit": request("/a.txt", ["Range: lines=1-2"]),
  "If-None-Match": request("/a.txt", [`If-None-Match: ${etag("a.txt")}`]),
  "If-None-Match, another": request("/a.txt", ['If-None-Match: "x"']),
  "If-Match, another": request("/a.txt", ['If-Match: "x"']),
  "If-Modified-Since, later": request("/a.txt", [`If-Modified-Since: ${date(day)}`]),
  "If-Modified-Since, earlier": request("/a.txt", [`If-Modified-Since: ${date(-day)}`]),
  "If-Unmodified-Since, earlier": request("/a.txt", [`If-Unmodified-Since: ${date(-day)}`]),
  "If-Range, fresh": request("/a.txt", ["Range: bytes=1-5", `If-Range: ${etag("a.txt")}`]),
  "If-Range, stale": request("/a.txt", ["Range: bytes=1-5", 'If-Range: "x"']),
  "a folder with an index": request("/sub/"),
  "a folder without one": request("/only/"),
  "a file and a slash": request("/a.txt/"),
  "an extension added": request("/only/../page"),
  "no such file": request("/none"),
  "a file below a file": request("/a.txt/b"),
  "a dotfile": request("/.hidden"),
  "below a dotfolder": request("/sub/.git/config"),
  "out of the root": request("/../etc/passwd"),
  "out of the root, encoded": request("/%2e%2e/%2e%2e/etc/passwd"),
  "a null byte": request("/a%00.txt"),
  "a bad encoding": request("/%zz"),
  "HTTP/1.0": "GET /a.txt HTTP/1.0\r\n\r\n",
  "three pipelined": `GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n${request("/sub/")}`,
};

/** serveStatic keeps to RFC 9110 where `send` does not: ranges-multi.test.ts, conditions.test.ts. */
const OTHERWISE = ["HEAD of a range", "two ranges", "If-Range, fresh"];

/** The pathname, as handlers on `send` take it. */
const bySend: RequestListener = (req, res) => {
  send(req, (req.url as string).split("?", 1)[0] as string, { root }).pipe(res as never);
};

for (const [name, text] of Object.entries(requests)) {
  test(`as send: ${name}`, async () => {
    const [plain, ours] = await Promise.all([site(bySend), site(serveStatic(root))]);
    const want = await within(exchange(plain.port, text), `${name}, by send`);
    const { status, body } = parse(want);
    const file = /^HTTP\/1.1 20[06]/.test(status) && body.length > 0;
    // The second time the file has been met, and its headers are known.
    for (const time of OTHERWISE.includes(name) ? [] : ["first", "second"]) {
      const [got, moved] = await counting(() => within(exchange(ours.port, text), `${name}, by serveStatic`));
      assert.is(undated(got).toString("latin1"), undated(want).toString("latin1"), `serveStatic, the ${time} time`);
      if (native) assert.is(moved > 0, file, `${moved} bytes by the kernel`);
    }
    const undo = accelerate(send);
    try {
      for (const time of ["first", "second"]) {
        const fast = await within(exchange(plain.port, text), `${name}, accelerated`);
        assert.is(undated(fast).toString("latin1"), undated(want).toString("latin1"), `accelerate, the ${time} time`);
      }
    } finally {
      undo();
    }
    await Promise.all([plain.close(), ours.close()]);
  });
}

test("headers that are known are those of the file as it is, of the settings, and nobody else's", async () => {
  const { root, remove } = folder({ "a.txt": "first", "b.txt": "other" });
  const file = path.join(root, "a.txt");
  const get = request("/a.txt");
  const none: StaticOptions = {};
  let settings = none;
  let before: (res: ServerResponse) => void = () => {};
  const by =
    (send: Send): RequestListener =>
    (req, res) => {
      before(res);
      const { setHeaders, ...rest } = settings;
      const stream = send(req, req.url as string, { root, ...rest });
      if (setHeaders) stream.on("headers", setHeaders);
      stream.pipe(res);
    };
  const handlers = new Map<object, ReturnType<typeof serveStatic>>();
  const own: RequestListener = (req, res) => {
    before(res);
    let handler = handlers.get(settings);
    if (handler === undefined) handlers.set(settings, (handler = serveStatic(root, settings)));
    handler(req, res);
  };
  // A copy of its own, that is accelerated all the time.
  const require = createRequire(import.meta.url);
  delete require.cache[require.resolve("send")];
  const copy = require("send") as Send;
  assert.is.not(copy, send);
  const undo = accelerate(copy);
  const [plain, ours, fast] = await Promise.all([site(by(send)), site(own), site(by(copy))]);
  const steps: [string, () => void, text?: string][] = [
    ["as it is", () => {}],
    ["of another time", () => fs.utimesSync(file, 1, 1)],
    ["of a time that is other by less than a second", () => fs.utimesSync(file, 1, 1.5)],
    [
      "of another size, at the same time",
      () => {
        fs.writeFileSync(file, "the second");
        fs.utimesSync(file, 1, 1.5);
      },
    ],
    ["a range", () => {}, request("/a.txt", ["Range: bytes=1-2"])],
    ["a condition", () => {}, request("/a.txt", ["If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"])],
    ["HEAD", () => {}, request("/a.txt", [], "HEAD")],
    ["another file of this name", () => fs.renameSync(path.join(root, "b.txt"), file)],
    ["a longer maxAge", () => (settings = { maxAge: "1d", immutable: true })],
    ["no ETag, no Last-Modified", () => (settings = { etag: false, lastModified: false })],
    ["no Cache-Control, no ranges", () => (settings = { cacheControl: false, acceptRanges: false })],
    ["headers of one's own", () => (settings = { setHeaders: (res) => res.setHeader("Cache-Control", "no-store") })],
    ["none any more", () => (settings = none)],
    ["a part of the file", () => (settings = { start: 2, end: 4 } as StaticOptions)],
    ["the whole again", () => (settings = none)],
    ["a type that was set before", () => (before = (res) => res.setHeader("Content-Type", "text/x-mine"))],
    ["an ETag that was set before", () => (before = (res) => res.setHeader("ETag", '"mine"'))],
    ["and not any more", () => (before = () => {})],
    ["a status of one's own", () => (before = (res) => (res.statusCode = 203))],
    ["a name of the same end", () => fs.renameSync(file, path.join(root, "a.css")), request("/a.css")],
    ["a file that has gone", () => fs.unlinkSync(path.join(root, "a.css")), request("/a.css")],
  ];
  try {
    for (const [name, change, text = get] of steps) {
      change();
      for (const time of ["first", "second"]) {
        const want = await within(exchange(plain.port, text), `${name}, by send`);
        for (const [who, { port }] of Object.entries({ serveStatic: ours, accelerate: fast })) {
          const got = await within(exchange(port, text), `${name}, by ${who}`);
          assert.is(undated(got).toString("latin1"), undated(want).toString("latin1"), `${name}, ${who}, ${time}`);
        }
      }
    }
  } finally {
    undo();
    await Promise.all([plain.close(), ours.close(), fast.close()]);
    remove();
  }
});

test("accelerate's undo gives send back", async () => {
  const proto = Object.getPrototypeOf(send({ method: "GET", url: "/", headers: {} } as never, "/"));
  const { send: before, stream } = proto;
  const undo = accelerate(send);
  assert.is.not(proto.stream, stream);
  undo();
  assert.is(proto.stream, stream);
  assert.is(proto.send, before);
  assert.throws(() => accelerate((() => ({})) as never), TypeError);
});

test("send's events come as before", async () => {
  const logs: string[][] = [];
  for (const fast of [false, true]) {
    for (const text of [
      request("/big.bin"),
      request("/none"),
      request("/sub"),
      request("/a.txt", ["Range: bytes=2-3"]),
    ]) {
      const log: string[] = [];
      const undo = fast ? accelerate(send) : () => {};
      const at = await site((req, res) => {
        const stream = send(req, req.url as string, { root });
        for (const event of ["file", "headers", "end", "directory", "error"]) {
          stream.on(event, (arg) => {
            log.push(`${event} ${arg?.status ?? ""}`);
            if (event === "error" || event === "directory") res.end(event);
          });
        }
        for (const event of ["finish", "close"]) res.on(event, () => log.push(`response ${event}`));
        stream.pipe(res as never);
      });
      await within(exchange(at.port, text), "the answer");
      await at.close();
      undo();
      logs.push(log);
    }
  }
  assert.equal(logs.slice(4), logs.slice(0, 4));
});

test("accelerate's undo leaves alone what somebody has patched since", () => {
  const proto = Object.getPrototypeOf(send({ method: "GET", url: "/", headers: {} } as never, "/"));
  const { stream } = proto;
  const undo = accelerate(send);
  const ours = proto.stream;
  const theirs = function (this: unknown, ...args: unknown[]) {
    return Reflect.apply(ours, this, args);
  };
  proto.stream = theirs;
  undo();
  assert.is(proto.stream, theirs);
  proto.stream = ours;
  undo();
  assert.is(proto.stream, stream);
});

test("a listener for send's own event 'stream' gets its stream", async () => {
  const undo = accelerate(send);
  const streams: unknown[] = [];
  const at = await site((req, res) => {
    const stream = send(req, req.url as string, { root });
    stream.on("stream", (body) => streams.push(body));
    stream.pipe(res as never);
  });
  const got = parse(await exchange(at.port, request("/a.txt")));
  await at.close();
  undo();
  assert.is(streams.length, 1);
  assert.instance(streams[0], fs.ReadStream);
  assert.is(got.body.toString(), text);
});

test("one that takes no argument, as Express's, only hears of it", async () => {
  const undo = accelerate(send);
  const log: string[] = [];
  const at = await site((req, res) => {
    const stream = send(req, req.url as string, { root });
    for (const event of ["file", "stream", "end"]) stream.on(event, () => log.push(event));
    stream.once("stream", () => log.push("once"));
    stream.pipe(res as never);
  });
  const [answer, moved] = await counting(() => exchange(at.port, request("/a.txt")));
  await at.close();
  undo();
  assert.equal(log, ["file", "stream", "once", "end"]);
  assert.is(parse(answer).body.toString(), text);
  if (native) assert.ok(moved >= text.length, `${moved} bytes by the kernel`);
});

test("what a listener of 'end' throws is uncaught, as without us", async () => {
  const caught: string[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => caught.push(error.message));
  const undo = accelerate(send);
  const at = await site((req, res) => {
    send(req, req.url as string, { root })
      .on("error", () => caught.push("an 'error'"))
      .on("end", () => {
        throw new Error(req.url);
      })
      .pipe(res);
  });
  for (const name of ["/page", "/big.bin"]) {
    const { body } = parse(await within(exchange(at.port, request(name)), name));
    assert.is(body.length, fs.statSync(root + name).size);
  }
  while (caught.length < 2) await new Promise((next) => setImmediate(next));
  undo();
  await at.close();
  process.removeAllListeners("uncaughtException");
  for (const one of others) process.on("uncaughtException", one);
  assert.equal(caught, ["/page", "/big.bin"]);
});

const changed = "a file that got shorter after its headers were made is not sent; one that grew, as long as it was";
// Without the kernel send's own way is taken, which sends what there is.
test.unless(copied, changed, async () => {
  const name = path.join(root, "changes");
  const was = "x".repeat(100_000);
  for (const change of [() => fs.truncateSync(name, 10), () => fs.appendFileSync(name, "more")]) {
    fs.writeFileSync(name, was);
    const at = await site(serveStatic(root, { setHeaders: change }));
    const got = parse(await within(exchange(at.port, request("/changes")), "the answer"));
    await at.close();
    if (fs.statSync(name).size > was.length) {
      assert.match(got.status, /^HTTP\/1.1 200/);
      assert.ok(got.body.equals(Buffer.from(was)));
    } else {
      assert.match(got.status, /^HTTP\/1.1 (500|404)/);
      assert.is(got.body.includes("xxxx"), false);
    }
  }
});

test.unless(copied, "a part of a file that got shorter after its headers were made is not sent either", async () => {
  const name = path.join(root, "changes");
  fs.writeFileSync(name, "x".repeat(100_000));
  const at = await site(serveStatic(root, { setHeaders: () => fs.truncateSync(name, 50_000) }));
  const got = parse(await within(exchange(at.port, request("/changes", ["Range: bytes=0-9"])), "the answer"));
  await at.close();
  assert.match(got.status, /^HTTP\/1.1 (500|404)/);
});

test("what others put between send and us has its say each time", async () => {
  const name = path.join(root, "said");
  fs.writeFileSync(name, "said");
  type Wrap = (req: IncomingMessage, res: ServerResponse, stream: EventEmitter & Record<string, unknown>) => void;
  const wraps: Record<string, Wrap> = {
    "setHeader says something else to some": (req, res) => {
      const { setHeader } = res;
      if (req.headers["x-mine"] === undefined) return;
      res.setHeader = (key, value) => setHeader.call(res, key, key === "Cache-Control" ? "private, no-store" : value);
    },
    "setHeader adds to what it is given": (_req, res) => {
      const { setHeader } = res;
      res.setHeader = (key, value) => setHeader.call(res, key, key === "ETag" ? `${value}+` : value);
    },
    "setHeader leaves the length out": (_req, res) => {
      const { setHeader } = res;
      res.setHeader = (key, value) => (key === "Content-Length" ? res : setHeader.call(res, key, value));
    },
    "stream sets a header for some": (req, res, stream) => {
      const body = stream.stream as (...args: unknown[]) => void;
      stream.stream = (...args: unknown[]) => {
        if (req.headers["x-mine"] !== undefined) res.setHeader("Cache-Control", "private");
        body.apply(stream, args);
      };
    },
    "a condition of one's own": (req, _res, stream) => {
      stream.isConditionalGET = () => req.headers["x-mine"] !== undefined;
      stream.isFresh = () => true;
    },
    "a listener that takes the rest": (_req, res, stream) => {
      stream.once("stream", (...all: unknown[]) => res.setHeader("X-Taken", String(all[0] !== undefined)));
    },
    "a listener that takes its arguments": (_req, res, stream) => {
      stream.once("stream", function (this: unknown) {
        // biome-ignore lint/complexity/noArguments: as old code has it
        res.setHeader("X-Taken", String(arguments[0] !== undefined));
      });
    },
  };
  for (const [what, wrap] of Object.entries(wraps)) {
    const at = await site((req, res) => {
      const stream = send(req, req.url as string, { root });
      wrap(req, res, stream as never);
      stream.pipe(res as never);
    });
    const play = async () => {
      const all: string[] = [];
      for (const lines of [[], ["X-Mine: 1"], [], ["X-Mine: 1"], []]) {
        all.push(undated(await within(exchange(at.port, request("/said", lines)), what)).toString("latin1"));
      }
      return all;
    };
    const want = await play();
    const undo = accelerate(send);
    const got = await play().finally(undo);
    await at.close();
    assert.equal(got, want, what);
  }
});

test("types that are defined later are said", async () => {
  const name = path.join(root, "a.odd");
  fs.writeFileSync(name, "odd");
  const at = await site(serveStatic(root));
  const type = async () => header(parse(await exchange(at.port, request("/a.odd"))).headers, "content-type");
  const before = [await type(), await type()];
  const { types } = createRequire(createRequire(import.meta.url).resolve("send"))("mime-types");
  types.odd = "text/odd";
  const after = await type();
  delete types.odd;
  await at.close();
  assert.equal(before, ["application/octet-stream", "application/octet-stream"]);
  assert.is(after, "text/odd; charset=utf-8");
});

test("who replaced fs.createReadStream, fs.stat, or what a stream calls, is asked", async () => {
  fs.writeFileSync(path.join(root, "asked"), "raw");
  const at = await site(serveStatic(root));
  const get = async () => parse(await within(exchange(at.port, request("/asked")), "the answer"));
  for (let i = 0; i < 2; i++) assert.is((await get()).body.toString(), "raw");
  const { createReadStream, stat, open, read, close } = fs;
  const asked: string[] = [];
  try {
    for (const [name, before] of Object.entries({ open, read, close })) {
      const after = (...args: never[]) => {
        asked.push(name);
        return (before as (...args: never[]) => void)(...args);
      };
      Object.assign(fs, { [name]: after });
      assert.is((await get()).body.toString(), "raw");
      Object.assign(fs, { [name]: before });
    }
    fs.createReadStream = ((...args: Parameters<typeof createReadStream>) =>
      createReadStream(...args).map((part: Buffer) => part.toString().toUpperCase())) as never;
    if (lacks("live imports of node:fs") === null) assert.is((await get()).body.toString(), "RAW");
    fs.createReadStream = createReadStream;
    fs.stat = ((_path: string, done: (error: Error) => void) =>
      setImmediate(done, Object.assign(new Error("hidden"), { code: "ENOENT" }))) as never;
    if (lacks("live imports of node:fs") === null) assert.match((await get()).status, /404/);
  } finally {
    Object.assign(fs, { createReadStream, stat, open, read, close });
  }
  await at.close();
  assert.equal([...new Set(asked)], ["open", "read", "close"]);
});

test("what is listened for in the next microtask is heard, each time", async () => {
  const finished: string[] = [];
  const at = await site(async (req, res) => {
    serveStatic(root)(req, res);
    await null;
    await once(res, "finish");
    finished.push(req.url as string);
  });
  for (const url of ["/a.txt", "/a.txt", "/a.txt"]) await within(exchange(at.port, request(url)), url);
  await at.close();
  assert.is(finished.length, 3);
});

test("each response ends in the async context of its request", async () => {
  const als = new AsyncLocalStorage<number>();
  const seen: string[] = [];
  let n = 0;
  const ways: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
    serveStatic: serveStatic(root),
    respond: (req, res) => {
      res.setHeader("Content-Type", "text/plain");
      respond(req, res, path.join(root, "huge")).catch(() => {});
    },
  };
  fs.writeFileSync(path.join(root, "huge"), Buffer.alloc(24 << 20));
  const at = await site((req, res) => {
    const id = n++;
    als.run(id, () => {
      res.on("finish", () => seen.push(als.getStore() === id ? "own" : `${als.getStore()} for ${id}`));
      (ways[req.headers.way as string] as (typeof ways)[string])(req, res);
    });
  });
  for (const way of Object.keys(ways)) {
    const get = () => exchange(at.port, request("/huge", [`Way: ${way}`]));
    await within(Promise.all([get(), get(), get(), get(), get(), get()]), way);
  }
  await at.close();
  fs.rmSync(path.join(root, "huge"));
  assert.equal(seen, Array(12).fill("own"));
});

test("clients that go away leave no fd behind", async () => {
  const at = await site(serveStatic(root));
  const before = descriptors();
  for (let i = 0; i < 50; i++) {
    const socket = net.connect(at.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(request("/big.bin"));
    if (i % 2) await once(socket, "readable");
    else await once(at.server, "request");
    socket.destroy();
  }
  const gone = async () => {
    while (descriptors() > before) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await within(gone(), "fds to be closed");
  await at.close();
});

test("nor do those with requests behind another", async () => {
  const undo = accelerate(send);
  for (const handler of [bySend, serveStatic(root), serveStatic(root, { symlinks: "inside" })]) {
    let asked = 0;
    const at = await site((req, res) => {
      asked++;
      handler(req, res);
    });
    const before = descriptors();
    for (const cut of [15, 45]) {
      const socket = net.connect(at.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.pause();
      socket.write("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n".repeat(cut));
      asked = 0;
      while (asked < cut || fdCount(path.join(root, "big.bin")) === 0)
        await new Promise((resolve) => setTimeout(resolve, 5)); // the file is open
      socket.resetAndDestroy();
      const gone = async () => {
        while (descriptors() > before) await new Promise((resolve) => setTimeout(resolve, 5));
      };
      await within(gone(), "fds to be closed");
    }
    await at.close();
  }
  undo();
});

// What is the handler's, not send's.

test("a suffix that is longer than the file is all of it (RFC 9110, section 14.1.2)", async () => {
  const whole = `0-99999/${text.length}`;
  const rows: [url: string, range: string, status: number, content: string | undefined, lines?: string[]][] = [
    ["/a.txt", "bytes=-100001", 206, whole],
    ["/a.txt", "bytes=-99999999999999999999999", 206, whole],
    ["/a.txt", "bytes= -200000 ", 206, whole],
    ["/a.txt", "bytes=-100000", 206, whole],
    ["/a.txt", "bytes=-5", 206, `99995-99999/${text.length}`],
    ["/a.txt", "bytes=-0", 416, `*/${text.length}`],
    ["/a.txt", "bytes=100000-", 416, `*/${text.length}`],
    ["/a.txt", "bytes=0-1,-200000", 206, whole],
    ["/a.txt", "bytes=-200000,-300000", 206, whole],
    ["/a.txt", "lines=-200000", 200, undefined],
    ["/a.txt", "bytes=-200000", 200, undefined, [`If-Range: ${etag("a.txt")}`]], // weak
    ["/a.txt", "bytes=-200000", 200, undefined, ['If-Range: "x"']],
    ["/a.txt", "bytes=-200000", 200, undefined, [`If-Range: ${date(-day)}`]],
    ["/a.txt", "bytes=-200000", 304, undefined, [`If-None-Match: ${etag("a.txt")}`]],
    ["/empty", "bytes=-5", 200, undefined],
  ];
  for (const options of [{}, { symlinks: "inside" }] as StaticOptions[]) {
    const seen: (string | undefined)[] = [];
    const handler = serveStatic(root, options);
    const at = await site((req, res) => {
      handler(req, res);
      res.once("close", () => seen.push(req.headers.range));
    });
    for (const [url, range, status, content, lines = []] of rows) {
      const about = `${url} ${range} ${lines}`;
      const got = parse(await within(exchange(at.port, request(url, [`Range: ${range}`, ...lines])), about));
      assert.match(got.status, new RegExp(` ${status} `), about);
      assert.is(header(got.headers, "content-range"), content && `bytes ${content}`, about);
      if (status === 416 || status === 304) continue;
      const [, start = "0", end = ""] = /^(\d+)-(\d+)/.exec(content ?? "") ?? [];
      const file = fs.readFileSync(path.join(root, url));
      assert.ok(got.body.equals(file.subarray(Number(start), end === "" ? file.length : Number(end) + 1)), about);
      assert.is(seen.at(-1), range.trim(), "the program's own request is as it came");
    }
    await at.close();
  }
});

if (process.platform !== "win32") {
  test.unless(without("mkfifo"), "what is no regular file is not there, and no FIFO is opened", async () => {
    const { root, remove } = folder({ "a.txt": "text", "sub/none": "" });
    const at = (name: string) => path.join(root, name);
    const socket = net.createServer().listen(at("socket"));
    await once(socket, "listening");
    execFileSync("mkfifo", [at("fifo")]);
    fs.symlinkSync("fifo", at("fifo-link"));
    fs.symlinkSync("/dev/zero", at("device"));
    fs.symlinkSync("nowhere", at("dangling"));
    fs.symlinkSync("circle", at("circle"));
    const names = ["socket", "fifo", "fifo-link", "device", "dangling", "circle"];
    for (const name of names) {
      fs.mkdirSync(at(`of-${name}`));
      fs.symlinkSync(`../${name}`, at(`of-${name}/index.html`));
    }
    // It would be let in by whoever opens the other end, if only for a moment.
    let opened = false;
    const writer = fs.promises.open(at("fifo"), "w").then((file) => {
      opened = true;
      return file;
    });
    for (const symlinks of ["follow", "inside"] as const) {
      const handler = serveStatic(root, { symlinks });
      const one = await site((req, res) =>
        handler(req, res, req.headers.next ? () => res.end("passed on") : undefined),
      );
      for (const name of names.flatMap((name) => [name, `of-${name}/`])) {
        for (const method of ["GET", "HEAD"]) {
          const ask = async (lines: string[]) =>
            parse(await within(exchange(one.port, request(`/${name}`, lines, method)), `${method} ${name}`));
          assert.match((await ask([])).status, / 404 /, `${symlinks}: ${method} ${name}`);
          const passed = await ask(["Next: yes"]);
          assert.match(passed.status, / 200 /);
          if (method === "GET") assert.is(passed.body.toString(), "passed on", `${symlinks}: ${name}`);
        }
      }
      assert.is(parse(await exchange(one.port, request("/a.txt"))).body.toString(), "text");
      await one.close();
    }
    assert.is(opened, false);
    const reader = fs.openSync(at("fifo"), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    await (await writer).close();
    fs.closeSync(reader);
    socket.close();
    remove();
  });
}

async function ask(options: StaticOptions | undefined, text: string, next = true, mount = "") {
  const handler = serveStatic(root, options);
  const at = await site((req, res) => {
    const asked = Object.assign(req, { originalUrl: req.url });
    if (mount) req.url = (req.url as string).slice(mount.length) || "/";
    const pass = (error?: unknown) => {
      res.statusCode = error ? (error as { statusCode: number }).statusCode : 404;
      res.end(error ? "failed" : "passed on");
    };
    handler(asked, res, next ? pass : undefined);
  });
  const got = parse(await within(exchange(at.port, text), text));
  await at.close();
  return { ...got, body: got.body.toString() };
}

test("what is not there is passed on, or answered", async () => {
  for (const url of ["/none", "/.hidden", "/../x", "/%zz", "/only/"]) {
    assert.is((await ask(undefined, request(url))).body, "passed on", url);
    assert.is((await ask({ fallthrough: false }, request(url))).body, "failed", url);
    assert.match((await ask(undefined, request(url), false)).status, / 4\d\d /, url);
  }
  assert.is((await ask(undefined, request("/a.txt", ["Range: bytes=999999-"]))).body, "failed");
});

test("other methods", async () => {
  assert.is((await ask(undefined, request("/a.txt", [], "DELETE"))).body, "passed on");
  const got = await ask({ fallthrough: false }, request("/a.txt", [], "DELETE"));
  assert.is(got.status, "HTTP/1.1 405 Method Not Allowed");
  assert.is(header(got.headers, "allow"), "GET, HEAD");
});

test("folders are redirected to their slash", async () => {
  const rows: [url: string, mount: string, location: string | undefined][] = [
    ["/sub", "", "/sub/"],
    ["/sub?a=b", "", "/sub/?a=b"],
    ["/at/sub?a=b", "/at", "/at/sub/?a=b"],
    ["/at", "/at", "/at/"],
    ["//sub", "", "/sub/"],
  ];
  for (const [url, mount, location] of rows) {
    const got = await ask(undefined, request(url), true, mount);
    assert.is(got.status, "HTTP/1.1 301 Moved Permanently", url);
    assert.is(header(got.headers, "location"), location, url);
  }
  assert.is((await ask({ redirect: false }, request("/sub"))).body, "passed on");
});

test("bad arguments", () => {
  assert.throws(() => serveStatic("" as never), TypeError);
  assert.throws(() => serveStatic(1 as never), TypeError);
  assert.throws(() => serveStatic(root, { setHeaders: 1 as never }), TypeError);
  assert.throws(() => serveStatic(root, { dotfiles: "x" as never }), TypeError);
  assert.throws(() => serveStatic(root, { symlinks: "x" as never }), TypeError);
  assert.throws(() => serveStatic(root, { extensions: ["html", "\0"] }), /extensions must be names without null bytes/);
  assert.throws(() => serveStatic(root, { index: "\0" }), /index must be names without null bytes/);
});

test("precompressed siblings", async () => {
  const rows: [url: string, accept: string | null, coding: string | undefined, type: string][] = [
    ["/p/app.js", "gzip, deflate, br", "br", "text/javascript; charset=utf-8"],
    ["/p/app.js", "gzip", "gzip", "text/javascript; charset=utf-8"],
    ["/p/app.js", "br;q=0.1, gzip;q=0.2", "gzip", "text/javascript; charset=utf-8"],
    ["/p/app.js", "br;q=0, *;q=0.5", "gzip", "text/javascript; charset=utf-8"],
    ["/p/app.js", "identity, br;q=0.5", undefined, "text/javascript; charset=utf-8"],
    ["/p/app.js", null, undefined, "text/javascript; charset=utf-8"],
    ["/p/app.js", "identity;q=0", undefined, "text/javascript; charset=utf-8"],
    ["/p/gz.css", "br, gzip", "gzip", "text/css; charset=utf-8"],
    ["/p/gz.css", "br", undefined, "text/css; charset=utf-8"],
    ["/p/none.svg", "br, gzip", undefined, "image/svg+xml"],
  ];
  for (const [url, accept, coding, type] of rows) {
    const lines = accept === null ? [] : [`Accept-Encoding: ${accept}`];
    const at = await site(serveStatic(root, { precompressed: true }));
    const got = parse(await exchange(at.port, request(url, lines)));
    await at.close();
    const sibling = { br: ".br", gzip: ".gz" }[coding ?? ""] ?? "";
    assert.is(header(got.headers, "content-encoding"), coding, `${url} ${accept}`);
    assert.is(header(got.headers, "content-type"), type, `${url} ${accept}`);
    assert.is(header(got.headers, "vary"), "Accept-Encoding", `${url} ${accept}`);
    assert.is(header(got.headers, "etag"), etag(url + sibling));
    assert.ok(got.body.equals(fs.readFileSync(path.join(root, url + sibling))), `${url} ${accept}`);
  }
});

test("a file that was empty when its headers were made, and then written to, sends none of it", async () => {
  const { root, remove } = folder({ "first.txt": 0, "next.txt": 0 });
  const at = await site(serveStatic(root, { setHeaders: (_res, path) => fs.appendFileSync(path, "X") }));
  const get = (name: string) => `GET /${name}.txt HTTP/1.1\r\nHost: x\r\n\r\n`;
  const got = await within(exchange(at.port, get("first") + request("/next.txt")), "two that grow");
  const answers = got.toString("latin1").split("HTTP/1.1 200 OK\r\n");
  assert.is(answers.length, 3);
  for (const answer of answers.slice(1)) assert.match(answer, /Content-Length: 0\r\n.*\r\n\r\n$/s);
  assert.is(answers[0], "");
  await at.close();
  remove();
});

test("precompressed, and conditional", async () => {
  const options = { precompressed: true };
  const br = ["Accept-Encoding: br"];
  const fresh = await ask(options, request("/p/app.js", [...br, `If-None-Match: ${etag("p/app.js.br")}`]));
  assert.is(fresh.status, "HTTP/1.1 304 Not Modified");
  assert.is(header(fresh.headers, "vary"), "Accept-Encoding");
  // The validator of one representation is none of another.
  const stale = await ask(options, request("/p/app.js", [...br, `If-None-Match: ${etag("p/app.js")}`]));
  assert.is(stale.status, "HTTP/1.1 200 OK");
  const past = await ask(options, request("/p/app.js", [...br, "Range: bytes=999999-"]));
  assert.is(past.body, "failed");
  assert.is(header(past.headers, "content-encoding"), undefined);
});

/** A file that lies outside of a root of its own, with links to it and to the folder that it is in. */
function linked() {
  const there = folder({ "secret.txt": "secret", "app.js.br": "secret" });
  const here = folder({ "a.txt": text, empty: 0, "app.js": "plain", "sub/b.txt": "b" });
  const at = (name: string) => path.join(here.root, name);
  fs.symlinkSync(path.join(there.root, "secret.txt"), at("secret.txt"));
  fs.symlinkSync(path.join(there.root, "app.js.br"), at("app.js.br"));
  fs.symlinkSync(there.root, at("out"));
  fs.symlinkSync("sub", at("in"));
  fs.symlinkSync(here.root, path.join(there.root, "root"));
  const remove = () => {
    here.remove();
    there.remove();
  };
  return { root: here.root, outside: there.root, at, remove };
}

if (process.platform !== "win32") {
  test("symlinks: 'inside': what lies outside is not there, for no method and under no condition", async () => {
    const { root, outside, at, remove } = linked();
    const rows: [url: string, status: number, lines?: string[]][] = [
      ["/a.txt", 200],
      ["/empty", 200],
      ["/in/b.txt", 200],
      ["/a.txt", 206, ["Range: bytes=1-2"]],
      ["/a.txt", 416, ["Range: bytes=9999999-"]],
      ["/a.txt", 412, ['If-Match: "x"']],
      ["/secret.txt", 404],
      ["/secret.txt", 404, ["Range: bytes=1-2"]],
      ["/secret.txt", 404, ["Range: bytes=9999999-"]],
      ["/secret.txt", 404, ['If-Match: "x"']],
      ["/out/secret.txt", 404],
      ["/app.js", 404, ["Accept-Encoding: br"]],
      ["/app.js", 200],
    ];
    const before = descriptors();
    // The root by its name, and by a link.
    for (const name of [root, path.join(outside, "root")]) {
      const one = await site(serveStatic(name, { symlinks: "inside", precompressed: true }));
      for (const [url, status, lines] of rows) {
        for (const method of ["GET", "HEAD"]) {
          const got = parse(await within(exchange(one.port, request(url, lines, method)), url));
          // Only GET has ranges.
          const range = method === "HEAD" && (status === 206 || status === 416);
          assert.match(got.status, new RegExp(` ${range ? 200 : status} `), `${method} ${url} ${lines}`);
          assert.is(got.body.includes("secret"), false);
        }
      }
      await one.close();
    }
    // Another root behind the same link.
    const link = at("moving");
    fs.symlinkSync(path.join(root, "sub"), link);
    const one = await site(serveStatic(link, { symlinks: "inside" }));
    assert.is(parse(await exchange(one.port, request("/b.txt"))).body.toString(), "b");
    fs.rmSync(link);
    fs.symlinkSync(root, link);
    assert.is(parse(await exchange(one.port, request("/a.txt"))).body.toString(), text);
    await one.close();
    assert.is(descriptors(), before, "nothing is left open");
    remove();
  });

  const inThread = shared.sys?.libc.openat2 === undefined ? "a file is opened in a thread here" : null;
  test.unless(inThread, "a file that was opened at once is closed where it is not sent", async () => {
    const known = path.join(root, "a.txt");
    const at = await site(serveStatic(root));
    await exchange(at.port, request("/a.txt"));
    const atOnce = () => {
      const opened = shared.opener.open(known);
      if (opened !== null) fs.closeSync(opened.fd);
      return opened !== null;
    };
    await until("its file system is known", atOnce);
    const got = parse(await exchange(at.port, request("/a.txt", ["Range: bytes=100000-"])));
    await at.close();
    assert.match(got.status, / 416 /);
    assert.is(fdCount(known), 0);
  });

  test("symlinks: 'inside': what has become a folder since it was looked at is not there", async () => {
    const { root, remove } = folder({ "a.txt": text });
    const file = path.join(root, "a.txt");
    const at = await site(serveStatic(root, { symlinks: "inside" }));
    const { open } = fs;
    fs.open = ((...args: Parameters<typeof open>) => {
      fs.rmSync(file);
      fs.mkdirSync(file);
      return open(...args);
    }) as typeof open;
    try {
      const got = parse(await within(exchange(at.port, request("/a.txt")), "the answer"));
      assert.match(got.status, / 404 /);
    } finally {
      fs.open = open;
      await at.close();
      remove();
    }
  });

  test("symlinks: 'inside': a folder whose name only begins like the root's is outside", async () => {
    const { root, remove } = folder({ "root/a.txt": text, "root-beside/secret.txt": "secret" });
    fs.symlinkSync(path.join(root, "root-beside"), path.join(root, "root/out"));
    const at = await site(serveStatic(path.join(root, "root"), { symlinks: "inside" }));
    const statuses = ["/a.txt", "/out/secret.txt"].map(
      async (url) => parse(await exchange(at.port, request(url))).status,
    );
    assert.equal(await Promise.all(statuses), ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"]);
    await at.close();
    remove();
  });

  test("symlinks: 'inside': a file that is swapped after it was looked at is the one that is sent", async () => {
    const { root, outside, at, remove } = linked();
    const swap = (_res: unknown, file: string) => {
      assert.is(file, at("a.txt"));
      fs.rmSync(file);
      fs.symlinkSync(path.join(outside, "secret.txt"), file);
    };
    for (const copy of [false, true]) {
      fs.rmSync(at("a.txt"));
      fs.writeFileSync(at("a.txt"), text);
      const handler = serveStatic(root, { symlinks: "inside", setHeaders: swap });
      const one = await site((req, res) => {
        // A response that is wrapped is written to.
        if (copy) res.write = res.write.bind(res) as typeof res.write;
        handler(req, res);
      });
      const got = parse(await within(exchange(one.port, request("/a.txt")), "the answer"));
      await one.close();
      assert.is(got.body.toString(), text);
    }
    remove();
  });
}

test("negotiate", () => {
  const rows: [accept: string | undefined, codings: string[]][] = [
    [undefined, ["identity"]],
    ["", ["identity"]],
    ["br", ["br", "identity"]],
    ["gzip, br", ["br", "gzip", "identity"]],
    ["*", ["br", "gzip", "identity"]],
    ["GZIP;Q=0.9", ["gzip", "identity"]],
    ["x-gzip", ["gzip", "identity"]],
    ["br;q=0.5, gzip;q=0.8, identity;q=0.6", ["gzip", "identity", "br"]],
    ["br;q=0, gzip;q=0.000", ["identity"]],
    ["*;q=0", ["identity"]],
    ["br;q=2, gzip;q=x", ["identity"]],
    ["zstd, deflate", ["identity"]],
    [" br ; q = 0.3 , ,gzip;q=1.000", ["gzip", "br", "identity"]],
  ];
  for (const [accept, codings] of rows) assert.equal(negotiate(accept, ["br", "gzip"]), codings, accept ?? "no header");
});

for (const way of ["serveStatic", "respond"]) {
  test(`${way}: a connection that ends leaves no file of a pipeline open`, async () => {
    const respondTo: RequestListener = (req, res) => void respond(req, res, path.join(root, "big.bin")).catch(() => {});
    const at = await site(way === "respond" ? respondTo : serveStatic(root));
    const before = descriptors();
    const one = "GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n";
    for (let i = 0; i < 5; i++) await within(exchange(at.port, `${one}${one}${one}junk\r\n\r\n`), "the end");
    const late = Date.now() + 30_000;
    while (descriptors() > before && Date.now() < late) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`);
    await at.close();
  });
}

test.run();
