// 1 GiB from the page cache to one client.

import { nodes, others, pipe, sendoff } from "../senders.js";
import { cpu, medians, middle, verdict, wall } from "../table.js";

export const title = "1 GiB warm, one client";

/** @param {import("../rig.js").Rig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, size }) {
  const file = rig.file(size);
  const clients = 1;
  const runtimes = nodes(rig);
  const senders = runtimes.flatMap((runtime) => [
    sendoff(runtime, { file, clients }),
    pipe(runtime, file, clients, 64),
    pipe(runtime, file, clients, 1024),
  ]);
  senders.push(...others(rig, file));
  for (const runtime of runtimes) {
    const { name, argv, env } = sendoff(runtime, { file, clients, ways: true });
    console.log(`${name}: ${JSON.stringify((await rig.trial({ name, argv, env }, clients, size, file)).ways)}`);
  }
  const results = await rig.rounds(senders, runs, (sender) => rig.trial(sender, clients, size, file));
  medians(results);

  const verdicts = runtimes.flatMap((runtime) => {
    const { name } = sendoff(runtime, {});
    const ratio = (/** @type {string} */ other, /** @type {typeof cpu} */ pick) =>
      middle(results, name, pick) / middle(results, other, pick);
    return [
      ...verdict(`${name}: CPU / pipe 64 KiB`, ratio(pipe(runtime, "", 1, 64).name, cpu), 0.25),
      ...verdict(`${name}: CPU / pipe 1 MiB`, ratio(pipe(runtime, "", 1, 1024).name, cpu), 0.6),
      ...verdict(`${name}: CPU / C loop`, ratio("C loop", cpu), 1.25),
      ...verdict(`${name}: wall / CPython sendfile`, ratio("CPython sendfile", wall), 1.1),
    ];
  });
  return { results, verdicts };
}
