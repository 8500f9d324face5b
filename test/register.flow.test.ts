// What `sendoff/register` does to a pipe while its client is slow or its disk cold: the kernel's way is left for one
// chunk, never for good; back-pressure looks as without it; and what is known of the disk is kept from chunk to chunk.

import { spawn } from "node:child_process";
import { once } from "node:events";
import fs, { createReadStream } from "node:fs";
import type { ServerResponse } from "node:http";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { host } from "#process";
import { Fault } from "../assembly/abi.js";
import { install } from "../host/register/install.js";
import { census } from "./lib/census.js";
import { until } from "./lib/command.js";
import { counting } from "./lib/counting.js";
import { IMPORT, lacks, RUN } from "./lib/runtime.js";
import { type Body, suite } from "./lib/suite.js";
import { exchange, folder, parse, request, site, within } from "./lib/web.js";

const test = suite("register.flow");
const MIB = 1 << 20;
const BIG = 40 * MIB;
const { root, remove } = folder({ big: Buffer.alloc(BIG, "0123456789abcdefghijklmnopqrstuvwxyz\n") });
const big = path.join(root, "big");
test.after(remove);

const { shared } = host();
/** Why no body can go by the kernel here; null where it can. */
const copied = shared.sys === null ? "nothing goes by the kernel here" : lacks("fd of a response");
const natively = (name: string, body: Body) => test.unless(copied, name, body);

type Sys = NonNullable<typeof shared.sys>;

/** Runs with some of the system's calls replaced. */
async function faking<T>(calls: (sys: Sys) => Partial<Sys>, run: () => Promise<T>): Promise<T> {
  const sys = shared.sys as Sys;
  const before = { read: sys.read, sendfile: sys.sendfile };
  Object.assign(sys, calls({ ...sys }));
  try {
    return await run();
  } finally {
    Object.assign(sys, before);
  }
}

/** A file on its way to a client. */
interface Way {
  stream: fs.ReadStream;
  res: ServerResponse;
}

/** Sends `big`, first to a client that does not read; it reads on once `stalled` is over. Returns what it got. */
async function stall(stalled: (way: Way) => Promise<unknown>): Promise<Buffer> {
  let way: Way | undefined;
  const at = await site((_req, res) => {
    res.setHeader("Content-Length", BIG);
    way = { stream: createReadStream(big), res };
    way.stream.pipe(res);
  });
  const socket = net.connect(at.port, "127.0.0.1").on("error", () => {});
  socket.write(request("/"));
  try {
    await until("the request", () => way !== undefined);
    await stalled(way as Way);
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    await within(once(socket, "close"), "the rest");
    return Buffer.concat(parts);
  } finally {
    socket.destroy();
    await at.close();
  }
}

/** What a program sees of back-pressure. */
const pressure = ({ stream, res }: Way) => [stream.isPaused(), stream.readableFlowing, res.writableNeedDrain].join();

natively("a client that does not read is back-pressure, as without it", async () => {
  let wanted = "";
  let most = 0;
  await stall(async (way) => {
    await until("a full socket", () => way.res.writableNeedDrain);
    wanted = pressure(way);
    most = way.res.writableLength;
  });
  const undo = install(shared, () => {});
  try {
    const got = await stall((way) =>
      until(`${wanted}, not ${pressure(way)}`, () => {
        const { writableLength: held, writableHighWaterMark } = way.res;
        return pressure(way) === wanted && held >= writableHighWaterMark && held <= most;
      }),
    );
    assert.ok(parse(got).body.equals(fs.readFileSync(big)));
  } finally {
    undo();
  }
});

natively("what is appended to a file while its client is slow goes as well", async () => {
  const growing = path.join(root, "growing");
  fs.copyFileSync(big, growing);
  const undo = install(shared, () => {});
  let stream: fs.ReadStream | undefined;
  const server = net.createServer((near) => {
    stream = createReadStream(growing);
    stream.pipe(near.on("error", () => {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const far = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  try {
    await until("some of it", () => (stream?.bytesRead ?? 0) > 0);
    fs.appendFileSync(growing, "the end");
    const parts: Buffer[] = [];
    far.on("data", (part: Buffer) => parts.push(part));
    await within(once(far, "close"), "the rest");
    assert.ok(Buffer.concat(parts).equals(fs.readFileSync(growing)));
  } finally {
    far.destroy();
    server.close();
    undo();
  }
});

natively("a chunk that was read in the old way while the client was slow is the only one", async () => {
  const undo = install(shared, () => {});
  let full = false;
  let cold = 0;
  const fakes = ({ read, sendfile }: Sys): Partial<Sys> => ({
    sendfile(...args) {
      const n = sendfile(...args);
      full ||= n === -Fault.WouldBlock;
      return n;
    },
    // Once, when the socket is full and its doorbell is read, or else the next chunk.
    read: (...args) => (full && cold++ === 0 ? -Fault.WouldBlock : read(...args)),
  });
  try {
    let [got, moved]: [Buffer, number] = [Buffer.alloc(0), 0];
    // A system short of memory may have dropped the file's pages: what the pool has read is warm the next time.
    for (let tries = 0; moved < BIG / 2 && tries < 10; tries++) {
      full = false;
      cold = 0;
      const play = () => stall(({ stream }) => until("the chunk", () => cold > 0 && stream.isPaused()));
      [got, moved] = await counting(() => faking(fakes, play));
    }
    assert.ok(parse(got).body.equals(fs.readFileSync(big)));
    assert.ok(moved >= BIG / 2, `by the kernel: ${moved}`);
  } finally {
    undo();
  }
});

natively("a file that is piped to a full socket goes by the kernel once there is room", async () => {
  const undo = install(shared, () => {});
  const before = Buffer.alloc(16 * MIB, "before");
  const server = net.createServer((socket) => {
    socket.write(before);
    createReadStream(big).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const play = () => within(exchange((server.address() as net.AddressInfo).port, ""), "both");
    let [got, moved]: [Buffer, number] = [Buffer.alloc(0), 0];
    for (let tries = 0; moved < BIG / 2 && tries < 10; tries++) [got, moved] = await counting(play);
    assert.ok(got.equals(Buffer.concat([before, fs.readFileSync(big)])));
    assert.ok(moved >= BIG / 2, `by the kernel: ${moved}`);
  } finally {
    undo();
    server.close();
  }
});

natively("a pipe whose client goes away leaves nothing in the core, though its stream is never destroyed", async () => {
  const taken = census(shared);
  const undo = install(shared, () => {});
  let stream: fs.ReadStream | undefined;
  const at = await site((_req, res) => {
    res.setHeader("Content-Length", BIG);
    stream = createReadStream(big);
    stream.pipe(res);
  });
  try {
    const socket = net.connect(at.port, "127.0.0.1").on("error", () => {});
    socket.write(request("/"));
    await until("a full socket", () => stream?.isPaused() === true);
    assert.is(taken.open, 1);
    socket.destroy();
    await until("the record to be given back", () => taken.open === 0);
    assert.is(stream?.destroyed, false);
  } finally {
    stream?.destroy();
    undo();
    await at.close();
  }
});

natively("that the disk is cold is known from one chunk to the next", async () => {
  const undo = install(shared, () => {});
  let asked = 0;
  const fakes = (): Partial<Sys> => ({
    read() {
      asked++;
      return -Fault.WouldBlock;
    },
  });
  const at = await site((_req, res) => {
    res.setHeader("Content-Length", 4 * MIB);
    // Chunks that the response has room for, so that none stops the pipe.
    createReadStream(big, { end: 4 * MIB - 1, highWaterMark: 8192 }).pipe(res);
  });
  try {
    const play = () => within(exchange(at.port, request("/")), "the answer");
    const [got, moved] = await counting(() => faking(fakes, play));
    assert.is(parse(got).body.length, 4 * MIB);
    assert.is(moved, 0);
    assert.is(asked, 1); // for all of the 4 MiB that one cold byte is taken to stand for
  } finally {
    undo();
    await at.close();
  }
});

natively("--import: a client in another process gets a large file by the kernel", async () => {
  const fixture = (name: string) => new URL(`../../test/fixtures/${name}`, import.meta.url);
  const program = fileURLToPath(fixture("piping.mjs"));
  const register = new URL("../host/register/index.js", import.meta.url).href;
  const child = spawn(process.execPath, [...RUN, IMPORT, fixture("reads.mjs").href, IMPORT, register, program, big], {
    env: { ...process.env, NODE_NO_WARNINGS: "1", SENDOFF_DEBUG: "", SENDOFF_MODE: "" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    const [port] = await within(once(child.stdout, "data"), "the port");
    const reads = async () => Number(parse(await exchange(Number(port), request("/reads"))).body);
    const counts: number[] = [];
    for (let i = 0; i < 9; i++) {
      const before = await reads();
      const got = await within(exchange(Number(port), request("/")), "the file");
      assert.is(parse(got).body.length, BIG);
      counts.push((await reads()) - before);
    }
    // But for the worst two: a system short of memory may have dropped the file's pages, and then the pool reads it.
    const [worst] = counts.sort((a, b) => b - a).slice(2);
    // The kernel asks for more once 256 KiB have gone, so that at most one chunk of five is a doorbell's.
    assert.ok(Number(worst) < 160, `${counts.join()} reads of 64 KiB, of 640`);
  } finally {
    child.kill("SIGKILL");
  }
});

test.run();
