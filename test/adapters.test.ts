// Connections and files that a runtime lends by promises (connQueue, readerSource): what is asked of them, and when they
// are given back. docs/internals/porting.md has them at work, by the kernel's way too.

import * as assert from "uvu/assert";
import { adapter } from "#process";
import { createHost } from "../host/index.js";
import { type Conn, connQueue } from "../host/queue/promise.js";
import { type Reader, readerSource } from "../host/source/reader.js";
import { wasm } from "../host/wasm.js";
import { pattern, same } from "./lib/bytes.js";
import { until } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { row, test } from "./lib/suite.js";

class Connection {
  constructor(readonly conn: Conn) {}
}
class Document {
  constructor(readonly reader: Reader) {}
}

const { sendfile } = createHost<Connection, Document>(wasm(), {
  ...adapter(),
  queue: (socket) => (socket instanceof Connection ? connQueue(socket, () => socket.conn) : null),
  source: (file) => (file instanceof Document ? readerSource(file.reader) : null),
});
const DATA = pattern(300_001);

/** A connection that takes everything, unless it is said otherwise. */
function connection(parts: Partial<Conn> = {}): Connection {
  return new Connection({ write: async ({ length }) => length, fd: () => -1, closed: () => false, ...parts });
}

row("a connection that takes a part of each write gets the rest, too", async () => {
  const got: Buffer[] = [];
  const near = connection({
    async write(bytes) {
      const part = Buffer.from(bytes.subarray(0, 10_007));
      got.push(part);
      return part.length;
    },
  });
  const header = Buffer.from("<");
  assert.is(await sendfile(near, DATA, { header, trailer: Buffer.from(">") }), DATA.length);
  same(Buffer.concat(got), Buffer.concat([header, DATA, Buffer.from(">")]));
});

row("a connection that closes while a write never ends fails all transfers that wait for it", async () => {
  let writes = 0;
  let closed = false;
  let close = () => {};
  const near = connection({
    write() {
      writes++;
      return new Promise(() => {});
    },
    closed: () => closed,
    onClose: (listener) => void (close = listener),
  });
  const sendings = [1, 2, 3].map(() => failure(sendfile(near, DATA)));
  await until(() => writes > 0);
  closed = true;
  close();
  for (const { code } of await Promise.all(sendings)) assert.is(code, "ERR_SENDFILE_CLOSED");
});

row("a file is closed once, and not while it is being read", async () => {
  const said: string[] = [];
  let finish = () => {};
  const file = new Document({
    open: () => DATA.length,
    async read(position, length) {
      said.push("reads");
      await new Promise<void>((resolve) => (finish = resolve));
      said.push("has read");
      return DATA.slice(position, position + length);
    },
    fd: () => -1,
    close: () => void said.push("closes"),
  });
  const stop = new AbortController();
  const sending = failure(sendfile(connection(), file, { signal: stop.signal }));
  await until(() => said.length > 0);
  stop.abort();
  assert.is((await sending).code, "ERR_SENDFILE_ABORTED");
  assert.equal(said, ["reads"]);
  finish();
  await until(() => said.length > 2);
  assert.equal(said, ["reads", "has read", "closes"]);
});

test.run();
