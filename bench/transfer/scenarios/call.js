// One native call of one byte, from JavaScript and from C: sendfile(2) to /dev/null, which costs the
// least that a call can cost, so that what the core and the FFI add stands out.

import { fileURLToPath } from "node:url";
import { median, table } from "../../lib/numbers.js";
import { nodes } from "../senders.js";
import { verdict } from "../table.js";

export const title = "core and FFI, per native call of 1 byte";

const SENDER = fileURLToPath(new URL("../senders/call.js", import.meta.url));

/** @param {import("../rig.js").TransferRig} rig @param {import("../run.js").Options} options */
export async function run(rig, { runs }) {
  const file = rig.file(1 << 20);
  const ffis = nodes(rig).flatMap(({ node, label, ffi }) =>
    (ffi === "node" ? ["node", "koffi"] : [ffi]).map((binding) => ({
      name: `${label} ${binding === "node" ? "node:ffi" : binding}`,
      argv: [node, "--no-warnings", SENDER, file],
      env: { SENDOFF_FFI: binding },
    })),
  );
  const c = rig.compile("senders/call.c");
  const senders = c === null ? ffis : [...ffis, { name: "C", argv: [c, file] }];
  const results = await rig.rounds(senders, runs, async ({ argv, env }) => {
    const child = rig.spawn(argv, env);
    const result = await child.next();
    await child.end();
    return result;
  });

  const ns = (/** @type {string} */ name, /** @type {string} */ floor) =>
    median((results.get(name) ?? []).map((result) => result[floor]));
  table(
    ["ns", "binding", "import", "whole transfer", "with probe (2 calls)"],
    senders.map(({ name }) => [
      name,
      ...["libc", "import", "core", "probed"].map((floor) => ns(name, floor)?.toFixed(0) ?? ""),
    ]),
  );
  const verdicts = ffis.flatMap(({ name }) => [
    ...verdict(`${name}: us beyond C, sendfile`, (ns(name, "core") - ns("C", "core")) / 1e3, 1.5),
    ...verdict(
      `${name}: us beyond C, preadv2 + sendfile, per call`,
      (ns(name, "probed") - ns("C", "probed")) / 2e3,
      1.5,
    ),
  ]);
  return { results, verdicts };
}
