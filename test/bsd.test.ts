// The bindings of macOS and FreeBSD, by libraries that have their signatures, numbers and errors over
// Linux's calls. sendfile(2) of both tells its progress beside an error: every byte has to be counted, once.

import * as fs from "node:fs";
import * as assert from "uvu/assert";
import type { SendfileError } from "../host/errors.js";
import { errnos } from "../host/libc/errno.js";
import type { Progress, SendfileOptions } from "../host/transfer/options.js";
import { type Fixture, fixture, type Name, NUMBERS, type Plan } from "./lib/bsd.js";
import { pattern, same } from "./lib/bytes.js";
import { type ConnectionOptions, collect, connect } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { openFd, position, tempFile } from "./lib/files.js";
import { type Cleanup, row, test } from "./lib/suite.js";

const SIZE = 3_000_001;
const DATA = pattern(SIZE);
const HEADER = pattern(300, 7);
const TRAILER = pattern(200, 8);

const nodeFFI = (process.getBuiltinModule as ((id: string) => unknown) | undefined)?.("node:ffi") !== undefined;
const BINDINGS = nodeFFI ? ["koffi", "node"] : ["koffi"];

/** What a run of the fixture is over: the outcome, and all that came. */
interface Result {
  sent: number | SendfileError;
  got: Buffer;
  last: Progress | undefined;
}

interface Run {
  binding: string;
  plan?: Plan | null;
  send?: Plan | null;
  options?: SendfileOptions;
  line?: ConnectionOptions;
  data?: Uint8Array;
}

async function run(
  t: Cleanup,
  system: Fixture,
  { binding, plan = null, send = null, options, line, data = DATA }: Run,
) {
  const { near, far } = await connect(t, line);
  near.setNoDelay(); // one byte at a time, each after the other's acknowledgement, takes its time
  const received = collect(far);
  const fd = openFd(t, tempFile(t, data));
  const host = system.host(binding);
  system.plan("sendfile", plan);
  system.plan("send", send);
  let last: Progress | undefined;
  const onProgress = (progress: Progress) => {
    last = progress;
  };
  const sent = await host
    .sendfile(near, fd, { mode: "native", onProgress, ...options })
    .catch((error: SendfileError) => error);
  near.end();
  const result: Result = { sent, got: await received, last };
  const count = typeof sent === "number" ? sent : sent.sent;
  assert.is(position(fd), (options?.offset ?? 0) + count, "the position is left behind the last byte");
  return result;
}

function sum({ native, doorbell, cold, copied }: Progress): number {
  return native + doorbell + cold + copied;
}

/** Injections that a transfer survives, by `mode: 'native'`. */
const SURVIVED: { error: string; most: number[]; only?: Name }[] = [
  { error: "EAGAIN", most: [0, 1, 4097, 70_000, SIZE] },
  { error: "EINTR", most: [0, 1, 4097, 70_000, SIZE] },
  { error: "EBUSY", most: [0, 1, 4097, 70_000], only: "freebsd" },
];

/** Injections that end it: the error's code, and the system's name in its message where it has one. */
const FATAL: { error: string; code: string; most: number[]; only?: Name }[] = [
  { error: "EPIPE", code: "ERR_SENDFILE_CLOSED", most: [-1, 0, 5, 70_000] },
  { error: "ECONNRESET", code: "ERR_SENDFILE_CLOSED", most: [-1, 0, 70_000] },
  { error: "ENOTCONN", code: "ERR_SENDFILE_CLOSED", most: [-1, 0, 70_000] },
  { error: "EIO", code: "EIO", most: [-1, 0, 70_000] },
  { error: "ENOBUFS", code: "ENOBUFS", most: [-1, 0, 70_000] },
  { error: "ENOTCAPABLE", code: "ENOTCAPABLE", most: [-1], only: "freebsd" },
  { error: "EPROTOTYPE", code: "ERR_SENDFILE_CLOSED", most: [-1, 0], only: "darwin" },
];

/** Injections after which 'auto' copies, and 'native' fails. */
const UNSUPPORTED = ["EINVAL", "EOPNOTSUPP", "ENOTSUP", "ENOTSOCK", "ENOSYS"];

for (const name of ["darwin", "freebsd"] as const) {
  const system = fixture(name);
  if (typeof system === "string") {
    row(`${name}: the binding over its signatures`, async () => {}, system);
    continue;
  }
  const { EIO, EAGAIN } = NUMBERS[name] as { EIO: number; EAGAIN: number };

  for (const binding of BINDINGS) {
    const by = (what: string, body: (t: Cleanup) => Promise<void>) => row(`${name} by ${binding}: ${what}`, body);

    by("header, file and trailer arrive, by TCP and by a Unix socket", async (t) => {
      for (const over of ["tcp", "unix"] as const) {
        const options = { header: HEADER, trailer: TRAILER };
        const { sent, got, last } = await run(t, system, { binding, options, line: { over } });
        assert.is(sent, SIZE);
        same(got, Buffer.concat([HEADER, DATA, TRAILER]));
        const told = sum(last as Progress); // the trailer may have left after the last step that moved the file
        assert.ok(told === got.length || told === got.length - TRAILER.length, `${told} of ${got.length} bytes`);
        assert.is(last?.cold, 0, "nobody asks a page cache that can't be asked");
        assert.ok((last?.native as number) > SIZE / 2, `${last?.native} bytes by sendfile`);
        assert.ok(system.calls("sendfile") > 0 && system.calls("send") > 0);
      }
    });

    by("offset and count, small ones and beyond 4 GiB", async (t) => {
      for (const [offset, count] of [
        [0, 1],
        [1, 4096],
        [SIZE - 1, 1],
        [4097, 100_000],
      ] as [number, number][]) {
        const { sent, got } = await run(t, system, { binding, options: { offset, count } });
        assert.is(sent, count);
        same(got, DATA.subarray(offset, offset + count));
      }
      const offset = 2 ** 32 + 12_345;
      const path = tempFile(t, Buffer.alloc(0));
      const fd = openFd(t, path, "r+");
      fs.writeSync(fd, DATA, 0, 100_000, offset);
      const { near, far } = await connect(t);
      const received = collect(far);
      system.plan("sendfile", null);
      assert.is(await system.host(binding).sendfile(near, fd, { offset, mode: "native" }), 100_000);
      near.end();
      same(await received, DATA.subarray(0, 100_000));
      assert.is(position(fd), offset + 100_000);
    });

    for (const { error, most, only } of SURVIVED) {
      if (only !== undefined && only !== name) continue;

      by(`${error} with and without progress, at each call in turn, loses and doubles nothing`, async (t) => {
        for (const bytes of most) {
          // SQLite's way: fail call n, n = 1, 2, … until a run meets no fault.
          for (let nth = 1, met = true; met; nth++) {
            assert.ok(nth < 100, "calls are bounded");
            const plan: Plan = { nth, how: "once", error, most: bytes };
            const { sent, got, last } = await run(t, system, { binding, plan });
            assert.is(sent, SIZE, `${error} at call ${nth} after ${bytes} bytes`);
            same(got, DATA);
            assert.is(sum(last as Progress), SIZE);
            met = system.met("sendfile") > 0;
          }
        }
      });

      by(`${error} at every second call, and at all of them`, async (t) => {
        for (const bytes of most) {
          for (const [how, nth, length] of [
            ["every", 2, SIZE],
            ["always", 1, bytes === 1 ? 3000 : 200_003],
          ] as const) {
            if (how === "always" && error === "EINTR" && bytes === 0) continue; // would never end, and rightly
            const data = DATA.subarray(0, length);
            const { sent, got, last } = await run(t, system, { binding, plan: { nth, how, error, most: bytes }, data });
            assert.is(sent, data.length);
            same(got, data);
            assert.is(sum(last as Progress), data.length);
            assert.ok(system.met("sendfile") > 0);
          }
        }
      });
    }

    for (const { error, code, most, only } of FATAL) {
      if (only !== undefined && only !== name) continue;

      by(`${error} ends it, with the bytes that came counted`, async (t) => {
        for (const bytes of most) {
          for (const nth of [1, 2]) {
            const { sent, got } = await run(t, system, { binding, plan: { nth, how: "lasting", error, most: bytes } });
            const failed = sent as SendfileError;
            assert.is(failed.code, code, `${error} at call ${nth} after ${bytes} bytes: ${failed.message ?? sent}`);
            assert.is(failed.errno, -(NUMBERS[name][error] as number));
            assert.is(failed.syscall, "sendfile");
            assert.match(failed.message, new RegExp(`^${error}: `));
            assert.is(failed.sent, got.length);
            same(got, DATA.subarray(0, got.length));
          }
        }
      });
    }

    by("what it can't send is copied from there on in 'auto', and refused in 'native'", async (t) => {
      for (const error of UNSUPPORTED) {
        for (const most of [-1, 0, 70_000]) {
          const plan: Plan = { nth: 2, how: "lasting", error, most };
          const refused = await run(t, system, { binding, plan });
          const failed = refused.sent as SendfileError;
          assert.is(failed.code, "ERR_SENDFILE_NOT_AVAILABLE", `${error} ${most}: ${failed.message}`);
          assert.is(failed.sent, refused.got.length);
          same(refused.got, DATA.subarray(0, refused.got.length));

          if (name === "darwin") continue; // there 'auto' copies from the first byte
          const { sent, got, last } = await run(t, system, { binding, plan, options: { mode: "auto" } });
          assert.is(sent, SIZE, error);
          same(got, DATA);
          assert.ok((last?.native as number) > 0 && (last?.copied as number) > 0);
          assert.is(sum(last as Progress), SIZE);
        }
      }
    });

    by("a header that goes in pieces, and one that is interrupted", async (t) => {
      for (const send of [
        { nth: 1, how: "always", error: null, most: 7 },
        { nth: 1, how: "once", error: "EINTR", most: 0 },
        { nth: 1, how: "every", error: "EAGAIN", most: 0 },
      ] satisfies Plan[]) {
        const { sent, got } = await run(t, system, { binding, send, options: { header: HEADER, count: 50_000 } });
        assert.is(sent, 50_000);
        same(got, Buffer.concat([HEADER, DATA.subarray(0, 50_000)]));
        assert.ok(system.met("send") > 0);
      }
    });

    by("a file that ends early is told, and is not asked for 'to the end'", async (t) => {
      const { near, far } = await connect(t);
      const received = collect(far);
      const path = tempFile(t, DATA);
      const fd = openFd(t, path);
      const host = system.host(binding);
      system.plan("sendfile", null);
      const sending = failure(host.sendfile(near, fd, { mode: "native", header: HEADER }));
      fs.truncateSync(path, 100_000);
      const error = await sending;
      near.end();
      assert.is(error.code, "ERR_SENDFILE_TRUNCATED");
      assert.is(error.sent, (await received).length - HEADER.length);
    });

    by("the bare call: as pysendfile's, with partial progress in place of the error", async (t) => {
      const host = system.host(binding);
      system.plan("sendfile", null);
      const { near, far } = await connect(t);
      const fd = openFd(t, tempFile(t, pattern(20_000_000)));
      const out = (near as unknown as { _handle: { fd: number } })._handle.fd;

      assert.is(host.sendfileSync(out, fd, 0, 0), 0);
      assert.is(system.calls("sendfile"), 0, "0 would mean to the end of the file");
      assert.is(host.sendfileSync(out, fd, 20_000_000, 10), 0);

      system.plan("sendfile", { nth: 1, how: "once", error: "EAGAIN", most: 1000 });
      assert.is(host.sendfileSync(out, fd, null, 5000), 1000);
      assert.is(position(fd), 1000);
      system.plan("sendfile", { nth: 1, how: "once", error: "EINTR", most: 0 });
      assert.throws(
        () => host.sendfileSync(out, fd, null, 5000),
        (e: SendfileError) => e.code === "EINTR" && e.errno === -4 && e.syscall === "sendfile",
      );
      assert.is(position(fd), 1000);

      let sent = 1000;
      const full = await failure(
        (async () => {
          for (;;) {
            const n = host.sendfileSync(out, fd, sent, 2 ** 33);
            assert.ok(n > 0);
            sent += n;
          }
        })(),
      );
      assert.is(full.code, "EAGAIN");
      assert.is(full.errno, -EAGAIN);
      assert.ok(sent < 20_000_000);
      const received = collect(far);
      near.end();
      assert.is((await received).length, sent);

      assert.throws(
        () => host.sendfileSync(0x7fffffff, fd, 0, 1),
        (e: SendfileError) => e.code === "EBADF",
      );
      const pipe = openFd(t, "/dev/null");
      assert.throws(
        () => host.sendfileSync(out, pipe, 0, 1),
        (e: SendfileError) => e.code === (name === "darwin" ? "ENOTSUP" : "EINVAL"),
      );
    });

    by("a reader that stalls: doorbells, and a timeout that knows the count", async (t) => {
      const { near, far } = await connect(t);
      const fd = openFd(t, tempFile(t, pattern(20_000_000)));
      const host = system.host(binding);
      system.plan("sendfile", null);
      const error = await failure(host.sendfile(near, fd, { mode: "native", timeout: 300 }));
      assert.is(error.code, "ERR_SENDFILE_TIMEOUT");
      const calls = system.calls("sendfile");
      assert.ok(calls < 200, `${calls} calls`);
      const received = collect(far);
      near.end();
      assert.is((await received).length, error.sent);
    });

    by("only stream sockets are given to it", async (t) => {
      const { sys } = system.host(binding);
      const { near } = await connect(t);
      assert.ok(sys.isStream((near as unknown as { _handle: { fd: number } })._handle.fd));
      assert.not(sys.isStream(openFd(t, "/dev/null")));
      assert.not(sys.isStream(0x7fffffff));
    });

    by("T21 what it says of itself, and what 'auto' means", async (t) => {
      const found = system.host(binding).capabilities();
      assert.is(found.native, true);
      assert.equal(found.kernel, { sendfile: true, nowait: false, openat2: false });
      assert.is(found.binding, binding === "node" ? "node:ffi" : binding);
      assert.is(found.mode, name === "darwin" ? "copy" : "auto");
      if (name === "darwin") assert.match(found.reason as string, /^macOS's sendfile .+ mode 'native'/);
      else assert.is(found.reason, null);

      const auto = await run(t, system, { binding, options: { mode: "auto" } });
      same(auto.got, DATA);
      assert.is(system.calls("sendfile") > 0, name === "freebsd");
      assert.is((auto.last?.copied as number) === SIZE, name === "darwin");

      const forced = system.host(binding, "native");
      assert.is(forced.capabilities().reason, null);
      assert.is(forced.capabilities().mode, "native");
      const off = system.host(binding, "copy");
      assert.is(off.capabilities().native, false);
      assert.is(off.capabilities().reason, "SENDOFF_MODE=copy");
      const { near } = await connect(t);
      system.plan("sendfile", null);
      const refused = await failure(off.sendfile(near, tempFile(t, DATA), { mode: "native" }));
      assert.is(refused.code, "ERR_SENDFILE_NOT_AVAILABLE");
      assert.is(system.calls("sendfile"), 0);
    });

    by("ENOSYS of the probe is told", async () => {
      const host = system.host(binding);
      system.plan("sendfile", { nth: 1, how: "always", error: "ENOSYS", most: -1 });
      const found = host.capabilities();
      assert.is(found.native, false);
      assert.is(found.reason, "this kernel has no sendfile (ENOSYS)");
    });
  }

  test(`${name}: errno values are sorted by its own numbers`, () => {
    const { nameOf } = errnos(NUMBERS[name]);
    assert.is(nameOf(EAGAIN), "EAGAIN");
    assert.is(nameOf(EIO), "EIO");
    assert.is(nameOf(9999), "errno 9999");
  });
}

test.run();
