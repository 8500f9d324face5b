// Memory of transfers that stall: RSS with idle connections, then with a transfer on each of them that
// can't go on, because nobody reads. Needs --expose-gc. Leaves when its stdin ends.
//
//   stalled.js '{"file":PATH,"clients":N,"highWaterMark":BYTES}'    without highWaterMark: sendoff

import { createReadStream } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { capabilities, sendfile } from "../../../build/host/runtimes/node/index.js";
import { memory } from "./memory.js";

const { file, clients, highWaterMark } = JSON.parse(process.argv[2]);
capabilities();

/** @type {import("node:net").Socket[]} */
const sockets = [];
const server = createServer((socket) => {
  socket.on("error", () => {});
  if (sockets.push(socket) === clients) measure();
});
server.listen(0, "127.0.0.1", 4096, () => {
  console.log(JSON.stringify({ port: /** @type {import("node:net").AddressInfo} */ (server.address()).port }));
});
process.stdin.on("end", () => process.exit(0)).resume();

async function measure() {
  const idle = await memory();
  let settled = 0;
  const over = () => settled++;
  for (const socket of sockets) {
    if (highWaterMark) createReadStream(file, { highWaterMark }).on("error", over).pipe(socket);
    else sendfile(socket, file).then(over, over);
  }
  let written = -1;
  for (let look = 0, now = 0; now !== written && look < 60; look++) {
    written = now;
    await sleep(1000);
    now = sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  }
  console.log(JSON.stringify({ idle, stalled: await memory(), settled, written }));
}
