// What a transfer is lent (a file, a stream, a signal, a listener) may throw anything at all: null, a revoked Proxy, an
// object whose every property throws. The promise rejects with a SendfileError that has it as its cause, and nothing is left.

import fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { SendfileError, type SendfileOptions } from "sendoff";

import * as assert from "uvu/assert";
import { type RespondOptions, respond } from "../host/http/respond.js";
import { connQueue } from "../host/queue/promise.js";
import { readerSource } from "../host/source/reader.js";
import { sendfile } from "../host/transfer/sendfile.js";
import { until } from "./lib/command.js";
import { faultyHost } from "./lib/faulty.js";
import { fdCount } from "./lib/files.js";
import { BITING, values } from "./lib/hostile.js";
import { suite } from "./lib/suite.js";
import { exchange, folder, request, site, within } from "./lib/web.js";

const test = suite("hostile");
const { root, remove } = folder({ file: 300_000 });
test.after(remove);
const path = `${root}/file`;

const THROWN = [...BITING, ...values(0, "", false, "text")];

const loose: unknown[] = [];
const catchLoose = (error: unknown) => loose.push(error);
test.before(() => void process.on("unhandledRejection", catchLoose).on("uncaughtException", catchLoose));
test.after(() => void process.off("unhandledRejection", catchLoose).off("uncaughtException", catchLoose));

/**
 * That it fails, and with this value as its cause: where that could be taken for none, with an Error that says so.
 * `any`: where it is told by others as well, and they may have made something else of it.
 */
async function told(sending: Promise<unknown>, value: unknown, name: string, any = false): Promise<void> {
  // Whether a raw value was rejected is asked in here: a promise would look for its then().
  const failure = sending.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  const { error } = (await within(failure, name, 10_000)) ?? {};
  assert.ok(is(error), name);
  assert.type(error.message, "string", name);
  assert.type(error.code, "string", name);
  if (any) return;
  if (value) assert.ok(Object.is(error.cause, value), `${name}: another cause`);
  else assert.match(error.message, new RegExp(`^(${value} was thrown|.* \\(${value} was thrown\\))$|^${value}$`), name);
}

function is(error: unknown): error is SendfileError {
  try {
    return error instanceof SendfileError;
  } catch {
    return false;
  }
}

const sink = () => new Writable({ write: (_chunk, _encoding, done) => setImmediate(done) });

interface Lent {
  socket?: unknown;
  file?: unknown;
  options?: SendfileOptions;
}

const handle = (read: () => unknown) => {
  const fd = fs.openSync(path, "r");
  const lent = { fd, read, stat() {} };
  return { lent: lent as unknown as FileHandle, close: () => fs.closeSync(fd) };
};

/** Each lends what throws `thrown`. */
const PLACES: Record<string, (thrown: unknown) => Lent & { close?: () => void }> = {
  "an iterable": (thrown) => ({
    file: {
      [Symbol.asyncIterator]: () => {
        throw thrown;
      },
    },
  }),
  "its iterator": (thrown) => ({ file: { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(thrown) }) } }),
  "its iterator, at once": (thrown) => ({
    file: {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          throw thrown;
        },
      }),
    },
  }),
  "a generator, after a chunk": (thrown) => ({
    file: (async function* () {
      yield Buffer.from("chunk");
      throw thrown;
    })(),
  }),
  "a Blob": (thrown) => ({
    file: Object.assign(new Blob(["bytes"]), {
      slice: () => ({ arrayBuffer: () => Promise.reject(thrown) }),
    }),
  }),
  "read() of a FileHandle": (thrown) => {
    const { lent, close } = handle(() => Promise.reject(thrown));
    return { file: lent, options: { mode: "copy" }, close };
  },
  "read() of a FileHandle, at once": (thrown) => {
    const { lent, close } = handle(() => {
      throw thrown;
    });
    return { file: lent, options: { mode: "copy" }, close };
  },
  "open() of a runtime's file": (thrown) => ({
    file: {
      reader: readerSource({ open: () => Promise.reject(thrown), read: async () => Buffer.alloc(0), fd: () => -1 }),
    },
  }),
  "read() of a runtime's file": (thrown) => ({
    file: { reader: readerSource({ open: () => 5, read: () => Promise.reject(thrown), fd: () => -1 }) },
  }),
  onProgress: (thrown) => ({
    options: {
      onProgress: () => {
        throw thrown;
      },
    },
  }),
  "write() of a Writable": (thrown) => ({
    socket: new Writable({
      write() {
        throw thrown;
      },
    }),
  }),
  "write() of what has no more": (thrown) => ({
    socket: {
      write: () => {
        throw thrown;
      },
      once() {},
    },
  }),
  "once() of what has no more": (thrown) => ({
    socket: {
      write: () => true,
      once: () => {
        throw thrown;
      },
    },
  }),
  "write() of a runtime's connection": (thrown) => ({
    socket: { conn: () => ({ write: () => Promise.reject(thrown), fd: () => -1, closed: () => false }) },
  }),
  "flush() of a runtime's connection": (thrown) => ({
    socket: {
      conn: () => ({
        flush: () => Promise.reject(thrown),
        write: async (bytes: Uint8Array) => bytes.length,
        fd: () => -1,
        closed: () => false,
      }),
    },
  }),
};

/** What each row leaves behind it: nothing. */
async function tidy(drain: (options: object) => Promise<void>): Promise<void> {
  await within(drain({ timeout: 30_000 }), "the end of all"); // none is taken for running
  await until("all to be closed", () => fdCount(path) === 0);
  assert.equal(loose.splice(0).length, 0, "thrown behind our back");
}

for (const [place, lend] of Object.entries(PLACES)) {
  test(`sendfile: ${place}`, async () => {
    // Nothing is in the page cache, so a FileHandle is asked.
    const { shared, drain } = faultyHost({ judge: ({ name }) => (name === "read" ? "EAGAIN" : null) });
    /** A host of a runtime that has files and connections of its own. */
    const own = {
      ...shared,
      source: (file: unknown) => (file as { reader?: never } | null)?.reader ?? null,
      queue: (socket: unknown) => {
        const { conn } = socket as { conn?: never };
        return conn === undefined ? null : connQueue(socket as object, conn);
      },
    };
    for (const { name, make } of THROWN) {
      const value = make();
      const { socket = sink(), file = path, options = {}, close } = lend(value);
      await told(sendfile(own, socket, file, options), value, name);
      close?.();
    }
    await tidy(drain);
  });
}

test("sendfile: the reason of a signal, before and meanwhile", async () => {
  const { shared, drain } = faultyHost();
  for (const { name, make } of THROWN) {
    const value = make();
    const reason = value === undefined ? null : value; // an AbortError stands for undefined
    await told(sendfile(shared, sink(), path, { signal: AbortSignal.abort(reason) }), reason, name, true);
    const stop = new AbortController();
    const sending = sendfile(shared, sink(), path, { signal: stop.signal });
    stop.abort(reason);
    await told(sending, reason, name, true);
  }
  await tidy(drain);
});

test("sendfile: the error that a Writable was destroyed with, or calls back with", async () => {
  const { shared, drain } = faultyHost();
  for (const { name, make } of THROWN) {
    const value = make() as Error;
    if (!value) continue; // no error
    const back = new Writable({ write: (_chunk, _encoding, done) => done(value) });
    await told(sendfile(shared, back, path), value, name);
    const idle = new Writable({ write() {} }).on("error", () => {});
    const sending = sendfile(shared, idle, path);
    try {
      idle.destroy(value);
    } catch {
      idle.destroy(); // Node itself could not look at it
    }
    await told(sending, idle.errored ?? undefined, name, true);
  }
  await tidy(drain);
});

/** Each lends respond() what throws `thrown`: a file or options, and something of the response's. */
const BODIES: Record<string, (res: ServerResponse, thrown: unknown) => { file?: unknown; options?: RespondOptions }> = {
  "an iterable": (_res, thrown) => ({
    file: (async function* () {
      yield Buffer.from("chunk");
      throw thrown;
    })(),
  }),
  "the fd of a FileHandle": (_res, thrown) => {
    let asked = 0;
    const get = () => {
      if (asked++ > 0) throw thrown; // that it is one has been seen
      return 0;
    };
    return { file: Object.defineProperty({ read() {}, stat() {} }, "fd", { get }) };
  },
  onProgress: (_res, thrown) => ({
    options: {
      onProgress: () => {
        throw thrown;
      },
    },
  }),
  "the reason of a signal": (_res, thrown) => ({ options: { signal: AbortSignal.abort(thrown ?? null) } }),
  "write()": (res, thrown) => {
    res.write = () => {
      throw thrown;
    };
    return {};
  },
  "writeHead()": (res, thrown) => {
    res.writeHead = () => {
      throw thrown;
    };
    return {};
  },
  "end()": (res, thrown) => {
    res.end = () => {
      throw thrown;
    };
    return {};
  },
};

for (const [place, lend] of Object.entries(BODIES)) {
  test(`respond: ${place}`, async () => {
    const { shared, drain } = faultyHost();
    for (const { name, make } of THROWN) {
      const value = make();
      let rejected: Promise<unknown> | undefined;
      const at = await site((req, res) => {
        const { file = path, options } = lend(res, value);
        const sending = respond(shared, req, res, file as string, options);
        rejected = told(sending, value, name, true).finally(() => res.destroy());
        rejected.catch(() => {}); // it is awaited below
      });
      await within(exchange(at.port, request("/")), "the end of the response");
      await rejected;
      await at.close();
    }
    await tidy(drain);
  });
}

test.run();
