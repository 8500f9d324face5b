// 1 GiB from the page cache to one client.

import { interval, median, table } from "../../lib/numbers.js";
import { nodes, others, pipe, sendoff } from "../senders.js";
import { cpu, medians, middle, verdict, wall } from "../table.js";

export const title = "1 GiB warm, one client";

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs, size, against }) {
  const file = rig.file(size);
  const clients = 1;
  const runtimes = nodes(rig);
  const former = (/** @type {import("../senders.js").Runtime} */ runtime) =>
    sendoff(runtime, { file, clients, checkout: against }, " former");
  const senders = runtimes.flatMap((runtime) => [
    sendoff(runtime, { file, clients }),
    ...(against === undefined ? [] : [former(runtime)]),
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
  if (against !== undefined)
    changes(
      results,
      runtimes.map((runtime) => [sendoff(runtime, {}).name, former(runtime).name]),
    );

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

/** Ours over the former, round by round. @param {Map<string, import("../rig.js").Result[]>} results @param {string[][]} pairs */
function changes(results, pairs) {
  console.log("");
  table(
    ["over the former, round by round", "median", "95 %"],
    pairs.flatMap(([now, former]) =>
      Object.entries({ CPU: cpu, wall }).map(([what, pick]) => {
        const before = (results.get(former) ?? []).map(pick);
        const ratios = (results.get(now) ?? []).map((result, round) => pick(result) / before[round]);
        const bounds = interval(ratios).map((bound) => bound.toFixed(3));
        return [`${now}: ${what}`, median(ratios).toFixed(3), bounds.join("-")];
      }),
    ),
  );
}
