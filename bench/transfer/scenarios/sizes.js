// What a transfer costs as the file grows, from 1 byte to 4 GiB, warm: one after the other to one client.

import { rmSync } from "node:fs";
import { median, table } from "../../lib/numbers.js";
import { trial, ways } from "./grow.js";

export const title = "cost per transfer, 1 B to 4 GiB";

/** Every sixteenfold; sparse, because what is sent comes from the page cache anyway. */
const SIZES = Array.from({ length: 9 }, (_, i) => 16 ** i);
/** A measurement sends as much as that, and `transfers` files at most. */
const BYTES = 64 << 20;

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, transfers }) {
  const all = ways(rig);
  /** @type {object[]} */
  const rows = [];
  for (const size of SIZES) {
    const file = rig.sparse(size);
    const times = Math.max(1, Math.min(transfers, Math.floor(BYTES / size)));
    const load = { file, size, clients: 1, times, warm: Math.min(50, times - 1) };
    const senders = all.map(({ sender }) => sender(load));
    const results = await rig.rounds(senders, runs, (sender) => {
      rig.warm(file);
      return trial(rig, sender, load);
    });
    for (const { name, way, node } of all) {
      const runs = results.get(name) ?? [];
      const ms = runs.map(({ user, system }) => ((user + system) * 1e3) / times);
      rows.push({ size, name, way, node, times, ms, wall: runs.map(({ wall }) => (wall * 1e3) / times) });
    }
    rmSync(file); // and its pages
  }
  table(
    ["bytes", "", "CPU ms per transfer", "wall ms"],
    rows.map(({ size, name, ms, wall }) => [size, name, median(ms).toFixed(3), median(wall).toFixed(3)]),
  );
  return { results: { rows }, verdicts: [] };
}
