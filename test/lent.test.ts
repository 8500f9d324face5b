// Bytes that are lent, as header, trailer, file or chunk: of any realm and class, and given away too soon.

import { Writable } from "node:stream";
import vm from "node:vm";
import { capabilities, type Mode, sendfile } from "sendoff";
import * as assert from "uvu/assert";
import { pattern, same } from "./lib/bytes.js";
import { collect, connect, still } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { tempFile } from "./lib/files.js";
import { row, test } from "./lib/suite.js";

const MIB = 1024 * 1024;
const MODES: Mode[] = capabilities().native ? ["native", "copy"] : ["copy"];

/** Bytes whose memory can be given away. */
function lent(text: string): { bytes: Uint8Array<ArrayBuffer>; giveAway(): void } {
  const bytes = new TextEncoder().encode(text);
  return { bytes, giveAway: () => void structuredClone(bytes.buffer, { transfer: [bytes.buffer] }) };
}

/** Bytes whose memory can become shorter; its type is younger than the compiler's. */
function shrinking(): { bytes: Uint8Array; giveAway(): void } {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(length: number): void };
  const buffer = new Resizable(8, { maxByteLength: 8 });
  return { bytes: new Uint8Array(buffer), giveAway: () => buffer.resize(4) };
}

const ENDS = ["header", "trailer"] as const;

row("memory that was given away before the call", async (t) => {
  const { near } = await connect(t);
  const path = tempFile(t, pattern(1000));
  for (const end of ENDS) {
    const { bytes, giveAway } = lent("gone");
    giveAway();
    const error = await failure(sendfile(near, path, { [end]: bytes }));
    assert.instance(error, TypeError);
    assert.is(error.code, "ERR_INVALID_ARG_TYPE");
    assert.match(error.message, new RegExp(`^${end}: `));
  }
  assert.is(near.bytesWritten, 0);
});

for (const mode of MODES) {
  for (const end of ENDS) {
    for (const [how, make] of Object.entries({ transferred: () => lent("12345678"), "made shorter": shrinking })) {
      row(
        `a ${end} that is ${how} while the transfer waits: an error, and no byte of it is sent, ${mode}`,
        async (t) => {
          const before = pattern(4 * MIB);
          const path = tempFile(t, pattern(MIB));
          const { near, far } = await connect(t, { over: "unix" });
          near.write(before);
          const { bytes, giveAway } = make();
          const error = failure(sendfile(near, path, { mode, [end]: bytes }));
          const next = sendfile(near, Buffer.from("next"));
          giveAway();
          near.end("B");
          const all = collect(far);
          const { name, code, message, sent, cause } = await error;
          assert.equal({ name, code, sent }, { name: "SendfileError", code: "ERR_INVALID_ARG_TYPE", sent: 0 });
          assert.match(message, new RegExp(`^${end}: `));
          assert.instance(cause, TypeError);
          assert.is(await next, 4);
          same(await all, Buffer.concat([before, Buffer.from("nextB")]));
        },
      );
    }
  }

  row(`a header that has been sent is the caller's again, a trailer is not, ${mode}`, async (t) => {
    const data = pattern(8 * MIB);
    const path = tempFile(t, data);
    for (const end of ENDS) {
      const { near, far } = await connect(t, { over: "unix" });
      const { bytes, giveAway } = lent("12345678");
      const sending = sendfile(near, path, { mode, [end]: bytes });
      sending.catch(() => {}); // it is awaited below
      await still(() => near.bytesWritten);
      giveAway();
      const all = collect(far);
      if (end === "header") {
        assert.is(await sending, data.length);
        near.end();
        same(await all, Buffer.concat([Buffer.from("12345678"), data]));
      } else {
        const { message, sent } = await failure(sending);
        near.end();
        assert.match(message, /^trailer: /);
        same(await all, data.subarray(0, sent));
      }
    }
  });
}

/** Keeps what it is written, a copy each. */
function sink(written: (chunk: Buffer) => void = () => {}) {
  const chunks: Buffer[] = [];
  const target = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      written(chunk);
      setImmediate(done);
    },
  });
  return { target, chunks, bytes: () => Buffer.concat(chunks) };
}

test("a header that is given away while the file is read", async () => {
  const { bytes, giveAway } = lent("header");
  const { target, chunks } = sink();
  const file = (async function* () {
    giveAway();
    yield Buffer.from("file");
  })();
  const { message } = await failure(sendfile(target, file, { header: bytes }));
  assert.match(message, /^header: /);
  assert.is(chunks.length, 0);
});

test("a file, or a chunk of one, that is given away before all of it was sent", async () => {
  for (const kind of ["bytes", "iterable"]) {
    const { bytes, giveAway } = lent("x".repeat(2 * MIB));
    const file = (async function* () {
      yield bytes;
      assert.unreachable("no chunk is asked for");
    })();
    let first = 0;
    const { target } = sink(({ length }) => {
      if (first === 0) giveAway();
      first ||= length;
    });
    const { message, sent } = await failure(sendfile(target, kind === "bytes" ? bytes : file));
    assert.match(message, /^file: /, kind);
    assert.is(sent, first, kind);
    assert.ok(first > 0 && first < 2 * MIB, kind);
  }
});

class Mine extends Buffer {}
class Liar extends Uint8Array {
  override get length() {
    return 1;
  }
  override get byteLength() {
    return 5;
  }
  override subarray(): never {
    throw new Error("not mine");
  }
}
const foreign = vm.createContext();
const there = (code: string) => vm.runInContext(code, foreign);

/** The bytes of "bytes", as many have them. */
const KINDS: Record<string, () => Uint8Array> = {
  "a Uint8Array of another realm": () => there("Uint8Array.from('bytes', (c) => c.charCodeAt())"),
  "a part of one": () => there("Uint8Array.from('<bytes>', (c) => c.charCodeAt()).subarray(1, 6)"),
  "one over shared memory": () =>
    there(
      "(() => { const b = new Uint8Array(new SharedArrayBuffer(5)); b.set([98, 121, 116, 101, 115]); return b })()",
    ),
  "a class of its own on Buffer": () => Object.setPrototypeOf(Buffer.from("bytes"), Mine.prototype),
  "a class whose methods lie": () => Liar.from(Buffer.from("bytes")),
};
const FILES: Record<string, () => unknown> = {
  "an ArrayBuffer of another realm": () => there("Uint8Array.from('bytes', (c) => c.charCodeAt()).buffer"),
  "a DataView of another realm": () => there("new DataView(Uint8Array.from('bytes', (c) => c.charCodeAt()).buffer)"),
};

test("bytes of another realm, or of a class of their own, are bytes", async () => {
  for (const [kind, make] of Object.entries(KINDS)) {
    const { target, chunks, bytes } = sink();
    const file = (async function* () {
      yield make();
    })();
    const sent = await sendfile(target, file, { header: make(), trailer: make() });
    assert.is(sent, 5, kind);
    assert.is(await sendfile(target, make()), 5, kind);
    assert.is(bytes().toString(), "bytes".repeat(4), kind);
    for (const chunk of chunks) assert.instance(chunk, Buffer);
  }
  for (const [kind, make] of Object.entries(FILES)) {
    const { target, bytes } = sink();
    assert.is(await sendfile(target, make() as ArrayBuffer), 5, kind);
    assert.is(bytes().toString(), "bytes", kind);
  }
});

row("the same over a socket, by the kernel where that can be had", async (t) => {
  const data = pattern(MIB);
  const path = tempFile(t, data);
  for (const [kind, make] of Object.entries(KINDS)) {
    const { near, far } = await connect(t);
    const all = collect(far);
    assert.is(await sendfile(near, path, { header: make(), trailer: make() }), MIB, kind);
    near.end();
    same(await all, Buffer.concat([Buffer.from("bytes"), data, Buffer.from("bytes")]), kind);
  }
});

test.run();
