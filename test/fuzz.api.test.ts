// Any value as any argument of the public API: it works, or an error says which argument is wrong. Nothing
// crashes, nothing is left open, and every promise settles.

import { once } from "node:events";
import * as fs from "node:fs";
import { open } from "node:fs/promises";
import http from "node:http";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import fc from "fast-check";
import {
  configureExit,
  drainOnExit,
  exitNow,
  onExit,
  SendfileError,
  type SendfileOptions,
  sendfile,
  sendfileSync,
} from "sendoff";
import { accelerate, respond, type Send, serveStatic } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "#process";
import { census } from "./lib/census.js";
import { fdCount, fdTargets } from "./lib/files.js";
import { BITE, check, type Lazy, lazy, mostly, options, strange, values } from "./lib/hostile.js";
import { suite } from "./lib/suite.js";
import { exchange, request, site, within } from "./lib/web.js";

const test = suite("fuzz, the API");
const folder = fs.mkdtempSync(join(tmpdir(), "sendoff-fuzz-"));
const path = join(folder, "file");
fs.writeFileSync(path, Buffer.alloc(100_000, "x"));
test.after(() => fs.rmSync(folder, { recursive: true }));

const { shared } = host();
const records = census(shared);

const loose: unknown[] = [];
const catchLoose = (error: unknown) => loose.push(error);
test.before(() => void process.on("unhandledRejection", catchLoose).on("uncaughtException", catchLoose));
test.after(() => void process.off("unhandledRejection", catchLoose).off("uncaughtException", catchLoose));

/** The error is the caller's own, or one of ours that names one of the arguments. `send`'s have no code. */
function clear(error: unknown, names: string[], codeless = false): void {
  if (error === BITE || error instanceof SendfileError) return;
  const { message, code } = error as NodeJS.ErrnoException;
  if (message.includes("proxy that has been revoked")) return; // as if the caller had thrown it
  if (codeless && message.includes("detached ArrayBuffer")) return; // a number, for `send`
  const ours = error instanceof TypeError || error instanceof RangeError;
  const coded = codeless || (typeof code === "string" && code.startsWith("ERR_"));
  const named = names.some((name) => new RegExp(`\\b${name}\\b`).test(message));
  assert.ok(ours && coded && named, `not clear: ${(error as Error).stack}`);
}

/** Nothing is open but what was before, and nobody has thrown behind our back. */
async function tidy(before: number): Promise<void> {
  const late = Date.now() + 30_000;
  let fds: number;
  // A path may still be opened, late, for a transfer that was refused; then it is closed at once.
  do {
    await new Promise((resolve) => setImmediate(resolve));
    fds = fdCount();
  } while ((records.open > 0 || fds > before) && Date.now() < late);
  assert.is(records.open, 0, "records of the core");
  assert.ok(fds <= before, `descriptors are left open, beside ${before}: ${fdTargets()}`);
  const thrown = loose.splice(0).map((error) => (error instanceof Error ? error.stack : String(error)));
  if (thrown.length > 0) assert.unreachable(`thrown behind our back: ${thrown.join("\n")}`);
}

/** No number that could be one of the descriptors of this process. */
const foreign = (value: unknown) => (typeof value === "number" && value >= 0 && value < 1e6 ? value + 1e6 : value);

async function outcome(call: () => unknown, names: string[], codeless = false): Promise<void> {
  try {
    await within(Promise.resolve(call()), "an answer", 10_000);
  } catch (error) {
    clear(error, names, codeless);
  }
}

async function* chunks(...some: unknown[]) {
  yield* some;
}

const FILES: Lazy[] = [
  ...values(path, folder, join(folder, "none"), new URL(`file://${path}`), new URL("http://x/")),
  lazy("bytes", () => Buffer.from("bytes")),
  lazy("an ArrayBuffer", () => new ArrayBuffer(10)),
  lazy("a DataView", () => new DataView(new ArrayBuffer(10))),
  lazy("a Blob", () => new Blob(["blob"])),
  lazy("a stream", () => Readable.from([Buffer.from("stream")])),
  lazy("a stream in object mode", () => Readable.from([{}])),
  lazy("an iterable", () => chunks(Buffer.from("iterable"))),
  lazy("an iterable of text", () => chunks("text")),
  lazy("an iterable of nothing", () => chunks()),
  lazy("an iterator that is none", () => ({ [Symbol.asyncIterator]: () => 5 })),
  lazy("an iterator without next", () => ({ [Symbol.asyncIterator]: () => ({}) })),
  lazy("an iterable whose on is no function", () => Object.assign(chunks(), { on: 5 })),
  lazy("an iterable whose on throws", () =>
    Object.assign(chunks(), {
      on: () => {
        throw BITE;
      },
    }),
  ),
  lazy("an iterable that throws", () => ({
    [Symbol.asyncIterator]: () => {
      throw BITE;
    },
  })),
  lazy("a FileHandle that is none", () => ({ fd: 1e6, read() {}, stat() {} })),
  lazy("a FileHandle that reads nothing", () => ({ fd, read: () => undefined, stat() {} })),
  lazy("a FileHandle that throws", () => ({
    fd,
    read: () => {
      throw BITE;
    },
    stat() {},
  })),
];
const fd = fs.openSync(path, "r");
test.after(() => fs.closeSync(fd));

const SOCKETS: Lazy[] = [
  lazy("a Writable", () => new Writable({ write: (_chunk, _encoding, done) => done() })),
  lazy("a Writable that fails", () =>
    new Writable({ write: (_chunk, _encoding, done) => done(BITE) }).on("error", () => {}),
  ),
  lazy("a Writable that throws", () => {
    const write = () => {
      throw BITE;
    };
    return new Writable({ write }).on("error", () => {});
  }),
  lazy("a Writable in object mode", () => new Writable({ objectMode: true })),
  lazy("a Writable that is over", () => new Writable().destroy()),
  lazy("a socket that never was", () => new net.Socket().on("error", () => {})),
  lazy("what has write and once", () => ({ write: () => true, once() {} })),
  lazy("what has all methods", () => ({ write: () => true, once() {}, on() {}, removeListener() {} })),
  lazy("what can't be written to", () => ({
    write: () => {
      throw BITE;
    },
    once() {},
    on() {},
    removeListener() {},
  })),
  lazy("what can't listen", () => ({
    write: () => true,
    once: () => {
      throw BITE;
    },
  })),
  lazy("what is frozen", () => Object.freeze({ write: () => true, once() {}, on() {}, removeListener() {} })),
];

const LIMITS: Record<string, Lazy[]> = {
  offset: values(0, 1, 99_999, 100_000, 2 ** 53 - 1, undefined),
  count: values(1, 100_000, 100_001, 2 ** 53 - 1, undefined),
  timeout: values(1000, 0, 1e308, undefined),
  deadline: values(1000, 0, 1e308, undefined),
  signal: [
    ...values(undefined),
    lazy("a signal", () => new AbortController().signal),
    lazy("an aborted signal", () => AbortSignal.abort()),
    lazy("a signal that is none", () => ({ aborted: false, addEventListener() {}, removeEventListener() {} })),
  ],
  onProgress: [
    lazy("a listener", () => () => {}),
    lazy("a listener that throws", () => () => {
      throw BITE;
    }),
  ],
  mode: values("auto", "native", "copy", undefined, "fast"),
};
const NAMES = ["file", "options", ...Object.keys(LIMITS)];
const ENDS: Record<string, Lazy[]> = {
  header: [lazy("a header", () => Buffer.from("header"))],
  trailer: [lazy("a trailer", () => Buffer.from("trailer"))],
};

/** A listening server that takes everything in. */
async function drain(): Promise<{ near: net.Socket; close(): Promise<void> }> {
  const server = net.createServer((far) => far.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1").on("error", () => {});
  return {
    near,
    async close() {
      near.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** What is opened once in a process is open before anything is counted. */
test.before(async () => {
  const { near, close } = await drain();
  await sendfile(near, path);
  await close();
});

test("sendfile", async () => {
  const socket = fc.oneof(fc.constant(null), mostly(...SOCKETS));
  const property = fc.asyncProperty(
    socket,
    mostly(...FILES),
    options({ ...LIMITS, ...ENDS }),
    async (lent, file, settings) => {
      const before = fdCount();
      const real = lent === null ? await drain() : null;
      const near = (real?.near ?? lent?.make()) as Writable;
      const from = foreign(file.make()) as string;
      await outcome(
        () => sendfile(near, from, settings.make() as SendfileOptions),
        ["socket", "header", "trailer", ...NAMES],
      );
      await real?.close();
      await tidy(before);
    },
  );
  await check(property, 300);
});

test("sendfile: what can't be listened to, with each kind of file", async () => {
  for (const socket of SOCKETS.filter(({ name }) => name === "what can't listen")) {
    for (const file of FILES) {
      const before = fdCount();
      await outcome(() => sendfile(socket.make() as Writable, file.make() as string), ["socket", "file"]);
      await tidy(before);
    }
  }
});

test("sendfile: a FileHandle and an fd of a real socket's transfer stay open", async () => {
  const property = fc.asyncProperty(fc.boolean(), options({ ...LIMITS, ...ENDS }), async (number, settings) => {
    const before = fdCount();
    const real = await drain();
    const handle = await open(path);
    await outcome(
      () => sendfile(real.near, number ? handle.fd : handle, settings.make() as SendfileOptions),
      ["header", "trailer", ...NAMES],
    );
    fs.fstatSync(handle.fd);
    await handle.close();
    await real.close();
    await tidy(before);
  });
  await check(property, 200);
});

test("sendfileSync", async () => {
  const number = mostly(...values(0, 1, 1e6, 2 ** 31 - 1, null));
  const property = fc.asyncProperty(number, number, number, number, async (out, file, offset, count) => {
    const before = fdCount();
    const call = () =>
      sendfileSync(
        foreign(out.make()) as number,
        foreign(file.make()) as number,
        offset.make() as number,
        count.make() as number,
      );
    await outcome(call, ["out", "file", "offset", "count"]);
    await tidy(before);
  });
  await check(property, 200);
});

const RESPONSES: Lazy[] = [
  lazy("a response that is none", () => ({ write: () => true, end() {}, once() {}, on() {} })),
  lazy("a Writable", () => new Writable({ write: (_chunk, _encoding, done) => done() })),
];

test("respond", async () => {
  const property = fc.asyncProperty(
    mostly(...values(null)),
    mostly(...values(null)),
    mostly(...FILES),
    options(LIMITS),
    async (req, res, file, settings) => {
      const before = fdCount();
      let asked: Promise<void> | null = null;
      const at = await site((realReq, realRes) => {
        asked = outcome(
          () =>
            respond(
              (req.make() ?? realReq) as never,
              (res.make() ?? realRes) as never,
              foreign(file.make()) as never,
              settings.make() as never,
            ),
          ["req", "res", ...NAMES],
        ).finally(() => realRes.destroy());
        asked.catch(() => {}); // it is awaited below
      });
      await within(exchange(at.port, request("/")), "the end of the response").catch(() => {});
      await at.close();
      assert.ok(asked);
      await asked;
      await tidy(before);
    },
  );
  await check(property, 150);
  const without = fc.asyncProperty(mostly(...RESPONSES), mostly(...FILES), options(LIMITS), async (res, file, some) => {
    const before = fdCount();
    const req = { method: "GET", url: "/", headers: {} };
    await outcome(
      () => respond(req as never, res.make() as never, foreign(file.make()) as never, some.make() as never),
      ["res", ...NAMES],
    );
    await tidy(before);
  });
  await check(without, 150);
});

const STATIC: Record<string, Lazy[]> = {
  acceptRanges: values(true, false),
  cacheControl: values(true, false),
  dotfiles: values("allow", "deny", "ignore"),
  etag: values(true, false),
  extensions: [...values(false), lazy("extensions", () => ["html"])],
  immutable: values(true, false),
  index: values(false, "index.html"),
  lastModified: values(true, false),
  maxAge: values(0, "1d"),
  fallthrough: values(true, false),
  redirect: values(true, false),
  setHeaders: [lazy("a function", () => () => {})],
  precompressed: values(true, false),
  symlinks: values("follow", "inside"),
};

test("serveStatic", async () => {
  const root = mostly(...values(folder, join(folder, "none"), path));
  const property = fc.asyncProperty(root, options(STATIC), async (where, settings) => {
    const before = fdCount();
    let handler: http.RequestListener | undefined;
    await outcome(
      () => {
        handler = serveStatic(where.make() as string, settings.make() as never) as http.RequestListener;
      },
      ["root", "options", ...Object.keys(STATIC)],
      true,
    );
    if (handler !== undefined) {
      // Whatever it was made of, it answers.
      const at = await site(handler);
      const answer = await within(exchange(at.port, request("/file", ["Accept-Encoding: br"])), "an answer");
      assert.match(answer.subarray(0, 12).toString(), /^HTTP\/1\.1 [2345]\d\d?/);
      await at.close();
    }
    await tidy(before);
  });
  await check(property, 200);
});

test("accelerate", async () => {
  const copies = [
    lazy("what makes nothing", () => () => undefined),
    lazy("what makes an object", () => () => ({})),
    lazy("what makes no prototype", () => () => Object.create(null)),
  ];
  const property = fc.asyncProperty(mostly(...copies), (send) =>
    outcome(() => accelerate(send.make() as Send), ["send"]),
  );
  await check(property, 200);
});

/** Exit functions of the fuzzer's are taken back at once; what is said goes nowhere. */
const silent = { log: [...values(null), lazy("a log", () => () => {})] };

test("onExit", async () => {
  const settings = options({
    ...silent,
    signals: [lazy("signals", () => ["SIGTERM", "SIGUSR2"]), lazy("no signals", () => []), ...values(undefined)],
    timeout: values(0, 10, 1 / 0),
    name: values("name"),
  });
  const fn = mostly(lazy("a function", () => () => {}));
  const property = fc.asyncProperty(fn, settings, async (first, second) => {
    const call = () => {
      const off = (onExit as (...args: unknown[]) => unknown)(first.make(), second.make());
      if (typeof off === "function" && Symbol.dispose in off) (off as unknown as () => void)();
    };
    await outcome(call, ["fn", "options", "log", "signals", "timeout", "name"]);
    await tidy(fdCount());
  });
  await check(property, 150);
  assert.is(process.listenerCount("SIGTERM"), 0);
  assert.is(process.listenerCount("SIGUSR2"), 0);
});

test("onExit, with options given and then a function", async () => {
  const property = fc.asyncProperty(strange(), strange(), async (settings, fn) => {
    await outcome(() => {
      const given = settings.make();
      if (typeof given === "function") return; // the row above
      const value = fn.make();
      // One that is a function stays, and runs when this process ends: the fuzzer's own would fail it.
      const harmless = typeof value === "function" ? () => {} : value;
      (onExit as (...args: unknown[]) => (fn: unknown) => unknown)(given)(harmless);
      assert.type(value, "function");
    }, ["fn", "options", "log", "signals", "timeout", "name"]);
  });
  await check(property, 200);
});

test("drainOnExit", async () => {
  const servers = [lazy("servers", () => [http.createServer()]), lazy("no servers", () => []), ...values(undefined)];
  const settings = options({ ...silent, timeout: values(0, 10), servers, signals: [lazy("none", () => [])] });
  const property = fc.asyncProperty(settings, (some) =>
    outcome(() => drainOnExit(some.make() as never)(), ["options", "log", "signals", "timeout", "servers"]),
  );
  await check(property, 300);
});

test("configureExit", async () => {
  const settings = options({
    ...silent,
    status: values("signal", "code", 3),
    forceAfter: values(500),
    deadline: values(8000),
    others: values("wait", "now", "leave"),
  });
  const property = fc.asyncProperty(settings, (some) =>
    outcome(
      () => configureExit(some.make() as never),
      ["settings", "status", "forceAfter", "deadline", "others", "log"],
    ),
  );
  await check(property, 200);
  configureExit({ status: "signal", forceAfter: 500, deadline: 8000, others: "wait", log: null });
});

test("exitNow", async () => {
  /** It would do what it is asked to. */
  const asked = (to: unknown) =>
    to === undefined || (Number.isInteger(to) && (to as number) >= 0 && (to as number) < 256);
  const property = fc.asyncProperty(mostly(...values(-1, 256, "SIGKILL", "SIGSEGV", "", null)), async (to) => {
    const value = to.make();
    fc.pre(!asked(value));
    const answer = await within(exitNow(value as number), "an answer", 10_000).then(
      () => assert.unreachable(),
      (error: unknown) => error,
    );
    clear(answer, ["to"]);
  });
  await check(property, 200);
});

test.run();
