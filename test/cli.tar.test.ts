// A folder of `sendoff serve` as a tar archive: what is in it, what is not, and how it ends when something changes meanwhile.

import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { survey, TooLarge } from "../cli/serve/archive.js";
import { disposition, look, send } from "../cli/serve/download.js";
import { FILES } from "../cli/serve/listing.js";
import { tarHeader } from "../cli/serve/tar.js";
import { MemberSource } from "../host/http/member.js";
import { inFolder, until } from "./lib/command.js";
import { noHalfClosed } from "./lib/file-server.js";
import { listed } from "./lib/listed.js";
import { without } from "./lib/programs.js";
import { lacks } from "./lib/runtime.js";
import { ask, noFifo, SECRET, site } from "./lib/site.js";
import { suite } from "./lib/suite.js";
import { descriptors, exchange, header, parse, request, site as serve, within } from "./lib/web.js";

const test = suite("tar");
const linux = process.platform === "linux";

interface Entry {
  name: string;
  type: string;
  mode: string;
  modified: number;
  body: Buffer;
}

/** What is in an archive. @throws if it is no archive, or not all of it. */
function read(tar: Buffer): Entry[] {
  const entries: Entry[] = [];
  let pax: Record<string, string> = {};
  for (let at = 0; ; ) {
    const block = tar.subarray(at, at + 512);
    assert.is(block.length, 512, "it ends in its middle");
    if (block.every((byte) => byte === 0)) {
      assert.ok(tar.subarray(at).equals(Buffer.alloc(1024)), "two blocks, and nothing behind them");
      return entries;
    }
    const text = (from: number, length: number) => block.toString("latin1", from, from + length).replace(/\0.*/s, "");
    const number = (from: number, length: number) => Number.parseInt(text(from, length), 8);
    const sum = block.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0);
    assert.equal([text(257, 6), text(263, 2), number(148, 8)], ["ustar", "00", sum]);
    const size = Number(pax.size ?? number(124, 12));
    const body = tar.subarray(at + 512, at + 512 + size);
    assert.is(body.length, size);
    at += 512 + Math.ceil(size / 512) * 512;
    if (text(156, 1) === "x") {
      pax = records(body);
      continue;
    }
    const name = pax.path ?? text(0, 100);
    entries.push({ name, type: text(156, 1), mode: text(100, 8), modified: number(136, 12), body });
    pax = {};
  }
}

function records(body: Buffer): Record<string, string> {
  const all: Record<string, string> = {};
  for (let at = 0; at < body.length; ) {
    const length = Number.parseInt(body.toString("latin1", at, at + 10), 10);
    const [, key = "", value = ""] = /^\d+ ([^=]+)=(.*)\n$/s.exec(body.toString("utf8", at, at + length)) ?? [];
    assert.is.not(key, "");
    all[key] = value;
    at += length;
  }
  return all;
}

test("headers: names and sizes that have no room in ustar are in a record before it", () => {
  const plain = { folder: false, executable: false, size: 0, modified: 1_700_000_000_999 };
  for (const path of [
    "a",
    "a".repeat(100),
    "a".repeat(101),
    "ü",
    "日本/語",
    `${"é".repeat(40)}/${"x".repeat(250)}`,
    "a\nb",
  ]) {
    const [entry] = read(Buffer.from(`${tarHeader({ ...plain, path })}${"\0".repeat(1024)}`, "latin1"));
    assert.equal([entry?.name, entry?.type, entry?.mode, entry?.modified], [path, "0", "0000644", 1_700_000_000]);
    const isPlain = /^a{1,100}$/.test(path);
    assert.is(tarHeader({ ...plain, path }).length === 512, isPlain, path);
  }
  // Around the lengths at which the length of a record gets another digit.
  for (let length = 85; length < 120; length++) {
    const path = `ü${"a".repeat(length)}`;
    const [entry] = read(Buffer.from(`${tarHeader({ ...plain, path })}${"\0".repeat(1024)}`, "latin1"));
    assert.is(entry?.name, path);
  }
  const folder = tarHeader({ ...plain, path: "f".repeat(100), folder: true });
  const [entry] = read(Buffer.from(folder + "\0".repeat(1024), "latin1"));
  assert.equal([entry?.name, entry?.type, entry?.mode], [`${"f".repeat(100)}/`, "5", "0000755"]);
  const large = tarHeader({ ...plain, path: "large", size: 8 * 2 ** 30 });
  assert.is(large.length, 3 * 512);
  assert.match(large, /19 size=8589934592\n/);
  assert.is(tarHeader({ ...plain, path: "large", size: 8 * 2 ** 30 - 1 }).length, 512);
  assert.is(
    read(Buffer.from(tarHeader({ ...plain, path: "old", modified: -5000 }) + "\0".repeat(1024)))[0]?.modified,
    0,
  );
});

test("a download's name: in ASCII, and as it is", () => {
  assert.is(disposition("a b.tar"), `attachment; filename="a b.tar"; filename*=UTF-8''a%20b.tar`);
  assert.is(
    disposition(`ü"\\%'(*).tar`),
    `attachment; filename="____'(*).tar"; filename*=UTF-8''%C3%BC%22%5C%25%27%28%2A%29.tar`,
  );
});

/** Asks for an archive and reads nothing but its head, so that its last file is not opened yet. */
async function stalled(port: number): Promise<{ socket: net.Socket; length: number; rest(): Promise<number> }> {
  const socket = net.connect(port, "127.0.0.1").pause();
  socket.on("error", () => {});
  socket.write(request("/?tar"));
  await once(socket, "readable");
  const first = socket.read() as Buffer;
  const { headers, body } = parse(first);
  let got = body.length;
  const rest = async () => {
    socket.on("data", (part: Buffer) => (got += part.length));
    await within(once(socket, "close"), "the end");
    return got;
  };
  return { socket, length: Number(header(headers, "content-length")), rest };
}

/** More than sockets hold. */
const LARGE = 64 << 20;

const DEEP = ["a folder", "ünï cödé", "x".repeat(200), "y".repeat(120)];

/** A folder with all kinds of names; the paths that an archive of it has, and what is in them. */
function make(root: string, outside: string): Record<string, string> {
  const files: Record<string, string> = {
    "a.txt": "hello",
    empty: "",
    "sub/page.html": "<p>page",
    "index/index.html": "<p>index",
    [`${DEEP.join("/")}/日本語 🎬.txt`]: "deep",
    "block.bin": "b".repeat(512),
    "large.bin": "l".repeat(3_000_001),
  };
  for (let i = 0; i < 300; i++) files[`many/${"long name ".repeat(10)}${i}`] = i % 3 === 0 ? "" : `${i}`;
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(join(root, name, ".."), { recursive: true });
    fs.writeFileSync(join(root, name), text);
    fs.utimesSync(join(root, name), 1e9, 1e9);
  }
  fs.mkdirSync(join(root, "nothing", "below"), { recursive: true });
  fs.writeFileSync(join(root, "sub", ".hidden"), SECRET);
  fs.mkdirSync(join(root, ".git"));
  fs.writeFileSync(join(root, ".git", "config"), SECRET);
  fs.writeFileSync(join(outside, "secret"), SECRET);
  if (!linux) return files;
  fs.chmodSync(join(root, "a.txt"), 0o755);
  fs.symlinkSync(join(outside, "secret"), join(root, "secret"));
  fs.symlinkSync(outside, join(root, "outside"));
  fs.symlinkSync("nowhere", join(root, "broken"));
  fs.symlinkSync("..", join(root, "sub", "up"));
  fs.symlinkSync(".", join(root, "self"));
  fs.symlinkSync("a.txt", join(root, "inner"));
  fs.symlinkSync("index", join(root, "inner-folder"));
  if (noFifo === null) spawnSync("mkfifo", [join(root, "fifo")]);
  return { ...files, inner: "hello", "inner-folder/index.html": "<p>index" };
}

function check(entries: Entry[], top: string, files: Record<string, string>): void {
  const found: Record<string, string> = {};
  for (const { name, type, body } of entries) if (type === "0") found[name] = body.toString();
  const wanted = Object.fromEntries(Object.entries(files).map(([name, text]) => [`${top}/${name}`, text]));
  assert.equal(Object.keys(found).sort(), Object.keys(wanted).sort());
  for (const [name, text] of Object.entries(wanted)) assert.ok(found[name] === text, name);
}

test("a folder with all that is below it: what is listed, by each engine", () => {
  let files: Record<string, string> = {};
  return site(
    [],
    async (root, outside) => {
      files = make(root, outside);
    },
    async (server, root) => {
      const got = await ask(server, "/?tar");
      assert.match(got.status, / 200 /);
      assert.is(Number(header(got.headers, "content-length")), got.body.length);
      assert.is(header(got.headers, "content-type"), "application/x-tar");
      assert.match(header(got.headers, "content-disposition") ?? "", /^attachment; filename="root\.tar"; filename\*=/);
      const entries = read(got.body);
      check(entries, "root", files);
      const folders = entries.filter(({ type }) => type === "5").map(({ name }) => name);
      assert.equal(
        ["root/", "root/nothing/", "root/nothing/below/"].filter((name) => !folders.includes(name)),
        [],
      );
      const first = entries.find(({ name }) => name === "root/a.txt");
      assert.equal([first?.modified, first?.mode], [1e9, linux ? "0000755" : "0000644"]);

      const head = await ask(server, "/?tar", [], "HEAD");
      assert.equal([head.status, head.body.length], [got.status, 0]);
      assert.is(header(head.headers, "content-length"), header(got.headers, "content-length"));
      const sub = read((await ask(server, "/nothing/?tar=1")).body);
      assert.equal(
        sub.map(({ name }) => name),
        ["nothing/", "nothing/below/"],
        "nothing but folders",
      );
      const moved = await ask(server, "/sub?tar");
      assert.is(header(moved.headers, "location"), "/sub/?tar");
      assert.is((await ask(server, "/index/?tar")).body.toString(), "<p>index", "a folder that has no page");
      assert.match((await ask(server, "/none/?tar")).status, / 404 /);
      assert.match((await ask(server, "/.git/?tar")).status, / 404 /);
      if (linux) assert.match((await ask(server, "/outside/?tar")).status, / 404 /);
      assert.match((await ask(server, "/?tar", [], "POST")).status, / 405 /);
      // The connection goes on behind it.
      const two = `GET /?tar HTTP/1.1\r\nHost: x\r\n\r\n${request("/a.txt")}`;
      const both = parse(await within(exchange(server.port, two), "both")).body;
      assert.ok(both.subarray(0, got.body.length).equals(got.body));
      assert.match(both.subarray(got.body.length).toString("latin1"), /^HTTP\/1.1 200 [\s\S]*\r\n\r\nhello$/);
      await server.logged(new RegExp(`"GET /\\?tar HTTP/1.1" 200 ${got.body.length}\n`));
      if (noHalfClosed === null) {
        const half = await within(exchange(server.port, request("/?tar"), true), "a client that has closed its side");
        const last = half.subarray(half.lastIndexOf("HTTP/1.1 200 ")); // of a busy machine it has heard 102
        assert.ok(parse(last).body.equals(got.body));
      }

      // Told to stop, it ends what has begun.
      fs.writeFileSync(join(root, "z"), "");
      fs.truncateSync(join(root, "z"), LARGE);
      const { length, rest } = await stalled(server.port);
      server.child.kill("SIGTERM");
      await until("the end", () => /stopping/.test(server.stderr()));
      assert.is(await rest(), length);
      fs.rmSync(join(root, "z"));
    },
  );
});

test.unless(without("tar"), "tar(1) lists and extracts it", () =>
  inFolder(async (folder) => {
    const [root, outside, to] = ["root", "outside", "to"].map((name) => join(folder, name)) as [string, string, string];
    for (const one of [root, outside, to]) fs.mkdirSync(one);
    const files = make(root, outside);
    const at = await listed(root);
    const { body } = parse(await within(exchange(at.port, request("/?tar")), "the archive"));
    await at.close();
    execFileSync("tar", ["-xf", "-", "-C", to], { input: body });
    for (const [name, text] of Object.entries(files)) {
      assert.ok(fs.readFileSync(join(to, "root", name), "utf8") === text, name);
    }
    assert.is(fs.existsSync(join(to, "root", "sub", ".hidden")), false);
    assert.is(fs.statSync(join(to, "root", "nothing", "below")).isDirectory(), true);
    assert.is(fs.statSync(join(to, "root", "empty")).mtimeMs, 1e12);
  }),
);

test("--dotfiles are in it; without listings there is none", () =>
  inFolder(async (folder) => {
    fs.writeFileSync(join(folder, ".hidden"), "hidden");
    const with_ = await listed(folder, FILES, undefined, { dotfiles: true });
    const { body } = parse(await within(exchange(with_.port, request("/?tar")), "the archive"));
    await with_.close();
    assert.ok(read(body).some(({ name }) => name.endsWith("/.hidden")));
    const none = await listed(folder, FILES, undefined, { listing: false });
    assert.match(parse(await within(exchange(none.port, request("/?tar")), "the answer")).status, / 404 /);
    await none.close();
  }));

test("more than an archive may have is 413, and why", () =>
  inFolder(async (folder) => {
    const place = { root: folder, folder, dotfiles: false, files: FILES, now: Date.now };
    const { signal } = new AbortController();
    for (const name of ["1", "2", "3/4/5"]) fs.mkdirSync(join(folder, name), { recursive: true });
    const bounds = { members: 6, depth: 4 };
    assert.is((await survey(place, "x", signal, bounds)).members.length, 6);
    for (const fewer of [
      { members: 5, depth: 4 },
      { members: 2, depth: 4 },
      { members: 6, depth: 2 },
    ]) {
      const failed = await survey(place, "x", signal, fewer).catch((error) => error);
      assert.instance(failed, TooLarge);
    }
    const sub = join(folder, "sub");
    fs.mkdirSync(join(sub, "1", "x"), { recursive: true });
    fs.writeFileSync(join(sub, "2"), "");
    const two = { members: 3, depth: 4 };
    const failed = await survey({ ...place, folder: sub }, "x", signal, two).catch((error) => error);
    assert.instance(failed, TooLarge, "none of its folders has too many, but all of them together");
    fs.mkdirSync(join(folder, ...Array(101).fill("d")), { recursive: true });
    const at = await listed(folder);
    const got = parse(await within(exchange(at.port, request("/?tar")), "the answer"));
    await at.close();
    assert.match(got.status, / 413 /);
    assert.match(got.body.toString(), /at most 100000 files and folders, 100 deep/);
    assert.is(header(got.headers, "content-disposition"), undefined);
  }));

test("archives that are sent at once have a bound together: 503 beyond it, until one is over", () =>
  inFolder(async (folder) => {
    fs.writeFileSync(join(folder, "large"), "");
    fs.truncateSync(join(folder, "large"), LARGE);
    const place = { root: folder, folder, dotfiles: false, files: FILES, now: Date.now };
    const outcomes: unknown[] = [];
    const at = await serve(async (req, res) => {
      const archive = await look(place, "x", new AbortController().signal);
      const failed = await send(req, res, archive, "x", 3).catch((error) => error);
      outcomes.push(failed?.statusCode ?? 200);
      if (failed !== undefined) res.end();
    });
    const ask = () => within(exchange(at.port, request("/")), "the answer");
    const { rest } = await stalled(at.port);
    await ask();
    assert.equal(outcomes, [503]);
    await rest();
    await until("its end", () => outcomes.length === 2);
    await ask();
    assert.equal(outcomes, [503, 200, 200]);
    await at.close();
  }));

test("a folder of more than an archive may have is not read to its end", () =>
  inFolder(async (folder) => {
    for (let i = 0; i < 100; i++) fs.mkdirSync(join(folder, String(i)));
    let seen = 0;
    const files = {
      ...FILES,
      async opendir(path: string) {
        const found = await FILES.opendir(path);
        return (async function* () {
          for await (const entry of found) {
            seen++;
            yield entry;
          }
        })();
      },
    };
    const place = { root: folder, folder, dotfiles: false, files, now: Date.now };
    const bounds = { members: 10, depth: 4 };
    const failed = await survey(place, "x", new AbortController().signal, bounds).catch((error) => error);
    assert.instance(failed, TooLarge);
    assert.is(seen, 10);
  }));

test("a file that nobody waits for any more is closed once it is open", () =>
  inFolder(async (folder) => {
    const path = join(folder, "file");
    fs.writeFileSync(path, "x");
    const before = linux ? descriptors() : 0;
    const source = new MemberSource(folder, path, fs.statSync(path));
    let called = false;
    source.open(() => {
      called = true;
    });
    source.close();
    // Opened behind it, by another thread or the same one.
    for (let i = 0; i < 8; i++) await fs.promises.readFile(path);
    if (linux) await until("the close", () => descriptors() === before);
    assert.is(called, false);
  }));

test("work that nobody waits for any more ends", () =>
  inFolder(async (folder) => {
    for (let i = 0; i < 50; i++) fs.mkdirSync(join(folder, String(i)));
    const leaving = new AbortController();
    let opened = 0;
    const files = {
      ...FILES,
      opendir(path: string) {
        if (++opened === 10) leaving.abort(new Error("left"));
        return FILES.opendir(path);
      },
    };
    const place = { root: folder, folder, dotfiles: false, files, now: Date.now };
    const failed = await survey(place, "x", leaving.signal).catch((error) => error);
    assert.is(failed.message, "left");
    assert.is(opened, 10);
  }));

const leaving = "clients that go away end the work; one that only closed its side gets the archive";
test.unless(noHalfClosed ?? lacks("the end of a client's side"), leaving, () =>
  inFolder(async (folder) => {
    for (let i = 0; i < 50; i++) fs.mkdirSync(join(folder, String(i)));
    let open = () => {};
    let opened = 0;
    const files = {
      ...FILES,
      async opendir(path: string) {
        if (++opened === 10) await new Promise<void>((resolve) => (open = resolve));
        return FILES.opendir(path);
      },
    };
    const clients = { asked: 0, left: 0 };
    const at = await listed(folder, files, clients);
    for (const leave of ["destroy", "resetAndDestroy"] as const) {
      Object.assign(clients, { asked: 0, left: 0 });
      opened = 0;
      const socket = net.connect(at.port, "127.0.0.1").on("error", () => {});
      socket.write("GET /?tar HTTP/1.1\r\nHost: x\r\n\r\n");
      await until("a part of the work", () => opened === 10);
      socket[leave]();
      await until("its end", () => clients.left === 1);
      open();
      const { body } = parse(await within(exchange(at.port, request("/?tar")), "another archive"));
      assert.is(read(body).length, 51);
      assert.is(opened, 10 + 51, leave);
    }

    for (const [version, signs] of [
      ["1.1", /^(HTTP\/1\.1 102 Processing\r\n\r\n)+$/],
      ["1.0", /^$/],
    ] as const) {
      opened = 0;
      const waits = net.connect({ port: at.port, host: "127.0.0.1", allowHalfOpen: true });
      let got = "";
      waits.setEncoding("latin1").on("data", (part) => (got += part));
      waits.end(`GET /?tar HTTP/${version}\r\nHost: x\r\n\r\n`);
      await until("a part of the work", () => opened === 10);
      if (version === "1.1") await until("a sign of life", () => got !== "");
      else await new Promise((resolve) => setTimeout(resolve, 500)); // time enough for one
      assert.match(got, signs);
      open();
      await once(waits, "close");
      const { status, headers, body } = parse(Buffer.from(got.replace(/^(HTTP\/1\.1 102 .*\r\n\r\n)+/, ""), "latin1"));
      assert.match(status, / 200 /);
      assert.is(body.length, Number(header(headers, "content-length")));
      assert.is(read(body).length, 51);
    }
    await at.close();
  }),
);

test.unless(
  linux ? lacks("fd of a response") : "looks into /proc",
  "a client that leaves in the middle: nothing stays open",
  () =>
    inFolder(async (folder) => {
      fs.writeFileSync(join(folder, "a"), "");
      for (const name of ["b", "c"]) {
        fs.writeFileSync(join(folder, name), "");
        fs.truncateSync(join(folder, name), LARGE);
      }
      const at = await listed(folder);
      for (const leave of ["destroy", "resetAndDestroy"] as const) {
        const before = descriptors();
        const several = await Promise.all([1, 2, 3].map(() => stalled(at.port)));
        assert.ok(descriptors() >= before + 9, "two sockets and a file each");
        for (const { socket } of several) socket[leave]();
        await until("the end of all three", () => descriptors() <= before);
      }
      await at.close();
    }),
);

/** The file is in a folder of the root, which is in `folder`. */
const changes: { readonly [what: string]: (file: string, folder: string) => void } = {
  "gets shorter": (file) => fs.truncateSync(file, 10),
  "gets longer": (file) => fs.appendFileSync(file, "x"),
  "is removed": (file) => fs.rmSync(file),
  "is another one"(file) {
    fs.renameSync(file, `${file}.old`);
    fs.writeFileSync(file, "y".repeat(1000));
  },
  "is a link that leads out"(file) {
    fs.rmSync(file);
    fs.symlinkSync("/etc/passwd", file);
  },
  "has left the root, to which its folder is a link"(file, folder) {
    fs.renameSync(join(file, ".."), join(folder, "moved"));
    fs.symlinkSync("../moved", join(file, ".."));
  },
  "is a FIFO"(file) {
    fs.rmSync(file);
    spawnSync("mkfifo", [file]);
  },
};

for (const [what, change] of Object.entries(changes)) {
  const reason = !linux ? "only Linux has them all" : /FIFO/.test(what) ? noFifo : null;
  test.unless(reason, `a file that ${what} meanwhile: the connection ends, and the archive is not whole`, () =>
    inFolder(async (folder) => {
      const root = join(folder, "root");
      fs.mkdirSync(join(root, "z"), { recursive: true });
      fs.writeFileSync(join(root, "a"), "");
      fs.mkdirSync(join(root, "b"));
      const last = join(root, "z", "last");
      fs.writeFileSync(join(root, "b", "large"), "");
      fs.truncateSync(join(root, "b", "large"), LARGE);
      fs.writeFileSync(last, "x".repeat(1000));
      const at = await listed(root);
      const { write } = process.stderr;
      let told = "";
      process.stderr.write = ((text: string) => (told += text)) as never;
      try {
        const { length, rest } = await stalled(at.port);
        change(last, folder);
        const got = await rest();
        assert.ok(got < length && got > LARGE, `${got} of ${length}`);
        await until("a word about it", () => told !== "");
      } finally {
        process.stderr.write = write;
        await at.close();
      }
      assert.match(told, /^sendoff: "\/\?tar" ended early: .*\/z\/last'?\n$/);
    }),
  );
}

test.run();
