// Files that stay open for their next use: the same file as long as it is there and unchanged, no fd too many, and none
// for long.

import { AsyncLocalStorage } from "node:async_hooks";
import fs from "node:fs";
import path from "node:path";
import * as assert from "uvu/assert";
import { Statx } from "../host/libc/statx.js";
import { openFilesOf } from "../host/runtimes/environment.js";
import { host } from "../host/runtimes/node/adapter.js";
import { PathSource } from "../host/source/fd.js";
import { Files, type OpenFile } from "../host/source/files.js";
import { Opener } from "../host/source/open.js";
import { until } from "./lib/command.js";
import { tempFolder } from "./lib/files.js";
import { type Cleanup, row as plainRow, test } from "./lib/suite.js";

const { shared } = host();
const { scheduler, sys, core } = shared;

/** An opener that takes each device's file system for local, or for one of a network. */
async function opener(folder: string, local = true): Promise<Opener> {
  const o = new Opener(shared.sys, (_path, done) => done(null, { type: local ? 0xef53 : 0x6969 }));
  o.met(folder, fs.statSync(folder));
  return o;
}

interface Place {
  files: Files;
  /** The path of a name in the folder, and what is written there. */
  at(name: string, content?: string): string;
  /** As after the first fs.open(). */
  kept(name: string): OpenFile;
}

async function place(t: Cleanup, most?: number, local?: boolean): Promise<Place> {
  const folder = tempFolder(t);
  const statx = sys && Statx.quick(sys.libc, core);
  const files = new Files(await opener(folder, local), scheduler, most, statx);
  t.after(() => void files.clear());
  const at = (name: string, content?: string) => {
    const file = path.join(folder, name);
    if (content !== undefined) fs.writeFileSync(file, content);
    return file;
  };
  const kept = (name: string) => {
    const fd = fs.openSync(at(name), "r");
    const file = files.keep(at(name), fd, fs.fstatSync(fd));
    if (file === null) fs.closeSync(fd);
    assert.ok(file, `${name} is kept`);
    return file;
  };
  return { files, at, kept };
}

const linux = process.platform === "linux" ? null : "/proc/self/fd is Linux's";
const row = (name: string, body: (t: Cleanup) => Promise<void>) => plainRow(name, body, linux);
const content = ({ fd, stat }: OpenFile) => {
  const bytes = Buffer.alloc(stat.size);
  fs.readSync(fd, bytes, 0, stat.size, 0);
  return bytes.toString();
};

row("who asks again gets the file that is open, and its last user leaves it open", async (t) => {
  const { files, at, kept } = await place(t);
  at("a", "first");
  const one = kept("a");
  const two = files.get(at("a"), false);
  assert.is(two, one);
  assert.is(files.get(at("a"), false, false), one);
  for (let i = 0; i < 3; i++) one.release();
  fs.fstatSync(one.fd);
  assert.is(files.get(at("a"), false), one);
  one.release();
  files.clear();
  assert.throws(() => fs.fstatSync(one.fd), /EBADF/);
});

const changes: Record<string, (file: string) => void> = {
  "renamed over": (file) => {
    fs.writeFileSync(`${file}.new`, "other");
    fs.renameSync(`${file}.new`, file);
  },
  "written in place": (file) => fs.writeFileSync(file, "longer than before"),
  "appended to": (file) => fs.appendFileSync(file, "+"),
  truncated: (file) => fs.truncateSync(file, 1),
  "its mode changed": (file) => fs.chmodSync(file, 0o600),
  "its time changed": (file) => fs.utimesSync(file, 1, 1),
  removed: (file) => fs.rmSync(file),
  "a folder now": (file) => {
    fs.rmSync(file);
    fs.mkdirSync(file);
  },
  "a link to nothing": (file) => {
    fs.rmSync(file);
    fs.symlinkSync("nowhere", file);
  },
  "a link to itself": (file) => {
    fs.rmSync(file);
    fs.symlinkSync(file, file);
  },
  "a link to another file": (file) => {
    fs.writeFileSync(`${file}.other`, "other");
    fs.rmSync(file);
    fs.symlinkSync(`${file}.other`, file);
  },
};

for (const [what, change] of Object.entries(changes)) {
  row(`a file that is ${what} is noticed at the next look, and closed by its last user`, async (t) => {
    const { files, at, kept } = await place(t);
    at("a", "first");
    const used = kept("a");
    change(at("a"));
    const now = files.get(at("a"), false);
    assert.is.not(now, used);
    if (now !== null) {
      assert.is(content(now), fs.readFileSync(at("a"), "latin1"));
      now.release();
    }
    assert.is(content(used).length, 5, "its user still has it");
    assert.ok(used.dropped);
    used.release();
    files.clear();
    assert.throws(() => fs.fstatSync(used.fd), /EBADF/);
  });
}

row("in one turn of the event loop one look is enough, for those who say so", async (t) => {
  const { files, at, kept } = await place(t);
  at("a", "first");
  const first = kept("a");
  assert.is(files.get(at("a"), true), first);
  fs.rmSync(at("a"));
  at("a", "other");
  assert.is(files.get(at("a"), true), first, "the same turn");
  for (let i = 0; i < 3; i++) first.release();
  const turn = scheduler.turn;
  await until("the next turn", () => scheduler.turn !== turn);
  assert.is.not(files.get(at("a"), true)?.stat.ino, first.stat.ino);
  files.clear();
});

row("the looks of a path do not give what another look has dropped", async (t) => {
  const { files, at, kept } = await place(t);
  at("a", "first");
  const first = kept("a");
  first.release();
  at("b", "other");
  fs.renameSync(at("b"), at("a"));
  files.get(at("a"), false)?.release(); // closed
  assert.is.not(files.get(at("a"), true), first);
  files.clear();
});

row(
  "no more than so many stay open: the ones not used lately go first; those in use stay with their users",
  async (t) => {
    const { files, at, kept } = await place(t, 3);
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) at(name, name);
    const open = () => names.filter((name) => fdTo(at(name)) > 0).join("");
    const [a, b, c] = ["a", "b", "c"].map(kept) as [OpenFile, OpenFile, OpenFile];
    assert.is(open(), "abc");
    const d = kept("d"); // all are in use
    assert.is(open(), "abcd");
    assert.is(content(d), "d");
    d.release();
    assert.is(open(), "abc", "there was no room for it");
    b.release();
    const e = kept("e");
    assert.is(open(), "ace", "b was idle");
    for (const one of [a, c, e]) one.release();
    assert.is(open(), "ace");
    files.clear();
    assert.is(open(), "");
  },
);

/** How many fds of this process are open to a file, whoever keeps them. */
function fdTo(file: string): number {
  const { ino } = fs.statSync(file);
  return fs.readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return fs.fstatSync(Number(fd)).ino === ino;
    } catch {
      return false;
    }
  }).length;
}

row("none: a file is closed by its only user", async (t) => {
  const { files, at, kept } = await place(t, 0);
  at("a", "first");
  const one = kept("a");
  assert.is(fdTo(at("a")), 1);
  one.release();
  assert.is(fdTo(at("a")), 0);
  assert.is(files.get(at("a"), false, false), null);
});

row("a file that is not used is closed soon, and by a timer that no request is charged with", async (t) => {
  const { at, kept } = await place(t);
  at("a", "first");
  const als = new AsyncLocalStorage<string>();
  const found: unknown[] = [];
  als.run("a request", () => kept("a")).release();
  const { closeSync } = fs;
  assert.is(fdTo(at("a")), 1);
  fs.closeSync = (fd) => {
    found.push(als.getStore());
    closeSync(fd);
  };
  const { syncBuiltinESMExports } = await import("node:module");
  syncBuiltinESMExports();
  t.after(() => {
    fs.closeSync = closeSync;
    syncBuiltinESMExports();
  });
  await until("its end", () => fdTo(at("a")) === 0);
  assert.equal(found, [undefined]);
});

row("a close that fails when nobody waits is a warning", async (t) => {
  const { files, at, kept } = await place(t);
  at("a", "first");
  const one = kept("a");
  one.release();
  fs.closeSync(one.fd);
  const warned = new Promise<Error & { code?: string }>((resolve) => process.once("warning", resolve));
  files.clear();
  assert.is((await warned).code, "EBADF");
});

row("a file system that may wait for a network, and what is no regular file: nothing stays open", async (t) => {
  const far = await place(t, 8, false);
  far.at("a", "first");
  const fd = fs.openSync(far.at("a"), "r");
  assert.is(far.files.keep(far.at("a"), fd, fs.fstatSync(fd)), null);
  fs.closeSync(fd);
  const { files } = await place(t);
  const zero = fs.openSync("/dev/zero", "r");
  assert.is(files.keep("/dev/zero", zero, fs.fstatSync(zero)), null);
  fs.closeSync(zero);
});

row("under the permission model nothing stays open", async (t) => {
  Object.defineProperty(process, "permission", { value: { has: () => false }, configurable: true });
  try {
    const { files, at } = await place(t);
    const fd = fs.openSync(at("a", "first"), "r");
    assert.is(files.keep(at("a"), fd, fs.fstatSync(fd)), null);
    fs.closeSync(fd);
    assert.is(files.get(at("a"), false), null);
  } finally {
    delete (process as { permission?: unknown }).permission;
  }
});

row("where fs was replaced nothing is given", async (t) => {
  const { files, at, kept } = await place(t);
  at("a", "first");
  kept("a").release();
  const { read } = fs;
  fs.read = (() => {}) as never;
  try {
    assert.is(files.get(at("a"), false), null);
  } finally {
    fs.read = read;
  }
});

row("a process that may open no more closes them, and opens", async (t) => {
  const { files, at, kept } = await place(t);
  at("kept", "kept");
  kept("kept").release();
  const { open } = fs;
  let refused = 0;
  fs.open = ((...args: Parameters<typeof open>) => {
    if (fdTo(at("kept")) === 0) return open(...args);
    refused++;
    const done = args.at(-1) as (error: Error) => void;
    setImmediate(done, Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" }));
  }) as typeof open;
  const { syncBuiltinESMExports } = await import("node:module");
  syncBuiltinESMExports();
  t.after(() => {
    fs.open = open;
    syncBuiltinESMExports();
  });
  const source = new PathSource(at("a", "first"), { files });
  const error = await new Promise((resolve) => source.open(resolve));
  assert.is(error, null);
  assert.is(source.size, 5);
  assert.is(refused, 1);
  source.close();
});

row("a path that is open is not opened again, whether it stays open or not", async (t) => {
  for (const { files, at } of [await place(t), await place(t, 8, false)]) {
    const source = new PathSource(at("a", "first"), { files });
    for (let i = 0; i < 2; i++) assert.is(await new Promise((resolve) => source.open(resolve)), null);
    assert.is(fdTo(at("a")), 1);
    source.close();
    files.clear();
    assert.is(fdTo(at("a")), 0);
  }
});

row("a path whose source is closed while it is opened, or read, is closed after that", async (t) => {
  const { at } = await place(t);
  const opening = new PathSource(at("a", "first"));
  const opened = new Promise((resolve) => opening.open(resolve));
  opening.close();
  assert.is(await opened, null);
  assert.is(fdTo(at("a")), 0);

  const reading = new PathSource(at("a"));
  assert.is(await new Promise((resolve) => reading.open(resolve)), null);
  const read = new Promise<string>((resolve) => {
    reading.read(0, 5, false, 0, (_error, bytes) => resolve(`${Buffer.from(bytes)}, ${fdTo(at("a"))} open`));
  });
  reading.close();
  assert.is(fdTo(at("a")), 1);
  assert.is(await read, "first, 0 open");
});

row("relative paths are those of the folder at the time", async (t) => {
  const { files, at } = await place(t);
  const before = process.cwd();
  t.after(() => process.chdir(before));
  const read = (name: string): Promise<number> => {
    const source = new PathSource(name, { files });
    return new Promise((resolve, reject) =>
      source.open((error) => {
        if (error) return reject(error);
        resolve(source.size);
        source.close();
      }),
    );
  };
  fs.mkdirSync(at("one"));
  fs.mkdirSync(at("two"));
  at("one/a", "1");
  at("two/a", "22");
  for (const [folder, size] of [
    ["one", 1],
    ["two", 2],
    ["one", 1],
  ] as const) {
    process.chdir(at(folder));
    assert.is(await read("a"), size);
    assert.is(await read("./a"), size);
  }
});

test("SENDOFF_OPEN_FILES", () => {
  assert.equal(openFilesOf(undefined), {});
  assert.equal(openFilesOf(""), {});
  assert.equal(openFilesOf("0"), { openFiles: 0 });
  assert.equal(openFilesOf("1000"), { openFiles: 1000 });
  for (const wrong of ["-1", "1.5", "many", "1e3", "99999999"]) {
    assert.throws(() => openFilesOf(wrong), /SENDOFF_OPEN_FILES must be a whole number/);
  }
});

test.run();
