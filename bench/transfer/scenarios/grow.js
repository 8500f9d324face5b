// What two scenarios that grow have in common: `sendoff` and `pipe()` on each Node, by senders/grow.js.

import { fileURLToPath } from "node:url";
import { nodes, pipe, sendoff } from "../senders.js";

const SENDER = fileURLToPath(new URL("../senders/grow.js", import.meta.url));

/**
 * @typedef {object} Load of one trial
 * @property {string} file
 * @property {number} size
 * @property {number} clients
 * @property {number} times transfers to each of them
 * @property {number} warm transfers before these
 * @property {boolean} [held] open the files once
 * @property {number} [stalled] clients
 * @property {string} [long] their file
 *
 * @typedef {{ name: string, way: "sendoff" | "pipe()", node: string, sender: (load: Load) => import("../rig.js").Sender }} Way
 */

/** pipe() with the 64 KiB that createReadStream has without being asked. @param {import("../rig.js").TransferRig} rig @returns {Way[]} */
export function ways(rig) {
  return nodes(rig).flatMap((runtime) => {
    const sender = (/** @type {number | undefined} */ highWaterMark) => (/** @type {Load} */ load) => {
      const { name, env } = highWaterMark ? pipe(runtime, load.file, 1, 64) : sendoff(runtime, {});
      const argv = [runtime.node, "--expose-gc", "--no-warnings", SENDER, JSON.stringify({ ...load, highWaterMark })];
      return { name, argv, env };
    };
    return [
      { name: sendoff(runtime, {}).name, way: "sendoff", node: runtime.label, sender: sender(undefined) },
      { name: pipe(runtime, "", 1, 64).name, way: "pipe()", node: runtime.label, sender: sender(64 << 10) },
    ];
  });
}

/**
 * One trial, in three processes: the stalled clients are one, the active ones another.
 *
 * @param {import("../rig.js").TransferRig} rig
 * @param {import("../rig.js").Sender} sender
 * @param {Load} load
 */
export async function trial(rig, { name, argv, env }, { size, clients, times, warm, stalled = 0 }) {
  const from = rig.spawn(argv, env);
  const { port } = await from.next();
  const others = [];
  for (const client of stalled > 0 ? [[1], [stalled, "narrow"]] : []) {
    others.push(rig.receiver(port, ...client));
    await from.next();
  }
  const to = rig.receiver(port, clients);
  const [result, { bytes }] = await Promise.all([from.next(), to.next()]);
  await Promise.all([from, to, ...others].map((child) => child.end()));
  const all = (clients * times + warm) * size;
  if (bytes !== all) throw new Error(`${name}: ${bytes} of ${all} bytes arrived`);
  if (result.settled > 0) throw new Error(`${name}: ${result.settled} of ${stalled} transfers did not stall`);
  return result;
}
