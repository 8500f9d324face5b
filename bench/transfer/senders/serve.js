// The frame of every Node sender: waits until all clients are there, then sends to all of them and
// measures its own process until the last one has hung up, that is, has received everything.

import { createServer } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** The interval of the loop's sampler in ms; it is part of every sample, so it is subtracted. */
const RESOLUTION = 1;

/**
 * Calls `send` once for each of `clients` sockets, all in one turn, and prints the result as JSON.
 *
 * @param {number} clients
 * @param {(socket: import("node:net").Socket) => Promise<unknown>} send ends the socket
 * @param {() => object} [more] goes into the result
 */
export function serve(clients, send, more = () => ({})) {
  /** @type {import("node:net").Socket[]} */
  const sockets = [];
  const server = createServer((socket) => {
    if (sockets.push(socket) === clients) setTimeout(measure, 50);
  });
  server.listen(0, "127.0.0.1", 4096, () => {
    console.log(JSON.stringify({ port: /** @type {import("node:net").AddressInfo} */ (server.address()).port }));
  });

  async function measure() {
    server.close();
    const lag = monitorEventLoopDelay({ resolution: RESOLUTION });
    lag.enable();
    const start = performance.now();
    const before = process.cpuUsage();
    await Promise.all(
      sockets.map(async (socket) => {
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.resume();
        await send(socket);
        await closed;
      }),
    );
    const { user, system } = process.cpuUsage(before);
    const wall = (performance.now() - start) / 1e3;
    lag.disable();
    const beyond = (/** @type {number} */ ns) => Math.max(0, ns / 1e6 - RESOLUTION);
    const result = {
      wall,
      user: user / 1e6,
      system: system / 1e6,
      rss: process.resourceUsage().maxRSS * 1024,
      lag: {
        p50: beyond(lag.percentile(50)),
        p99: beyond(lag.percentile(99)),
        max: beyond(lag.max),
        samples: lag.count,
      },
      ...more(),
    };
    console.log(JSON.stringify(result));
  }
}
