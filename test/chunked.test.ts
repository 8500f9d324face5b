// Bodies without a length: a pipe under `sendoff/register`, and respond() with `chunked`. A strict parser reads what is on
// the wire, where each connection carries a following response, too.

import { once } from "node:events";
import fs, { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import net from "node:net";
import path from "node:path";
import { pipeline } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import * as assert from "uvu/assert";
import { host } from "#process";
import { Fault } from "../assembly/abi.js";
import { respond as send } from "../host/http/respond.js";
import { chunkBehind, framed } from "../host/register/chunk.js";
import { install } from "../host/register/install.js";
import { until } from "./lib/command.js";
import { counting } from "./lib/counting.js";
import { lacks } from "./lib/runtime.js";
import { type Body, suite } from "./lib/suite.js";
import { descriptors, exchange, folder, request, site, undated, within } from "./lib/web.js";

const test = suite("chunked");
const KIB = 1024;
const MIB = KIB * KIB;
const BIG = 24 * MIB;
const { root, remove } = folder({ page: 4 * KIB, odd: 70_001, "256k": 256 * KIB, "1m": MIB, empty: 0 });
const file = (name: string) => path.join(root, name);
const bytes = (name: string) => fs.readFileSync(file(name));
fs.writeFileSync(file("big"), Buffer.alloc(BIG, "0123456789abcdefghijklmnopqrstuvwxyz\n"));
test.after(remove);

const { shared } = host();
const copied = shared.sys === null ? "nothing goes by the kernel here" : lacks("fd of a response");
const natively = (name: string, body: Body) => test.unless(copied, name, body);

type Sys = NonNullable<typeof shared.sys>;
type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** One response on the wire. */
interface Answer {
  status: string;
  headers: string;
  body: Buffer;
  /** The sizes of its chunks; null where it is not chunked. */
  chunks: number[] | null;
  trailers: string;
  /** Where the next one begins. */
  end: number;
}

/** Takes the response at `from` apart; throws where it is not exactly as RFC 9112 has it. */
function strictly(wire: Buffer, from = 0, method = "GET"): Answer {
  const line = (at: number): [string, number] => {
    const end = wire.indexOf("\r\n", at);
    if (end < 0) throw new Error(`no line at ${at} of ${wire.length}`);
    return [wire.toString("latin1", at, end), end + 2];
  };
  const headersEnd = wire.indexOf("\r\n\r\n", from);
  if (headersEnd < 0) throw new Error(`no header at ${from} of ${wire.length}`);
  const [status, at] = line(from);
  if (!/^HTTP\/1\.1 \d{3} /.test(status)) throw new Error(`no status line: ${status}`);
  const headers = headersEnd < at ? "" : wire.toString("latin1", at, headersEnd);
  const answer = { status, headers, chunks: null, trailers: "" };
  const begin = headersEnd + 4;
  const none = method === "HEAD" || /^HTTP\/1\.1 (204|304) /.test(status);
  if (none) return { ...answer, body: Buffer.alloc(0), end: begin };
  const length = /^content-length: (\d+)$/im.exec(headers)?.[1];
  if (!/^transfer-encoding: chunked$/im.test(headers)) {
    const end = length === undefined ? wire.length : begin + Number(length);
    if (end > wire.length) throw new Error("the body is short");
    return { ...answer, body: wire.subarray(begin, end), end };
  }
  assert.is(length, undefined, "both lengths");
  const parts: Buffer[] = [];
  for (let next = begin; ; ) {
    const [size, data] = line(next);
    if (!/^[0-9a-f]+$/.test(size)) throw new Error(`no size of a chunk: ${JSON.stringify(size.slice(0, 40))}`);
    const count = Number.parseInt(size, 16);
    if (count === 0) {
      let trailers = "";
      for (let [text, after] = line(data); ; [text, after] = line(after)) {
        const chunks = parts.map((part) => part.length);
        if (text === "") return { ...answer, body: Buffer.concat(parts), chunks, trailers, end: after };
        trailers += `${text}\n`;
      }
    }
    parts.push(wire.subarray(data, data + count));
    if (wire.toString("latin1", data + count, data + count + 2) !== "\r\n") throw new Error("no end of a chunk");
    next = data + count + 2;
  }
}

/** A request whose connection is kept. */
const keeping = (url: string, method = "GET") => `${method} ${url} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Asks, and once all of `answers` responses are here, for one more, which says "next", and closes. */
async function ask(listener: Listener, text: string, methods = ["GET"]): Promise<[Answer[], Buffer]> {
  const at = await site((req, res) => {
    if (req.url === "/next") res.end("next");
    else listener(req, res);
  });
  try {
    const socket = net.connect(at.port, "127.0.0.1").on("error", () => {});
    const parts: Buffer[] = [];
    const all = (): [Answer[], Buffer] => {
      const wire = Buffer.concat(parts);
      const answers: Answer[] = [];
      for (const method of [...methods, "GET"]) answers.push(strictly(wire, answers.at(-1)?.end ?? 0, method));
      return [answers, wire];
    };
    socket.on("data", (part: Buffer) => parts.push(part));
    const closed = once(socket, "close");
    socket.write(text + request("/next"));
    await within(closed, "the answers");
    const [answers, wire] = all();
    const next = answers.pop() as Answer;
    assert.is(next.body.toString(), "next");
    assert.is(next.end, wire.length);
    return [answers, wire];
  } finally {
    await at.close();
  }
}

/**
 * The same with and without register: the same answers, and on a socket that does not say what it takes at once the same
 * bytes on the wire. Returns the answers, and what went by the kernel.
 */
async function both(listener: Listener, text: string, methods = ["GET"]): Promise<[Answer[], number, number]> {
  const [told, plain] = await ask(listener, text, methods);
  const undo = install(shared, () => {});
  const said = ({ status, headers, body, trailers }: Answer) => [
    status,
    undated(Buffer.from(headers)).toString(),
    body.toString("latin1"),
    trailers,
  ];
  try {
    if (shared.sys !== null) {
      const [, wire] = await faking(
        () => ({ room: () => 0 }),
        () => ask(listener, text, methods),
      );
      assert.ok(undated(wire).equals(undated(plain)), "the same bytes on the wire");
    }
    let [[answers], moved] = await counting(() => ask(listener, text, methods));
    // Pages that the system dropped meanwhile are read.
    for (let tries = 0; moved === 0 && tries < 10; tries++) {
      [[answers], moved] = await counting(() => ask(listener, text, methods));
    }
    assert.ok(isDeepStrictEqual(answers.map(said), told.map(said)), "the same answers");
    const rest = (answers.at(-1) as Answer).end;
    return [answers, moved, rest];
  } finally {
    undo();
  }
}

/** What Node writes itself at the end of a chunked body. */
const LAST = "0\r\n\r\n".length;

const pipes: Record<string, [name: string, Listener]> = {
  "a small file": ["page", (_req, res) => createReadStream(file("page")).pipe(res)],
  "a file of several chunks": ["odd", (_req, res) => createReadStream(file("odd")).pipe(res)],
  "after writeHead": ["256k", (_req, res) => createReadStream(file("256k")).pipe(res.writeHead(200, { "X-Own": "1" }))],
  pipeline: ["odd", (_req, res) => pipeline(createReadStream(file("odd")), res, () => {})],
  "a Transfer-Encoding that was set": [
    "odd",
    (_req, res) => createReadStream(file("odd")).pipe(res.setHeader("Transfer-Encoding", "chunked")),
  ],
};
for (const [what, [name, listener]] of Object.entries(pipes)) {
  natively(`a pipe: ${what}`, async () => {
    const [[answer], moved, end] = await both(listener, keeping("/"));
    assert.ok(answer?.body.equals(bytes(name)));
    assert.ok((answer?.chunks?.length ?? 0) > 0);
    assert.is(moved, end - LAST);
  });
}

test("a pipe: a stream that reads nothing at a time sends what it does without us", async () => {
  const listener: Listener = (_req, res) => void createReadStream(file("page"), { highWaterMark: 0 }).pipe(res);
  const [, plain] = await ask(listener, keeping("/"));
  const undo = install(shared, () => {});
  try {
    const [, wire] = await ask(listener, keeping("/"));
    assert.is(undated(wire).toString("latin1"), undated(plain).toString("latin1"));
  } finally {
    undo();
  }
});

natively("a pipe: trailers", async () => {
  const [[answer], moved] = await both((_req, res) => {
    res.setHeader("Trailer", "X-Sum");
    const stream = createReadStream(file("odd"));
    stream.on("end", () => res.addTrailers({ "X-Sum": "1" }));
    stream.pipe(res);
  }, keeping("/"));
  assert.ok(answer?.body.equals(bytes("odd")));
  assert.is(answer?.trailers, "X-Sum: 1\n");
  assert.ok(moved > 70_001);
});

natively("a pipe: behind what was written before, in chunks of its own", async () => {
  const [[answer], moved] = await both((_req, res) => {
    res.write("before", () => createReadStream(file("odd")).pipe(res));
  }, keeping("/"));
  assert.ok(answer?.body.equals(Buffer.concat([Buffer.from("before"), bytes("odd")])));
  assert.ok(moved > 70_001);
});

natively("a pipe: end: false, and more written behind it", async () => {
  const [[answer], moved] = await both((_req, res) => {
    const stream = createReadStream(file("odd"));
    stream.pipe(res, { end: false });
    stream.on("end", () => {
      res.write("behind");
      setImmediate(() => res.end("!"));
    });
  }, keeping("/"));
  assert.ok(answer?.body.equals(Buffer.concat([bytes("odd"), Buffer.from("behind!")])));
  assert.ok(moved > 70_001);
});

natively("a pipe: HEAD, 204 and 304 have no body", async () => {
  const listener: Listener = (req, res) => {
    res.statusCode = Number(req.url?.slice(1));
    createReadStream(file("odd")).pipe(res);
  };
  const [answers, moved] = await both(listener, keeping("/200", "HEAD") + keeping("/204") + keeping("/304"), [
    "HEAD",
    "GET",
    "GET",
  ]);
  assert.equal(
    answers.map(({ status, body }) => [status.slice(9, 12), body.length]),
    [
      ["200", 0],
      ["204", 0],
      ["304", 0],
    ],
  );
  assert.is(moved, 0);
});

natively("a pipe: an empty file, and an empty range", async () => {
  const [answers, moved] = await both(
    (req, res) => createReadStream(file(req.url === "/1" ? "empty" : "page"), { start: 5000 }).pipe(res),
    keeping("/1") + keeping("/2"),
    ["GET", "GET"],
  );
  assert.equal(
    answers.map(({ body }) => body.length),
    [0, 0],
  );
  assert.is(moved, 0);
});

natively("a pipe: pipelined", async () => {
  const [answers, moved] = await both(
    (req, res) => createReadStream(file(req.url?.slice(1) as string)).pipe(res),
    keeping("/odd") + keeping("/page") + keeping("/256k"),
    ["GET", "GET", "GET"],
  );
  const names = ["odd", "page", "256k"];
  assert.ok(answers.every(({ body }, i) => body.equals(bytes(names[i] as string))));
  assert.ok(moved > 70_001);
});

const untilClosed: Record<string, [string, Listener]> = {
  "HTTP/1.0": ["GET / HTTP/1.0\r\n\r\n", (_req, res) => createReadStream(file("odd")).pipe(res)],
  useChunkedEncodingByDefault: [
    request("/"),
    (_req, res) => {
      res.useChunkedEncodingByDefault = false;
      createReadStream(file("odd")).pipe(res);
    },
  ],
};
for (const [what, [text, listener]] of Object.entries(untilClosed)) {
  natively(`a pipe: until the connection closes, ${what}`, async () => {
    const at = await site(listener);
    const plain = await within(exchange(at.port, text), "without");
    const undo = install(shared, () => {});
    try {
      let [got, moved] = await counting(() => within(exchange(at.port, text), "with"));
      for (let tries = 0; moved === 0 && tries < 10; tries++) {
        [got, moved] = await counting(() => within(exchange(at.port, text), "with"));
      }
      assert.ok(undated(got).equals(undated(plain)));
      const { body, chunks } = strictly(got);
      assert.is(chunks, null);
      assert.ok(body.equals(bytes("odd")));
      assert.is(moved, got.length);
    } finally {
      undo();
      await at.close();
    }
  });
}

natively("a pipe: a response that was wrapped sees all bytes", async () => {
  let seen = 0;
  const [, moved] = await both((_req, res) => {
    const { write } = res;
    seen = 0;
    res.write = ((part: Buffer) => {
      seen += part.length;
      return (write as (part: Buffer) => boolean).call(res, part);
    }) as never;
    createReadStream(file("odd")).pipe(res);
  }, keeping("/"));
  assert.is(seen, 70_001);
  assert.is(moved, 0);
});

/** Calls of the system that are changed while something runs. */
async function faking<T>(calls: (sys: Sys) => Partial<Sys>, run: () => Promise<T>): Promise<T> {
  const sys = shared.sys as Sys;
  const before = { read: sys.read, sendfile: sys.sendfile, send: sys.send, room: sys.room };
  Object.assign(sys, calls({ ...sys }));
  try {
    return await run();
  } finally {
    Object.assign(sys, before);
  }
}

/** Each of these ends a step in another place of a chunk: before, in and behind its head, in its data, in its CRLF. */
const faults: Record<string, (sys: Sys) => Partial<Sys>> = {
  "send takes one byte": ({ send }) => ({ send: (out, ptr, _count, more) => send(out, ptr, 1, more) }),
  "send takes nothing": () => ({ send: () => -Fault.WouldBlock }),
  "every second send takes nothing": ({ send }) => {
    let calls = 0;
    return { send: (...args) => (calls++ % 2 === 0 ? -Fault.WouldBlock : send(...args)) };
  },
  "the CRLF is taken by half": ({ send }) => ({
    send: (out, ptr, count, more) => send(out, ptr, count === 2 ? 1 : count, more),
  }),
  "sendfile takes a part, and then nothing": ({ sendfile }) => {
    let calls = 0;
    return {
      sendfile: (out, fd, at, count) =>
        calls++ % 2 === 0 ? sendfile(out, fd, at, Math.min(count, 5000)) : -Fault.WouldBlock,
    };
  },
  "sendfile takes all but a byte, and then nothing": ({ sendfile }) => {
    let calls = 0;
    return {
      sendfile: (out, fd, at, count) =>
        calls++ % 2 === 0 && count > 1 ? sendfile(out, fd, at, count - 1) : -Fault.WouldBlock,
    };
  },
  "sendfile can't serve the pair": () => ({ sendfile: () => -Fault.Unsupported }),
  "sendfile can't go on": ({ sendfile }) => {
    let calls = 0;
    return {
      sendfile: (out, fd, at, count) =>
        calls++ > 2 ? -Fault.Unsupported : sendfile(out, fd, at, Math.min(count, 999)),
    };
  },
  "the disk is cold": () => ({ read: () => -Fault.WouldBlock }),
  "the disk is cold now and then": ({ read }) => {
    let calls = 0;
    return { read: (...args) => (calls++ % 3 === 2 ? -Fault.WouldBlock : read(...args)) };
  },
};
for (const [what, calls] of Object.entries(faults)) {
  natively(`a pipe: every chunk is whole where ${what}`, async () => {
    const undo = install(shared, () => {});
    const listener: Listener = (req, res) => createReadStream(file(req.url?.slice(1) as string)).pipe(res);
    try {
      for (const name of ["page", "256k", "big"]) {
        const [[answer]] = await faking(calls, () => ask(listener, keeping(`/${name}`)));
        assert.ok(answer?.body.equals(bytes(name)), name);
      }
    } finally {
      undo();
    }
  });
}

/** Where nothing bounds what the kernel holds unsent, it says nothing of its room. */
const unbound = copied ?? lacks("a bound of what the kernel holds unsent");

test.unless(unbound, "a pipe: a long file's chunks are as large as what the socket surely takes at once", async () => {
  const unit = 64 * KIB;
  const undo = install(shared, () => {});
  const listener: Listener = (req, res) => createReadStream(file(req.url?.slice(1) as string)).pipe(res);
  const sizes = async (name: string, room: number, calls: (sys: Sys) => Partial<Sys> = () => ({})) => {
    const [[answer]] = await faking(
      (sys) => ({ room: () => room, ...calls(sys) }),
      () => ask(listener, keeping(`/${name}`)),
    );
    assert.ok(answer?.body.equals(bytes(name)), name);
    return (answer?.chunks ?? []).slice(0, -1);
  };
  try {
    const large = await sizes("big", 5 * unit + 1);
    assert.is(large[0], 5 * unit);
    assert.ok(large.every((size) => size <= 5 * unit));
    for (const room of [0, unit - 1, 2 * unit - 1]) assert.ok((await sizes("big", room)).every((size) => size <= unit));
    assert.equal(await sizes("256k", MIB), []); // the last chunk is the only one
    // 960 KiB a turn, and then the last chunk; a turn may be over earlier where others need the processor.
    const turn = [7 * unit, 7 * unit, unit];
    let got = await sizes("1m", 7 * unit);
    for (let tries = 0; tries < 20 && got.length < turn.length; tries++) got = await sizes("1m", 7 * unit);
    assert.equal(got, turn);
    // Of a file that is limited to no unsent bytes the socket's own limit is looked at.
    const limits: (number | null)[] = [];
    await sizes("256k", MIB, () => ({ room: (_fd, unsent) => limits.push(unsent) * 0 }));
    assert.ok(limits.length > 0 && limits.every((unsent) => unsent === null), limits.join());
    // A socket that took less than it said is not believed again.
    let calls = 0;
    const believed = await sizes("big", 5 * unit, ({ sendfile }) => ({
      sendfile: (out, fd, at, count) =>
        calls++ % 2 === 0 ? sendfile(out, fd, at, Math.min(count, 4 * unit)) : -Fault.WouldBlock,
    }));
    assert.ok(believed.filter((size) => size > unit).length <= 1);
  } finally {
    undo();
  }
});

natively("a pipe: responses take turns, each with the bytes of one run", async () => {
  const undo = install(shared, () => {});
  const waiting: ServerResponse[] = [];
  const streams: fs.ReadStream[] = [];
  const at = await site(async (_req, res) => {
    waiting.push(res);
    if (waiting.length < 2) return;
    const both = waiting.map(() => createReadStream(file("big")));
    // One that is opened later would leave the other alone meanwhile.
    await Promise.all(both.map((stream) => once(stream, "open")));
    for (const [i, stream] of both.entries()) stream.pipe(waiting[i] as ServerResponse);
    streams.push(...both);
  });
  const sockets = [0, 1].map(() => net.connect(at.port, "127.0.0.1").on("error", () => {}));
  /** Bytes in a row for the same response. */
  const rows: { out: number; bytes: number }[] = [];
  try {
    await faking(
      () => ({
        // It only says so: no socket is ever full.
        sendfile(out, _fd, _at, count) {
          const row = rows.at(-1);
          if (row?.out === out) row.bytes += count;
          else rows.push({ out, bytes: count });
          return count;
        },
      }),
      async () => {
        for (const socket of sockets) socket.write(request("/"));
        await until("both files to be read", () => streams.length === 2 && streams.every((one) => one.readableEnded));
      },
    );
    assert.is(
      rows.reduce((sum, { bytes }) => sum + bytes, 0),
      2 * BIG,
    );
    // A run may exceed 1 MiB by a chunk of up to 512 KiB. The first one may begin alone; the last one ends alone.
    assert.ok(rows.length >= (2 * BIG) / (1.5 * MIB) - 4, `${rows.length} turns`);
  } finally {
    undo();
    for (const socket of sockets) socket.destroy();
    await at.close();
  }
});

/** Serves `name` to a client that reads only once `stalled` is over; the wire, up to the end of the connection. */
async function stall(
  name: string,
  stalled: (stream: fs.ReadStream, res: ServerResponse, socket: net.Socket) => unknown,
): Promise<Buffer> {
  let way: [fs.ReadStream, ServerResponse] | undefined;
  const at = await site((req, res) => {
    if (req.url === "/next") return res.end("next");
    way = [createReadStream(file(name)), res];
    way[0].pipe(res);
  });
  const socket = net.connect(at.port, "127.0.0.1").on("error", () => {});
  socket.write(keeping("/") + request("/next"));
  try {
    await until("a full socket", () => way?.[1].writableNeedDrain === true);
    await stalled(...(way as [fs.ReadStream, ServerResponse]), socket);
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    if (!socket.closed) await within(once(socket, "close"), "the rest");
    return Buffer.concat(parts);
  } finally {
    way?.[0].destroy();
    socket.destroy();
    await at.close();
  }
}

/** With register; what went by the kernel, too. */
async function stallNatively(...args: Parameters<typeof stall>): Promise<[Buffer, number]> {
  const undo = install(shared, () => {});
  try {
    return await counting(() => stall(...args));
  } finally {
    undo();
  }
}

const next = (wire: Buffer, from: number) => strictly(wire, from).body.toString();

natively("a client that does not read is back-pressure, as without it; most goes by the kernel", async () => {
  const pressure = (stream: fs.ReadStream, res: ServerResponse) =>
    [stream.isPaused(), stream.readableFlowing, res.writableNeedDrain].join();
  let wanted = "";
  let most = 0;
  await stall("big", (stream, res) => {
    wanted = pressure(stream, res);
    most = res.writableLength;
  });
  const [wire, moved] = await stallNatively("big", (stream, res) =>
    until(`${wanted}, not ${pressure(stream, res)}`, () => {
      if (pressure(stream, res) !== wanted) return false;
      const held = res.writableLength;
      return held >= res.writableHighWaterMark && held <= most;
    }),
  );
  const answer = strictly(wire);
  assert.ok(answer.body.equals(bytes("big")));
  assert.is(next(wire, answer.end), "next");
  assert.ok(moved > BIG / 4, `by the kernel: ${moved}`);
});

natively("a client that is slow gets all of it, whatever the highWaterMarks of stream and response are", async () => {
  const undo = install(shared, () => {});
  try {
    for (const [own, highWaterMark] of [
      [777, undefined],
      [4096, undefined],
      [64 * KIB, MIB],
      [4096, 1],
      [MIB, MIB],
    ]) {
      const server = createServer({ highWaterMark }, (_req, res) =>
        createReadStream(file("1m"), { highWaterMark: own }).pipe(res),
      );
      const address = path.join(root, "socket"); // of a Unix socket the buffers are small
      await once(server.listen(address), "listening");
      const socket = net.connect(address);
      try {
        const parts: Buffer[] = [];
        socket.on("data", (part: Buffer) => parts.push(part)).write(keeping("/") + request("/"));
        await within(once(socket, "close"), `${own} and ${highWaterMark}`);
        const wire = Buffer.concat(parts);
        const answer = strictly(wire);
        assert.ok(answer.body.equals(bytes("1m")));
        assert.ok(strictly(wire, answer.end).body.equals(bytes("1m")));
      } finally {
        socket.destroy();
        server.close();
      }
    }
  } finally {
    undo();
  }
});

natively("what the program writes while its client is slow comes between two chunks", async () => {
  const [wire] = await stallNatively("big", (stream, res) => {
    stream.unpipe(res);
    res.write("between");
    res.addTrailers({ "X-Why": "unpiped" });
    res.end();
    stream.destroy();
  });
  const answer = strictly(wire);
  const { length } = answer.body;
  assert.ok(length > 7 && length < BIG);
  assert.is(answer.body.toString("latin1", length - 7), "between");
  assert.ok(answer.body.subarray(0, length - 7).equals(bytes("big").subarray(0, length - 7)));
  assert.is(answer.trailers, "X-Why: unpiped\n");
  assert.is(next(wire, answer.end), "next");
});

natively("what is appended to a file while its client is slow goes as well", async () => {
  fs.copyFileSync(file("big"), file("growing"));
  const [wire] = await stallNatively("growing", () => fs.appendFileSync(file("growing"), "the end"));
  const answer = strictly(wire);
  assert.ok(answer.body.equals(bytes("growing")));
  assert.is(next(wire, answer.end), "next");
});

natively("a file that has got shorter between two chunks ends the body, as without it", async () => {
  for (const register of [false, true]) {
    fs.copyFileSync(file("big"), file("shrinking"));
    // In the middle of what would be the next chunk.
    const shrink = (stream: fs.ReadStream) => fs.truncateSync(file("shrinking"), stream.bytesRead + 1000);
    const wire = register ? (await stallNatively("shrinking", shrink))[0] : await stall("shrinking", shrink);
    const answer = strictly(wire);
    assert.ok(answer.body.length < BIG);
    assert.ok(answer.body.equals(bytes("big").subarray(0, answer.body.length)));
    assert.is(next(wire, answer.end), "next");
  }
});

natively("a file that gets shorter in the middle of an announced chunk ends the connection", async () => {
  const before = descriptors();
  fs.copyFileSync(file("256k"), file("cut"));
  const cuts = ({ sendfile }: Sys): Partial<Sys> => {
    let calls = 0;
    return {
      room: () => 0,
      sendfile(out, fd, at, count) {
        if (calls++ !== 1) return sendfile(out, fd, at, count);
        fs.truncateSync(file("cut"), at + 1000);
        return sendfile(out, fd, at, count);
      },
    };
  };
  const undo = install(shared, () => {});
  let closed: Promise<unknown> | undefined;
  const at = await site((_req, res) => {
    closed = once(res, "close");
    const stream = createReadStream(file("cut"));
    res.on("close", () => stream.destroy());
    stream.pipe(res);
  });
  try {
    const wire = await faking(cuts, () => within(exchange(at.port, keeping("/")), "the end"));
    assert.throws(() => strictly(wire), /no end of a chunk|no line/);
    await closed;
  } finally {
    undo();
    await at.close();
  }
  await until("all files to be closed", () => descriptors() <= before);
});

natively("a client that goes away in the middle leaves no file open", async () => {
  const before = descriptors();
  await stallNatively("big", async (stream, res, socket) => {
    socket.destroy();
    await once(res, "close");
    stream.destroy();
    await once(stream, "close");
  });
  await until("all files to be closed", () => descriptors() <= before);
});

test("as many bytes are held back as by one chunk of the stream's own", () => {
  const size = 64 * KIB;
  const whole = framed("", 0, Buffer.alloc(size)).length;
  for (const held of [2, 100, 5000, 30_000, 60_000]) {
    const length = chunkBehind(held, size);
    assert.is(held + framed("", 0, Buffer.alloc(length)).length, whole, `${held}`);
  }
  assert.is(chunkBehind(size + 2, size), 0);
});

// respond().

const respond = (req: IncomingMessage, res: ServerResponse, name: string, options: object = {}) =>
  send(shared, req, res, file(name), { chunked: true, ...options });

for (const mode of copied === null ? (["native", "copy"] as const) : (["copy"] as const)) {
  test(`respond, ${mode}: in chunks, with trailers, and a following response`, async () => {
    const sent: number[] = [];
    const [[answers], moved] = await counting(() =>
      ask((req, res) => {
        res.setHeader("Trailer", "X-Sum");
        res.addTrailers({ "X-Sum": "1" });
        void respond(req, res, req.url?.slice(1) as string, { mode }).then((n) => sent.push(n));
      }, keeping("/odd")),
    );
    const [answer] = answers;
    assert.ok(answer?.body.equals(bytes("odd")));
    assert.is(answer?.trailers, "X-Sum: 1\n");
    assert.equal(sent, [70_001]);
    if (mode === "native") {
      assert.equal(answer?.chunks, [70_001]);
      assert.ok(moved > 70_001 || shared.sys === null, `by the kernel: ${moved}`);
    } else assert.ok(!(moved > 0));
  });
}

test("respond: HEAD, an empty file, and HTTP/1.0", async () => {
  const listener: Listener = (req, res) => {
    respond(req, res, req.url === "/empty" ? "empty" : "odd").catch(() => res.destroy());
  };
  const [[head, empty]] = await ask(listener, keeping("/", "HEAD") + keeping("/empty"), ["HEAD", "GET"]);
  assert.not.match(head?.headers as string, /content-length/i);
  assert.is(empty?.body.length, 0);
  assert.equal(empty?.chunks, []);
  const at = await site(listener);
  const old = strictly(await within(exchange(at.port, "GET / HTTP/1.0\r\n\r\n"), "HTTP/1.0"));
  await at.close();
  assert.is(old.chunks, null);
  assert.ok(old.body.equals(bytes("odd")));
});

test("respond: a Content-Length that is set, and an option that is no boolean, are errors that name the argument", async () => {
  const said: string[] = [];
  await ask(
    (req, res) => {
      const bad = req.url === "/bad";
      if (!bad) res.setHeader("Content-Length", 70_001);
      respond(req, res, "odd", bad ? { chunked: 1 } : {}).catch((error) => {
        said.push(`${error.name} ${error.code}: ${error.message}`);
        res.removeHeader("Content-Length");
        res.end("no");
      });
    },
    keeping("/") + keeping("/bad"),
    ["GET", "GET"],
  );
  assert.equal(said.sort(), [
    "TypeError ERR_INVALID_ARG_TYPE: chunked can't be true: Content-Length is set already",
    "TypeError ERR_INVALID_ARG_TYPE: chunked must be a boolean (got 1)",
  ]);
});

test("respond: a file that gets shorter in the middle ends the connection", async () => {
  fs.copyFileSync(file("big"), file("short"));
  let failure: { code?: string; sent?: number } | undefined;
  const at = await site((req, res) => {
    respond(req, res, "short", {
      onProgress: ({ sent }: { sent: number }) => {
        if (sent > 0) fs.truncateSync(file("short"), 100);
      },
    }).catch((error) => (failure ??= error));
  });
  const wire = await within(exchange(at.port, keeping("/")), "the end");
  await until("the failure", () => failure !== undefined);
  await at.close();
  assert.is(failure?.code, "ERR_SENDFILE_TRUNCATED");
  assert.throws(() => strictly(wire));
});

test.run();
