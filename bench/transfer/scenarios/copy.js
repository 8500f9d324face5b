// The copy path, 1 GiB from the page cache to one client.

import { nodes, pipe, sendoff } from "../senders.js";
import { medians, middle, verdict, wall } from "../table.js";

export const title = "copy path, 1 GiB warm";

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, size }) {
  const file = rig.file(size);
  const clients = 1;
  const runtimes = nodes(rig);
  const senders = runtimes.flatMap((runtime) => [
    sendoff(runtime, { file, clients, mode: "copy" }, " copy"),
    pipe(runtime, file, clients, 64),
    pipe(runtime, file, clients, 1024),
  ]);
  const results = await rig.rounds(senders, runs, (sender) => rig.trial(sender, clients, size, file));
  medians(results);

  const verdicts = runtimes.flatMap((runtime) => {
    const { name } = sendoff(runtime, {}, " copy");
    const better = Math.min(...[64, 1024].map((kib) => middle(results, pipe(runtime, "", 1, kib).name, wall)));
    return verdict(`${name}: wall / better pipe`, middle(results, name, wall) / better, 1);
  });
  return { results, verdicts };
}
