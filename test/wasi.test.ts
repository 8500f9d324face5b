// The WASI command in node:wasi of the Node that runs the tests: real files, pipes and sockets, by digest.

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WASI } from "node:wasi";
import * as assert from "uvu/assert";
import { tempFolder } from "./lib/files.js";
import { NODE, type Out, type Outcome, send, type Way, type Wish } from "./lib/hosts.js";
import { without } from "./lib/programs.js";
import { type Cleanup, row as declare, test } from "./lib/suite.js";

const MiB = 1 << 20;
const BYTES = randomBytes(4 * MiB + 7);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const fifos = without("mkfifo");
const linux = process.platform === "linux" ? fifos : "needs Linux's /proc";
const row = (name: string, body: (cleanup: Cleanup) => Promise<void>, reason = fifos) =>
  declare(`wasi: ${name}`, body, reason);

/** A folder with a file of BYTES, or others. */
function made(cleanup: Cleanup, bytes: Uint8Array = BYTES) {
  const folder = tempFolder(cleanup);
  const path = join(folder, "file");
  writeFileSync(path, bytes);
  return { folder, path };
}

const run = (cleanup: Cleanup, folder: string, wish: Partial<Wish>, way?: Way) =>
  send(cleanup, NODE, folder, wish, way);

function exact({ code, bytes, digest, stderr }: Outcome, wanted: Uint8Array): void {
  assert.equal({ code, bytes, stderr }, { code: 0, bytes: wanted.length, stderr: "" });
  assert.is(digest, sha256(wanted));
}

for (const out of ["pipe", "non-blocking pipe", "tcp"] satisfies Out[]) {
  row(`4 MiB over a ${out}`, async (cleanup) => {
    const { folder, path } = made(cleanup);
    exact(await run(cleanup, folder, { path }, { out }), BYTES);
  });
}

row("the debug build sends the same", async (cleanup) => {
  const { folder, path } = made(cleanup);
  const module = fileURLToPath(new URL("../core.wasi.debug.wasm", import.meta.url));
  exact(await run(cleanup, folder, { path }, { module, out: "non-blocking pipe" }), BYTES);
});

row("an empty file", async (cleanup) => {
  const { folder, path } = made(cleanup, new Uint8Array());
  exact(await run(cleanup, folder, { path }), new Uint8Array());
});

const SIZE = BYTES.length;
const RANGES: [offset: number, count: number | undefined][] = [
  [0, 1],
  [1, 4095],
  [4096, 65536],
  [65535, 65538],
  [SIZE - 1, undefined],
  [SIZE - 1, 1000],
  [SIZE, undefined],
  [SIZE + 1, 5],
  [3 * MiB + 1, undefined],
];
for (const [offset, count] of RANGES) {
  row(`offset ${offset}, count ${count ?? "to the end"}`, async (cleanup) => {
    const { folder, path } = made(cleanup);
    const wish = count === undefined ? { path, offset } : { path, offset, count };
    exact(await run(cleanup, folder, wish), BYTES.subarray(offset, count === undefined ? undefined : offset + count));
  });
}

row("a range across 4 GiB of a sparse file", async (cleanup) => {
  const folder = tempFolder(cleanup);
  const path = join(folder, "sparse");
  const fd = openSync(path, "w");
  const offset = 2 ** 32 - 1000;
  ftruncateSync(fd, 2 ** 32 + 2 * MiB);
  writeSync(fd, BYTES, 0, MiB, offset);
  closeSync(fd);
  exact(await run(cleanup, folder, { path, offset, count: MiB }), BYTES.subarray(0, MiB));
});

row("a relative path is in the folder that is open", async (cleanup) => {
  const { folder } = made(cleanup);
  exact(await run(cleanup, folder, { path: "file" }), BYTES);
});

row("asked by the environment", async (cleanup) => {
  const { folder, path } = made(cleanup);
  const silent = { ...NODE, args: false };
  exact(await send(cleanup, silent, folder, { path, offset: 7, count: 100, fd: 1 }), BYTES.subarray(7, 107));
});

row("a FIFO, to its end", async (cleanup) => {
  const folder = tempFolder(cleanup);
  const path = join(folder, "fifo");
  assert.is(spawnSync("mkfifo", [path]).status, 0);
  const fd = openSync(path, "r+"); // does not wait for another side
  writeSync(fd, BYTES, 0, 5000);
  // The command has it open once it has sent something; then ours is the only other side.
  exact(await run(cleanup, folder, { path }, { first: () => closeSync(fd) }), BYTES.subarray(0, 5000));
});

async function proc(cleanup: Cleanup): Promise<void> {
  exact(await run(cleanup, "/proc", { path: "/proc/version" }), readFileSync("/proc/version"));
}
row("a file of /proc, which says that it is empty", proc, linux);

row("a file that is truncated meanwhile", async (cleanup) => {
  const { folder, path } = made(cleanup);
  const { code, bytes, stderr } = await run(cleanup, folder, { path }, { first: () => truncateSync(path, 2 * MiB) });
  const line = `sendoff: ${path}: the file ended before its count, ${2 * MiB} bytes sent\n`;
  assert.equal({ code, bytes, stderr }, { code: 1, bytes: 2 * MiB, stderr: line });
});

for (const limit of ["timeout", "deadline"] as const) {
  row(`${limit}, with a reader that stalls`, async (cleanup) => {
    const { folder, path } = made(cleanup);
    const way: Way = { out: "non-blocking pipe", stall: true };
    const { code, bytes, stderr } = await run(cleanup, folder, { path, [limit]: 1000 }, way);
    const words = limit === "timeout" ? "timed out: no progress" : "the deadline has passed";
    assert.is(stderr, `sendoff: fd 1: ${words}, ${bytes} bytes sent\n`);
    assert.is(code, 1);
    assert.ok(bytes > 0);
  });
}

for (const [out, words] of [
  ["pipe", /^sendoff: fd 1: Broken pipe, \d+ bytes sent\n$/],
  ["tcp", /^sendoff: fd 1: (Broken pipe|Connection reset by peer), \d+ bytes sent\n$/],
] as const) {
  row(`a reader that goes away, over a ${out}`, async (cleanup) => {
    // More than the buffers of a connection hold.
    const { folder, path } = made(cleanup, Buffer.alloc(64 * MiB));
    const { code, stderr } = await run(cleanup, folder, { path }, { out, vanish: 1 });
    assert.is(code, 1);
    assert.match(stderr, words);
  });
}

row("what can't be opened or written to: status 1", async (cleanup) => {
  const { folder, path } = made(cleanup);
  const rows: [Wish, string][] = [
    [{ path: join(folder, "nope") }, `${join(folder, "nope")}: No such file or directory`],
    [{ path: folder }, `${folder}: Is a directory`],
    [{ path: "/etc/passwd" }, "/etc/passwd: in no folder that the host has opened"],
    [{ path, fd: 99 }, "fd 99: Bad file descriptor, 0 bytes sent"],
  ];
  for (const [wish, line] of rows) {
    const { code, bytes, stderr } = await run(cleanup, folder, wish);
    assert.equal({ code, bytes, stderr }, { code: 1, bytes: 0, stderr: `sendoff: ${line}\n` });
  }
});

row("wrong arguments: status 2, and the line names them", async (cleanup) => {
  const { folder, path } = made(cleanup);
  const rows: [Partial<Wish>, RegExp][] = [
    [{}, /PATH is missing/],
    [{ path, offset: -1 }, /--offset must be an integer, 0 to /],
    [{ path, count: 0 }, /--count must be an integer, 1 to /],
    [{ path, fd: 1.5 }, /--fd must be an integer, 0 to 2147483647, not 1.5/],
  ];
  for (const [wish, line] of rows) {
    const { code, bytes, stderr } = await run(cleanup, folder, wish);
    assert.equal({ code, bytes }, { code: 2, bytes: 0 });
    assert.match(stderr, line);
    assert.match(stderr, /^sendoff: [^\n]+\n$/);
  }
});

test("wasi: the core is a reactor without an _initialize, and hosts start it as one", () => {
  const bytes = readFileSync(new URL("../core.wasm", import.meta.url));
  const env = { sendfile: () => 0, read: () => 0, send: () => 0, recv: () => 0 };
  // @types/node has no types of WebAssembly.
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object;
      Instance: new (module: object, imports: object) => Instance;
    };
  };
  interface Instance {
    exports: { [name: string]: unknown };
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
  assert.is(instance.exports._start, undefined);
  assert.is(instance.exports._initialize, undefined);
  new WASI({ version: "preview1" }).initialize(instance);
  assert.is((instance.exports.transfer_open as (now: number) => number)(0) > 0, true);
});

test.run();
