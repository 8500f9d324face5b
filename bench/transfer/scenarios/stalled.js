// 1,000 transfers of 16 MiB to clients that never read: the memory of each, beyond its idle connection.

import { fileURLToPath } from "node:url";
import { median, table } from "../../lib/numbers.js";
import { nodes, pipe, sendoff } from "../senders.js";
import { verdict } from "../table.js";

export const title = "1,000 stalled clients x 16 MiB";

const CLIENTS = 1000;
const SENDER = fileURLToPath(new URL("../senders/stalled.js", import.meta.url));
const PARTS = /** @type {const} */ (["rss", "anon", "heapTotal", "heapUsed", "external", "arrayBuffers"]);

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs }) {
  const file = rig.file(16 << 20);
  const options = { file, clients: CLIENTS };
  const runtimes = nodes(rig);
  const senders = runtimes.flatMap((runtime) => [
    { ...sendoff(runtime, options), argv: argv(runtime.node, options) },
    { ...pipe(runtime, file, CLIENTS, 64), argv: argv(runtime.node, { ...options, highWaterMark: 64 << 10 }) },
  ]);
  const results = await rig.rounds(senders, runs, (sender) => trial(rig, sender));

  const each = (/** @type {string} */ name, /** @type {typeof PARTS[number]} */ part) =>
    median((results.get(name) ?? []).map(({ idle, stalled }) => (stalled[part] - idle[part]) / CLIENTS));
  table(
    ["bytes per transfer", "idle RSS MB", ...PARTS, "sent KiB each"],
    senders.map(({ name }) => [
      name,
      (median((results.get(name) ?? []).map(({ idle }) => idle.rss)) / 1e6).toFixed(0),
      ...PARTS.map((part) => each(name, part).toFixed(0)),
      (median((results.get(name) ?? []).map(({ written }) => written)) / CLIENTS / 1024).toFixed(0),
    ]),
  );
  const verdicts = runtimes.flatMap((runtime) => {
    const { name } = sendoff(runtime, {});
    return verdict(`${name}: bytes per transfer`, each(name, "rss"), 10_000);
  });
  return { results, verdicts };
}

/** @param {string} node @param {object} options */
function argv(node, options) {
  return [node, "--expose-gc", "--no-warnings", SENDER, JSON.stringify(options)];
}

/** @param {import("../rig.js").TransferRig} rig @param {import("../rig.js").Sender} sender */
async function trial(rig, sender) {
  const from = rig.spawn(sender.argv, sender.env);
  const { port } = await from.next();
  const to = rig.receiver(port, CLIENTS, "stall");
  const result = await from.next();
  await Promise.all([from.end(), to.end()]);
  if (result.settled > 0) throw new Error(`${sender.name}: ${result.settled} of ${CLIENTS} transfers did not stall`);
  return { ...result, each: (result.stalled.rss - result.idle.rss) / CLIENTS };
}
