// Files opened without the thread pool: what was met before, and is still what it was.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { serveStatic } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "../host/runtimes/node/adapter.js";
import { Opener } from "../host/source/open.js";
import { until } from "./lib/command.js";
import { without } from "./lib/programs.js";
import { type Body, test } from "./lib/suite.js";
import { descriptors, exchange, folder, parse, request, site, within } from "./lib/web.js";

const { shared } = host();
const { root, remove } = folder({ "a.txt": "first", "dir/b.txt": "below", "big.bin": 300_000 });
const file = (name: string) => path.join(root, name);
test.after(remove);

/** Whether this kernel opens a path at once: RESOLVE_CACHED came with Linux 5.12. */
const able = (() => {
  const fd = shared.sys?.open(file("a.txt"), false) ?? -1;
  if (fd >= 0) fs.closeSync(fd);
  return fd >= 0;
})();
const unable = able ? null : "this kernel does not open a path at once: no openat2 with RESOLVE_CACHED";
const row = (name: string, body: Body) => test.unless(unable, name, body);
const fifoRow = (name: string, body: Body) => test.unless(unable ?? without("mkfifo"), name, body);

/** One that has met these files, of which the first is there, and knows the file system that they are on. */
async function opener(first: string, ...names: string[]): Promise<Opener> {
  const o = new Opener(shared.sys);
  for (const name of [first, ...names]) o.met(file(name), fs.statSync(root));
  await until("the file system to be known", () => o.stat(file(first)) !== null);
  return o;
}

row("in a worker thread nothing is opened at once: it would warn of fds that it has not opened itself", async () => {
  const modules = ["runtimes/node/adapter.js", "source/open.js"].map(
    (name) => new URL(`../host/${name}`, import.meta.url).href,
  );
  const worker = new Worker(
    `const { parentPort, workerData: { modules, path } } = require("node:worker_threads");
    const { statSync } = require("node:fs");
    Promise.all(modules.map((module) => import(module))).then(async ([{ host }, { Opener }]) => {
      const opener = new Opener(host().shared.sys);
      const stat = statSync(path);
      opener.met(path, stat);
      while (!opener.isLocal(stat.dev)) await new Promise(setImmediate);
      parentPort.postMessage([opener.open(path), opener.stat(path)]);
    });`,
    { eval: true, workerData: { modules, path: file("a.txt") } },
  );
  const exited = once(worker, "exit"); // it may follow in the same turn
  const [opened] = await once(worker, "message");
  assert.equal(opened, [null, null]);
  await exited;
});

row("a path is opened once it was met, and is the file that is there", async () => {
  const o = await opener("big.bin");
  assert.is(o.open(file("a.txt")), null);
  o.met(file("a.txt"), fs.statSync(file("a.txt")));
  const opened = o.open(file("a.txt"));
  assert.ok(opened);
  assert.is(opened.stat.ino, fs.statSync(file("a.txt")).ino);
  assert.is(fs.readFileSync(opened.fd, "latin1"), "first");
  fs.closeSync(opened.fd);
});

fifoRow("what is there is told without opening it: no lock is lost, no FIFO's writer is met", async () => {
  const o = await opener("a.txt", "turns");
  assert.is(o.stat(file("a.txt"))?.ino, fs.statSync(file("a.txt")).ino);
  assert.is(o.stat(file("big.bin")), null, "not met");
  execFileSync("mkfifo", [file("turns")]);
  const before = descriptors();
  assert.ok(o.stat(file("turns"))?.isFIFO());
  const fd = shared.sys?.open(file("a.txt"), true) ?? -1;
  assert.ok(fd >= 0);
  assert.throws(() => fs.readSync(fd, Buffer.alloc(1)), /EBADF/);
  fs.closeSync(fd);
  assert.is(descriptors(), before);
  fs.rmSync(file("turns"));
});

row("what is opened is no child's", () => {
  for (const look of [false, true]) {
    const fd = shared.sys?.open(file("a.txt"), look) ?? -1;
    const flags = /^flags:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? "0";
    fs.closeSync(fd);
    assert.ok((Number.parseInt(flags, 8) & 0o2000000) !== 0, `O_CLOEXEC in ${flags}`);
  }
});

row("on a file system that may ask somebody else nothing is opened, nor before it is known", async () => {
  const o = new Opener(shared.sys);
  o.met(file("a.txt"), fs.statSync(root));
  assert.is(o.open(file("a.txt")), null, "not known yet");
  const FUSE = 0x65735546;
  let asked = 0;
  const other = new Opener(shared.sys, (_path, done) => {
    asked++;
    done(null, { type: FUSE });
  });
  for (let i = 0; i < 2; i++) other.met(file("a.txt"), fs.statSync(root));
  assert.is(other.open(file("a.txt")), null);
  assert.is(other.stat(file("a.txt")), null);
  assert.is(asked, 1, "once a device");
});

row("names that are no ASCII, and long ones", async () => {
  const o = await opener("a.txt");
  const { dev } = fs.statSync(root);
  for (const name of ["ünïcode ☃ 😀.txt", `${"long".repeat(50)}.txt`]) {
    fs.writeFileSync(file(name), name);
    o.met(file(name), { dev });
    const opened = o.open(file(name));
    assert.ok(opened, name);
    assert.is(fs.readFileSync(opened.fd, "utf8"), name);
    fs.closeSync(opened.fd);
  }
  const far = `${root}/${"./".repeat(2100)}a.txt`;
  o.met(far, { dev });
  assert.is(o.open(far), null, "longer than a path can be");
});

row("more than 2 GiB", async () => {
  fs.writeFileSync(file("sparse"), "");
  fs.truncateSync(file("sparse"), 5 * 2 ** 30);
  const o = await opener("sparse");
  const opened = o.open(file("sparse"));
  assert.ok(opened);
  assert.is(opened.stat.size, 5 * 2 ** 30);
  fs.closeSync(opened.fd);
  fs.rmSync(file("sparse"));
});

fifoRow("what is no regular file any more is left to the pool, and leaves no fd", async () => {
  const o = await opener("a.txt");
  const { dev } = fs.statSync(root);
  const before = descriptors();
  for (const make of [
    () => fs.mkdirSync(file("turns")),
    () => execFileSync("mkfifo", [file("turns")]),
    () => fs.symlinkSync("nowhere", file("turns")),
    () => {},
  ]) {
    o.met(file("turns"), { dev });
    make();
    assert.is(o.open(file("turns")), null);
    fs.rmSync(file("turns"), { recursive: true, force: true });
  }
  assert.is(descriptors(), before);
});

test("under the permission model nothing is opened past it", async () => {
  Object.defineProperty(process, "permission", { value: { has: () => false }, configurable: true });
  try {
    const o = new Opener(shared.sys);
    o.met(file("a.txt"), fs.statSync(root));
    await new Promise((resolve) => setTimeout(resolve, 20)); // longer than it takes to ask about the file system
    assert.is(o.open(file("a.txt")), null);
  } finally {
    delete (process as { permission?: unknown }).permission;
  }
});

test("a server sends what is there now: replaced, rewritten, behind another link, gone", async () => {
  fs.mkdirSync(file("v1"));
  fs.mkdirSync(file("v2"));
  fs.writeFileSync(file("v1/page"), "one");
  fs.writeFileSync(file("v2/page"), "another one");
  fs.symlinkSync("v1", file("current"));
  const at = await site(serveStatic(root));
  const get = async (url: string) => {
    const { status, body } = parse(await within(exchange(at.port, request(url)), url));
    return `${status.split(" ")[1]} ${body.toString().slice(0, 20)}`;
  };
  const steps: [string, () => void, string][] = [
    ["/a.txt", () => {}, "200 first"],
    ["/a.txt", () => {}, "200 first"],
    ["/a.txt", () => fs.writeFileSync(file("a.txt"), "rewritten"), "200 rewritten"],
    [
      "/a.txt",
      () => {
        fs.writeFileSync(file("new"), "replaced");
        fs.renameSync(file("new"), file("a.txt"));
      },
      "200 replaced",
    ],
    ["/current/page", () => {}, "200 one"],
    ["/current/page", () => {}, "200 one"],
    [
      "/current/page",
      () => {
        fs.rmSync(file("current"));
        fs.symlinkSync("v2", file("current"));
      },
      "200 another one",
    ],
    ["/a.txt", () => fs.writeFileSync(file("a.txt"), ""), "200 "],
    ["/a.txt", () => fs.rmSync(file("a.txt")), "404 <!DOCTYPE html>\n<htm"],
    ["/a.txt", () => fs.writeFileSync(file("a.txt"), "back"), "200 back"],
  ];
  for (const [url, change, expected] of steps) {
    change();
    assert.is(await get(url), expected);
  }
  await at.close();
});

test("no way to answer leaves an fd open", async () => {
  const handler = serveStatic(root, {
    setHeaders: (res, name) => {
      if (res.req.headers["x-throw"]) throw new Error(`no ${name}`);
    },
  });
  const caught: unknown[] = [];
  const at = await site(handler);
  const stop = (error: unknown) => caught.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", stop);
  const etag = /^etag: (.*)$/im.exec((await exchange(at.port, request("/big.bin"))).subarray(0, 600).toString())?.[1];
  const before = descriptors();
  for (let i = 0; i < 20; i++) {
    await within(exchange(at.port, request("/big.bin", [], "HEAD")), "HEAD");
    await within(exchange(at.port, request("/big.bin", [`If-None-Match: ${etag}`])), "304");
    await within(exchange(at.port, request("/big.bin", ["If-Match: nothing"])), "412");
    await within(exchange(at.port, request("/big.bin", ["Range: bytes=900000-"])), "416");
    await within(exchange(at.port, request("/big.bin", ["Range: bytes=5-9"])), "206");
  }
  assert.is(caught.length, 0);
  const thrown = exchange(at.port, request("/big.bin", ["X-Throw: 1"]));
  while (caught.length === 0) await new Promise((next) => setImmediate(next));
  at.server.closeAllConnections();
  await thrown;
  assert.match(String(caught[0]), /no .*big\.bin/);
  while (descriptors() > before) await new Promise((next) => setImmediate(next));
  process.removeListener("uncaughtException", stop);
  for (const one of others) process.on("uncaughtException", one);
  await at.close();
});

test.run();
