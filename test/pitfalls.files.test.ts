// docs/internals/pitfalls.md, of the file: T4 to T7, T9, T10, T14, T22, T26, T28, T29, on real sockets and files.

import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { capabilities, type Mode, type Progress, type SendfileOptions, sendfile } from "sendoff";
import * as assert from "uvu/assert";
import { sourceOf } from "../host/source/kinds.js";
import { pattern, random, same } from "./lib/bytes.js";
import { collect, connect, still, take, until } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { faultyHost } from "./lib/faulty.js";
import { fdCount, openFd, openHandle, position, tempFile, tempFolder } from "./lib/files.js";
import { without } from "./lib/programs.js";
import { type Cleanup, row, test } from "./lib/suite.js";

const MIB = 1024 * 1024;
const { native, reason, binding } = capabilities();
const MODES: Mode[] = native ? ["native", "copy"] : ["copy"];
const noNative = native ? null : (reason as string);

/** Sends, ends, and gives what came. */
async function received(t: Cleanup, file: Parameters<typeof sendfile>[1], options?: SendfileOptions): Promise<Buffer> {
  const { near, far } = await connect(t);
  const bytes = collect(far);
  const sent = await sendfile(near, file, options);
  near.end();
  const data = await bytes;
  assert.is(sent, data.length - (options?.header?.length ?? 0) - (options?.trailer?.length ?? 0));
  return data;
}

for (const mode of MODES) {
  row(`T4 a file that shrinks while it is sent is an error, ${mode}`, async (t) => {
    const data = pattern(8 * MIB);
    const path = tempFile(t, data);
    const fd = openFd(t, path);
    const { near, far } = await connect(t, { over: "unix" });
    const sending = failure(sendfile(near, fd, { mode, trailer: Buffer.from("never sent") }));
    await still(() => near.bytesWritten);
    const size = 4 * MIB + 77;
    fs.truncateSync(path, size);
    const bytes = collect(far);
    const error = await sending;
    near.end();
    assert.is(error.code, "ERR_SENDFILE_TRUNCATED");
    assert.is(error.message, "the file ended before its count");
    assert.ok(error.sent <= size);
    same(await bytes, data.subarray(0, error.sent));
    if (native) assert.is(position(fd), error.sent);
  });

  row(`T4 a file that shrinks before its first byte, ${mode}`, async (t) => {
    const path = tempFile(t, pattern(MIB));
    const { near, far } = await connect(t, { over: "unix" });
    // The size is taken at the start; the transfer's turn comes after the write before it.
    near.write(pattern(4 * MIB));
    const file = await openHandle(t, path);
    const sending = failure(sendfile(near, file, { mode, header: Buffer.from("header") }));
    fs.truncateSync(path, 0);
    const bytes = collect(far);
    const error = await sending;
    assert.is(error.code, "ERR_SENDFILE_TRUNCATED");
    assert.is(error.sent, 0);
    near.end();
    const got = await bytes;
    assert.ok(got.length === 4 * MIB || got.length === 4 * MIB + 6, `${got.length}`);
  });

  row(`T5 a file that grows while it is sent changes no count, ${mode}`, async (t) => {
    const data = pattern(6 * MIB);
    const path = tempFile(t, data);
    const { near, far } = await connect(t, { over: "unix" });
    const sending = sendfile(near, path, { mode });
    await still(() => near.bytesWritten);
    fs.appendFileSync(path, "more");
    const bytes = collect(far);
    assert.is(await sending, data.length);
    near.end();
    same(await bytes, data);
  });

  row(`T7 an empty range resolves 0, header and trailer go all the same, ${mode}`, async (t) => {
    const path = tempFile(t, pattern(5000));
    const empty = tempFile(t, Buffer.alloc(0));
    const around = { header: Buffer.from("<"), trailer: Buffer.from(">") };
    for (const options of [{ offset: 5000 }, { offset: 5001 }, { offset: 2 ** 53 - 1 }, { offset: 5000, count: 9 }]) {
      same(await received(t, path, { ...options, mode }), Buffer.alloc(0));
      same(await received(t, path, { ...options, ...around, mode }), Buffer.from("<>"));
    }
    same(await received(t, empty, { mode }), Buffer.alloc(0));
    same(await received(t, empty, { mode, offset: 3, ...around }), Buffer.from("<>"));
  });

  row(`T7 a count beyond the end is cut to the file, ${mode}`, async (t) => {
    const data = pattern(5000);
    const path = tempFile(t, data);
    for (const count of [5001, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1]) {
      same(await received(t, path, { mode, offset: 1, count }), data.subarray(1));
    }
  });

  row(`T10 a sparse file of 7 GiB, ranges at 2^31 and 2^32, ${mode}`, async (t) => {
    const path = tempFile(t, Buffer.alloc(0));
    const edges = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 2 ** 31];
    const wfd = openFd(t, path, "r+");
    fs.ftruncateSync(wfd, 7 * 1024 * MIB + 11);
    for (const [i, edge] of edges.entries()) fs.writeSync(wfd, Buffer.alloc(3, i + 65), 0, 3, edge - 1);
    const fd = openFd(t, path);
    const file = await openHandle(t, path);
    for (const edge of edges) {
      const wanted = Buffer.alloc(100_000);
      fs.readSync(fd, wanted, 0, wanted.length, edge - 50_000);
      assert.ok(wanted.some((byte) => byte !== 0));
      same(await received(t, file, { mode, offset: edge - 50_000, count: wanted.length }), wanted);
      if (binding !== null) assert.is(position(file.fd), edge + 50_000);
    }
    assert.is((await received(t, path, { mode, offset: 7 * 1024 * MIB })).length, 11);
  });

  row(`T29 a directory is refused, ${mode}`, async (t) => {
    const folder = tempFolder(t);
    const { near, far } = await connect(t);
    const fd = openFd(t, folder);
    const handle = await openHandle(t, folder);
    for (const file of [folder, pathToFileURL(folder), fd, handle]) {
      const error = await failure(sendfile(near, file, { mode }));
      assert.is(error.name, "SendfileError");
      assert.is(error.code, "EISDIR");
      assert.is(error.sent, 0);
    }
    await handle.close();
    fs.closeSync(fd);
    assert.is(fdCount(folder), 0);
    near.end();
    same(await collect(far), Buffer.alloc(0));
  });
}

row("T6 files of /proc and /sys have no believable size, and arrive whole", async (t) => {
  const paths = ["/proc/version", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/cpuinfo"];
  for (const path of paths.filter((each) => fs.existsSync(each))) {
    const wanted = fs.readFileSync(path);
    const stable = path !== "/proc/cpuinfo"; // its clock rates change
    const by = [path, pathToFileURL(path), openFd(t, path), await openHandle(t, path)];
    for (const file of by) {
      const got = await received(t, file);
      if (stable) same(got, wanted, path);
      else assert.ok(got.length > 100);
    }
    same(await received(t, path, { offset: 3, count: 4 }), wanted.subarray(3, 7), path);
    const around = { header: Buffer.from("<"), trailer: Buffer.from(">") };
    if (stable) same(await received(t, path, around), Buffer.concat([Buffer.from("<"), wanted, Buffer.from(">")]));
  }
});

row("T6 /proc is not to be had by mode native", async (t) => {
  const { near } = await connect(t);
  const error = await failure(sendfile(near, "/proc/version", { mode: "native" }));
  assert.is(error.code, "ERR_SENDFILE_NOT_AVAILABLE");
});

const noFifo = without("mkfifo");

test.unless(noFifo, "T6 a FIFO is read to its end, by path and by fd", async (t) => {
  const fifo = join(tempFolder(t), "fifo");
  execFileSync("mkfifo", [fifo]);
  const wanted = pattern(300_000);
  const path = tempFile(t, wanted);
  for (const way of ["path", "fd", "handle"] as const) {
    const writer = spawn("sh", ["-c", 'exec cat "$1" >"$2"', "sh", path, fifo], { stdio: "ignore" });
    t.after(() => writer.kill());
    const file = way === "path" ? fifo : way === "fd" ? openFd(t, fifo) : await openHandle(t, fifo);
    same(await received(t, file), wanted, way);
  }
});

test.unless(noFifo, "T6 a FIFO has no offset: ESPIPE; a count ends it early", async (t) => {
  const fifo = join(tempFolder(t), "fifo");
  execFileSync("mkfifo", [fifo]);
  const fd = openFd(t, fifo, "r+");
  fs.writeSync(fd, "0123456789");
  const { near } = await connect(t);
  assert.is((await failure(sendfile(near, fd, { offset: 1 }))).code, "ESPIPE");
  same(await received(t, fd, { count: 4 }), Buffer.from("0123"));
  same(await received(t, fd, { count: 6 }), Buffer.from("456789"));
});

test.unless(noFifo, "T6 a FIFO that nobody writes to can be given up, and the socket goes on", async (t) => {
  const fifo = join(tempFolder(t), "fifo");
  execFileSync("mkfifo", [fifo]);
  const { near, far } = await connect(t);
  const bytes = collect(far);
  // By path it hangs in open(2), by fd in read(2); the pool's thread is free again once somebody writes.
  const byPath = await failure(sendfile(near, fifo, { signal: AbortSignal.timeout(5) }));
  assert.is(byPath.code, "ERR_SENDFILE_ABORTED");
  const fd = fs.openSync(fifo, "r+");
  const byFd = await failure(sendfile(near, fd, { timeout: 5 }));
  assert.is(byFd.code, "ERR_SENDFILE_TIMEOUT");
  fs.writeSync(fd, "x");
  near.end("after");
  same(await bytes, Buffer.from("after"));
  fs.closeSync(fd);
  await until(() => fdCount(fifo) === 0);
});

row("T6 devices: /dev/null is empty, /dev/zero goes up to the count", async (t) => {
  same(await received(t, "/dev/null"), Buffer.alloc(0));
  same(await received(t, "/dev/zero", { count: 700_001 }), Buffer.alloc(700_001));
});

row("T9 both ways agree with the file's bytes, whatever its position, the offset and the count", async (t) => {
  const data = pattern(700_000, 9);
  const fd = openFd(t, tempFile(t, data));
  const next = random(20240);
  for (let round = 0; round < 40; round++) {
    const start = next(data.length);
    const offset = next(data.length + 5000);
    const count = next(3) === 0 ? undefined : 1 + next([10, 5000, 300_000, 800_000][next(4)] as number);
    const header = pattern(next(2) * next(20_000), round + 1);
    const wanted = data.subarray(offset, count === undefined ? undefined : offset + count);
    for (const mode of MODES) {
      const own = fs.openSync(`/proc/self/fd/${fd}`, "r");
      t.after(() => fs.closeSync(own));
      fs.readSync(own, Buffer.alloc(start), 0, start, null);
      const got = await received(t, own, { offset, count, header, mode });
      same(got, Buffer.concat([header, wanted]), `round ${round}, ${mode}: ${start} ${offset} ${count}`);
      if (binding !== null) assert.is(position(own), offset + wanted.length);
    }
  }
});

row(
  "T9 the position is left at offset + sent, on success and on failure",
  async (t) => {
    const data = pattern(2 * MIB);
    for (const mode of MODES) {
      const { near, far } = await connect(t, { over: "unix" });
      const fd = openFd(t, tempFile(t, data));
      const stop = new AbortController();
      const sending = failure(sendfile(near, fd, { mode, offset: 1000, signal: stop.signal }));
      await still(() => near.bytesWritten);
      stop.abort();
      const error = await sending;
      const rest = Buffer.alloc(10);
      fs.readSync(fd, rest, 0, 10, null);
      same(rest, data.subarray(1000 + error.sent, 1010 + error.sent), mode);
      // Nothing of the transfer comes after what it said: going on there is right.
      near.write("|");
      near.end();
      same(await collect(far), Buffer.concat([data.subarray(1000, 1000 + error.sent), Buffer.from("|")]));
    }
  },
  binding === null ? "no lseek(2) without a binding" : null,
);

row(
  "T14 cold pages go by copies, and are the same bytes",
  async (t) => {
    const data = pattern(3 * MIB + 123);
    const path = tempFile(t, data);
    execFileSync("sync", [path]);
    // Whether the page cache forgets it is the kernel's choice; the bytes are right either way.
    execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
    same(await received(t, path), data);

    const host = faultyHost({ judge: (call) => (call.name === "read" ? "EAGAIN" : null) });
    const { near, far } = await connect(t);
    const bytes = collect(far);
    let last: Progress | undefined;
    const header = Buffer.from("header");
    await host.sendfile(near, path, { header, onProgress: (progress) => (last = progress) });
    near.end();
    same(await bytes, Buffer.concat([header, data]));
    assert.is(last?.native, 0);
    assert.is((last?.cold ?? 0) + (last?.doorbell ?? 0), data.length + header.length);
  },
  noNative,
);

row("T22 copied bytes that were sent stay as they were when the file is overwritten", async (t) => {
  const data = pattern(100_000);
  const path = tempFile(t, data);
  const { near, far } = await connect(t);
  assert.is(await sendfile(near, path, { mode: "copy" }), data.length);
  fs.writeFileSync(path, Buffer.alloc(data.length));
  near.end();
  same(await collect(far), data);
});

row("T26 every argument of a wrong type is refused, before anything is opened or sent", async (t) => {
  const { near, far } = await connect(t);
  const path = tempFile(t, pattern(10));
  const bad = async (type: typeof Error, words: RegExp, ...args: unknown[]) => {
    const error = await failure((sendfile as (...args: unknown[]) => Promise<number>)(...args));
    assert.instance(error, type, `${error}`);
    assert.match(error.message, words);
    assert.is(error.code, type === RangeError ? "ERR_OUT_OF_RANGE" : "ERR_INVALID_ARG_TYPE");
  };
  for (const socket of [null, undefined, 1, "socket", {}, [], () => {}, process.stdin]) {
    if (socket !== process.stdin) await bad(TypeError, /^socket must be/, socket, path);
  }
  for (const file of [null, undefined, true, 1n, {}, [], () => {}, Symbol("file")]) {
    await bad(TypeError, /^file must be/, near, file);
  }
  await bad(TypeError, /^file: a file descriptor must be an integer \(got 1.5\)/, near, 1.5);
  await bad(TypeError, /integer \(got NaN\)/, near, Number.NaN);
  await bad(RangeError, /^file: no file descriptor can be -1/, near, -1);
  await bad(RangeError, /^file: no file descriptor can be 4294967296/, near, 2 ** 32);
  await bad(TypeError, /^file must be a file URL \(got http:\)/, near, new URL("http://localhost/"));
  await bad(TypeError, /^file must be a path without null bytes/, near, "a\0b");
  for (const options of [null, 1, "options", true])
    await bad(TypeError, /^options must be an object/, near, path, options);
  const wrong: [string, unknown, typeof Error, RegExp][] = [
    ["offset", "2", TypeError, /^offset must be a non-negative integer \(got '2'\)$/],
    ["offset", 0.1, TypeError, /^offset must be a non-negative integer \(got 0.1\)$/],
    ["offset", 1n, TypeError, /^offset must be a non-negative integer \(got 1n\)$/],
    ["offset", null, TypeError, /^offset must be a non-negative integer \(got null\)$/],
    ["offset", -1, RangeError, /^offset must be a non-negative integer \(got -1\)$/],
    ["offset", 2 ** 53, RangeError, /^offset must be at most 2\*\*53 - 1/],
    ["offset", Number.POSITIVE_INFINITY, TypeError, /^offset must be a non-negative integer \(got Infinity\)$/],
    ["count", null, TypeError, /^count must be a positive integer \(got null\)$/],
    ["count", Number.NaN, TypeError, /^count must be a positive integer \(got NaN\)$/],
    ["count", {}, TypeError, /^count must be a positive integer \(got \[object Object\]\)$/],
    ["count", 2 ** 53, RangeError, /^count must be at most/],
    ["header", "text", TypeError, /^header must be a Uint8Array \(got 'text'\)$/],
    ["trailer", [1], TypeError, /^trailer must be a Uint8Array \(got \[object Array\]\)$/],
    ["timeout", "1", TypeError, /^timeout must be a non-negative number of milliseconds \(got '1'\)$/],
    ["timeout", -1, RangeError, /^timeout must be/],
    ["deadline", Number.NaN, TypeError, /^deadline must be/],
    ["signal", {}, TypeError, /^signal must be an AbortSignal \(got \[object Object\]\)$/],
    ["onProgress", 1, TypeError, /^onProgress must be a function \(got 1\)$/],
    ["mode", "fast", TypeError, /^mode must be 'auto', 'native' or 'copy' \(got 'fast'\)$/],
  ];
  for (const [name, value, type, words] of wrong) await bad(type, words, near, path, { [name]: value });
  // The arguments come first: a file that does not exist is not looked for.
  await bad(RangeError, /^count/, near, "/does/not/exist", { count: 0 });
  await bad(TypeError, /object mode/, new Writable({ objectMode: true }), path);
  assert.is(fdCount(path), 0);
  near.end();
  same(await collect(far), Buffer.alloc(0));
});

row("T26 a file that can't be opened is the system's error, with its path", async (t) => {
  const { near, far } = await connect(t);
  for (const path of ["/does/not/exist", pathToFileURL("/does/not/exist")]) {
    const error = await failure(sendfile(near, path));
    assert.is(error.name, "SendfileError");
    assert.is(error.code, "ENOENT");
    assert.is(error.syscall, "open");
    assert.is(error.path, "/does/not/exist");
    assert.is(error.sent, 0);
  }
  assert.is((await failure(sendfile(near, 1 << 20))).code, "EBADF");
  const writeOnly = openFd(t, tempFile(t, pattern(100_000)), "w+");
  assert.is(await sendfile(near, writeOnly), 0); // it was truncated by the opening, and can be read
  near.end();
  same(await collect(far), Buffer.alloc(0));
});

row("T26 a FileHandle or fd that was closed is EBADF, before the call and before its turn", async (t) => {
  const data = pattern(4 * MIB);
  const path = tempFile(t, data);
  for (const mode of MODES) {
    const { near, far } = await connect(t, { over: "unix" });
    const first = sendfile(near, path, { mode });
    await still(() => near.bytesWritten); // so that nothing is opened while the fd is closed
    const handle = await openHandle(t, path);
    const fd = fs.openSync(path, "r");
    const queued = [handle, fd].map((file) => failure(sendfile(near, file, { mode })));
    await handle.close();
    fs.closeSync(fd);
    const called = [handle, fd].map((file) => failure(sendfile(near, file, { mode })));
    const bytes = collect(far);
    assert.is(await first, data.length);
    for (const error of await Promise.all([...queued, ...called])) {
      assert.is(error.name, "SendfileError");
      assert.is(error.code, "EBADF");
      assert.is(error.sent, 0);
    }
    near.end();
    same(await bytes, data);
  }
});

row("T26 a file that may not be read is EBADF, as read(2) says", async (t) => {
  const path = tempFile(t, pattern(100_000));
  for (const mode of MODES) {
    const { near, far } = await connect(t);
    const error = await failure(sendfile(near, openFd(t, path, "a"), { mode }));
    assert.is(error.code, "EBADF");
    assert.is(error.sent, 0);
    near.end();
    same(await collect(far), Buffer.alloc(0));
  }
});

row("T26 the same where the page cache can't be asked: sendfile(2) has one EBADF for file and socket", async (t) => {
  const { near, far } = await connect(t);
  const host = faultyHost({ judge: ({ name }) => (name === "read" ? "ENOSYS" : null) });
  const error = await failure(host.sendfile(near, openFd(t, tempFile(t, pattern(100_000)), "a")));
  assert.is(error.code, "EBADF");
  assert.is(error.sent, 0);
  near.end();
  same(await collect(far), Buffer.alloc(0));
});

row("T28 the copy path reads 256 KiB to 1 MiB at a time, and no buffer is used twice too early", async (t) => {
  const data = pattern(5 * MIB + 77);
  const chunks: Buffer[] = [];
  const later: (() => void)[] = [];
  const target = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(chunk); // kept as it is: what is written into it later would show
      later.push(done);
      setImmediate(() => later.shift()?.());
    },
  });
  assert.is(await sendfile(target, tempFile(t, data)), data.length);
  same(Buffer.concat(chunks), data);
  for (const chunk of chunks.slice(0, -1))
    assert.ok(chunk.length >= 256 * 1024 && chunk.length <= MIB, `${chunk.length}`);
});

row("a paused receiver gets all of it in the end", async (t) => {
  const data = pattern(3 * MIB);
  const { near, far } = await connect(t);
  const sending = sendfile(near, tempFile(t, data));
  const first = await take(far, 1000);
  const rest = collect(far);
  assert.is(await sending, data.length);
  near.end();
  same(Buffer.concat([first, await rest]), data);
});

row("a file that is closed while it is read is read no more", async (t) => {
  const path = tempFile(t, pattern(100));
  for (const file of [path, openFd(t, path)]) {
    const source = sourceOf(file);
    const next = await new Promise<{ code?: string }>((resolve, reject) =>
      source.open((error) => {
        if (error) return reject(error);
        source.read(0, 10, false, 0, () => source.read(10, 10, false, 0, (error) => resolve(error as object)));
        source.close(); // while the first read is under way
      }),
    );
    assert.is(next.code, "EBADF");
  }
});

row("a file that is closed while it is read stays open until then: its fd is nobody else's meanwhile", async (t) => {
  const path = tempFile(t, pattern(100));
  const source = sourceOf(path);
  const [during, after] = await new Promise<[number, number]>((resolve, reject) =>
    source.open((error) => {
      if (error) return reject(error);
      let during = 0;
      source.read(0, 10, false, 0, () => resolve([during, fdCount(path)]));
      source.close();
      during = fdCount(path);
    }),
  );
  // Deno reads from a duplicate of its own, which may be there or not.
  assert.equal([during > 0, after], [true, 0]);
});

test.run();
