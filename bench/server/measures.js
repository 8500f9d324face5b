// What requests per second do not show: the main thread's lag while the loop is busy, and the memory of idle connections.

import { readdirSync, readFileSync } from "node:fs";
import { sized } from "../http/rig.js";
import { progress, sleep, turn, WARM_S } from "../http/scenarios.js";
import { compiled } from "../lib/cc.js";
import { SMALL } from "./rows.js";

/**
 * @typedef {import("../http/rig.js").HttpRig} Rig
 * @typedef {import("../http/rig.js").Server} Server
 * @typedef {import("../http/scenarios.js").Options} Options
 *
 * @typedef {{ p50: number, p99: number, max: number, samples: number }} Lag ms
 * @typedef {{ lag: Lag, net: Lag }} Lags `net` is without the time for which the thread had no processor
 * @typedef {{ without: Lags, with: Lags, result: import("../http/rig.js").Result }} Lagging without load, and with it
 */

/** Connections, between which memory is compared. */
const [FEW, MOST] = [1000, 10_000];
/** Of a server's and the clients' process beside those. */
const SPARE = 200;
/** Of load, in s: V8 gives back what it needed to start a process after some eight. */
const SETTLE_S = 10;
/** Before each reading, in s: the garbage of the new connections is collected meanwhile. */
const COLLECT_S = 1;

/**
 * @param {Rig} rig @param {Server[]} servers @param {Options} options
 * @returns {Promise<Map<Server, Lagging[]>>}
 */
export async function lag(rig, servers, { runs, seconds }) {
  const request = sized(SMALL);
  for (const server of servers) await rig.prepare(server, request, WARM_S);
  /** @type {Map<Server, Lagging[]>} */
  const results = new Map(servers.map((server) => [server, []]));
  for (let round = 0; round < runs; round++) {
    for (const server of turn(servers, round)) {
      progress(`lag, round ${round + 1} of ${runs}: ${server.competitor.label}`);
      const all = await rig.awake(server, async () => {
        await rig.warm(server, request);
        await server.ask("lag");
        await sleep(seconds * 1000);
        const without = await server.ask("lag");
        await server.ask("lag");
        const result = await rig.load(server, request, seconds);
        return { without, with: await server.ask("lag"), result };
      });
      results.get(server)?.push(all);
    }
  }
  progress("");
  return results;
}

/**
 * KiB of private memory for each idle connection, of fresh servers each round: what one has allocated once it keeps. Each
 * connection has asked once. null where so many file descriptors are not allowed.
 *
 * @param {Rig} rig @param {import("./servers.js").Competitor[]} competitors @param {number} runs
 */
export async function idle(rig, competitors, runs) {
  if (!rig.descriptors(MOST + SPARE)) return null;
  const program = compiled(new URL("idle.c", import.meta.url), rig.folder);
  /** @type {{ few: number, most: number, each: number }[][]} */
  const results = competitors.map(() => []);
  for (let round = 0; round < runs; round++) {
    for (const [i, competitor] of competitors.entries()) {
      progress(`idle connections, round ${round + 1} of ${runs}: ${competitor.label}`);
      const server = await rig.start(competitor);
      const request = sized(SMALL);
      await rig.prepare(server, request, SETTLE_S);
      await rig.awake(server, async () => {
        const { port } = new URL(server.origin);
        const clients = rig.spawn([program, port, request.path, `${request.size}`]);
        const open = async (/** @type {number} */ count) => {
          clients.child.stdin.write(`${count}\n`);
          await clients.next();
          await rig.warm(server, request, COLLECT_S);
          return privateKib(server.pid);
        };
        const [few, most] = [await open(FEW), await open(MOST)];
        const fds = readdirSync(`/proc/${server.pid}/fd`).length;
        if (fds < MOST) throw new Error(`${competitor.label}: ${fds} fds are open, for ${MOST} connections`);
        results[i].push({ few, most, each: (most - few) / (MOST - FEW) });
        await clients.end();
      });
      server.end();
    }
  }
  progress("");
  return results;
}

/** What a process shares with nobody. @param {number} pid */
function privateKib(pid) {
  const fields = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").matchAll(/^Private_\w+: +(\d+) kB/gm);
  return [...fields].reduce((sum, [, kib]) => sum + Number(kib), 0);
}
