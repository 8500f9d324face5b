// Transfers in large numbers: `times` of them, one after the other, to each of `clients`; beside `stalled` others
// that have begun and can't go on, because nobody reads. The stalled clients connect first. Needs --expose-gc.
// Leaves when its stdin ends.
//
//   grow.js '{"file":PATH,"clients":N,"times":N,"warm":N,"held":BOOL,"stalled":N,"long":PATH,"highWaterMark":BYTES}'
//
// warm: transfers before, which compile. held: the files are opened once, not by each transfer. long: the stalled
// clients' file. Without highWaterMark: sendoff.

import { createReadStream, openSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { capabilities, sendfile } from "../../../build/host/runtimes/node/index.js";
import { memory } from "./memory.js";

const { file, clients, times, warm, held, stalled, long, highWaterMark } = JSON.parse(process.argv[2]);
const { native, reason } = capabilities();
if (!native) throw new Error(`not native: ${reason}`);

/** @type {Map<string, number>} */
const fds = new Map();
/** @type {import("node:net").Socket[]} */
const sockets = [];
let arrived = () => {};
const server = createServer((socket) => {
  socket.on("error", () => {});
  sockets.push(socket.resume());
  arrived();
});
server.listen(0, "127.0.0.1", 4096, async () => {
  console.log(JSON.stringify({ port: /** @type {import("node:net").AddressInfo} */ (server.address()).port }));
  const still = stalled > 0 ? await stall() : undefined;
  const active = await connected(clients);
  await sleep(50);
  for (let i = 0; i < warm; i++) await transfer(active[0], file);
  const start = performance.now();
  const before = process.cpuUsage();
  await Promise.all(
    active.map(async (socket) => {
      for (let i = 0; i < times; i++) await transfer(socket, file);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.end();
      await closed;
    }),
  );
  const { user, system } = process.cpuUsage(before);
  const wall = (performance.now() - start) / 1e3;
  console.log(JSON.stringify({ wall, user: user / 1e6, system: system / 1e6, ...still }));
});
process.stdin.on("end", () => process.exit(0)).resume();

/** The next `count` connections. @param {number} count */
async function connected(count) {
  while (sockets.length < count) await new Promise((resolve) => (arrived = () => resolve(undefined)));
  return sockets.splice(0, count);
}

/** @param {import("node:net").Socket} socket @param {string} path */
function transfer(socket, path) {
  const fd = held ? open(path) : undefined;
  if (!highWaterMark) return sendfile(socket, fd ?? path);
  const options = fd === undefined ? { highWaterMark } : { highWaterMark, fd, start: 0, autoClose: false };
  return new Promise((resolve, reject) => {
    createReadStream(path, options).on("error", reject).on("end", resolve).pipe(socket, { end: false });
  });
}

/** @param {string} path */
function open(path) {
  const fd = fds.get(path) ?? openSync(path, "r");
  fds.set(path, fd);
  return fd;
}

/** Memory with idle connections, and with a stalled transfer on each of them. */
async function stall() {
  // What a process loads and keeps for its first transfer is not what one more of them costs.
  const [first] = await connected(1);
  for (let i = 0; i < warm; i++) await transfer(first, file);
  first.destroy();
  console.log(JSON.stringify({ warmed: true }));
  const rest = await connected(stalled);
  const idle = await memory();
  let settled = 0;
  const over = () => settled++;
  for (const socket of rest) transfer(socket, long).then(over, over);
  let written = -1;
  for (let look = 0, now = 0; now !== written && look < 60; look++) {
    written = now;
    await sleep(500);
    now = rest.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  }
  const full = await memory();
  console.log(JSON.stringify({ ready: true }));
  return { idle, stalled: full, settled, written };
}
