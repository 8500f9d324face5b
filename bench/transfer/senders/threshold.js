// Header and file as read + send, or as probe + send(MSG_MORE) + sendfile: the same transfers through two
// builds of the core, one that takes every file for small and one that takes none. Timed are whole
// transfers into a socket whose buffer is empty before each batch.
//
//   threshold.js '{"file":PATH,"sizes":[...],"headers":[...],"rounds":N,"small":PATH,"large":PATH}'

import { openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { Action, Fault, Flag } from "../../../build/assembly/abi.js";
import { boot } from "../../../build/host/core.js";
import { linux } from "../../../build/host/libc/linux.js";
import { openLibc } from "../../../build/host/runtimes/node/ffi.js";
import { median } from "../../lib/numbers.js";

/** The receiver answers one byte for so many, so each batch is filled up to it. */
const BATCH = 512 << 10;
const MOST = 32;

const { file: path, sizes, headers, rounds, small, large } = JSON.parse(process.argv[2]);
const file = openSync(path, "r");
const ways = { send: open(small), sendfile: open(large) };

/** @param {string} module */
function open(module) {
  /** @type {import("../../../build/host/libc/syscalls.js").Syscalls} */
  let sys;
  const core = boot(readFileSync(module), {
    sendfile: (out, fd, offset, count) => sys.sendfile(out, fd, offset, count),
    read: (fd, ptr, offset, count) => sys.read(fd, ptr, offset, count),
    send: (out, ptr, count, more) => sys.send(out, ptr, count, more),
  });
  const libc = openLibc(core.memory, process.env);
  if (typeof libc === "string") throw new Error(libc);
  sys = linux(libc, core.memory, core.frame());
  return { core, sys };
}

const server = createServer(async (socket) => {
  server.close();
  socket.setNoDelay(true); // as an HTTP server does; else the acknowledgements are waited for
  const out = /** @type {any} */ (socket)._handle.fd;
  let acks = 0;
  let wake = () => {};
  socket.on("data", (data) => {
    acks += data.length;
    wake();
  });

  /** One batch. Returns us per transfer, NaN where the socket's buffer was full. */
  const batch = async (
    /** @type {keyof typeof ways} */ way,
    /** @type {number} */ size,
    /** @type {number} */ header,
  ) => {
    const { core, sys } = ways[way];
    const scratch = core.scratch();
    const times = Math.max(1, Math.min(MOST, Math.floor(BATCH / (size + header))));
    const text = new Uint8Array(header);
    let sent = 0;
    let full = false;
    const start = performance.now();
    for (let i = 0; i < times && !full; i++) {
      core.turn_begin(start);
      const handle = core.transfer_open(start);
      core.transfer_extent(handle, header, 0, size, 0, Flag.Native | Flag.Probe);
      if (header > 0) new Uint8Array(core.memory.buffer, scratch, header).set(text);
      full = core.transfer_run(handle, out, file, start) !== Action.Done;
      sent += core.transfer_tally(handle, 0);
      core.transfer_close(handle);
    }
    const took = ((performance.now() - start) * 1e3) / times;

    const before = acks;
    while (sent < BATCH) {
      const n = sys.send(out, scratch, Math.min(16 << 10, BATCH - sent), 0);
      if (n > 0) sent += n;
      else if (n === -Fault.WouldBlock) await new Promise((resolve) => setImmediate(resolve));
      else throw new Error(`fault ${-n}`);
    }
    if (acks === before) await new Promise((resolve) => (wake = () => resolve(undefined)));
    return full ? Number.NaN : took;
  };

  const result = [];
  for (const header of headers) {
    for (const size of sizes) {
      /** @type {{ send: number[], sendfile: number[] }} */
      const took = { send: [], sendfile: [] };
      for (let round = 0; round < rounds; round++) {
        for (const way of /** @type {(keyof typeof ways)[]} */ (Object.keys(ways))) {
          took[way].push(await batch(way, size, header));
        }
      }
      result.push({ header, size, send: median(took.send), sendfile: median(took.sendfile) });
    }
  }
  socket.end();
  console.log(JSON.stringify({ rows: result }));
});
server.listen(0, "127.0.0.1", () => {
  console.log(
    JSON.stringify({ port: /** @type {import("node:net").AddressInfo} */ (server.address()).port, batch: BATCH }),
  );
});
