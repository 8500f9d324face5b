// What a transfer costs as there are more of them at once, from 1 to 10,000: CPU where all clients read, CPU of
// sixteen who read beside so many who don't, and the memory of each of those who don't.

import { median, table } from "../../lib/numbers.js";
import { trial, ways } from "./grow.js";

export const title = "cost per transfer, 1 to 10,000 at once";

const SIZE = 256 << 10;
const LONG = 1 << 20;
const READERS = 16;
const CLIENTS = [1, 10, 100, 1000, 10_000];
/** The files are held open, as a server would, so a client costs no more than its socket. */
const descriptors = (/** @type {number} */ clients) => clients + 1000;

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, transfers }) {
  if (rig.cc === null) {
    console.log("left out: needs cc, for a receiver in JavaScript costs more than what is measured");
    return { results: { rows: [] }, verdicts: [] };
  }
  const most = CLIENTS.filter((clients) => rig.descriptors(descriptors(clients)));
  if (most.length < CLIENTS.length) {
    const [missing] = CLIENTS.slice(most.length);
    console.log(`left out: ${missing} clients and more, which need \`ulimit -n ${descriptors(missing)}\``);
  }
  const file = rig.file(SIZE);
  const long = rig.file(LONG);
  const loads = most.flatMap((count) => {
    const load = { file, size: SIZE, warm: 50, held: true };
    return [
      { what: "active", count, ...load, clients: count, times: Math.ceil(transfers / count) },
      { what: "beside", count, ...load, clients: READERS, times: Math.ceil(transfers / READERS), stalled: count, long },
    ];
  });
  const all = ways(rig);
  /** @type {object[]} */
  const rows = [];
  for (const { what, count, ...load } of loads) {
    const senders = all.map(({ sender }) => sender(load));
    const results = await rig.rounds(senders, runs, (sender) => trial(rig, sender, load));
    for (const { name, way, node } of all) {
      const runs = results.get(name) ?? [];
      const ms = runs.map(({ user, system }) => ((user + system) * 1e3) / (load.clients * load.times));
      const memory = runs.flatMap(({ idle, stalled }) => (idle ? [(stalled.rss - idle.rss) / count] : []));
      const written = runs.flatMap(({ written }) => (written === undefined ? [] : [written / count]));
      rows.push({ what, count, name, way, node, ms, memory, written });
    }
  }
  table(
    ["at once", "", "CPU ms per transfer", "beside stalled", "bytes per stalled", "sent KiB each"],
    rows
      .filter(({ what }) => what === "active")
      .map(({ count, name, ms }) => {
        const beside = rows.find((row) => row.what === "beside" && row.count === count && row.name === name);
        return [
          count,
          name,
          median(ms).toFixed(3),
          median(beside.ms).toFixed(3),
          median(beside.memory).toFixed(0),
          (median(beside.written) / 1024).toFixed(0),
        ];
      }),
  );
  return { results: { size: SIZE, readers: READERS, rows }, verdicts: [] };
}
