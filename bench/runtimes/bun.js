// Bun: sendfile() over its own sockets and over node:net, against what its documentation has for a file to a
// socket, and node:fs's pipe().

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { others } from "../transfer/senders.js";
import { cpu, medians, middle, verdict, wall } from "../transfer/table.js";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const BUN = here("../../test/runtimes/node_modules/.bin/bun");

export const title = "Bun: 1 GiB warm, one client";

/** As senders/bun.js knows them. */
const OURS = { "sendoff, Bun.listen": "own", "sendoff, node:net": "net" };
const THEIRS = {
  "Bun.file stream to Bun.listen": "stream",
  "pipe 64 KiB, node:net": "pipe",
  "pipe 1 MiB, node:net": "pipe1m",
};

/**
 * @param {import("../transfer/rig.js").Rig} rig
 * @param {import("../transfer/run.js").Options} options
 */
export async function run(rig, { runs, size }) {
  if (!existsSync(BUN)) return null;
  console.log(`Bun ${execFileSync(BUN, ["--version"], { encoding: "utf8" })}`);
  const file = rig.file(size);
  const senders = Object.entries({ ...OURS, ...THEIRS }).map(([name, way]) => ({
    name,
    argv: [BUN, here("senders/bun.js"), way, file],
  }));
  senders.push(...others(rig, file).filter(({ name }) => name === "C loop"));
  const results = await rig.rounds(senders, runs, (sender) => rig.trial(sender, 1, size, file));
  medians(results);

  const best = Object.keys(THEIRS).reduce((a, b) => (middle(results, a, cpu) <= middle(results, b, cpu) ? a : b));
  const verdicts = Object.keys(OURS).flatMap((name) => [
    ...verdict(
      `${name}: CPU / Bun.file stream`,
      middle(results, name, cpu) / middle(results, "Bun.file stream to Bun.listen", cpu),
      0.5,
    ),
    ...verdict(`${name}: CPU / best of Bun (${best})`, middle(results, name, cpu) / middle(results, best, cpu), 0.5),
    ...verdict(`${name}: CPU / C loop`, middle(results, name, cpu) / middle(results, "C loop", cpu), 1.3),
    ...verdict(`${name}: wall / C loop`, middle(results, name, wall) / middle(results, "C loop", wall), 1.5),
  ]);
  return { results, verdicts };
}
