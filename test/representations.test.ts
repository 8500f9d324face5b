// serveStatic() with what it remembers, and without: the same answers, whatever happens to the files in between.

import { once } from "node:events";
import fs from "node:fs";
import type { RequestListener, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { type Send, type StaticOptions, serveStatic } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "#process";
import { Representations } from "../host/http/representations.js";
import { until } from "./lib/command.js";
import { counting } from "./lib/counting.js";
import { tempFolder } from "./lib/files.js";
import { lacks } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";
import { header, parse, request, site, undated, within } from "./lib/web.js";

const { shared } = host();
const send = createRequire(import.meta.url)("send") as Send;
/** Why no target gets known: what `send` sends itself it opens itself. */
const unknown = process.platform !== "linux" ? "files stay open on Linux only" : lacks("fd of a response");

/** A client on one connection, so that no answer shifts the next one unnoticed. */
async function client(t: Cleanup, listener: RequestListener) {
  const at = await site(listener);
  t.after(() => at.close());
  const socket = net.connect(at.port, "127.0.0.1");
  let bytes = Buffer.alloc(0);
  socket.on("data", (part: Buffer) => {
    bytes = Buffer.concat([bytes, part]);
  });
  await once(socket, "connect");
  /** One exchange; a HEAD and a 304 have no body. */
  return async (url: string, lines: string[] = [], method = "GET"): Promise<Buffer> => {
    socket.write(request(url, lines, method).replace("Connection: close\r\n", ""));
    const whole = (): number => {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return -1;
      const { status, headers } = parse(bytes.subarray(0, end + 4));
      const bodiless = method === "HEAD" || / (204|304) /.test(status);
      const length = end + 4 + (bodiless ? 0 : Number(header(headers, "content-length") ?? 0));
      return bytes.length < length ? -1 : length;
    };
    while (whole() < 0) await within(once(socket, "data"), `${method} ${url}`);
    const answer = bytes.subarray(0, whole());
    bytes = bytes.subarray(answer.length);
    return answer;
  };
}

/** How often `send` is asked while something runs. */
async function asking<T>(run: () => Promise<T>): Promise<[T, number]> {
  const proto = Object.getPrototypeOf(send({ method: "GET", url: "/", headers: {} } as never, "/")) as {
    pipe(res: ServerResponse): ServerResponse;
  };
  const { pipe } = proto;
  let asked = 0;
  proto.pipe = function (res) {
    asked++;
    return pipe.call(this, res);
  };
  try {
    return [await run(), asked];
  } finally {
    proto.pipe = pipe;
  }
}

/** Asks until the file system is known to be local, and the target is remembered. */
const known = (ask: () => Promise<unknown>) =>
  until("the target to be known", async () => (await asking(ask))[1] === 0);

row(
  "a target that is known is answered without send, and by the kernel",
  async (t) => {
    const root = tempFolder(t);
    fs.writeFileSync(path.join(root, "a.txt"), "x".repeat(5000));
    fs.mkdirSync(path.join(root, "sub"));
    fs.writeFileSync(path.join(root, "sub/index.html"), "<p>index");
    const ask = await client(t, serveStatic(root, { extensions: ["txt"] }));
    for (const [url, length] of [
      ["/a.txt", 5000],
      ["/a.txt?query", 5000],
      ["/a", 5000],
      ["/sub/", 8],
    ] as const) {
      const first = await ask(url);
      await known(() => ask(url));
      const [[got, moved], asked] = await asking(() => counting(() => ask(url)));
      assert.is(undated(got).toString(), undated(first).toString());
      assert.is(asked, 0, url);
      if (shared.sys !== null && lacks("fd of a response") === null)
        assert.ok(moved >= length, `${moved} by the kernel`);
      const [head, none] = await asking(() => ask(url, [], "HEAD"));
      assert.is(none, 0);
      assert.equal(parse(head).headers, parse(first).headers);
    }
    for (const lines of [["Range: bytes=1-2"], ["If-None-Match: x"], ["If-Modified-Since: x"]]) {
      assert.is((await asking(() => ask("/a.txt", lines)))[1], 1, "send decides");
    }
  },
  unknown,
);

row(
  "what is known to be missing is passed on at once, until it is there",
  async (t) => {
    const root = tempFolder(t);
    const serve = serveStatic(root, { extensions: ["html"] });
    const ask = await client(t, (req, res) =>
      serve(req, res, (error) => {
        res.setHeader("Content-Length", 3);
        res.end(error === undefined ? "app" : "err");
      }),
    );
    const body = async () => parse(await ask("/later")).body.toString();
    assert.is(await body(), "app");
    assert.equal(await asking(body), ["app", 0]);
    fs.writeFileSync(path.join(root, "later.html"), "<p>there");
    assert.is(await body(), "<p>there");
    fs.rmSync(path.join(root, "later.html"));
    assert.is(await body(), "app");
    fs.mkdirSync(path.join(root, "later"));
    assert.match(parse(await ask("/later")).status, / 301 /);
  },
  unknown,
);

row(
  "setHeaders and what the program has set have their say each time; what they throw leaves nothing",
  async (t) => {
    const root = tempFolder(t);
    fs.writeFileSync(path.join(root, "a.txt"), "text");
    let said = 0;
    const serve = serveStatic(root, {
      setHeaders(res, file, stat) {
        res.setHeader("X-Said", `${++said} ${path.basename(file)} ${stat.size}`);
        if (said === 3) throw new Error("the third time");
      },
    });
    const ask = await client(t, (req, res) => {
      if (said > 0) res.setHeader("Cache-Control", "no-store");
      try {
        serve(req, res);
      } catch (error) {
        for (const name of res.getHeaderNames()) res.removeHeader(name);
        res.setHeader("Content-Length", 14);
        res.end((error as Error).message);
      }
    });
    await known(async () => {
      said = 0;
      await ask("/a.txt");
    });
    const second = parse(await ask("/a.txt"));
    assert.is(header(second.headers, "x-said"), "2 a.txt 4");
    assert.is(header(second.headers, "cache-control"), "no-store");
    const [third, asked] = await asking(() => ask("/a.txt"));
    assert.is(asked, 0);
    assert.is(parse(third).body.toString(), "the third time");
    assert.is(header(parse(await ask("/a.txt")).headers, "x-said"), "4 a.txt 4");
    assert.is(inUse(path.join(root, "a.txt")), 0);
  },
  unknown,
);

row(
  "the headers of a known target are read, changed and removed as any, for its answer alone",
  async (t) => {
    const root = tempFolder(t);
    fs.writeFileSync(path.join(root, "a.txt"), "text");
    const serve = serveStatic(root);
    const { now } = Date;
    t.after(() => void (Date.now = now));
    Date.now = () => now() + 10_000; // the file is no longer young, so its headers are kept
    let after: ((res: ServerResponse) => void) | null = null;
    const ask = await client(t, (req, res) => {
      serve(req, res);
      after?.(res);
    });
    await known(() => ask("/a.txt"));
    const plain = undated(await ask("/a.txt")).toString();
    const said: unknown[] = [];
    after = (res) => {
      said.push(res.getHeader("etag") === header(parse(Buffer.from(plain)).headers, "etag"), res.hasHeader("x"));
      said.push(res.getHeaderNames().join(), res.getHeaders()["content-length"]);
      res.removeHeader("Last-Modified");
      res.setHeader("ETag", '"other"');
      res.appendHeader("Cache-Control", "immutable");
    };
    for (let i = 0; i < 2; i++) {
      const { headers } = parse(await ask("/a.txt"));
      assert.is(header(headers, "last-modified"), undefined);
      assert.is(header(headers, "etag"), '"other"');
      assert.equal(headers.filter((line) => /^cache-control/i.test(line)).length, 2);
    }
    const names = "accept-ranges,cache-control,last-modified,etag,content-type,content-length";
    assert.equal(said, [true, false, names, 4, true, false, names, 4]);
    after = null;
    assert.is(undated(await ask("/a.txt")).toString(), plain);
  },
  unknown,
);

row(
  "of a known target, empty headers are set as by send, and who replaced setHeader gets them all",
  async (t) => {
    const root = tempFolder(t);
    fs.writeFileSync(path.join(root, "a.txt"), "text");
    const [serve, bySend] = [serveStatic(root), serveStatic(root, { openFileCache: false })];
    const heard: string[] = [];
    const ask = await client(t, (req, res) => {
      if (req.headers["x-empty"]) for (const name of ["Cache-Control", "Content-Type"]) res.setHeader(name, "");
      const { setHeader } = res;
      if (req.headers["x-replaced"]) {
        res.setHeader = function (this: ServerResponse, name: string, value: string) {
          heard.push(name);
          return setHeader.call(this, name, value);
        } as typeof setHeader;
      }
      (req.headers["x-send"] ? bySend : serve)(req, res);
    });
    await known(() => ask("/a.txt"));
    for (const lines of [["X-Empty: 1"], ["X-Replaced: 1"], ["X-Empty: 1", "X-Replaced: 1"]]) {
      heard.length = 0;
      const [got, asked] = await asking(() => ask("/a.txt", lines));
      assert.is(asked, 0);
      const set = heard.splice(0).sort();
      assert.is(undated(got).toString(), undated(await ask("/a.txt", [...lines, "X-Send: 1"])).toString());
      assert.equal(set, heard.sort(), `${lines}`);
    }
  },
  unknown,
);

row(
  "a header that is invalid fails the request, and leaves no file open",
  async (t) => {
    const root = tempFolder(t);
    const file = path.join(root, "a.txt");
    fs.writeFileSync(file, "text"); // young, so its headers are made each time
    const serve = serveStatic(root);
    const ask = await client(t, (req, res) => {
      try {
        serve(req, res);
      } catch (error) {
        for (const name of res.getHeaderNames()) res.removeHeader(name);
        res.setHeader("Content-Length", 16);
        res.end((error as { code: string }).code);
      }
    });
    await known(() => ask("/a.txt"));
    const proto = Object.getPrototypeOf(send({ method: "GET", url: "/", headers: {} } as never, "/"));
    const { setHeader } = proto;
    t.after(() => void (proto.setHeader = setHeader));
    proto.setHeader = function (this: { res: ServerResponse }) {
      this.res.setHeader("X-Wrong", "two\nlines");
    };
    assert.is(parse(await ask("/a.txt")).body.toString(), "ERR_INVALID_CHAR");
    assert.is(inUse(file), 0);
  },
  unknown,
);

/** Fds to a file that are left when those that stay open for their next use are closed. */
function inUse(file: string): number {
  shared.files.clear();
  return fs.readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false;
    }
  }).length;
}

for (const proc of ["with /proc", "without"]) {
  row(
    `symlinks: 'inside': a folder that was moved out behind a link is noticed, ${proc}`,
    async (t) => {
      const place = tempFolder(t);
      const root = path.join(place, "root");
      fs.mkdirSync(path.join(root, "dir"), { recursive: true });
      fs.writeFileSync(path.join(root, "dir/a.txt"), "text");
      const ask = await client(t, serveStatic(root, { symlinks: "inside" }));
      await known(() => ask("/dir/a.txt"));
      fs.renameSync(path.join(root, "dir"), path.join(place, "outside"));
      fs.symlinkSync(path.join(place, "outside"), path.join(root, "dir"));
      const before = process.cwd();
      const { readlinkSync } = fs;
      if (proc === "without") {
        process.chdir(root); // no name is not this one
        fs.readlinkSync = () => {
          throw new Error("ENOENT");
        };
      }
      const { status } = parse(
        await ask("/dir/a.txt").finally(() => {
          process.chdir(before);
          fs.readlinkSync = readlinkSync;
        }),
      );
      assert.match(status, / 404 /);
    },
    unknown,
  );
}

row(
  "symlinks: 'inside': when the root has gone nothing is there",
  async (t) => {
    const root = path.join(tempFolder(t), "root");
    fs.mkdirSync(root);
    fs.writeFileSync(path.join(root, "a.txt"), "text");
    const ask = await client(t, serveStatic(root, { symlinks: "inside" }));
    await known(() => ask("/a.txt"));
    fs.renameSync(root, `${root}.gone`);
    assert.match(parse(await ask("/a.txt")).status, / 404 /);
  },
  unknown,
);

row(
  "a file that is cut off after its headers is not sent as a whole one",
  async (t) => {
    const root = tempFolder(t);
    const file = path.join(root, "a.txt");
    fs.writeFileSync(file, "x".repeat(100_000));
    const serve = serveStatic(root, { setHeaders: () => void (cut && fs.truncateSync(file, 10)) });
    let cut = false;
    const at = await site(serve);
    t.after(() => at.close());
    const ask = await client(t, serve);
    await known(() => ask("/a.txt"));
    cut = true;
    const socket = net.connect(at.port, "127.0.0.1").on("error", () => {});
    socket.write(request("/a.txt") + request("/a.txt"));
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    const bytes = Buffer.concat(parts);
    const { status, body } = parse(bytes);
    // Either the length was still right, and the connection ended before, or an error was answered.
    assert.ok(/ 500 /.test(status) || body.length <= 10, `${status}, ${body.length} bytes`);
  },
  unknown,
);

test("targets are remembered up to a number, those in use the longest", () => {
  const all = new Representations(
    shared,
    () => [],
    () => true,
  );
  const found = (path: string) => ({ path, name: path, coding: null, absent: [] });
  for (let i = 0; i < 10_000; i++) all.learn(`/${i}`, found(`/${i}`));
  assert.ok(all.find("/0"));
  all.learn("/one more", found("/one more"));
  assert.ok(all.find("/0"), "it was used");
  assert.is(all.find("/1"), null);
  assert.ok(all.find("/2"));
  all.learn(`/${"long".repeat(300)}`, found("/long"));
  assert.is(all.find(`/${"long".repeat(300)}`), null);
});

test("bad arguments", () => {
  for (const wrong of [null, 1, "yes"]) {
    assert.throws(
      () => serveStatic(".", { openFileCache: wrong } as never),
      (error: Error) => error instanceof TypeError && error.message.startsWith("openFileCache must be true or false"),
    );
  }
});

/** A generator of its own numbers, so that a seed tells the whole story. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const NAMES = [
  "a",
  "a.html",
  "a.txt",
  "a.txt.br",
  "a.txt.gz",
  "a.txt.zst",
  "d",
  "d/index.html",
  "d/x.css",
  ".dot",
  "l",
];
const URLS = [
  "/a",
  "/a.html",
  "/a.txt",
  "/a.txt?q",
  "/%61.txt",
  "/d",
  "/d/",
  "/d/x.css",
  "/d/../a.txt",
  "/.dot",
  "/l",
  "/no",
];
const LINES = [[], [], [], ["Accept-Encoding: gzip, br"], ["Accept-Encoding: zstd, gzip;q=0.5"], ["Range: bytes=1-3"]];
const OPTIONS: StaticOptions[] = [
  {},
  { precompressed: true, extensions: ["html", "txt"], index: ["index.html", "x.css"] },
  { symlinks: "inside", precompressed: true, dotfiles: "allow", maxAge: "1d", immutable: true },
];

for (const [nth, options] of OPTIONS.entries()) {
  row(`random changes between random requests, options ${nth}`, async (t) => {
    const root = tempFolder(t);
    const outside = tempFolder(t);
    fs.writeFileSync(path.join(outside, "secret"), "secret");
    const app = (serve: ReturnType<typeof serveStatic>): RequestListener => {
      return (req, res) =>
        serve(req, res, () => {
          res.setHeader("Content-Length", 3);
          res.end("app");
        });
    };
    const cached = await client(t, app(serveStatic(root, options)));
    const plain = await client(t, app(serveStatic(root, { ...options, openFileCache: false })));
    const next = random(nth + 1);
    const pick = <T>(all: readonly T[]): T => all[next(all.length)] as T;
    const quietly = (change: () => void) => {
      try {
        change();
      } catch {} // not there, not empty, a folder
    };
    const file = (name = pick(NAMES)) => path.join(root, name);
    const changes = [
      () => fs.writeFileSync(file(), "content ".repeat(next(4000))),
      () => fs.writeFileSync(file(), "again"),
      () => fs.appendFileSync(file(), "+"),
      () => fs.truncateSync(file(), next(10)),
      () => fs.rmSync(file(), { recursive: true }),
      () => fs.mkdirSync(file()),
      () => fs.renameSync(file(), file()),
      () => fs.symlinkSync(pick(["a.txt", "d", path.join(outside, "secret"), "nowhere", "l"]), file()),
      () => fs.linkSync(file(), file()),
      () => fs.utimesSync(file(), next(1e9), next(1e9)),
    ];
    const story: string[] = [];
    for (let i = 0; i < 600; i++) {
      for (let n = next(4); n > 0; n--) quietly(pick(changes));
      const url = pick(URLS);
      const lines = pick(LINES);
      const method = pick(["GET", "GET", "GET", "HEAD"]);
      story.push(`${method} ${url} ${lines}`);
      const want = undated(await plain(url, lines, method)).toString("latin1");
      for (const time of ["once", "twice"]) {
        const got = undated(await cached(url, lines, method)).toString("latin1");
        assert.is(got, want, `step ${i}, ${story.at(-1)}, ${time}`);
      }
    }
    assert.is(inUse(file("a.txt")), 0);
  });
}

test.run();
