// Warm clients beside one that reads a large file from a cold disk.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { latencies } from "../http/print.js";
import { sized } from "../http/rig.js";
import { beside, pairs } from "../http/scenarios.js";
import { compiled } from "../lib/cc.js";
import { median, spread, table } from "../lib/numbers.js";
import { SMALL } from "./rows.js";

/**
 * @typedef {import("../http/rig.js").HttpRig} Rig
 * @typedef {import("../http/rig.js").Server} Server
 * @typedef {import("../http/rig.js").Result} Result
 * @typedef {Result & { coldRate: number, resident: number }} Beside
 *   the bytes per second that the cold file was read with, and its pages at most that were not cold
 * @typedef {{ without: Result, with: Beside }} Pair
 */

/** The name of the file, and its size. @type {[string, number]} */
export const COLD = ["cold", 1 << 30];
const PATH = `/${COLD[0]}.bin`;

/**
 * null where the file can't be dropped from the page cache: in a tmpfs, say.
 *
 * @param {Rig} rig @param {Server[]} servers @param {import("../http/scenarios.js").Options} options
 * @returns {Promise<Map<Server, Pair[]> | null>}
 */
export async function cold(rig, servers, options) {
  const evict = compiled(new URL("../transfer/evict.c", import.meta.url), rig.folder);
  const client = compiled(new URL("cold.c", import.meta.url), rig.folder);
  const file = join(servers[0].root, PATH);
  const { resident, pages } = JSON.parse(execFileSync(evict, [file], { encoding: "utf8" }));
  if (resident > pages / 100) return null;
  return pairs(rig, servers, "cold disk", sized(SMALL), options, async (server) => {
    const argv = [client, new URL(server.origin).port, PATH, file];
    const { result, bytes, said } = await beside(rig, server, argv, sized(SMALL), options.seconds);
    return { ...result, coldRate: bytes, resident: said.resident };
  });
}

/** @param {Map<Server, Pair[]>} results */
export function printCold(results) {
  console.log("");
  table(
    [
      ...["4 KiB, 16 warm clients", "p50 ms alone", "beside 1 GiB cold", "p99 alone", "beside", "quartiles"],
      ...["req/s alone", "beside", "cold MB/s", "pages warm", "errors"],
    ],
    [...results].map(([{ competitor }, all]) => [
      competitor.label,
      ...latencies(all),
      spread(all.map((pair) => pair.with.p99))[1],
      median(all.map((pair) => pair.without.rate)).toFixed(0),
      median(all.map((pair) => pair.with.rate)).toFixed(0),
      (median(all.map((pair) => pair.with.coldRate)) / 1e6).toFixed(0),
      Math.max(...all.map((pair) => pair.with.resident)),
      all.reduce((sum, pair) => sum + pair.with.errors + pair.without.errors, 0),
    ]),
  );
}
