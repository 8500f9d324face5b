// One response, one body: whoever comes second is refused before a byte goes out, and what stands behind the response on
// its connection is the next response, byte for byte.

import { once } from "node:events";
import fs from "node:fs";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import net from "node:net";
import { PassThrough, Readable } from "node:stream";
import { capabilities, type Mode, type Progress, SendfileError } from "sendoff";
import { type RespondOptions, respond } from "sendoff/http";
import * as assert from "uvu/assert";
import { install } from "../host/register/install.js";
import { pattern, same } from "./lib/bytes.js";
import { until } from "./lib/command.js";
import { faultyHost } from "./lib/faulty.js";
import { fdCount } from "./lib/files.js";
import { lacks } from "./lib/runtime.js";
import { suite } from "./lib/suite.js";
import { folder, header, parse, site, within } from "./lib/web.js";

const test = suite("body");
const MIB = 1 << 20;
const SMALL = pattern(4096, 1);
const LARGE = pattern(8 * MIB, 2);
const { root, remove } = folder({ small: SMALL, large: LARGE, empty: "" });
test.after(remove);
const SIZES = { small: SMALL, large: LARGE };
const native = capabilities().native && lacks("fd of a response") === null;
const MODES: Mode[] = native ? ["auto", "copy"] : ["copy"];

/** A second response behind the one that is looked at, and one before it: bytes too many would be taken for one of them. */
const get = (target: string, ...lines: string[]) =>
  [`GET ${target} HTTP/1.1`, "Host: x", ...lines, "", ""].join("\r\n");

interface Answer {
  status: string;
  headers: string[];
  body: Buffer;
}

/** One response after the other, to the last byte. */
function answers(wire: Buffer): Answer[] {
  const all: Answer[] = [];
  for (let rest = wire; rest.length > 0; ) {
    assert.is(rest.subarray(0, 9).toString(), "HTTP/1.1 ", `no response: ${rest.subarray(0, 40).toString("latin1")}`);
    const { status, headers, body } = parse(rest);
    const chunked = header(headers, "transfer-encoding") === "chunked";
    const [own, behind] = chunked ? unchunked(body) : cut(body, Number(header(headers, "content-length") ?? 0));
    all.push({ status, headers, body: own });
    rest = behind;
  }
  return all;
}

const cut = (bytes: Buffer, at: number): [Buffer, Buffer] => [bytes.subarray(0, at), bytes.subarray(at)];

function unchunked(bytes: Buffer): [Buffer, Buffer] {
  const parts: Buffer[] = [];
  for (let rest = bytes; ; ) {
    const end = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.subarray(0, end).toString(), 16);
    parts.push(rest.subarray(end + 2, end + 2 + size));
    rest = rest.subarray(end + 2 + size + 2);
    if (size === 0) return [Buffer.concat(parts), rest];
  }
}

/**
 * What a client got for `/` that had another response before it on its connection, and that asks for one more where it
 * is to be kept. It takes in nothing before `read` resolves.
 */
async function exchange(
  listener: RequestListener,
  kept: boolean,
  read: Promise<unknown> = Promise.resolve(),
): Promise<Answer[]> {
  const at = await site((req, res) => {
    if (req.url === "/") listener(req, res);
    else res.end(req.url);
  });
  const socket = net.connect(at.port, "127.0.0.1").on("error", () => {});
  const parts: Buffer[] = [];
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.write(get("/before"));
  await once(socket, "readable");
  const before = socket.read() as Buffer;
  assert.is(answers(before)[0]?.body.toString(), "/before");
  socket.write(get("/"));
  await within(read, "the time to read");
  socket.on("data", (part: Buffer) => parts.push(part));
  if (kept) socket.write(get("/behind", "Connection: close"));
  await within(closed, "the end");
  await at.close();
  return answers(Buffer.concat(parts));
}

/** The response is `body`, and the next one is the next one. */
async function intact(body: Buffer | string, listener: RequestListener, read?: Promise<unknown>): Promise<void> {
  const before = fdCount(`${root}/large`);
  const [first, next, ...rest] = await exchange(listener, true, read);
  same(first?.body as Buffer, Buffer.from(body as string));
  assert.is(next?.body.toString(), "/behind");
  assert.is(rest.length, 0);
  await until("the file to be closed", () => fdCount(`${root}/large`) === before); // a stream does it later
}

/** The connection was cut before a byte of the response. */
async function cutOff(listener: RequestListener): Promise<void> {
  const [first, ...rest] = await exchange(listener, false);
  if (lacks("a destroyed response without an answer") === null) assert.is(first, undefined);
  else assert.is(first?.body.length, 0);
  assert.is(rest.length, 0);
}

/** How it was refused. */
const refusal = (sending: Promise<number>): Promise<string> =>
  sending.then(
    (sent) => `sent ${sent}`,
    (error: unknown) => (error instanceof SendfileError ? `${error.code} ${error.sent}` : `${error}`),
  );
const STARTED = "ERR_SENDFILE_STARTED 0";

/** A promise, and what settles it. */
function signal<T>(): { told: Promise<T>; tell: (value: T) => void } {
  let tell: (value: T) => void = () => {};
  return { told: new Promise((resolve) => (tell = resolve)), tell };
}

for (const mode of MODES) {
  for (const [name, bytes] of Object.entries(SIZES)) {
    const file = `${root}/${name}`;

    test(`respond() twice at once, ${name}, ${mode}`, async () => {
      let second = "";
      await intact(bytes, async (req, res) => {
        respond(req, res, file, { mode });
        second = await refusal(respond(req, res, `${root}/large`, { mode }));
      });
      assert.is(second, STARTED);
    });

    test(`respond() while the first one's file is open, and after its end, ${name}, ${mode}`, async () => {
      const seconds: string[] = [];
      await intact(bytes, async (req, res) => {
        const first = respond(req, res, file, { mode });
        await new Promise((resolve) => setImmediate(resolve));
        seconds.push(await refusal(respond(req, res, file, { mode })));
        await first;
        seconds.push(await refusal(respond(req, res, file, { mode })));
      });
      assert.ok(seconds[0] === STARTED || seconds[0] === "ERR_SENDFILE_CLOSED 0"); // the first one may be over by then
      assert.is(seconds[1], "ERR_SENDFILE_CLOSED 0");
    });
  }

  test(`respond() while the first one is under way to a client that does not read, ${mode}`, async () => {
    const { told, tell } = signal<string>();
    let progress: Progress | undefined;
    await intact(
      LARGE,
      (req, res) => {
        let asked = false;
        const onProgress = async (now: Progress) => {
          progress = now;
          if (asked || now.sent === 0) return;
          asked = true;
          tell(await refusal(respond(req, res, `${root}/large`, { mode })));
        };
        respond(req, res, `${root}/large`, { mode, onProgress });
      },
      told,
    );
    assert.is(await told, STARTED);
    if (mode === "auto") assert.ok((progress?.native ?? 0) > 4 * MIB, "by the kernel");
  });

  test(`respond() again where the first one had no file, ${mode}`, () =>
    intact(SMALL, async (req, res) => {
      assert.is(await refusal(respond(req, res, `${root}/none`, { mode })), "ENOENT 0");
      await respond(req, res, `${root}/small`, { mode });
    }));

  const WRITES: Record<string, [length: number | null, write: (res: ServerResponse) => unknown]> = {
    "the same turn": [5 + LARGE.length, (res) => res.write("hello")],
    "an earlier turn": [5 + LARGE.length, (res) => new Promise((resolve) => res.write("hello", resolve))],
    "bytes, and the length of the file": [LARGE.length, (res) => res.write(Buffer.from("hello"))],
    "an earlier turn, and the length of the file": [
      LARGE.length,
      (res) => new Promise((resolve) => res.write("hello", () => setImmediate(resolve))),
    ],
    "after flushHeaders()": [
      LARGE.length,
      (res) => {
        res.flushHeaders();
        return new Promise((resolve) => res.write("hello", () => setImmediate(resolve)));
      },
    ],
    "a chunk": [null, (res) => res.write("hello")],
    "an earlier chunk": [null, (res) => new Promise((resolve) => res.write("hello", resolve))],
  };
  for (const [when, [length, write]] of Object.entries(WRITES)) {
    for (const name of ["large", "none"]) {
      test(`respond() after write(), ${when}: refused, and the response is still its owner's, ${name}, ${mode}`, async () => {
        let refused = "";
        const rest = Buffer.alloc(length === null ? 100 : length - 5, "r");
        await intact(Buffer.concat([Buffer.from("hello"), rest]), async (req, res) => {
          if (length !== null) res.setHeader("Content-Length", length);
          await write(res);
          refused = await refusal(respond(req, res, `${root}/${name}`, { mode }));
          res.end(rest);
        });
        assert.is(refused, STARTED);
      });
    }
  }

  test(`write() after respond(), before its turn, ${mode}`, async () => {
    let refused = "";
    await intact("hello", async (req, res) => {
      res.setHeader("Content-Length", 5);
      const first = refusal(respond(req, res, `${root}/small`, { mode }));
      res.write("hello");
      refused = await first;
      res.end();
    });
    assert.is(refused, STARTED);
  });

  const HEADERS: Record<string, (res: ServerResponse) => unknown> = {
    "flushHeaders()": (res) => {
      res.setHeader("Content-Length", LARGE.length);
      res.flushHeaders();
    },
    "flushHeaders(), in an earlier turn": (res) => {
      res.setHeader("Content-Length", LARGE.length);
      res.flushHeaders();
      return new Promise((resolve) => setImmediate(resolve));
    },
    "writeHead()": (res) => res.writeHead(200, { "content-LENGTH": String(LARGE.length) }),
    "writeHead() of a list": (res) => res.writeHead(200, ["Content-Length", `${LARGE.length}`]),
    "writeHead(), and a header set before": (res) => {
      res.setHeader("Content-Length", 1);
      res.writeHead(200, { "Content-Length": LARGE.length });
    },
    "a write() of nothing": (res) => {
      res.setHeader("Content-Length", [String(LARGE.length)]);
      res.write("");
    },
    "a length with zeros before it": (res) => res.setHeader("Content-Length", `000${LARGE.length}`),
  };
  for (const [how, head] of Object.entries(HEADERS)) {
    test(`respond() after ${how}, ${mode}`, async () => {
      let progress: Progress | undefined;
      await intact(LARGE, async (req, res) => {
        await head(res);
        await respond(req, res, `${root}/large`, { mode, onProgress: (now) => (progress = now) });
      });
      // A write leaves the socket corked to the end of its turn.
      if (mode === "auto" && !how.includes("write()")) assert.ok((progress?.native ?? 0) > 4 * MIB, "by the kernel");
    });
  }

  for (const length of [
    "4e3",
    "0xfa0",
    " 4000",
    "4000 ",
    "+4000",
    "4000.0",
    "-4000",
    "4000, 4000",
    "",
    "NaN",
    4000.5,
  ]) {
    test(`a Content-Length of '${length}', ${mode}`, async () => {
      const file = Buffer.alloc(4000, "x");
      const words = /Content-Length must be given once, in decimal digits/;
      let refused = "";
      await intact("mine", async (req, res) => {
        res.setHeader("Content-Length", length);
        refused = await refusal(respond(req, res, file, { mode }));
        res.setHeader("Content-Length", 4);
        res.end("mine");
      });
      assert.match(refused, words);
      for (const headers of [{ "Content-Length": length }, ["content-length", String(length)]]) {
        await cutOff(async (req, res) => {
          res.writeHead(200, headers as never);
          refused = await refusal(respond(req, res, `${root}/small`, { mode, count: 4000 }));
        });
        assert.match(refused, words);
      }
    });
  }

  const TWICE: Record<string, (res: ServerResponse) => unknown> = {
    "an array": (res) => res.setHeader("Content-Length", ["4096", "4096"]),
    "a list": (res) => res.writeHead(200, ["Content-Length", "4096", "Content-Length", "4096"]),
    "two spellings": (res) => res.writeHead(200, { "Content-Length": 4096, "content-length": 4096 }),
  };
  for (const [how, head] of Object.entries(TWICE)) {
    const one = how === "two spellings" ? lacks("two spellings of a header") : null;
    test.unless(one, `a Content-Length that is given twice, by ${how}, ${mode}`, async () => {
      let refused = "";
      await cutOff(async (req, res) => {
        head(res);
        refused = await refusal(respond(req, res, `${root}/small`, { mode }));
        res.destroy();
      });
      assert.match(refused, /Content-Length must be given once/);
    });
  }

  test(`a writeHead() that sets another length, ${mode}`, async () => {
    if (mode === "copy") return; // whoever replaces it may also take the bytes: to look is the response's own business
    let refused = "";
    await cutOff(async (req, res) => {
      const { writeHead } = res;
      res.writeHead = (status: number) => writeHead.call(res, status, { "Content-Length": 5 } as never);
      refused = await refusal(respond(req, res, `${root}/small`, { mode }));
    });
    assert.match(refused, /Content-Length is 5, but 4096 bytes/);
  });

  const STREAMS: Record<string, [length: number, options: RespondOptions, body: number | null, refused: string]> = {
    "as long as it is": [1000, {}, 1000, "sent 1000"],
    "shorter: the rest is not sent": [700, {}, 700, "sent 700"],
    "longer: the connection is cut": [1001, {}, null, "ERR_SENDFILE_TRUNCATED 1000"],
    "0": [0, {}, 0, "sent 0"],
    "the count": [300, { count: 300 }, 300, "sent 300"],
  };
  for (const [how, [length, options, body, wanted]] of Object.entries(STREAMS)) {
    test(`a stream of 1000 bytes, and a Content-Length that is ${how}, ${mode}`, async () => {
      const bytes = pattern(1000);
      let told = "";
      const listener = async (req: IncomingMessage, res: ServerResponse) => {
        res.setHeader("Content-Length", length);
        told = await refusal(
          respond(req, res, Readable.from([bytes.subarray(0, 400), bytes.subarray(400)], { objectMode: false }), {
            ...options,
            mode,
          }),
        );
      };
      if (body !== null) await intact(bytes.subarray(0, body), listener);
      else {
        const [first, ...rest] = await exchange(listener, false);
        same(first?.body as Buffer, bytes.subarray(0, first?.body.length)); // and what was under way may be lost
        assert.is(rest.length, 0);
      }
      assert.is(told, wanted);
    });
  }

  test(`a stream, a count, and a greater Content-Length, ${mode}`, async () => {
    let refused = "";
    await intact("mine", async (req, res) => {
      res.setHeader("Content-Length", 1000);
      refused = await refusal(
        respond(req, res, Readable.from([pattern(1000)], { objectMode: false }), { count: 999, mode }),
      );
      res.setHeader("Content-Length", 4);
      res.end("mine");
    });
    assert.match(refused, /Content-Length is 1000, but 999 bytes/);
  });
}

test("respond() after a pipe, which under register passes no byte through write()", async () => {
  // A little at a time: it is not over when it is looked at, and the socket never full, so that nothing is written to it.
  const { shared } = faultyHost({ judge: ({ name }) => (name === "sendfile" ? { atMost: 1000 } : null) });
  const undo = install(shared, () => {});
  try {
    const { told, tell } = signal<string>();
    await intact(
      LARGE,
      (req, res) => {
        res.setHeader("Content-Length", LARGE.length);
        const stream = fs.createReadStream(`${root}/large`);
        stream.pipe(res);
        const look = async () => {
          if (stream.bytesRead === 0) return setImmediate(look);
          tell(await refusal(respond(req, res, `${root}/large`)));
        };
        look();
      },
      told,
    );
    assert.is(await told, STARTED);
  } finally {
    undo();
  }
});

for (const none of [undefined, null]) {
  test(`what is no response of node:http is claimed as well, where a header that is not there is ${none}`, async () => {
    const req = { method: "GET", url: "/", headers: {} };
    const res = Object.assign(new PassThrough(), { hasHeader: () => true, getHeader: () => none, setHeader() {} });
    const sending = respond(req as never, res as never, `${root}/small`);
    assert.is(await refusal(respond(req as never, res as never, `${root}/small`)), STARTED);
    res.resume();
    assert.is(await sending, SMALL.length);
  });
}

test.run();
