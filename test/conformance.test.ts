// CPython's own tests of sendfile, under their own names: by the kernel's way and by copies.
// Lib/test/test_socket.py SendfileUsingSendTest and SendfileUsingSendfileTest,
// Lib/test/test_asyncio/test_sendfile.py, Lib/test/test_os.py TestSendfile.

import * as dgram from "node:dgram";
import { once } from "node:events";
import * as fs from "node:fs";
import type { Socket } from "node:net";
import { constants } from "node:os";
import { Readable } from "node:stream";
import * as front from "sendoff";
import { capabilities, type File, type Mode, type SendfileError, type SendfileOptions, sendfileSync } from "sendoff";
import * as assert from "uvu/assert";
import { pattern, same } from "./lib/bytes.js";
import { type ConnectionOptions, collect, collectTls, connect as connectBy, still, take } from "./lib/connection.js";
import { outOf } from "./lib/deno-connection.js";
import { failure } from "./lib/failure.js";
import { openFd, openHandle, position, tempFile } from "./lib/files.js";
import { KINDS, lacks } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";

const FILESIZE = 10 * 1024 * 1024;
const DATA = pattern(FILESIZE);
const found = capabilities();
const sendfile = (near: Socket, file: File, options?: SendfileOptions) => front.sendfile(outOf(near), file, options);

/** The failure of a call whose arguments are wrong: CPython's ValueError is a RangeError or a TypeError here. */
async function refusal(promise: Promise<unknown>, type: typeof Error, words: RegExp): Promise<void> {
  const error = await failure(promise);
  assert.instance(error, type);
  assert.match(error.message, words);
}

if (!found.native) {
  row(`mode 'native' says why it can't be had: ${found.reason}`, async (t) => {
    const { near, far } = await connectBy(t);
    const error = await failure(sendfile(near, tempFile(t, DATA.subarray(0, 1000)), { mode: "native" }));
    assert.is(error.code, "ERR_SENDFILE_NOT_AVAILABLE");
    assert.ok(error.message.includes(found.reason as string), error.message);
    assert.is(error.sent, 0);
    near.end();
    same(await collect(far), Buffer.alloc(0));
    if (found.binding === null) {
      assert.throws(
        () => sendfileSync(1, 0, 0, 1),
        (e: SendfileError) => e.code === "ERR_SENDFILE_NOT_AVAILABLE",
      );
    }
  });
}

const MODES: Mode[] = ["native", "copy"];
const LINES = KINDS.flatMap((kind) => MODES.map((mode) => ({ kind, mode })));

for (const { kind, mode } of LINES) {
  const off = mode === "native" && !found.native ? (found.reason as string) : null;
  const by = (name: string, body: (t: Cleanup) => Promise<void>, reason = off) =>
    row(`${name}, ${kind === "node:net" ? "" : `${kind}, `}${mode}`, body, reason);
  const connect = (t: Cleanup, options: ConnectionOptions = {}) => connectBy(t, { kind, ...options });
  const conn = kind === "Deno.Conn";
  const unix = off ?? (conn && mode === "native" ? lacks("the fd of a Unix Deno.Conn") : null);

  /** Sends a file and ends; gives what was said and what came. `tell` is the file's position afterwards. */
  async function send(t: Cleanup, data: Uint8Array, options: SendfileOptions = {}, line: ConnectionOptions = {}) {
    const { near, far } = await connect(t, line);
    const fd = openFd(t, tempFile(t, data));
    const received = collect(far);
    const sent = await sendfile(near, fd, { ...options, mode });
    near.end();
    return { sent, data: await received, tell: position(fd) };
  }

  const tells = found.binding !== null; // the position is left by lseek(2), which needs a binding

  // test_socket.py

  by("testRegularFile", async (t) => {
    const got = await send(t, DATA);
    assert.is(got.sent, FILESIZE);
    same(got.data, DATA);
    if (tells) assert.is(got.tell, FILESIZE);
  });

  by("testNonRegularFile", async (t) => {
    const { near, far } = await connect(t);
    const file = Readable.from([DATA.subarray(0, 5000), DATA.subarray(5000)], { objectMode: false });
    if (mode === "native") {
      // "not a regular file": CPython's _GiveupOnSendfile
      const error = await failure(sendfile(near, file, { mode }));
      assert.is(error.code, "ERR_SENDFILE_NOT_AVAILABLE");
      assert.match(error.message, /not a regular one/);
      near.end();
      same(await collect(far), Buffer.alloc(0));
      return;
    }
    const received = collect(far);
    assert.is(await sendfile(near, file, { mode }), FILESIZE);
    near.end();
    same(await received, DATA);
  });

  by("testEmptyFileSend", async (t) => {
    // The kernel is not asked about an empty file: CPython's sendfile returns 0. Neither way can tell it from /proc.
    const { near, far } = await connect(t);
    const fd = openFd(t, tempFile(t, Buffer.alloc(0)));
    assert.is(await sendfile(near, fd, { mode }), 0);
    near.end();
    same(await collect(far), Buffer.alloc(0));
    assert.is(position(fd), 0);
  });

  by("testOffset", async (t) => {
    const got = await send(t, DATA, { offset: 5000 });
    assert.is(got.sent, FILESIZE - 5000);
    same(got.data, DATA.subarray(5000));
    if (tells) assert.is(got.tell, FILESIZE);
  });

  by("testCount", async (t) => {
    const count = 5000007;
    const got = await send(t, DATA, { count }, { side: "client" });
    assert.is(got.sent, count);
    same(got.data, DATA.subarray(0, count));
    if (tells) assert.is(got.tell, count);
  });

  by("testCountSmall", async (t) => {
    const got = await send(t, DATA, { count: 1 }, { side: "client" });
    assert.is(got.sent, 1);
    same(got.data, DATA.subarray(0, 1));
    if (tells) assert.is(got.tell, 1);
  });

  by("testCountWithOffset", async (t) => {
    const count = 100007;
    const got = await send(t, DATA, { offset: 2007, count });
    assert.is(got.sent, count);
    same(got.data, DATA.subarray(2007, 2007 + count));
    if (tells) assert.is(got.tell, count + 2007);
  });

  by(
    "testNonBlocking: every socket of Node is, and is waited for",
    async (t) => {
      const { near, far } = await connect(t, { over: "unix" });
      const sending = sendfile(near, tempFile(t, DATA), { mode });
      await still(() => near.bytesWritten);
      const received = collect(far);
      assert.is(await sending, FILESIZE);
      near.end();
      same(await received, DATA);
    },
    unix,
  );

  by("testWithTimeout", async (t) => {
    const got = await send(t, DATA, { timeout: 30_000, deadline: 30_000 });
    assert.is(got.sent, FILESIZE);
    same(got.data, DATA);
  });

  by(
    "testWithTimeoutTriggeredSend",
    async (t) => {
      const { near, far } = await connect(t, { over: "unix" });
      const fd = openFd(t, tempFile(t, DATA));
      await take(far, 0);
      const error = await failure(sendfile(near, fd, { mode, timeout: 10 }));
      assert.is(error.name, "SendfileError");
      assert.is(error.code, "ERR_SENDFILE_TIMEOUT");
      assert.match(error.message, /timed out/);
      assert.ok(error.sent < FILESIZE);
      if (tells) assert.is(position(fd), error.sent);
    },
    unix,
  );

  by("test_errors", async (t) => {
    const path = tempFile(t, DATA);
    const udp = dgram.createSocket("udp4");
    t.after(() => udp.close());
    await refusal(sendfile(udp as never, path, { mode }), TypeError, /^only SOCK_STREAM type sockets are supported$/);
    const { near, far } = await connect(t);
    const text = fs.createReadStream(path, "utf8").on("error", () => {}); // it may be closed before it is open
    t.after(() => text.destroy());
    await refusal(sendfile(near, text, { mode }), TypeError, /^file should be opened in binary mode$/);
    const count = (value: unknown) => sendfile(near, path, { mode, count: value as number });
    await refusal(count("2"), TypeError, /^count must be a positive integer \(got '2'\)$/);
    await refusal(count(0.1), TypeError, /^count must be a positive integer \(got 0.1\)$/);
    await refusal(count(0), RangeError, /^count must be a positive integer \(got 0\)$/);
    await refusal(count(-1), RangeError, /^count must be a positive integer \(got -1\)$/);
    near.end();
    same(await collect(far), Buffer.alloc(0));
  });

  // test_asyncio/test_sendfile.py: SockSendfileMixin, SendfileMixin

  by(
    "test_sock_sendfile_success",
    async (t) => {
      const { near, far } = await connect(t, { over: "unix", side: "client" });
      const received = collect(far);
      const file = await openHandle(t, tempFile(t, DATA));
      assert.is(await sendfile(near, file, { mode }), FILESIZE);
      near.end();
      same(await received, DATA);
      if (tells) assert.is(position(file.fd), FILESIZE);
    },
    unix,
  );

  by("test_sock_sendfile_with_offset_and_count", async (t) => {
    const got = await send(t, DATA, { offset: 1000, count: 2000 });
    same(got.data, DATA.subarray(1000, 3000));
    assert.is(got.sent, 2000);
    if (tells) assert.is(got.tell, 3000);
  });

  by(
    "test_sock_sendfile_zero_size",
    async (t) => {
      const { near, far } = await connect(t, { over: "unix" });
      assert.is(await sendfile(near, tempFile(t, Buffer.alloc(0)), { mode }), 0);
      near.end();
      same(await collect(far), Buffer.alloc(0));
    },
    unix,
  );

  by("test_sock_sendfile_mix_with_regular_send", async (t) => {
    const buf = Buffer.from("mix_regular_send".repeat(4 * 1024));
    const { near, far } = await connect(t);
    const received = collect(far);
    await new Promise((done) => near.write(buf, done));
    assert.is(await sendfile(near, tempFile(t, DATA), { mode }), FILESIZE);
    await new Promise((done) => near.write(buf, done));
    near.end();
    same(await received, Buffer.concat([buf, DATA, buf]));
  });

  by(
    "test_sendfile_force_unsupported_native: mode native is fallback=False",
    async (t) => {
      const { near, far } = await connect(t, { over: "tls" });
      const received = collectTls(far, mode === "native" ? 0 : FILESIZE);
      const sending = sendfile(near, tempFile(t, DATA), { mode });
      if (mode === "native") {
        const error = await failure(sending);
        assert.is(error.code, "ERR_SENDFILE_NOT_AVAILABLE");
        assert.is(error.sent, 0);
      } else assert.is(await sending, FILESIZE);
      near.end();
      same(await received, mode === "native" ? Buffer.alloc(0) : DATA);
    },
    off,
  );

  by("test_sendfile_for_closing_transp", async (t) => {
    const { near, far } = await connect(t);
    const fd = openFd(t, tempFile(t, DATA));
    near.end();
    const error = await failure(sendfile(near, fd, { mode }));
    assert.is(error.code, "ERR_SENDFILE_CLOSED");
    same(await collect(far), Buffer.alloc(0));
    assert.is(position(fd), 0);
    near.destroy();
    assert.is((await failure(sendfile(near, fd, { mode }))).code, "ERR_SENDFILE_CLOSED");
  });

  by("test_sendfile_pre_and_post_data", async (t) => {
    const prefix = Buffer.from("PREFIX__".repeat(1024));
    const suffix = Buffer.from("--SUFFIX".repeat(1024));
    const { near, far } = await connect(t);
    const received = collect(far);
    near.write(prefix);
    const sent = await sendfile(near, tempFile(t, DATA), { mode });
    near.write(suffix);
    near.end();
    assert.is(sent, FILESIZE);
    same(await received, Buffer.concat([prefix, DATA, suffix]));
  });

  by("test_sendfile_partial", async (t) => {
    const got = await send(t, DATA, { offset: 1000, count: 100 });
    assert.is(got.sent, 100);
    same(got.data, DATA.subarray(1000, 1100));
    if (tells) assert.is(got.tell, 1100);
  });

  by("test_sendfile_close_peer_after_receiving", async (t) => {
    const { near, far } = await connect(t);
    far.pause();
    const received = take(far, FILESIZE).then((bytes) => {
      far.destroy();
      return bytes;
    });
    assert.is(await sendfile(near, tempFile(t, DATA), { mode }), FILESIZE);
    same(await received, DATA);
  });

  by("test_sendfile_close_peer_in_the_middle_of_receiving", async (t) => {
    const { near, far } = await connect(t);
    const size = 128 * 1024 * 1024; // more than all buffers on the way hold
    const path = tempFile(t, DATA);
    fs.truncateSync(path, size);
    const fd = openFd(t, path);
    const sending = failure(sendfile(near, fd, { mode }));
    await take(far, 1024);
    far.destroy();
    const error = await sending;
    assert.is(error.code, "ERR_SENDFILE_CLOSED");
    assert.ok(error.sent >= 1024 && error.sent < size, `${error.sent}`);
    if (tells) assert.is(position(fd), error.sent);
  });

  by(
    "test_sendfile_prevents_bare_write: here the write waits its turn",
    async (t) => {
      const { near, far } = await connect(t);
      const received = collect(far);
      const sending = sendfile(near, tempFile(t, DATA), { mode });
      near.write("bare");
      assert.is(await sending, FILESIZE);
      near.end();
      same(await received, Buffer.concat([DATA, Buffer.from("bare")]));
    },
    off ?? (conn ? lacks("the order of a later write to a Deno.Conn") : null),
  );

  by("a for-loop of several transfers (gh-150107)", async (t) => {
    const { near, far } = await connect(t);
    const received = collect(far);
    const fd = openFd(t, tempFile(t, DATA.subarray(0, 100_000)));
    for (let i = 0; i < 5; i++) assert.is(await sendfile(near, fd, { mode, offset: i }), 100_000 - i);
    near.end();
    const wanted = [0, 1, 2, 3, 4].map((i) => DATA.subarray(i, 100_000));
    same(await received, Buffer.concat(wanted));
  });

  by("paused reading: a transfer needs no reading side", async (t) => {
    const { near, far } = await connect(t);
    near.pause();
    far.write("something to read");
    const received = collect(far);
    assert.is(await sendfile(near, tempFile(t, DATA), { mode }), FILESIZE);
    near.end();
    same(await received, DATA);
  });

  // test_os.py TestSendfile

  by(
    "test_send_whole_file, test_send_at_certain_offset",
    async (t) => {
      const half = FILESIZE / 2;
      same((await send(t, DATA, {}, { over: "unix" })).data, DATA);
      same((await send(t, DATA, { offset: half }, { over: "unix" })).data, DATA.subarray(half));
    },
    unix,
  );

  by("test_offset_overflow: an offset past the end sends nothing", async (t) => {
    const got = await send(t, DATA, { offset: FILESIZE + 4096 });
    assert.is(got.sent, 0);
    same(got.data, Buffer.alloc(0));
  });

  by("test_invalid_offset", async (t) => {
    const { near } = await connect(t);
    const words = /^offset must be a non-negative integer \(got -1\)$/;
    await refusal(sendfile(near, tempFile(t, DATA), { mode, offset: -1 }), RangeError, words);
  });

  by("test_headers, test_trailers", async (t) => {
    const header = pattern(512, 7);
    const trailer = pattern(4096, 8);
    const got = await send(t, DATA, { header, trailer });
    assert.is(got.sent, FILESIZE);
    same(got.data, Buffer.concat([header, DATA, trailer]));
  });
}

// Not by mode: TLS always copies, and the bare call is always native.

for (const name of ["test_sendfile_ssl", "test_sendfile_ssl_partial"]) {
  row(name, async (t) => {
    const { near, far } = await connectBy(t, { over: "tls" });
    const partial = name.endsWith("partial");
    const received = collectTls(far, partial ? 100 : FILESIZE);
    const sent = await sendfile(near, tempFile(t, DATA), partial ? { offset: 1000, count: 100 } : {});
    near.end();
    assert.is(sent, partial ? 100 : FILESIZE);
    same(await received, partial ? DATA.subarray(1000, 1100) : DATA);
  });
}

row("test_sendfile_ssl_pre_and_post_data", async (t) => {
  const prefix = Buffer.from("zxcvbnm".repeat(1024));
  const suffix = Buffer.from("0987654321".repeat(1024));
  const { near, far } = await connectBy(t, { over: "tls", side: "client" });
  const received = collectTls(far, prefix.length + FILESIZE + suffix.length);
  near.write(prefix);
  assert.is(await sendfile(near, tempFile(t, DATA)), FILESIZE);
  near.write(suffix);
  near.end();
  same(await received, Buffer.concat([prefix, DATA, suffix]));
});

row("test_sendfile_ssl_close_peer_after_receiving", async (t) => {
  const { near, far } = await connectBy(t, { over: "tls" });
  const received = take(far, FILESIZE).then((bytes) => {
    far.destroy();
    return bytes;
  });
  assert.is(await sendfile(near, tempFile(t, DATA)), FILESIZE);
  same(await received, DATA);
});

const bare = found.binding === null ? (found.reason as string) : null;

row(
  "os.sendfile: the bare call advances what it was given, and raises EAGAIN",
  async (t) => {
    const { near, far } = await connectBy(t, { over: "unix" });
    const out = (near as unknown as { _handle: { fd: number } })._handle.fd;
    const fd = openFd(t, tempFile(t, DATA));
    assert.is(sendfileSync(out, fd, 5000, 100), 100);
    assert.is(position(fd), 0);
    assert.is(sendfileSync(out, fd, null, 100), 100);
    assert.is(position(fd), 100);
    assert.is(sendfileSync(out, fd, FILESIZE + 1, 100), 0);
    same(await take(far, 200), Buffer.concat([DATA.subarray(5000, 5100), DATA.subarray(0, 100)]));
    const words = (code: string) => (error: SendfileError) =>
      error.name === "SendfileError" &&
      error.code === code &&
      error.syscall === "sendfile" &&
      error.errno === -constants.errno[code as "EAGAIN"];
    assert.throws(() => {
      for (;;) sendfileSync(out, fd, 0, 65536);
    }, words("EAGAIN"));
    assert.throws(() => sendfileSync(out, 1 << 20, 0, 1), words("EBADF"));
    assert.throws(() => sendfileSync(out, fd, -1, 1), RangeError);
    near.destroy();
    await once(near, "close");
  },
  bare,
);

test.run();
