// Listings in this process, over a file system that counts what it is asked: who reads, how often, and for whom.

import { once } from "node:events";
import { closeSync, type Dirent, openSync } from "node:fs";
import { mkdir, rename, stat, symlink, utimes, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { Files, Order } from "../cli/serve/catalog.js";
import { FILES, Listings } from "../cli/serve/listing.js";
import { due } from "../cli/serve/pace.js";
import { inFolder, until } from "./lib/command.js";
import { listed } from "./lib/listed.js";
import { lacks } from "./lib/runtime.js";
import { suite } from "./lib/suite.js";
import { exchange, header, parse, request, within } from "./lib/web.js";

const test = suite("listings");

const NAME: Order = { by: "name", descending: false };
const DATE: Order = { by: "date", descending: true };
const SIZE: Order = { by: "size", descending: true };
/** Nobody leaves. */
const staying = () => new AbortController().signal;

/** The file system, counted. */
function counting(files: Files = FILES) {
  const counts = { opendir: 0, lstat: 0 };
  const counted: Files = {
    ...files,
    opendir(path) {
      counts.opendir++;
      return files.opendir(path);
    },
    lstat(path) {
      counts.lstat++;
      return files.lstat(path);
    },
  };
  /** Since it was last asked. */
  const since = () => {
    const { opendir, lstat } = counts;
    Object.assign(counts, { opendir: 0, lstat: 0 });
    return { opendir, lstat };
  };
  return { files: counted, counts, since };
}

/** A folder of so many empty files. */
function fill(folder: string, count: number): void {
  for (let i = 0; i < count; i++) closeSync(openSync(join(folder, `file ${i}`), "w"));
}

/** As if what was done was done long ago. */
const later = () => Date.now() + 3600_000;

/** Opens and shuts; who comes meanwhile waits. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

/** Entries that are nowhere, to be read as a folder's. */
async function* made(count: number, length: number): AsyncGenerator<Dirent> {
  for (let i = 0; i < count; i++) {
    const name = `${(i * 7919) % count}`.padEnd(length, "x");
    yield { name, isFile: () => true, isDirectory: () => false, isSymbolicLink: () => false } as unknown as Dirent;
  }
}

test("a folder is read once for all who ask, and files are asked for as far as it takes", () =>
  inFolder(async (folder) => {
    fill(folder, 3000);
    let now = later();
    const { files, since } = counting();
    const listings = new Listings(folder, false, files, () => now);
    const first = await Promise.all(Array.from({ length: 20 }, () => listings.list(folder, DATE, 1, staying())));
    assert.equal(since(), { opendir: 1, lstat: 3000 });
    for (const { entries, files, pages } of first) assert.equal([entries.length, files, pages], [1000, 3000, 3]);

    // Sorted by name: those of the page alone, each time.
    const pages = [1, 2, 3].map((page) => listings.list(folder, NAME, page, staying()));
    const names = (await Promise.all(pages)).flatMap(({ entries }) => entries.map(({ name }) => name));
    assert.equal(
      names,
      Array.from({ length: 3000 }, (_, i) => `file ${i}`),
    );
    assert.equal(since(), { opendir: 0, lstat: 3000 });
    const turned = await listings.list(folder, { by: "name", descending: true }, 3, staying());
    assert.is(turned.entries.at(-1)?.name, "file 0");
    assert.equal(since(), { opendir: 0, lstat: 1000 });

    // What was sorted by is known for a while, whatever the page; then it is asked again.
    await listings.list(folder, DATE, 2, staying());
    await listings.list(folder, SIZE, 3, staying());
    assert.equal(since(), { opendir: 0, lstat: 0 });
    now += 11_000;
    await writeFile(join(folder, "file 1234"), "larger");
    assert.equal((await listings.list(folder, SIZE, 1, staying())).entries[0]?.size, 6);
    assert.equal(since(), { opendir: 0, lstat: 3000 });

    now += 60_000;
    await listings.list(folder, NAME, 1, staying());
    assert.equal(since(), { opendir: 1, lstat: 1000 }, "not every file system tells of a change");
    await writeFile(join(folder, "another"), "");
    assert.is((await listings.list(folder, NAME, 1, staying())).entries[0]?.name, "another");
    assert.equal(since(), { opendir: 1, lstat: 1000 });
  }));

test("a filter finds names by a part of them, whatever the case and the accents: in each order, page by page", () =>
  inFolder(async (folder) => {
    fill(folder, 2500);
    await mkdir(join(folder, "Filés 24"));
    await writeFile(join(folder, "CAFE\u0301 24"), "xx");
    await utimes(join(folder, "CAFE\u0301 24"), 1, 1);
    const { files, since } = counting();
    const listings = new Listings(folder, false, files, later);
    const ask = async (filter: string, order = NAME, page = 1) => {
      const {
        entries,
        folders,
        files,
        matches,
        page: at,
        pages,
      } = await listings.list(folder, order, page, staying(), filter);
      return { names: entries.map(({ name }) => name), folders, files, matches, at, pages };
    };
    const all = { folders: 1, files: 2501, at: 1, pages: 1 };
    assert.equal(await ask("fé 24"), { names: ["CAFE\u0301 24"], matches: 1, ...all });
    assert.equal(await ask("CAFé"), { names: ["CAFE\u0301 24"], matches: 1, ...all });
    assert.equal(since(), { opendir: 1, lstat: 2 }, "only those of the page are looked at");
    assert.equal(await ask("FILES"), { names: ["Filés 24"], matches: 1, ...all });
    assert.equal(await ask("nothing"), { names: [], matches: 0, ...all });
    const ten = await ask("file 1", NAME, 2);
    assert.equal([ten.names.length, ten.matches, ten.at, ten.pages, ten.names[0]], [111, 1111, 2, 2, "file 1889"]);
    const turned = await ask("24", { by: "name", descending: true });
    assert.equal([turned.names[0], turned.names[1], turned.names.at(-1)], ["Filés 24", "file 2499", "CAFE\u0301 24"]);
    assert.equal((await ask("24", SIZE)).names.slice(0, 2), ["Filés 24", "CAFE\u0301 24"]);
    assert.equal((await ask("24", DATE)).names.at(-1), "CAFE\u0301 24");
    assert.is(since().opendir, 0);
  }));

const fine = lacks("times of change within a second");
test.unless(fine, "a folder whose time was set back after a change is read again", () =>
  inFolder(async (folder) => {
    await utimes(folder, 1, 1);
    const { files, since } = counting();
    const listings = new Listings(folder, false, files, later);
    assert.is((await listings.list(folder, NAME, 1, staying())).files, 0);
    fill(folder, 1);
    await utimes(folder, 1, 1);
    assert.is((await listings.list(folder, NAME, 1, staying())).files, 1);
    assert.equal(since(), { opendir: 2, lstat: 1 });
  }),
);

test.unless(fine, "what may have changed again at the time that it shows is not kept", () =>
  inFolder(async (folder) => {
    fill(folder, 10);
    const { ctimeMs } = await stat(folder);
    let now = ctimeMs + 1500;
    const { files, since } = counting();
    const listings = new Listings(folder, false, files, () => now);
    const ask = () => listings.list(folder, NAME, 1, staying());
    await Promise.all([ask(), ask(), ask()]);
    assert.is(since().opendir, 1, "those who ask at once share it all the same");
    await ask();
    assert.is(since().opendir, 1);
    now = ctimeMs + 2500;
    await ask();
    assert.is(since().opendir, 1);
    await ask();
    assert.is(since().opendir, 0);
  }),
);

test("who asks after a change while a folder is read gets what it is by then, by one more read for all of them", () =>
  inFolder(async (folder) => {
    fill(folder, 3);
    const read = gate();
    const { files, counts } = counting({
      ...FILES,
      async opendir(path) {
        const found = await FILES.opendir(path);
        if (counts.opendir === 1) await read.opened;
        return found;
      },
    });
    const listings = new Listings(folder, false, files, later);
    const before = listings.list(folder, NAME, 1, staying());
    await until("the first read", () => counts.opendir === 1);
    await writeFile(join(folder, "late"), "");
    const after = Array.from({ length: 10 }, () => listings.list(folder, NAME, 1, staying()));
    read.open();
    await before;
    for (const { files } of await Promise.all(after)) assert.is(files, 4);
    assert.is(counts.opendir, 2);
  }));

test("work that nobody waits for any more ends, and its folder is closed", () =>
  inFolder(async (folder) => {
    fill(folder, 500);
    for (const stage of ["names", "times"]) {
      const half = gate();
      let seen = 0;
      let closed = false;
      const { files, counts } = counting({
        ...FILES,
        async opendir(path) {
          const found = await FILES.opendir(path);
          return (async function* () {
            try {
              for await (const entry of found) {
                if (++seen === 100 && stage === "names") await half.opened;
                yield entry;
              }
            } finally {
              closed = true;
            }
          })();
        },
        async lstat(path) {
          if (counts.lstat > 100) await half.opened;
          return FILES.lstat(path);
        },
      });
      const listings = new Listings(folder, false, files, later);
      const clients = Array.from({ length: 3 }, () => new AbortController());
      const asked = clients.map(({ signal }) => listings.list(folder, DATE, 1, signal).catch(() => "left"));
      await until("half of it", () => (stage === "names" ? seen >= 100 : counts.lstat > 100));
      // One that leaves is not waited for; the others are.
      clients[0]?.abort();
      assert.is(await asked[0], "left");
      clients[1]?.abort();
      clients[2]?.abort();
      assert.equal(await Promise.all(asked), ["left", "left", "left"]);
      const { opendir, lstat } = counts;
      await until("the end of the slice", due); // by then it looks whether it is waited for
      half.open();
      await until("the end of the read", () => closed);
      if (stage === "names") assert.equal([seen, lstat], [100, 0]);
      // Who comes now is not put off with what was given up.
      assert.is((await listings.list(folder, DATE, 1, staying())).entries.length, 500);
      assert.equal(counts, { opendir: opendir + (stage === "names" ? 1 : 0), lstat: lstat + 500 });
    }
  }));

test("what is kept is bounded, in folders and in bytes", () =>
  inFolder(async (folder) => {
    const folders = [0, 1, 2, 3].map((i) => join(folder, String(i)));
    for (const one of folders) await mkdir(one);
    let length = 5;
    const { files, since } = counting({ ...FILES, opendir: async () => made(10, length) });
    const kept = new Listings(folder, false, files, later, { folders: 3, bytes: 10_000 });
    const read = async (i: number) => {
      await kept.list(folders[i] as string, NAME, 1, staying());
      return since().opendir;
    };
    assert.equal([await read(0), await read(1), await read(2), await read(0)], [1, 1, 1, 0]);
    assert.is(await read(3), 1, "one too many");
    assert.equal([await read(0), await read(1)], [0, 1], "gone is the one that was not asked for for longest");
    // Each of them takes some 6,000 bytes.
    length = 200;
    for (const one of folders) await utimes(one, 1, 1);
    assert.equal([await read(0), await read(0), await read(1), await read(1), await read(0)], [1, 0, 1, 0, 1]);
    length = 1000;
    assert.equal([await read(2), await read(2), await read(0)], [1, 1, 0], "more than may be kept at all");
  }));

test("the event loop goes on while 50,000 names are read and sorted", () =>
  inFolder(async (folder) => {
    // Nothing is waited for here: without slices all of it would be one turn of the loop.
    const files: Files = { ...FILES, opendir: async () => made(50_000, 20), lstat: () => stat(folder) };
    let turns = 0;
    let over = false;
    const count = () => {
      turns++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const { pages, entries } = await new Listings(folder, false, files, later).list(folder, NAME, 1, staying());
    over = true;
    assert.equal([pages, entries.length], [50, 1000]);
    assert.ok(turns > 5, `${turns} turns`);
  }));

if (process.platform !== "win32") {
  test("links are looked at each time: one that leads out by now is not shown", () =>
    inFolder(async (folder) => {
      const root = join(folder, "root");
      await mkdir(join(root, "in", "sub"), { recursive: true });
      await mkdir(join(folder, "out"));
      await writeFile(join(folder, "out", "file"), "secret");
      await writeFile(join(root, "in", "file"), "x");
      await symlink("in", join(root, "through"));
      await mkdir(join(root, "listed"));
      await symlink("../through/file", join(root, "listed", "link"));
      await symlink("../through/sub", join(root, "listed", "folder"));
      await symlink("../through/none", join(root, "listed", "dangling"));
      const { files, since } = counting();
      const listings = new Listings(root, false, files, later);
      const ask = async (order: Order) => (await listings.list(join(root, "listed"), order, 1, staying())).entries;
      assert.equal(
        (await ask(NAME)).map(({ name, folder }) => [name, folder]),
        [
          ["folder", true],
          ["link", false],
        ],
      );
      await symlink("../out", join(root, "new"));
      await rename(join(root, "new"), join(root, "through"));
      assert.equal([await ask(NAME), await ask(SIZE)], [[], []]);
      assert.is(since().opendir, 1, "the folder with the links is the same");
    }));
}

const leaving =
  "clients that go away end the work, whatever their system said; one that only closed its side gets the page";
test.unless(lacks("the end of a client's side"), leaving, () =>
  inFolder(async (folder) => {
    fill(folder, 300);
    let half = gate();
    let seen = 0;
    let closed = 0;
    const clients = { asked: 0, left: 0 };
    const files: Files = {
      ...FILES,
      async opendir(path) {
        const found = await FILES.opendir(path);
        return (async function* () {
          try {
            for await (const entry of found) {
              if (++seen === 100) await half.opened;
              yield entry;
            }
          } finally {
            closed++;
          }
        })();
      },
    };
    const at = await listed(folder, files, clients);
    for (const leave of ["destroy", "resetAndDestroy"] as const) {
      half = gate();
      seen = 0;
      Object.assign(clients, { asked: 0, left: 0 });
      const sockets = [1, 2, 3].map(() => net.connect(at.port, "127.0.0.1"));
      for (const socket of sockets) socket.on("error", () => {}).write(request("/?sort=date"));
      await until("all of them, and the read", () => clients.asked === 3 && seen === 100);
      for (const socket of sockets) socket[leave]();
      await until("the end of all three", () => clients.left === 3);
      const before = closed;
      half.open();
      await until("the end of the read", () => closed === before + 1);
      assert.is(seen, 100, leave);
    }

    half = gate();
    seen = 0;
    const waits = net.connect({ port: at.port, host: "127.0.0.1", allowHalfOpen: true });
    let got = "";
    waits.setEncoding("latin1").on("data", (part) => (got += part));
    waits.end("GET / HTTP/1.0\r\n\r\n");
    await until("a sign of life", () => /\r\n\r\n\n/.test(got));
    half.open();
    await once(waits, "close");
    assert.match(got, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(got, /\r\n\r\n\n+<!DOCTYPE html>[\s\S]*<\/html>\n$/);
    assert.is(got.match(/<bdi>file /g)?.length, 300);
    await at.close();
  }),
);

test("a page is made once for all who ask for it at once; of another order or page, by the same read", () =>
  inFolder(async (folder) => {
    fill(folder, 1500);
    await utimes(folder, 1, 1);
    const { files, since } = counting();
    const at = await listed(folder, files);
    const ask = async (query: string) => parse(await within(exchange(at.port, request(`/${query}`)), query));
    const pages = await Promise.all(Array.from({ length: 20 }, () => ask("?sort=date")));
    assert.equal(since().opendir, 1);
    for (const { body, headers } of pages) {
      assert.ok(body.equals(pages[0]?.body as Buffer));
      assert.is(Number(header(headers, "content-length")), body.length);
    }
    assert.match(pages[0]?.body.toString() ?? "", /1,500 files.*[\s\S]*Page 1 of 2/);
    await at.close();
  }));

test("a page that fails is told, to stderr by one line that is cut", () =>
  inFolder(async (folder) => {
    const failure = Object.assign(new Error(`EIO: ${"x".repeat(10_000)}\nx`), { code: "EIO" });
    const at = await listed(folder, { ...FILES, opendir: () => Promise.reject(failure) });
    const { write } = process.stderr;
    let told = "";
    process.stderr.write = ((text: string) => (told += text)) as never;
    try {
      const got = parse(await within(exchange(at.port, request(`/?${"y".repeat(10_000)}`)), "the answer"));
      assert.match(got.status, / 500 /);
    } finally {
      process.stderr.write = write;
      await at.close();
    }
    assert.match(told, /^sendoff: "\/\?y{2998}\.\.\.": EIO EIO: x+\.\.\.\n$/);
    assert.ok(told.length < 6100, `${told.length} characters`);
  }));

test.run();
