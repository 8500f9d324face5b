// docs/internals/pitfalls.md, of the kernel: T1 to T3, T8, T12, T13, T15, T32. The system calls are real, on real sockets
// and files, but for those that are made to fail.

import type { Socket } from "node:net";
import { capabilities, type Progress, type SendfileOptions } from "sendoff";
import * as assert from "uvu/assert";
import { nameOf } from "../host/libc/errno.js";
import { pattern, random, same } from "./lib/bytes.js";
import { boundEverywhere, collect, connect, fdOf, still } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { type Call, type Errno, type FaultyHost, faultyHost, type Verdict } from "./lib/faulty.js";
import { openFd, position, tempFile } from "./lib/files.js";
import { lacks } from "./lib/runtime.js";
import { Cleanup, row, test } from "./lib/suite.js";

const MIB = 1024 * 1024;
const { native, reason } = capabilities();
const off = native ? null : (reason as string);
const HEADER = pattern(700, 5);
const TRAILER = pattern(300, 6);

/** What came of one transfer under faults. `met` says whether any call was made to fail. */
interface Trial {
  host: FaultyHost;
  result: number | Error;
  got: Buffer;
  tell: number;
  met: boolean;
  last: Progress | undefined;
}

async function trial(
  t: Cleanup,
  path: string,
  options: SendfileOptions,
  judge: (call: Call) => Verdict,
): Promise<Trial> {
  let met = false;
  const host = faultyHost({
    judge(call) {
      const verdict = judge(call);
      met ||= verdict !== null;
      return verdict;
    },
  });
  const { near, far } = await connect(t, { over: "unix" });
  const bytes = collect(far);
  const fd = openFd(t, path);
  let last: Progress | undefined;
  const onProgress = (progress: Progress) => (last = progress);
  const result = await host.sendfile(near, fd, { ...options, onProgress }).catch((error: Error) => error);
  near.end();
  const got = await bytes;
  const tell = position(fd);
  await t.end();
  return { host, result, got, tell, met, last };
}

/** Fails call n, for n = 1, 2, … until a run meets no fault; once passing, once lasting. */
async function everyCall(
  options: SendfileOptions,
  size: number,
  errno: Errno,
  only: (call: Call) => boolean,
  check: (trial: Trial, wanted: Buffer, body: Buffer) => void,
  lasting = [false, true],
): Promise<void> {
  const body = pattern(size, 11);
  const files = new Cleanup();
  const path = tempFile(files, body);
  const { offset = 0, count } = options;
  const range = body.subarray(offset, count === undefined ? undefined : offset + count);
  const wanted = Buffer.concat([options.header ?? Buffer.alloc(0), range, options.trailer ?? Buffer.alloc(0)]);
  for (const lasts of lasting) {
    for (let n = 1; n <= 12; n++) {
      let nth = 0;
      const cleanup = new Cleanup();
      const outcome = await trial(cleanup, path, options, (call) =>
        only(call) && (++nth === n || (lasts && nth > n)) ? errno : null,
      );
      check(outcome, wanted, range);
      if (!outcome.met) break;
    }
  }
  await files.end();
}

const SHAPES: [string, SendfileOptions, number][] = [
  ["a small file with a header", { header: HEADER }, 3000],
  ["a file with header and trailer", { header: HEADER, trailer: TRAILER, offset: 77 }, 400_000],
  ["a range of more than a chunk", { offset: 4095, count: 2 * MIB }, 3 * MIB],
];

/** All of them; on the other shapes the three that matter most: no call, not this pair, not allowed. */
const FALLBACK: Errno[] = [
  "ENOSYS",
  "EINVAL",
  "EPERM",
  "EOPNOTSUPP",
  "ENOTSUP",
  "ENOTSOCK",
  "EXDEV",
  "ESPIPE",
  "EOVERFLOW",
];

for (const [shape, options, size] of SHAPES) {
  for (const errno of size === 400_000 ? FALLBACK : FALLBACK.slice(0, 3)) {
    row(
      `T8 T32 ${errno} at every call: ${shape} arrives exactly once`,
      async () => {
        await everyCall(
          options,
          size,
          errno,
          () => true,
          ({ result, got, tell }, wanted, body) => {
            same(got, wanted);
            assert.is(result, body.length);
            assert.is(tell, (options.offset ?? 0) + body.length);
          },
        );
      },
      off,
    );
  }

  row(
    `T1 T2 EAGAIN and EINTR at every call: ${shape} arrives exactly once`,
    async () => {
      for (const [errno, lasting] of [
        ["EAGAIN", [false, true]],
        ["EINTR", [false]],
      ] as [Errno, boolean[]][]) {
        await everyCall(
          options,
          size,
          errno,
          () => true,
          ({ result, got, host }, wanted, body) => {
            same(got, wanted);
            assert.is(result, body.length);
            // Bounded by bytes: a few calls a doorbell at the very worst, and no spinning.
            assert.ok(host.calls.length <= 4 * (wanted.length / 512) + 32, `${host.calls.length} calls`);
          },
          lasting,
        );
      }
    },
    off,
  );

  row(
    `T1 an error after progress comes with 'sent', and nothing follows: ${shape}`,
    async () => {
      for (const errno of ["EIO", "ENOSPC", "EPIPE", "ECONNRESET", "ENOTCONN"] as Errno[]) {
        const closed = errno !== "EIO" && errno !== "ENOSPC";
        await everyCall(
          options,
          size,
          errno,
          (call) => !closed || call.name !== "read",
          ({ result, got, tell, met }, wanted, body) => {
            if (!met) {
              same(got, wanted);
              return assert.is(result, body.length);
            }
            // Looking ahead in the page cache is a question: its failure may go unheard.
            if (typeof result === "number") return same(got, wanted);
            const error = result as Awaited<ReturnType<typeof failure>>;
            assert.is(error.name, "SendfileError");
            assert.is(error.code, closed ? "ERR_SENDFILE_CLOSED" : errno);
            assert.is(nameOf(-(error.errno as number)), errno);
            assert.ok(["sendfile", "send", "preadv2"].includes(error.syscall as string));
            const header = options.header?.length ?? 0;
            same(got.subarray(header), body.subarray(0, error.sent));
            same(got, wanted.subarray(0, got.length));
            assert.is(tell, (options.offset ?? 0) + error.sent);
          },
        );
      }
    },
    off,
  );

  row(
    `T3 short counts are gone on from: ${shape}`,
    async () => {
      const next = random(size);
      for (const most of [1, 1000, 4096, 70_000]) {
        if (most === 1 && size > 10_000) continue;
        await everyCall(
          options,
          size,
          "EAGAIN", // besides
          (call) => call.nth % 5 === 0,
          ({ result, got }, wanted, body) => {
            same(got, wanted);
            assert.is(result, body.length);
          },
        );

        const files = new Cleanup();
        const body = pattern(size, 12);
        const path = tempFile(files, body);
        const outcome = await trial(new Cleanup(), path, options, (call) =>
          call.name === "read" ? null : { atMost: 1 + next(most) },
        );
        const range = body.subarray(options.offset ?? 0, options.count && (options.offset ?? 0) + options.count);
        const around = [options.header ?? Buffer.alloc(0), range, options.trailer ?? Buffer.alloc(0)];
        same(outcome.got, Buffer.concat(around));
        assert.is(outcome.result, range.length);
        await files.end();
      }
    },
    off,
  );
}

row(
  "T8 mode native does not fall back, and says what the system said",
  async (t) => {
    const path = tempFile(t, pattern(100_000));
    const { near, far } = await connect(t);
    const host = faultyHost({ judge: ({ name }) => (name === "sendfile" ? "EINVAL" : null) });
    const error = await failure(host.sendfile(near, path, { mode: "native" }));
    assert.is(error.code, "ERR_SENDFILE_NOT_AVAILABLE");
    assert.match(error.message, /EINVAL/);
    assert.is(error.syscall, "sendfile");
    assert.is(error.sent, 0);
    near.end();
    same(await collect(far), Buffer.alloc(0));
  },
  off,
);

row(
  "T8 ENOSYS holds for the process, EINVAL for the file",
  async (t) => {
    const path = tempFile(t, pattern(100_000));
    for (const errno of ["ENOSYS", "EINVAL"] as const) {
      const host = faultyHost({ judge: ({ name }) => (name === "sendfile" ? errno : null) });
      const { near, far } = await connect(t);
      const bytes = collect(far);
      for (let i = 0; i < 3; i++) assert.is(await host.sendfile(near, path), 100_000);
      near.end();
      assert.is((await bytes).length, 300_000);
      assert.is(host.calls.filter(({ name }) => name === "sendfile").length, errno === "ENOSYS" ? 1 : 3);
    }
  },
  off,
);

row(
  "T32 a kernel without preadv2 is noticed once, and files still go natively",
  async (t) => {
    const path = tempFile(t, pattern(100_000));
    const host = faultyHost({ judge: ({ name }) => (name === "read" ? "ENOSYS" : null) });
    const { near, far } = await connect(t);
    const bytes = collect(far);
    let last: Progress | undefined;
    for (let i = 0; i < 3; i++) await host.sendfile(near, path, { onProgress: (progress) => (last = progress) });
    near.end();
    assert.is((await bytes).length, 300_000);
    assert.is(last?.copied, 0);
    assert.is(host.calls.filter(({ name }) => name === "read").length, 1);
  },
  off,
);

row(
  "T32 a socket that can't be asked for its type goes by copies",
  async (t) => {
    const data = pattern(100_000);
    const host = faultyHost();
    host.sys.isStream = () => false;
    const { near, far } = await connect(t);
    const bytes = collect(far);
    assert.is(await host.sendfile(near, tempFile(t, data)), data.length);
    near.end();
    same(await bytes, data);
    assert.ok(host.calls.length > 0 && host.calls.every(({ name }) => name === "read"));
  },
  off,
);

row(
  "T7 an empty range makes no call",
  async (t) => {
    const host = faultyHost();
    const { near } = await connect(t);
    const path = tempFile(t, pattern(10));
    assert.is(await host.sendfile(near, path, { offset: 10 }), 0);
    assert.is(await host.sendfile(near, tempFile(t, Buffer.alloc(0))), 0);
    assert.is(host.calls.length, 0);
  },
  off,
);

row(
  "T12 T15 no call asks for more than is left, or for more than 1 MiB",
  async (t) => {
    const size = 5 * MIB + 123;
    const host = faultyHost();
    const { near, far } = await connect(t);
    const bytes = collect(far);
    await host.sendfile(near, tempFile(t, pattern(size)), { offset: 100, count: size - 1000 });
    near.end();
    assert.is((await bytes).length, size - 1000);
    const calls = host.calls.filter(({ name }) => name === "sendfile");
    assert.ok(calls.length > 0);
    for (const { offset, count } of calls) {
      assert.ok(count <= MIB);
      assert.ok(offset + count <= size - 900);
    }
  },
  off,
);

row(
  "T15 a stalled client and a large one hold up nobody",
  async (t) => {
    const large = pattern(64 * MIB);
    const path = tempFile(t, large);
    const host = faultyHost();
    const stalled = await connect(t, { over: "unix" });
    const stalling = failure(host.sendfile(stalled.near, path));
    await still(() => stalled.near.bytesWritten);
    const order: string[] = [];
    const lines = await Promise.all([connect(t), connect(t), connect(t)]);
    const received = lines.map(({ far }) => collect(far));
    const sendings = lines.map(({ near }, i) =>
      host.sendfile(near, path, i === 0 ? {} : { count: MIB }).then(() => {
        order.push(i === 0 ? "large" : "small");
        near.end();
      }),
    );
    await Promise.all(sendings);
    assert.equal(order, ["small", "small", "large"]);
    same((await received[0]) as Buffer, large);
    for (const small of received.slice(1)) same((await small) as Buffer, large.subarray(0, MIB));
    stalled.near.destroy();
    await stalling;
  },
  off,
);

// T13, by TCP_INFO (tcp(7), linux/tcp.h): what the kernel made of the writes.

const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_INFO = 11;
const NOTSENT_BYTES = 144;
const DATA_SEGS_OUT = 156;

/** A u32 of what getsockopt(2) says of a TCP option, of `length` bytes. */
function option({ sys, memory, room }: FaultyHost, socket: Socket, name: number, length: number, field = 0): number {
  const fd = fdOf(socket);
  const view = new DataView(memory.buffer);
  view.setUint32(room, length, true);
  assert.is(sys.libc.getsockopt(fd, IPPROTO_TCP, name, room + 8, room), 0);
  return view.getUint32(room + 8 + field, true);
}

/** A u32 of the struct tcp_info of a socket. */
function tcpInfo(host: FaultyHost, socket: Socket, field: number): number {
  return option(host, socket, TCP_INFO, 1024, field);
}

// What a slow client leaves in the kernel, by the same and by TCP_NOTSENT_LOWAT (tcp(7)).

const TCP_NOTSENT_LOWAT = 25;
const UNSENT = 512 << 10;
/** A segment is taken whole, and the doorbell comes on top. */
const SEGMENT = 64 << 10;

function lowat(host: FaultyHost, socket: Socket): number {
  return option(host, socket, TCP_NOTSENT_LOWAT, 4);
}

function setLowat({ sys, memory, room }: FaultyHost, socket: Socket, value: number): void {
  new DataView(memory.buffer).setUint32(room, value, true);
  assert.is(sys.libc.setsockopt(fdOf(socket), IPPROTO_TCP, TCP_NOTSENT_LOWAT, room, 4), 0);
}

const unlimited = off ?? lacks("a bound of what the kernel holds unsent") ?? boundEverywhere();

row(
  "a stalled client has the kernel hold no more than half of what one run moves, and its socket is as before at the end",
  async (t) => {
    const host = faultyHost();
    const file = tempFile(t, pattern(16 * MIB));
    for (const end of ["sent", "aborted"]) {
      const { near, far } = await connect(t);
      const aborter = new AbortController();
      const sending = host.sendfile(near, file, { signal: aborter.signal });
      sending.catch(() => {});
      await still(() => near.bytesWritten);
      assert.is(lowat(host, near), UNSENT);
      const unsent = tcpInfo(host, near, NOTSENT_BYTES);
      assert.ok(unsent <= UNSENT + SEGMENT, `${unsent} bytes are unsent`);
      if (end === "sent") {
        const bytes = collect(far);
        assert.is(await sending, 16 * MIB);
        assert.is(lowat(host, near), 0);
        near.end();
        assert.is((await bytes).length, 16 * MIB);
      } else {
        aborter.abort();
        assert.is((await failure(sending)).code, "ERR_SENDFILE_ABORTED");
        assert.is(lowat(host, near), 0);
      }
    }
  },
  unlimited,
);

row(
  "a socket takes as many bytes at once as it said that it would; a full one, or no TCP socket, says none",
  async (t) => {
    const { sys } = faultyHost();
    const fd = openFd(t, tempFile(t, pattern(16 * MIB)));
    for (const unsent of [UNSENT, null]) {
      const room = (socket: Socket) => sys.room?.(fdOf(socket), unsent) as number;
      const { near, far } = await connect(t);
      if (unsent !== null) assert.ok(sys.limit?.(fdOf(near), unsent));
      let said = 0;
      for (let at = 0; ; ) {
        const count = Math.min(room(near), 16 * MIB - at);
        assert.ok(count <= (unsent ?? 16 * MIB));
        if (count <= 0) break;
        said += count;
        for (const end = at + count; at < end; ) {
          const n = sys.sendfile(fdOf(near), fd, at, end - at);
          assert.ok(n > 0, `${n} of ${end - at}, ${count} were said`);
          at += n;
        }
      }
      assert.ok(said >= UNSENT / 2, `${said} bytes`);
      far.destroy();
      const unix = await connect(t, { over: "unix" });
      assert.ok(room(unix.near) <= 0);
      assert.ok((sys.room?.(-1, unsent) as number) <= 0);
    }
    const limited = await connect(t);
    assert.ok(sys.limit?.(fdOf(limited.near), UNSENT));
    assert.is(sys.room?.(fdOf(limited.near), null), 0);
  },
  unlimited,
);

row(
  "a limit of the socket's own stays",
  async (t) => {
    const host = faultyHost();
    const { near, far } = await connect(t);
    const own = 3 * MIB;
    setLowat(host, near, own);
    const bytes = collect(far);
    assert.is(await host.sendfile(near, tempFile(t, pattern(4 * MIB))), 4 * MIB);
    assert.is(lowat(host, near), own);
    near.end();
    assert.is((await bytes).length, 4 * MIB);
  },
  unlimited,
);

row(
  "a short transfer asks the socket nothing",
  async (t) => {
    const host = faultyHost();
    const asked: number[] = [];
    const { limit } = host.sys;
    host.sys.limit = (fd, bytes) => {
      asked.push(bytes);
      return limit?.(fd, bytes) ?? false;
    };
    for (const size of [MIB, MIB + 1]) {
      const { near, far } = await connect(t);
      const bytes = collect(far);
      await host.sendfile(near, tempFile(t, pattern(size)));
      near.end();
      assert.is((await bytes).length, size);
    }
    assert.equal(asked, [UNSENT, 0]);
  },
  unlimited,
);

for (const mode of ["native", "copy"] as const) {
  row(
    `T13 header and body leave in one segment, ${mode}`,
    async (t) => {
      // Below and above the size up to which both go by one send(2); a first segment on loopback holds 32 KiB.
      for (const size of [1000, 20_000]) {
        const host = faultyHost();
        const { near, far } = await connect(t);
        const body = pattern(size);
        const bytes = collect(far);
        assert.is(await host.sendfile(near, tempFile(t, body), { header: HEADER, mode }), size);
        assert.is(tcpInfo(host, near, DATA_SEGS_OUT), 1, `${size} bytes`);
        near.end();
        same(await bytes, Buffer.concat([HEADER, body]));
      }
    },
    off,
  );
}

row(
  "T13 a failure after the header leaves nothing corked",
  async (t) => {
    const host = faultyHost({ judge: ({ name }) => (name === "sendfile" ? "EIO" : null) });
    const { near, far } = await connect(t);
    const error = await failure(host.sendfile(near, tempFile(t, pattern(20_000)), { header: HEADER }));
    assert.is(error.code, "EIO");
    assert.is(tcpInfo(host, near, NOTSENT_BYTES), 0);
    assert.is(tcpInfo(host, near, DATA_SEGS_OUT), 1);
    near.end();
    same(await collect(far), HEADER);
  },
  off,
);

row(
  "T13 what MSG_MORE held back is sent by TCP_NODELAY, and the socket's own setting stays",
  async (t) => {
    for (const noDelay of lacks("setNoDelay(false)") === null ? [false, true] : [true]) {
      const host = faultyHost({ judge: ({ name }) => (name === "sendfile" ? "EIO" : null) });
      const { near } = await connect(t);
      near.setNoDelay(noDelay);
      await failure(host.sendfile(near, tempFile(t, pattern(20_000)), { header: HEADER }));
      assert.is(option(host, near, TCP_NODELAY, 4), Number(noDelay));
    }
  },
  off,
);

row(
  "memory that has grown is used where it is now",
  async (t) => {
    const host = faultyHost();
    const { core } = host.shared;
    const data = pattern(400_000);
    const path = tempFile(t, data);
    const { near, far } = await connect(t);
    const bytes = collect(far);
    const sends = () => host.sendfile(near, path, { header: HEADER, mode: "native" });
    await sends(); // every view of the memory is there
    const before = host.memory.buffer;
    const handles: number[] = [];
    while (host.memory.buffer === before) handles.push(core.transfer_open(0));
    assert.is(await sends(), data.length);
    assert.ok(host.sys.isStream(fdOf(near)));
    for (const handle of handles) core.transfer_close(handle);
    near.end();
    same(await bytes, Buffer.concat([HEADER, data, HEADER, data]));
  },
  off,
);

test.run();
