// 1 GiB that is not in the page cache, to one client: the disk must not stop the loop.

import { nodes, pipe, sendoff } from "../senders.js";
import { medians, middle, netP99, p99, verdict } from "../table.js";

export const title = "1 GiB cold, one client";

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, size }) {
  const file = rig.file(size);
  const clients = 1;
  const queueing = true;
  const runtimes = nodes(rig);
  const senders = runtimes.flatMap((runtime) => [
    sendoff(runtime, { file, clients, queueing }),
    sendoff(runtime, { file, clients, queueing, probe: false }, " unprobed"),
    pipe(runtime, file, clients, 64, { queueing }),
    pipe(runtime, file, clients, 1024, { queueing }),
  ]);
  let resident = 0;
  const cold = (/** @type {import("../rig.js").Sender} */ sender) => {
    resident = Math.max(resident, rig.evict(file));
    return rig.trial(sender, clients, size);
  };
  for (const runtime of runtimes) {
    const sender = sendoff(runtime, { file, clients, ways: true });
    console.log(`${sender.name}: ${JSON.stringify((await cold(sender)).ways)}`);
  }
  const results = await rig.rounds(senders, runs, cold);
  console.log(`pages in the cache before a run, at most: ${resident}`);
  medians(results);

  const verdicts = runtimes.flatMap((runtime) => {
    const { name } = sendoff(runtime, {});
    return [
      ...verdict(`${name}: loop lag p99, ms`, middle(results, name, p99), 3),
      ...verdict(`${name}: the same less waiting for a CPU`, middle(results, name, netP99), 3),
    ];
  });
  return { results, verdicts };
}
