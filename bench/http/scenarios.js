// What is measured: every server at every size; and fast clients' latency beside others.

import { compiled } from "../lib/cc.js";
import { sized } from "./rig.js";

/**
 * @typedef {import("./rig.js").HttpRig} Rig
 * @typedef {import("./rig.js").Request} Request
 * @typedef {import("./rig.js").Server} Server
 * @typedef {import("./rig.js").Result} Result
 * @typedef {{ runs: number, seconds: number }} Options
 */

const SLOW_CLIENTS = 500;
/** Their file, which they do not come to the end of; and the fast ones'. */
export const LONG = 16 << 20;
export const SHORT = 64 << 10;
/** Until the compilers of V8 and JavaScriptCore have seen enough of a server, in s. */
export const WARM_S = 3;
/** Until every queue between a server and its slow clients is full, and they get what they read. */
const SETTLE_MS = 3000;

export const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function progress(/** @type {string} */ text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** Each round begins one further, and every second one goes backwards: neither place nor neighbour is anybody's own. @template T @param {T[]} all @param {number} round */
export function turn(all, round) {
  const order = all.map((_, i) => all[(i + round) % all.length]);
  return round % 2 ? order.reverse() : order;
}

/**
 * `runs` rounds of one request over all servers.
 *
 * @param {Rig} rig @param {Server[]} servers @param {string} title @param {Request} request @param {Options} options
 * @returns {Promise<Map<Server, Result[]>>}
 */
export async function speed(rig, servers, title, request, { runs, seconds }) {
  for (const server of servers) {
    progress(`${title}, warming up: ${server.competitor.label}`);
    await rig.prepare(server, request, WARM_S);
  }
  /** @type {Map<Server, Result[]>} */
  const results = new Map(servers.map((server) => [server, []]));
  for (let round = 0; round < runs; round++) {
    for (const server of turn(servers, round)) {
      progress(`${title}, round ${round + 1} of ${runs}: ${server.competitor.label}`);
      results.get(server)?.push(await rig.measure(server, request, seconds));
    }
  }
  progress("");
  return results;
}

/**
 * Pairs of the same measurement, without slow clients and with 500 of them, one after the other.
 *
 * @param {Rig} rig @param {Server[]} servers @param {Options} options
 * @returns {Promise<Map<Server, import("./figures.js").Pair[]>>}
 */
export async function slow(rig, servers, options) {
  const clients = compiled(new URL("slow.c", import.meta.url), rig.folder);
  const request = sized(SHORT);
  return pairs(rig, servers, "slow clients", request, options, async (server) => {
    const argv = [clients, new URL(server.origin).port, `/${LONG}.bin`, `${SLOW_CLIENTS}`];
    const { result, bytes } = await beside(rig, server, argv, request, options.seconds, SETTLE_MS);
    return { ...result, slowRate: bytes / SLOW_CLIENTS };
  });
}

/**
 * Pairs of measurements of each server, alone and as `measured` does it, one after the other.
 *
 * @template {import("./rig.js").Result} T
 * @param {Rig} rig @param {Server[]} servers @param {string} title @param {Request} request @param {Options} options
 * @param {(server: Server) => Promise<T>} measured
 * @returns {Promise<Map<Server, { without: import("./rig.js").Result, with: T }[]>>}
 */
export async function pairs(rig, servers, title, request, { runs, seconds }, measured) {
  for (const server of servers) await rig.prepare(server, request, WARM_S);
  /** @type {Map<Server, { without: import("./rig.js").Result, with: T }[]>} */
  const results = new Map(servers.map((server) => [server, []]));
  for (let round = 0; round < runs; round++) {
    for (const server of turn(servers, round)) {
      progress(`${title}, round ${round + 1} of ${runs}: ${server.competitor.label}`);
      const alone = () => rig.measure(server, request, seconds);
      // In turns, so that neither of the two is always the one after.
      const before = round % 2 ? undefined : await alone();
      const together = await measured(server);
      results.get(server)?.push({ without: before ?? (await alone()), with: together });
    }
  }
  progress("");
  return results;
}

/**
 * A measurement beside other clients: a program that prints a line once they are at work, and for each line on its stdin
 * `{"bytes"}` that they have read. Returns what they read per second, and the last that it said.
 *
 * @param {Rig} rig @param {Server} server @param {string[]} argv @param {Request} request @param {number} seconds
 * @param {number} [settle] ms until they are all as they will be
 */
export function beside(rig, server, argv, request, seconds, settle = 0) {
  return rig.awake(server, async () => {
    const clients = rig.spawn(argv);
    const read = async () => {
      clients.child.stdin.write("\n");
      return { said: await clients.next(), at: performance.now() };
    };
    await clients.next();
    await sleep(settle);
    await rig.warm(server, request);
    const from = await read();
    const result = await rig.load(server, request, seconds);
    const to = await read();
    await clients.end();
    const bytes = (to.said.bytes - from.said.bytes) / ((to.at - from.at) / 1000);
    return { result, bytes, said: to.said };
  });
}
