// The frame of every Node sender: waits until all clients are there, then sends to all of them and
// measures its own process until the last one has hung up, that is, has received everything.

import { createServer } from "node:net";
import { Lag } from "../../lib/lag.js";

/**
 * Calls `send` once for each of `clients` sockets, all in one turn, and prints the result as JSON.
 *
 * @param {number} clients
 * @param {(socket: import("node:net").Socket) => Promise<unknown>} send ends the socket
 * @param {() => object} [more] goes into the result
 * @param {boolean} [lagging] also measure the loop's lag; costs CPU, which a C loop does not have to spend
 */
export function serve(clients, send, more = () => ({}), lagging = false) {
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
    const lag = lagging ? new Lag() : null;
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
    const lags = lag?.end() ?? { lag: null };
    const result = {
      wall,
      user: user / 1e6,
      system: system / 1e6,
      rss: process.resourceUsage().maxRSS * 1024,
      ...lags,
      ...more(),
    };
    console.log(JSON.stringify(result));
  }
}
