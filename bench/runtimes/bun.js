// A Bun sender: one client, by sendoff or by Bun's own ways; measures its own process until the client has
// hung up, that is, has received everything.
//
//   bun bun.js '{"file":PATH,"way":"sendoff"|"sendoff, node:net"|"Bun.file stream"|"pipe 64 KiB"|"pipe 1 MiB"}'

import { createReadStream } from "node:fs";
import { capabilities, drained, sendfile } from "sendoff";
import { serve } from "../transfer/senders/serve.js";

const { file, way } = JSON.parse(process.argv[2]);
const { native, reason } = capabilities(); // opens libc before the clock starts
if (!native) throw new Error(`not native: ${reason}`);

if (way === "sendoff, node:net") {
  serve(1, async (socket) => {
    await sendfile(socket, file);
    socket.end();
  });
} else if (way === "pipe 64 KiB" || way === "pipe 1 MiB") {
  const highWaterMark = way === "pipe 64 KiB" ? 64 * 1024 : 1024 * 1024;
  serve(1, (socket) => {
    createReadStream(file, { highWaterMark }).pipe(socket);
    return Promise.resolve();
  });
} else listen(way === "sendoff" ? sendfile : stream);

/** @param {(socket: any, file: any) => Promise<unknown>} send */
function listen(send) {
  let closed = () => {};
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        server.stop();
        setTimeout(measure, 50, socket);
      },
      data() {},
      drain(socket) {
        drained(socket);
        room();
      },
      close: () => closed(),
    },
  });
  console.log(JSON.stringify({ port: server.port }));

  /** @param {any} socket */
  async function measure(socket) {
    const over = new Promise((resolve) => {
      closed = () => resolve(undefined);
    });
    const start = performance.now();
    const before = process.cpuUsage();
    await send(socket, Bun.file(file));
    socket.end();
    await over;
    const { user, system } = process.cpuUsage(before);
    const wall = (performance.now() - start) / 1e3;
    const rss = process.resourceUsage().maxRSS * 1024;
    console.log(JSON.stringify({ wall, user: user / 1e6, system: system / 1e6, rss }));
  }
}

let room = () => {};

/**
 * As Bun's documentation has it: what write() did not take waits for drain.
 *
 * @param {any} socket @param {any} file
 */
async function stream(socket, file) {
  for await (const chunk of file.stream()) {
    for (let at = 0; at < chunk.length; ) {
      at += socket.write(chunk.subarray(at));
      if (at < chunk.length) {
        await new Promise((resolve) => {
          room = () => resolve(undefined);
        });
      }
    }
  }
}
