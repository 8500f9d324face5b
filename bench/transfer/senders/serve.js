// The frame of every Node sender: waits until all clients are there, then sends to all of them and
// measures its own process until the last one has hung up, that is, has received everything.

import { openSync, readSync } from "node:fs";
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
    const lag = lagging ? monitorEventLoopDelay({ resolution: RESOLUTION }) : null;
    lag?.enable();
    const own = lagging ? new OwnLag() : null;
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
    lag?.disable();
    const net = own?.end();
    const beyond = (/** @type {number} */ ns) => Math.max(0, ns / 1e6 - RESOLUTION);
    const result = {
      wall,
      user: user / 1e6,
      system: system / 1e6,
      rss: process.resourceUsage().maxRSS * 1024,
      lag: lag && {
        p50: beyond(lag.percentile(50)),
        p99: beyond(lag.percentile(99)),
        max: beyond(lag.max),
        samples: lag.count,
      },
      net,
      ...more(),
    };
    console.log(JSON.stringify(result));
  }
}

/**
 * The loop's lag less the time for which this thread was ready and had no CPU, which the kernel counts in
 * schedstat: what is left is work and waiting of the loop's own, whoever else uses the machine.
 */
class OwnLag {
  #fd = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  #buffer = Buffer.alloc(64);
  #at = performance.now();
  #queued = this.#read();
  /** @type {number[]} */
  #lags = [];
  #timer = setInterval(() => {
    const at = performance.now();
    const queued = this.#read();
    this.#lags.push(Math.max(0, at - this.#at - RESOLUTION - (queued - this.#queued)));
    this.#at = at;
    this.#queued = queued;
  }, RESOLUTION);

  /** ms in the run queue so far. */
  #read() {
    const length = readSync(this.#fd, this.#buffer, 0, 64, 0);
    return Number(this.#buffer.toString("latin1", 0, length).split(" ")[1]) / 1e6;
  }

  end() {
    clearInterval(this.#timer);
    const sorted = this.#lags.sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: at(1), samples: sorted.length };
  }
}
