// What `sendoff/register` does to pipes: the same events, states and bytes as without it, and the
// kernel's way where it is said to be taken. Each situation is played twice.

import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import fs, { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { PassThrough, pipeline, Transform, type Writable } from "node:stream";
import { pipeline as pipelinePromise } from "node:stream/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as assert from "uvu/assert";
import { host } from "#process";
import { Fault } from "../assembly/abi.js";
import { install } from "../host/register/install.js";
import { copies } from "../host/register/require-hook.js";
import { counting } from "./lib/counting.js";
import { type Call, type FaultyHost, faultyHost, type Verdict } from "./lib/faulty.js";
import { noNowait } from "./lib/nowait.js";
import { type Difference, IMPORT, lacks, RUN, runtime } from "./lib/runtime.js";
import { type Body, suite } from "./lib/suite.js";
import { descriptors, exchange, folder, parse, request, site, undated, within } from "./lib/web.js";

const test = suite("register");
const MIB = 1 << 20;
const BIG = 24 * MIB;
const { root, remove } = folder({ odd: 70_001, page: 4096, "256k": 256 * 1024, empty: 0 });
const file = (name: string) => path.join(root, name);
fs.writeFileSync(file("big"), Buffer.alloc(BIG, "0123456789abcdefghijklmnopqrstuvwxyz\n"));
test.after(remove);

const { shared } = host();
/** Whether bodies can go by the kernel here. */
const copied = shared.sys === null ? "nothing goes by the kernel here" : lacks("fd of a response");
const bodies = copied === null;

// A stream of it could be opened without fs.open.
test.before(async () => {
  shared.opener.met(file("odd"), fs.statSync(file("odd")));
  for (let i = 0; i < 10; i++) await fs.promises.statfs(root); // it asks so, too
});

/** A test of the kernel's way with bodies. */
const natively = (name: string, body: Body) => test.unless(copied, name, body);

/** What happened, in its order, and what it left. */
type Log = (string | number | boolean | null | undefined)[];
type Play = (req: IncomingMessage, res: ServerResponse, log: Log) => unknown;

function watch(log: Log, who: string, emitter: NodeJS.EventEmitter, events: string[]): void {
  for (const event of events) emitter.on(event, (arg) => log.push(`${who} ${event} ${arg?.code ?? ""}`.trim()));
}

const SOURCE = ["open", "ready", "end", "close", "error"];
const TARGET = ["pipe", "unpipe", "finish", "close", "error"];

/** The streams of the situation that is being played. */
let streams: fs.ReadStream[] = [];

function source(log: Log, name: string, options?: object): fs.ReadStream {
  return watched(log, createReadStream(file(name), options));
}

function watched(log: Log, stream: fs.ReadStream): fs.ReadStream {
  watch(log, "source", stream, SOURCE);
  streams.push(stream);
  return stream;
}

/** A file is closed by the pool, at any time after the rest. */
async function closed(): Promise<void> {
  while (streams.some((stream) => stream.destroyed && !stream.closed)) await new Promise((next) => setImmediate(next));
  streams = [];
  for (let i = 0; i < 3; i++) await new Promise((next) => setImmediate(next));
}

/** Each one's events in their order; between source and target only what was said by `push` has one. */
function sorted(log: Log): Log[] {
  const who = (entry: Log[number]) => /^(source|target) /.exec(String(entry))?.[1];
  return ["source", "target", undefined].map((one) => log.filter((entry) => who(entry) === one));
}

/** Says the length, and watches. */
function target(log: Log, res: ServerResponse, length: number): ServerResponse {
  res.setHeader("Content-Length", length);
  watch(log, "target", res, TARGET);
  return res;
}

function state(log: Log, stream: fs.ReadStream, res?: ServerResponse): void {
  const { bytesRead, destroyed, readableEnded, readableDidRead, readableAborted, readableLength, pending, errored } =
    stream;
  log.push(
    bytesRead,
    destroyed,
    readableEnded,
    readableDidRead,
    readableAborted,
    readableLength,
    pending,
    `${errored}`,
  );
  log.push(stream.listenerCount("data"), stream.listenerCount("end"), stream.listenerCount("error"));
  if (res)
    log.push(res.writableEnded, res.writableFinished, res.destroyed, res.writableLength, res.listenerCount("close"));
}

/** Comes back once the stream has passed something on. */
async function begun(stream: fs.ReadStream): Promise<void> {
  while (stream.bytesRead === 0) await new Promise((resolve) => setImmediate(resolve));
}

/** A method of node:fs as a stream calls it: its callback comes last. */
type Method = (...args: unknown[]) => void;

/** Puts another function in the place of a method of node:fs, until the stream is closed. */
function replaced(stream: fs.ReadStream, name: "open" | "read" | "close", make: (before: Method) => Method): void {
  const methods = fs as unknown as Record<string, Method>;
  const before = methods[name] as Method;
  methods[name] = make(before);
  stream.once("close", () => {
    methods[name] = before;
  });
}

/** fs.read of other bytes. */
const upper =
  (read: Method): Method =>
  (...args) => {
    const done = args.pop() as (error: Error | null, bytes: number, buffer: Buffer) => void;
    read(...args, (error: Error | null, bytes: number, buffer: Buffer) => {
      buffer.write(buffer.toString("latin1").toUpperCase(), "latin1");
      done(error, bytes, buffer);
    });
  };

/** A method that fails, once it has done its work. */
const failing =
  (before: Method): Method =>
  (...args) => {
    const done = args.pop() as (error: Error) => void;
    before(...args, () => done(Object.assign(new Error("no"), { code: "EIO" })));
  };

interface Situation {
  /** Bytes of the body go by the kernel: all of them, some, or none. */
  native: "all" | "some" | "none";
  play: Play;
  text?: string;
  /** The client reads nothing until this is over. */
  held?: boolean;
  /** And then it goes away. */
  leaves?: boolean;
  /** How much arrives is a matter of time. */
  loose?: boolean;
  /** Without it there is nothing to play. */
  needs?: Difference;
}

const plain =
  (name: string, length: number, options?: object): Play =>
  (_req, res, log) => {
    const stream = source(log, name, options);
    stream.pipe(target(log, res, length));
    res.on("close", () => state(log, stream, res));
  };

const situations: Record<string, Situation> = {
  "a whole file": { native: "all", play: plain("odd", 70_001) },
  "a small file": { native: "all", play: plain("page", 4096) },
  "a large file": { native: "some", play: plain("big", BIG) },
  "a range": { native: "all", play: plain("odd", 100, { start: 4097, end: 4196 }) },
  "a start": { native: "all", play: plain("odd", 69_001, { start: 1000 }) },
  "an end": { native: "all", play: plain("odd", 10, { end: 9 }) },
  "an end past the end": { native: "all", play: plain("odd", 70_001, { end: 99_999 }) },
  "a range of a large file, unaligned": { native: "some", play: plain("big", BIG - 8, { start: 5, end: BIG - 4 }) },
  "a small highWaterMark": { native: "all", play: plain("page", 4096, { highWaterMark: 10 }) },
  "emitClose: false": { native: "all", play: plain("odd", 70_001, { emitClose: false }) },
  "an empty file": { native: "none", play: plain("empty", 0) },
  "an empty range": { native: "none", play: plain("page", 0, { start: 5000, end: 6000 }) },
  "/proc": {
    native: "none",
    play: (_req, res, log) => {
      const stream = createReadStream("/proc/version");
      watched(log, stream);
      stream.pipe(target(log, res, fs.readFileSync("/proc/version").length));
      res.on("close", () => state(log, stream, res));
    },
  },
  HEAD: { native: "none", text: request("/", [], "HEAD"), play: plain("odd", 70_001) },
  "HTTP/1.0": { native: "all", text: "GET / HTTP/1.0\r\n\r\n", play: plain("odd", 70_001) },
  pipelined: {
    native: "some",
    text: `GET / HTTP/1.1\r\nHost: x\r\n\r\n${request("/2")}`,
    play: (req, res, log) => plain("odd", 70_001)(req, res, req.url === "/" ? log : []),
  },
  "autoClose: false": {
    native: "all",
    play: (_req, res, log) => {
      const stream = source(log, "odd", { autoClose: false });
      stream.pipe(target(log, res, 70_001));
      res.on("close", () => {
        state(log, stream, res);
        const { fd } = stream as unknown as { fd: number };
        log.push(typeof fd, fs.readSync(fd, Buffer.alloc(8)));
        fs.closeSync(fd);
      });
    },
  },
  "end: false": {
    native: "all",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      stream.pipe(target(log, res, 70_001), { end: false });
      stream.on("end", () => {
        log.push(res.writableEnded);
        setImmediate(() => res.end());
      });
      res.on("close", () => state(log, stream, res));
    },
  },
  "end: false, and more said after it": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      stream.pipe(target(log, res, 70_005), { end: false });
      stream.on("end", () => res.end("tail"));
      res.on("close", () => state(log, stream, res));
    },
  },
  "something said before": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      target(log, res, 70_005).write("head");
      stream.pipe(res);
      res.on("close", () => state(log, stream, res));
    },
  },
  "headers set when the file is open": {
    native: "all",
    play: async (_req, res, log) => {
      const stream = source(log, "odd");
      watch(log, "target", res, TARGET);
      res.on("close", () => state(log, stream, res));
      stream.pipe(res);
      await once(stream, "open");
      res.setHeader("Content-Length", 70_001);
    },
  },
  "headers set by a 'pipe' listener": {
    native: "all",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      res.on("pipe", () => res.setHeader("Content-Length", 70_001));
      stream.pipe(res);
      res.on("close", () => state(log, stream, res));
    },
  },
  "a 'pipe' listener that throws": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      res.on("pipe", () => {
        throw new Error("no");
      });
      try {
        stream.pipe(target(log, res, 2));
      } catch (error) {
        log.push(String(error));
      }
      stream.unpipe(res);
      stream.destroy();
      res.on("close", () => state(log, stream, res));
      stream.on("close", () => res.end("no"));
    },
  },
  "writeHead, and flushHeaders": {
    native: "some",
    play: (_req, res, log) => {
      watch(log, "target", res, TARGET);
      res.writeHead(200, { "Content-Length": 70_001 });
      res.flushHeaders();
      const stream = source(log, "odd");
      stream.pipe(res);
      res.on("close", () => state(log, stream, res));
    },
  },
  "writeHead replaced": {
    native: "all",
    play: (req, res, log) => {
      const { writeHead } = res;
      res.writeHead = ((...args: [number]) => {
        log.push("writeHead");
        res.setHeader("X-Late", "1");
        return writeHead.apply(res, args);
      }) as never;
      plain("odd", 70_001)(req, res, log);
    },
  },
  chunked: {
    native: "some",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      stream.pipe(res);
      res.on("close", () => state(log, stream, res));
    },
    loose: true, // its chunks may be larger: chunked.test.ts has each of them
  },
  "another length": {
    native: "none",
    play: (req, res, log) => plain("odd", 70_000)(req, res, log),
    loose: true,
  },
  "no file": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "none");
      stream.pipe(target(log, res, 5));
      stream.on("error", () => {
        log.push(res.headersSent);
        res.statusCode = 404;
        res.end("none!");
      });
      res.on("close", () => state(log, stream, res));
    },
  },
  "a folder": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, ".");
      stream.pipe(target(log, res, 4096));
      stream.on("error", () => {
        log.push(res.headersSent);
        res.statusCode = 500;
        res.setHeader("Content-Length", 2);
        res.end("no");
      });
      res.on("close", () => state(log, stream, res));
    },
  },
  "a 'data' listener before": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      let seen = 0;
      stream.on("data", (part) => (seen += part.length));
      stream.pipe(target(log, res, 70_001));
      res.on("close", () => log.push(seen));
    },
  },
  "a 'data' listener after": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      let seen = 0;
      stream.pipe(target(log, res, 70_001));
      stream.on("open", () => stream.on("data", (part) => (seen += part.length)));
      res.on("close", () => log.push(seen));
    },
  },
  "a 'data' listener in the middle": {
    native: "some",
    held: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      const before = stream.bytesRead;
      let seen = -stream.readableLength; // read already, and yet to come as 'data'
      stream.on("data", (part) => (seen += part.length));
      res.on("close", () => log.push(before + seen === BIG || before + seen));
    },
  },
  setEncoding: {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "big");
      stream.setEncoding("latin1");
      stream.pipe(target(log, res, BIG));
      res.on("close", () => state(log, stream, res));
    },
  },
  "a transform in between": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      const transform = new Transform({ transform: (part, _, done) => done(null, part) });
      stream.pipe(transform).pipe(target(log, res, 70_001));
      res.on("close", () => state(log, stream, res));
    },
  },
  "two pipes": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      const other = new PassThrough();
      let seen = 0;
      other.on("data", (part) => (seen += part.length));
      stream.pipe(target(log, res, 70_001));
      stream.pipe(other);
      res.on("close", () => log.push(seen));
    },
  },
  "a second pipe in the middle": {
    native: "some",
    held: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      const before = stream.bytesRead - stream.readableLength;
      const other = new PassThrough();
      let seen = 0;
      other.on("data", (part) => (seen += part.length));
      stream.pipe(other);
      res.on("close", () => log.push(before + seen === BIG || before + seen));
    },
  },
  "reading has begun": {
    native: "none",
    play: async (_req, res, log) => {
      const stream = source(log, "odd");
      await once(stream, "readable");
      const part = stream.read(10) as Buffer;
      res.setHeader("Content-Length", 70_001);
      res.write(part);
      stream.pipe(res);
      res.on("close", () => state(log, stream, res));
    },
  },
  "a 'readable' listener": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      stream.on("readable", () => {
        for (let part = stream.read(); part !== null; part = stream.read()) res.write(part);
      });
      target(log, res, 70_001);
      stream.on("end", () => res.end());
      res.on("close", () => state(log, stream, res));
    },
  },
  "for await": {
    native: "none",
    play: async (_req, res, log) => {
      const stream = source(log, "odd");
      target(log, res, 70_001);
      for await (const part of stream) res.write(part);
      res.end();
      state(log, stream);
    },
  },
  "pause and resume": {
    native: "some",
    held: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      stream.pause();
      log.push(stream.isPaused(), stream.readableFlowing);
      setTimeout(() => stream.resume(), 5);
      res.on("close", () => state(log, stream, res));
    },
  },
  "unpipe in the middle, and pipe again": {
    native: "some",
    held: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      stream.unpipe(res);
      log.push(stream.readableFlowing, stream.destroyed);
      setTimeout(() => stream.pipe(res), 5);
      res.on("close", () => state(log, stream, res));
    },
  },
  "destroy in the middle": {
    native: "some",
    held: true,
    loose: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      stream.destroy();
      await once(stream, "close");
      log.push(stream.destroyed, stream.readableEnded, res.writableEnded, res.destroyed);
      res.destroy();
    },
  },
  "destroy with an error in the middle": {
    native: "some",
    held: true,
    loose: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      stream.destroy(Object.assign(new Error("no"), { code: "NO" }));
      stream.on("close", () => {
        log.push(stream.destroyed, stream.readableEnded, res.writableEnded, res.destroyed);
        res.destroy();
      });
    },
  },
  "a signal in the middle": {
    native: "some",
    held: true,
    loose: true,
    play: async (_req, res, log) => {
      const controller = new AbortController();
      const stream = source(log, "big", { signal: controller.signal });
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      controller.abort();
      stream.on("close", () => res.destroy());
    },
  },
  "the response destroyed in the middle": {
    native: "some",
    held: true,
    loose: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      res.destroy();
      await once(res, "close");
      log.push(stream.destroyed, stream.readableFlowing, stream.listenerCount("data"));
      stream.destroy();
    },
  },
  "the client gone in the middle": {
    native: "some",
    held: true,
    leaves: true,
    loose: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      res.on("close", () => {
        log.push(stream.destroyed, stream.readableFlowing, stream.listenerCount("data"), res.writableFinished);
        stream.destroy();
      });
      await begun(stream);
    },
  },
  "pipeline, and the client gone in the middle": {
    native: "some",
    held: true,
    leaves: true,
    loose: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      pipeline(stream, target(log, res, BIG), (error) => log.push(`pipeline ${error?.code}`, stream.destroyed));
      await begun(stream);
    },
  },
  pipeline: {
    native: "all",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      pipeline(stream, target(log, res, 70_001), (error) => {
        log.push(`pipeline ${error?.code}`);
        state(log, stream, res);
      });
    },
  },
  "pipeline of a large range": {
    native: "some",
    play: (_req, res, log) => {
      const stream = source(log, "big", { start: 3 });
      pipeline(stream, target(log, res, BIG - 3), (error) => log.push(`pipeline ${error?.code}`));
    },
  },
  "pipeline of no file": {
    native: "none",
    play: (_req, res, log) => {
      pipeline(source(log, "none"), target(log, res, 1), (error) => log.push(`pipeline ${error?.code}`));
    },
  },
  "pipeline, promised": {
    native: "all",
    play: async (_req, res, log) => {
      const stream = source(log, "odd");
      await pipelinePromise(stream, target(log, res, 70_001));
      log.push("done");
      state(log, stream, res);
    },
  },
  "pipeline, promised, end: false": {
    native: "all",
    play: async (_req, res, log) => {
      await pipelinePromise(source(log, "odd"), target(log, res, 70_001), { end: false });
      log.push("done", res.writableEnded);
      res.end();
    },
  },
  "pipeline, promised, with a signal in the middle": {
    native: "some",
    held: true,
    loose: true,
    play: async (_req, res, log) => {
      const controller = new AbortController();
      const stream = source(log, "big");
      const done = pipelinePromise(stream, target(log, res, BIG), { signal: controller.signal });
      done.catch((error) => log.push(`pipeline ${error.code}`));
      await begun(stream);
      controller.abort();
    },
  },
  "pipeline through a transform": {
    native: "none",
    play: (_req, res, log) => {
      pipeline(source(log, "odd"), new PassThrough(), target(log, res, 70_001), (error) => log.push(`${error?.code}`));
    },
  },
  "an fd": {
    native: "none",
    play: (_req, res, log) => {
      const stream = createReadStream("", { fd: fs.openSync(file("odd"), "r"), start: 1 });
      watched(log, stream);
      stream.pipe(target(log, res, 70_000));
      res.on("close", () => state(log, stream, res));
    },
  },
  "a FileHandle": {
    native: "none",
    play: async (_req, res, log) => {
      const stream = (await open(file("odd"))).createReadStream();
      watched(log, stream);
      stream.pipe(target(log, res, 70_001));
      res.on("close", () => state(log, stream, res));
    },
  },
  "an fs of its own": { native: "none", play: plain("odd", 70_001, { fs: { ...fs } }) },
  "push replaced": {
    native: "none",
    play: (_req, res, log) => {
      class Upper extends fs.ReadStream {
        override push(part: Buffer | null): boolean {
          return super.push(part && Buffer.from(part.toString().toUpperCase()));
        }
      }
      const stream = Reflect.construct(Upper, [file("big"), { start: 0, end: 99 }]) as fs.ReadStream;
      stream.pipe(target(log, res, 100));
      res.on("close", () => state(log, stream, res));
    },
  },
  "write replaced": {
    native: "none",
    play: (_req, res, log) => {
      const { write } = res;
      let seen = 0;
      res.write = ((part: Buffer) => {
        seen += part.length;
        return (write as (part: Buffer) => boolean).call(res, part);
      }) as never;
      source(log, "odd").pipe(target(log, res, 70_001));
      res.on("close", () => log.push(seen));
    },
  },
  "a file that grows in the middle": {
    native: "some",
    held: true,
    play: async (_req, res, log) => {
      fs.copyFileSync(file("big"), file("grows"));
      const stream = createReadStream(file("grows"), { end: BIG - 1 });
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      fs.appendFileSync(file("grows"), "more");
      res.on("close", () => state(log, stream, res));
    },
  },
  "a file that shrinks in the middle": {
    native: "some",
    held: true,
    loose: true,
    play: async (_req, res, log) => {
      fs.copyFileSync(file("big"), file("shrinks"));
      const stream = createReadStream(file("shrinks"));
      watched(log, stream);
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      fs.truncateSync(file("shrinks"), 16);
    },
  },
  "fs.read replaced": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "big", { end: 99_999 });
      stream.pipe(target(log, res, 100_000));
      replaced(stream, "read", upper);
      res.on("close", () => state(log, stream, res));
    },
  },
  "fs.read replaced in the middle": {
    native: "some",
    held: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      let left = Number.NaN;
      replaced(stream, "read", (read) => (...args) => {
        if (Number.isNaN(left)) left = BIG - stream.bytesRead;
        const done = args.pop() as (error: Error | null, bytes: number, buffer: Buffer) => void;
        read(...args, (error: Error | null, bytes: number, buffer: Buffer) => {
          left -= bytes;
          done(error, bytes, buffer);
        });
      });
      res.on("close", () => log.push(left === 0 || left));
    },
  },
  "fs.read fails in the middle": {
    native: "some",
    held: true,
    loose: true,
    play: async (_req, res, log) => {
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      stream.on("error", () => res.destroy());
      await begun(stream);
      replaced(stream, "read", failing);
    },
  },
  "fs.open replaced": {
    native: "all",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      replaced(stream, "open", (open) => (...args) => {
        log.push("fs.open");
        open(...args);
      });
      stream.pipe(target(log, res, 70_001));
      res.on("close", () => state(log, stream, res));
    },
  },
  "fs.open fails": {
    native: "none",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      replaced(
        stream,
        "open",
        () =>
          (...args) =>
            (args.pop() as (error: Error) => void)(new Error("no")),
      );
      stream.on("error", () => res.end("no"));
      stream.pipe(target(log, res, 2));
    },
  },
  "fs.close replaced, and it fails": {
    native: "all",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      replaced(stream, "close", failing);
      stream.pipe(target(log, res, 70_001));
      res.on("close", () => state(log, stream));
    },
  },
  "a method of the socket's handle replaced": {
    native: "none",
    needs: "fd of a response",
    play: (_req, res, log) => {
      let seen = 0;
      const { _handle } = res.socket as unknown as { _handle: Record<string, Method> };
      const { writeBuffer } = _handle;
      _handle.writeBuffer = function (this: unknown, ...args) {
        seen += (args[1] as Buffer).length;
        return writeBuffer?.apply(this, args);
      };
      const stream = source(log, "big", { start: 7 });
      stream.pipe(target(log, res, BIG - 7));
      res.on("close", () => log.push(seen > 0));
    },
  },
  "a method of the socket replaced in the middle": {
    native: "some",
    needs: "fd of a response",
    held: true,
    play: async (_req, res, log) => {
      const socket = res.socket as net.Socket & { _writeGeneric: Method };
      const stream = source(log, "big");
      stream.pipe(target(log, res, BIG));
      await begun(stream);
      const { _writeGeneric } = socket;
      let left = Number.NaN;
      socket._writeGeneric = function (this: unknown, ...args) {
        if (Number.isNaN(left)) left = BIG - stream.bytesRead + stream.readableLength + socket.writableLength;
        const [writev, data] = args as [boolean, Buffer | { chunk: Buffer }[]];
        left -= writev ? (data as { chunk: Buffer }[]).reduce((sum, { chunk }) => sum + chunk.length, 0) : data.length;
        return _writeGeneric.apply(this, args);
      };
      res.on("close", () => log.push(left));
    },
  },
  "the synchronous methods of fs replaced": {
    native: "all",
    play: (_req, res, log) => {
      const stream = source(log, "odd");
      const { fstatSync, closeSync } = fs;
      fs.fstatSync = fs.closeSync = () => {
        throw new Error("no");
      };
      stream.on("close", () => Object.assign(fs, { fstatSync, closeSync }));
      stream.pipe(target(log, res, 70_001));
    },
  },
};

async function play({ play, text = request("/"), held, leaves }: Situation): Promise<[Log, Buffer]> {
  const log: Log = [];
  let over: Promise<unknown> = Promise.resolve();
  const ended: Promise<unknown>[] = [];
  const at = await site((req, res) => {
    ended.push(once(res, "close").catch(() => {}));
    over = Promise.resolve(play(req, res, log));
  });
  let bytes: Buffer;
  if (held) {
    const socket = net.connect(at.port, "127.0.0.1");
    socket.on("error", () => {});
    const asked = once(at.server, "request");
    socket.write(text);
    await asked;
    await over;
    const parts: Buffer[] = [];
    if (leaves) socket.destroy();
    else socket.on("data", (part: Buffer) => parts.push(part));
    if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
    bytes = Buffer.concat(parts);
  } else bytes = await exchange(at.port, text);
  await Promise.all(ended);
  await over;
  await closed();
  await at.close();
  return [log, bytes];
}

const hash = (bytes: Buffer) => createHash("sha256").update(undated(bytes)).digest("hex");

for (const [name, situation] of Object.entries(situations)) {
  const lacking = situation.needs === undefined ? null : lacks(situation.needs);
  test.unless(lacking ?? (shared.sys === null ? copied : null), name, async () => {
    const [want, wanted] = await within(play(situation), `${name}, without`);
    const reasons: (string | null)[] = [];
    const undo = install(shared, (reason) => reasons.push(reason));
    let [[log, got], moved]: [[Log, Buffer], number] = [[[], Buffer.alloc(0)], 0];
    // A system short of memory may have dropped the file's pages: what the pool has read is warm the next time.
    for (let tries = 0; tries < 10; tries++) {
      [[log, got], moved] = await counting(() => within(play(situation), `${name}, with`));
      if (!bodies || situation.native === "none" || moved >= parse(got).body.length) break;
      if (situation.native === "some" && moved > 0) break;
    }
    undo();
    assert.equal(sorted(log), sorted(want));
    if (!situation.loose) {
      assert.is(got.length, wanted.length);
      assert.is(hash(got), hash(wanted));
    }
    const native = bodies ? situation.native : "none";
    if (native === "none") assert.is(moved, 0);
    else if (native === "all") {
      // The header goes by itself where this turn of the loop has no time left.
      const { body } = parse(got);
      assert.ok(moved === got.length || moved === body.length, `by the kernel: ${moved}; ${reasons}`);
    } else assert.ok(moved > 0, `by the kernel: ${moved}; ${reasons}`);
  });
}

natively("a pair that the kernel can't serve goes on in the old way, and is not asked again", async () => {
  const sys = shared.sys as NonNullable<typeof shared.sys>;
  const { sendfile } = sys;
  let calls = 0;
  let moved = 0;
  sys.sendfile = (out, fd, offset, count) => {
    if (calls++ > 0) return -Fault.Unsupported;
    moved = sendfile(out, fd, offset, Math.min(count, 5000));
    return moved;
  };
  const undo = install(shared, () => {});
  let got = Buffer.alloc(0) as Buffer;
  try {
    // A system short of memory may have dropped the file's pages: then the pool reads it, and the kernel is not asked.
    for (let tries = 0; calls === 0 && tries < 20; tries++) {
      [, got] = await play({ native: "some", play: plain("256k", 256 * 1024) });
    }
  } finally {
    undo();
    sys.sendfile = sendfile;
  }
  assert.is(moved, 5000);
  assert.is(calls, 2);
  assert.ok(got.subarray(got.indexOf("\r\n\r\n") + 4).equals(fs.readFileSync(file("256k"))));
});

// Sockets.

const onSocket: Record<string, [native: boolean | "if written", play: (socket: net.Socket, log: Log) => unknown]> = {
  "a whole file": [
    true,
    (socket, log) => {
      const stream = source(log, "odd");
      watch(log, "target", socket, TARGET);
      stream.pipe(socket);
      socket.on("close", () => {
        state(log, stream);
        log.push(socket.bytesWritten, socket.writableFinished);
      });
    },
  ],
  "a large file by pipeline": [
    true,
    (socket, log) => {
      pipeline(source(log, "big"), socket, (error) => log.push(`${error?.code}`, socket.bytesWritten));
    },
  ],
  "between two writes": [
    "if written",
    (socket, log) => {
      const stream = source(log, "odd");
      socket.write("before ");
      stream.pipe(socket, { end: false });
      stream.on("end", () => socket.end(" after"));
      socket.on("close", () => log.push(socket.bytesWritten));
    },
  ],
  "a write in the middle of the first turn": [
    "if written",
    (socket, log) => {
      const stream = source(log, "odd");
      stream.pipe(socket);
      stream.on("ready", () => socket.write("first"));
      socket.on("close", () => log.push(socket.bytesWritten));
    },
  ],
  "a corked socket": [
    false,
    (socket, log) => {
      const stream = source(log, "page");
      socket.cork();
      stream.pipe(socket, { end: false });
      stream.on("end", () => {
        socket.uncork();
        socket.end();
      });
      socket.on("close", () => log.push(socket.bytesWritten));
    },
  ],
  "a 'drain' listener": [
    false,
    (socket, log) => {
      socket.on("drain", () => {});
      source(log, "odd").pipe(socket);
    },
  ],
  "_writeGeneric replaced": [
    false,
    (socket, log) => {
      const inner = socket as unknown as { _writeGeneric?: Method };
      const { _writeGeneric } = inner;
      inner._writeGeneric = function (this: unknown, ...args) {
        log.push("written");
        return _writeGeneric?.apply(this, args);
      };
      source(log, "page").pipe(socket);
    },
  ],
  "write replaced": [
    false,
    (socket, log) => {
      const { write } = socket;
      let seen = 0;
      socket.write = ((part: Buffer) => {
        seen += part.length;
        return (write as (part: Buffer) => boolean).call(socket, part);
      }) as never;
      source(log, "odd").pipe(socket as Writable);
      socket.on("close", () => log.push(seen));
    },
  ],
};

for (const [name, [native, play]] of Object.entries(onSocket)) {
  test.unless(copied, `socket: ${name}`, async () => {
    const run = async (): Promise<[Log, Buffer]> => {
      const log: Log = [];
      const server = net.createServer((socket) => {
        gone = once(socket, "close");
        play(socket, log);
      });
      let gone: Promise<unknown> = Promise.resolve();
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const bytes = await within(exchange((server.address() as net.AddressInfo).port, ""), name);
      await gone;
      await closed();
      server.close();
      return [log, bytes];
    };
    const [want, wanted] = await run();
    const undo = install(shared, () => {});
    const [[log, got], moved] = await counting(run).finally(undo);
    assert.equal(sorted(log), sorted(want));
    assert.is(hash(got), hash(wanted));
    if (native !== "if written") assert.is(moved > 0, native);
    else if (lacks("a write that is over at once") === null) assert.ok(moved > 0);
  });
}

// Whole programs: test/fixtures/serve.mjs and replaced.mjs.

interface Program {
  name?: string;
  env?: NodeJS.ProcessEnv;
  served?: string;
}

async function run(
  how: string,
  { name = "serve.mjs", env = {}, served = "odd" }: Program = {},
): Promise<{ stdout: string; stderr: string }> {
  const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url));
  const modules = [fixture("reads.mjs"), fileURLToPath(new URL("../host/register/index.js", import.meta.url))];
  // Bun finds no URL whose path has a space.
  const [reads, register] = runtime === "bun" ? modules : modules.map((path) => pathToFileURL(path).href);
  const child = spawn(
    process.execPath,
    [...RUN, IMPORT, reads as string, IMPORT, register as string, fixture(name), file(served), how],
    {
      env: { ...process.env, NODE_NO_WARNINGS: "1", SENDOFF_DEBUG: "", SENDOFF_MODE: "", ...env },
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (part) => (stdout += part));
  child.stderr.on("data", (part) => (stderr += part));
  const [code] = await within(once(child, "close"), how).finally(() => child.kill("SIGKILL"));
  assert.is(code, 0, stderr);
  return { stdout: stdout.trim(), stderr };
}

const lengths = (n: number) => Array.from({ length: n }, () => 70_001).join();

test.unless(copied ?? noNowait, "--import: no changed line, and no read", async () => {
  assert.equal(await run("plain"), { stdout: `${lengths(2)} not read`, stderr: "" });
});

const alone = lacks("workers that import what the primary does") ?? copied ?? noNowait;
test.unless(alone, "--import reaches the workers of a cluster", async () => {
  assert.equal(await run("cluster"), { stdout: `${lengths(2)} not read`, stderr: "" });
});

natively("--import: what is built on send needs no stream", async () => {
  assert.equal(await run("send"), { stdout: `${lengths(2)} not read 0 streams`, stderr: "" });
  assert.equal(await run("send", { env: { SENDOFF_MODE: "copy" } }), {
    stdout: `${lengths(2)} read 2 streams`,
    stderr: "",
  });
});

test("each copy of send is told of once, and no other module", () => {
  const require = createRequire(import.meta.url);
  const told: unknown[] = [];
  const undo = copies((send) => told.push(send));
  const send = require("send");
  require("send");
  require("uvu");
  require(require.resolve("send"));
  undo();
  require("send");
  const watched = lacks("a loader that can be watched") === null;
  assert.is(told.length, watched ? 1 : 0);
  if (watched) assert.is(told[0], send);
});

test("another package of send's name is not called", () => {
  const folder = path.join(root, "node_modules", "send");
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(
    path.join(folder, "index.js"),
    "module.exports = async function send() { throw new Error('sent') };\n",
  );
  const told: unknown[] = [];
  const undo = copies((send) => told.push(send));
  const stranger = createRequire(path.join(root, "app.js"))("send");
  undo();
  assert.type(stranger, "function");
  assert.is(told.length, 0);
});

natively(
  "a header that was held back for the file's first bytes goes without them where these have to be read",
  async () => {
    // For good; and once, where the socket is full and then the disk cold.
    const judges: ((call: Call, nth: number) => Verdict)[] = [
      ({ name }) => (name === "sendfile" ? "EINVAL" : null),
      ({ name }, nth) => ((name === "sendfile" && nth === 1) || (name === "read" && nth === 2) ? "EAGAIN" : null),
    ];
    for (const [i, judge] of judges.entries()) {
      const own = faultyHost({
        judge: (call) => judge(call, own.calls.filter(({ name }) => name === call.name).length),
      });
      const { uncork } = own.sys;
      let uncorked = 0;
      own.sys.uncork = (fd) => {
        uncorked++;
        uncork(fd);
      };
      const got = await pipedBy(own);
      assert.ok(got.body.equals(fs.readFileSync(file("odd"))));
      assert.is(uncorked, 1, `${i}`);
    }
  },
);

natively("a header of which the kernel took a part goes on from there", async () => {
  const own = faultyHost({
    judge: ({ name }) => {
      if (name !== "send") return null;
      const nth = own.calls.filter(({ name }) => name === "send").length;
      return nth === 1 ? { atMost: 10 } : nth === 2 ? "EAGAIN" : null;
    },
  });
  const got = await pipedBy(own);
  assert.is(got.status, "HTTP/1.1 200 OK");
  assert.ok(got.body.equals(fs.readFileSync(file("odd"))));
});

/** An answer that is piped on a host of its own. */
async function pipedBy(own: FaultyHost): Promise<ReturnType<typeof parse>> {
  const undo = install(own.shared, () => {});
  const at = await site((_req, res) => {
    res.setHeader("Content-Length", 70_001);
    createReadStream(file("odd")).pipe(res);
  });
  try {
    return parse(await within(exchange(at.port, request("/")), "the answer"));
  } finally {
    await at.close();
    undo();
  }
}

natively("a clock that stands still stops nothing", async () => {
  const undo = install(shared, () => {});
  const at = await site((_req, res) => {
    res.setHeader("Content-Length", BIG);
    createReadStream(file("big")).pipe(res);
  });
  const { setImmediate } = globalThis;
  globalThis.setImmediate = (() => {}) as never;
  try {
    for (let i = 0; i < 2; i++) {
      assert.is(parse(await within(exchange(at.port, request("/")), "the body")).body.length, BIG);
      await within(new Promise((resolve) => fs.stat(file("big"), resolve)), "stat");
    }
  } finally {
    globalThis.setImmediate = setImmediate;
    undo();
  }
  await at.close();
});

const bound = copied ?? lacks("a bound of what the kernel holds unsent");
const aLongPipe = "a long pipe bounds what the kernel holds unsent, and its socket is as before at the end";
test.unless(bound, aLongPipe, async () => {
  const sys = shared.sys as NonNullable<typeof shared.sys>;
  const { limit } = sys;
  let set = new Map<number, number>();
  sys.limit = (fd, bytes) => {
    set.set(fd, bytes);
    return limit?.(fd, bytes) ?? false;
  };
  const undo = install(shared, () => {});
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    for (const way of ["to the end", "destroyed"]) {
      set = new Map();
      const far = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
      const [near] = (await once(server, "connection")) as [net.Socket];
      const stream = createReadStream(file("big"));
      stream.pipe(near, { end: false });
      await begun(stream);
      if (way === "destroyed") stream.destroy();
      far.resume();
      await within(once(stream, "close"), way);
      assert.equal([...set.values()], [0], way);
      near.destroy();
      far.destroy();
    }
  } finally {
    undo();
    Object.assign(sys, { limit });
    server.close();
  }
});

test.unless(lacks("the async context of a pipe"), "a pipe ends in the async context of its request", async () => {
  const als = new AsyncLocalStorage<number>();
  const seen: string[] = [];
  let n = 0;
  const undo = install(shared, () => {});
  const at = await site((_req, res) => {
    const id = n++;
    als.run(id, () => {
      res.setHeader("Content-Length", BIG);
      const stream = createReadStream(file("big"));
      const check = (what: string) => () => seen.push(als.getStore() === id ? what : `${what} of ${als.getStore()}`);
      stream.on("end", check("end"));
      res.on("finish", check("finish"));
      stream.pipe(res);
    });
  });
  const get = () => exchange(at.port, request("/"));
  await within(Promise.all([get(), get(), get(), get(), get(), get()]), "six bodies").finally(undo);
  await at.close();
  assert.equal(seen.sort(), [...Array(6).fill("end"), ...Array(6).fill("finish")]);
});

natively("fs.stat of a file that was piped before says the same, and in a later turn", async () => {
  const undo = install(shared, () => {});
  try {
    await play({ native: "all", play: plain("page", 4096) });
    const order: string[] = [];
    const asked = new Promise<fs.Stats>((resolve, reject) => {
      fs.stat(file("page"), (error, stat) => {
        order.push("told");
        if (error) reject(error);
        else resolve(stat);
      });
      order.push("asked");
    });
    const stat = await within(asked, "stat");
    assert.equal(order, ["asked", "told"]);
    assert.ok(stat instanceof fs.Stats);
    // The access time may have moved meanwhile.
    const fixed = ({ atimeMs, atime, ...rest }: fs.Stats) => ({ ...rest });
    assert.equal(fixed(stat), fixed(fs.statSync(file("page"))));

    const { bigint } = await new Promise<{ bigint: fs.BigIntStats }>((resolve, reject) =>
      fs.stat(file("page"), { bigint: true }, (error, bigint) => (error ? reject(error) : resolve({ bigint }))),
    );
    assert.is(bigint.size, 4096n);
    const before = descriptors();
    fs.renameSync(file("page"), file("moved"));
    const gone = await new Promise<NodeJS.ErrnoException | null>((resolve) => fs.stat(file("page"), resolve));
    assert.is(gone?.code, "ENOENT");
    fs.mkdirSync(file("page"));
    const folder = await new Promise<fs.Stats>((resolve) => fs.stat(file("page"), (_error, stat) => resolve(stat)));
    assert.ok(folder.isDirectory());
    fs.rmdirSync(file("page"));
    fs.renameSync(file("moved"), file("page"));
    assert.is(descriptors(), before);
    const wrong = (error: Error) => (error as NodeJS.ErrnoException).code === "ERR_INVALID_ARG_TYPE";
    assert.throws(() => fs.stat(1 as never, () => {}), wrong);
    assert.throws(() => fs.stat(file("page"), undefined as never), wrong);
  } finally {
    undo();
  }
});

const ticks = copied ?? lacks("ticks between callbacks");
test.unless(ticks, "ticks and microtasks run between what several streams and fs.stat say", async () => {
  const told = async (): Promise<string[]> => {
    const log: string[] = [];
    const say = (what: string) => () => {
      log.push(what);
      process.nextTick(() => log.push(`${what}, tick`));
      queueMicrotask(() => log.push(`${what}, microtask`));
    };
    await Promise.all(
      [1, 2, 3].map(
        (i) =>
          new Promise<void>((resolve) => {
            fs.stat(file("page"), () => {
              say(`stat ${i}`)();
              resolve();
            });
          }),
      ),
    );
    await Promise.all(
      [1, 2, 3].map(async (i) => {
        const stream = watched([], createReadStream(file("page")));
        stream.on("open", say(`open ${i}`));
        await once(stream, "ready");
        stream.destroy();
      }),
    );
    await closed();
    return log;
  };
  const plainly = await told();
  const undo = install(shared, () => {});
  try {
    await play({ native: "all", play: plain("page", 4096) });
    assert.equal((await told()).sort(), [...plainly].sort());
    const log = await told();
    for (let i = 1; i < log.length; i += 3) {
      const [what] = (log[i - 1] as string).split(",");
      assert.equal([log[i], log[i + 1]], [`${what}, tick`, `${what}, microtask`], log.join("; "));
    }
  } finally {
    undo();
  }
});

natively("who asks fs.stat again and again leaves the event loop to others", async () => {
  const undo = install(shared, () => {});
  try {
    await play({ native: "all", play: plain("page", 4096) });
    let over = false;
    const again = (): void => {
      if (!over) fs.stat(file("page"), again);
    };
    again();
    await new Promise((resolve) => setTimeout(resolve, 1));
    over = true;
  } finally {
    undo();
  }
});

test("SENDOFF_MODE=copy turns it off", async () => {
  assert.equal(await run("plain", { env: { SENDOFF_MODE: "copy" } }), { stdout: `${lengths(2)} read`, stderr: "" });
});

const ownHandles = copied ?? lacks("a handle as Node's");
test.unless(ownHandles, "a write method replaced for all sockets, before any was piped to, is called", async () => {
  const { stdout, stderr } = await run("handle", { env: { SENDOFF_DEBUG: "1" } });
  const why = "sendoff: a pipe was left alone: a write method of the socket or its handle was replaced\n";
  assert.equal([stdout, stderr], [`${lengths(2)} read`, why]);
});

test("SENDOFF_DEBUG=1 says why a pipe was left alone, once a reason", async () => {
  const { stdout, stderr } = await run("wrapped", { env: { SENDOFF_DEBUG: "1" } });
  assert.is(stdout, `${lengths(4)} read`);
  const why = "sendoff: a pipe was left alone: res.write was replaced\n";
  if (bodies) assert.is(stderr, `sendoff: a pipe goes by the kernel\n${why}`);
});

natively("SENDOFF_DEBUG=1 says that pipes go by the kernel, once; and why nothing does", async () => {
  const env = { SENDOFF_DEBUG: "1" };
  assert.is((await run("plain", { env })).stderr, "sendoff: a pipe goes by the kernel\n");
  const { stderr } = await run("plain", { env: { ...env, SENDOFF_MODE: "copy" } });
  assert.is(stderr, "sendoff: nothing goes by the kernel: SENDOFF_MODE=copy\n");
});

natively("a large file goes by the kernel, but for its doorbells", async () => {
  const uninstall = install(shared, () => {});
  const at = await site((_req, res) => {
    res.setHeader("Content-Length", BIG);
    createReadStream(file("big")).pipe(res);
  });
  // Where the client is slow one chunk of 64 KiB is read for at least 256 KiB that the kernel moves.
  const enough = BIG * 0.75;
  let moved = 0;
  // Pages that the system dropped meanwhile are read.
  for (let tries = 0; tries < 20 && moved < enough; tries++) {
    [, moved] = await counting(() => within(exchange(at.port, request("/")), "the file"));
  }
  await at.close();
  uninstall();
  assert.ok(moved >= enough, `by the kernel: ${moved} of ${BIG}`);
});

natively("nothing that a program can replace is called on the way of require(), fs.stat and a pipe", async () => {
  for (const [how, served] of [
    ["", "odd"],
    ["", "big"],
    ["chunked", "odd"],
    ["chunked", "big"],
  ]) {
    const got = await run(how, { name: "replaced.mjs", served });
    assert.equal(got, { stdout: "by the kernel", stderr: "" }, `${how} ${served}`);
  }
});

const iterates = copied ?? lacks("callbacks without an iterator of arrays");
test.unless(iterates, "require(), fs.stat and send work where arrays have no iterator", async () => {
  assert.equal(await run("no iterators", { name: "replaced.mjs" }), { stdout: "by the kernel", stderr: "" });
});

test.run();
