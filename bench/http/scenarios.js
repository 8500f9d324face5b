// What is measured: every server at every size; and the fast clients' latency beside slow ones.

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
export async function slow(rig, servers, { runs, seconds }) {
  const clients = compiled(new URL("slow.c", import.meta.url), rig.folder);
  for (const server of servers) await rig.prepare(server, sized(SHORT), WARM_S);
  /** @type {Map<Server, import("./figures.js").Pair[]>} */
  const results = new Map(servers.map((server) => [server, []]));
  for (let round = 0; round < runs; round++) {
    for (const server of turn(servers, round)) {
      progress(`slow clients, round ${round + 1} of ${runs}: ${server.competitor.label}`);
      const alone = () => rig.measure(server, sized(SHORT), seconds);
      // In turns, so that neither of the two is always the one after.
      const before = round % 2 ? undefined : await alone();
      const beside = await besideSlow(rig, clients, server, seconds);
      results.get(server)?.push({ without: before ?? (await alone()), with: beside });
    }
  }
  progress("");
  return results;
}

/** @param {Rig} rig @param {string} slowly the clients' program @param {Server} server @param {number} seconds */
async function besideSlow(rig, slowly, server, seconds) {
  return rig.awake(server, async () => {
    const clients = rig.spawn([slowly, new URL(server.origin).port, `/${LONG}.bin`, `${SLOW_CLIENTS}`]);
    const read = async () => {
      clients.child.stdin.write("\n");
      return { bytes: (await clients.next()).bytes, at: performance.now() };
    };
    await clients.next();
    await sleep(SETTLE_MS);
    await rig.warm(server, sized(SHORT));
    const from = await read();
    const result = await rig.load(server, sized(SHORT), seconds);
    const to = await read();
    clients.child.stdin.end();
    await clients.over;
    const rate = (to.bytes - from.bytes) / ((to.at - from.at) / 1000) / SLOW_CLIENTS;
    return { ...result, slowRate: rate };
  });
}
