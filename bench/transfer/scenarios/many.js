// 64 clients at once, each of them the same warm file of 16 MiB.

import { nodes, pipe, sendoff } from "../senders.js";
import { cpu, medians, middle, netP99, netWorst, p99, verdict, worst } from "../table.js";

export const title = "64 clients x 16 MiB warm";

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, size: total }) {
  const clients = 64;
  const size = Math.floor(total / clients);
  const file = rig.file(size);
  const queueing = true;
  const runtimes = nodes(rig);
  const senders = runtimes.flatMap((runtime) => [
    sendoff(runtime, { file, clients, queueing }),
    pipe(runtime, file, clients, 64, { queueing }),
    pipe(runtime, file, clients, 1024, { queueing }),
  ]);
  const results = await rig.rounds(senders, runs, (sender) => rig.trial(sender, clients, size * clients, file));
  medians(results);

  const verdicts = runtimes.flatMap((runtime) => {
    const { name } = sendoff(runtime, {});
    const ratio = middle(results, name, cpu) / middle(results, pipe(runtime, "", 1, 64).name, cpu);
    return [
      ...verdict(`${name}: CPU / pipe 64 KiB`, ratio, 0.35),
      ...verdict(`${name}: loop lag p99, ms`, middle(results, name, p99), 5),
      ...verdict(`${name}: loop lag max, ms`, middle(results, name, worst), 20),
      ...verdict(`${name}: the same less waiting for a CPU, p99`, middle(results, name, netP99), 5),
      ...verdict(`${name}: the same less waiting for a CPU, max`, middle(results, name, netWorst), 20),
    ];
  });
  return { results, verdicts };
}
