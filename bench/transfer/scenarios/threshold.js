// Up to which size a file is cheaper as read + send than as probe + sendfile: SMALL in assembly/chunk.ts.

import { fileURLToPath } from "node:url";
import { median, table } from "../../lib/numbers.js";
import { coreWith } from "../core.js";
import { nodes } from "../senders.js";

export const title = "SMALL: read + send against probe + sendfile, us per transfer";

const SENDER = fileURLToPath(new URL("../senders/threshold.js", import.meta.url));
const SIZES = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128].map((kib) => kib << 10);
const HEADERS = [0, 200];
const ROUNDS = 100;

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs }) {
  const file = rig.file(1 << 20);
  const small = coreWith(rig.folder, "SMALL", 256 << 10);
  const large = coreWith(rig.folder, "SMALL", 0);
  const options = { file, sizes: SIZES, headers: HEADERS, rounds: ROUNDS, small, large };
  const senders = nodes(rig).map(({ node, label, ffi }) => ({
    name: `${label} ${ffi === "node" ? "node:ffi" : ffi}`,
    argv: [node, "--no-warnings", SENDER, JSON.stringify(options)],
    env: { SENDOFF_FFI: ffi },
  }));
  const results = await rig.rounds(senders, runs, async ({ argv, env }) => {
    const from = rig.spawn(argv, env);
    const { port, batch } = await from.next();
    const to = rig.receiver(port, 1, "ack", batch);
    const result = await from.next();
    await Promise.all([from.end(), to.end()]);
    return result;
  });

  for (const { name } of senders) {
    const cell = (/** @type {number} */ row, /** @type {"send" | "sendfile"} */ way) =>
      median((results.get(name) ?? []).map(({ rows }) => rows[row][way]));
    table(
      [name, ...HEADERS.flatMap((header) => [`header ${header}: send`, "sendfile", "ratio"])],
      SIZES.map((size, i) => [
        `${size >> 10} KiB`,
        ...HEADERS.flatMap((_, j) => {
          const [send, sendfile] = [cell(j * SIZES.length + i, "send"), cell(j * SIZES.length + i, "sendfile")];
          return [send.toFixed(1), sendfile.toFixed(1), (send / sendfile).toFixed(2)];
        }),
      ]),
    );
    console.log("");
  }
  return { results, verdicts: [] };
}
