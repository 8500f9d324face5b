// How much one write of the copy path should carry: COPY in assembly/chunk.ts, swept.

import { coreWith } from "../core.js";
import { nodes, sendoff } from "../senders.js";
import { medians } from "../table.js";

export const title = "COPY, the copy path's chunk, 1 GiB warm";

const KIB = [64, 128, 256, 512, 1024, 2048];

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, size }) {
  const file = rig.file(size);
  const cores = KIB.map((kib) => ({ kib, core: coreWith(rig.folder, "COPY", kib << 10) }));
  const senders = nodes(rig).flatMap((runtime) =>
    cores.map(({ kib, core }) => sendoff(runtime, { file, clients: 1, mode: "copy", core }, ` copy ${kib} KiB`)),
  );
  const results = await rig.rounds(senders, runs, (sender) => rig.trial(sender, 1, size, file));
  medians(results);
  return { results, verdicts: [] };
}
