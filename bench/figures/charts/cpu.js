// CPU per GiB, by runtime and peer: a bar a sender.

import { BARE, bars, picture, title } from "./picture.js";
import { median, ours } from "./values.js";

/** @param {any} data what bench/runtimes/run.js writes */
export function values({ size, results }) {
  const gib = 2 ** 30 / size;
  return Object.entries(results).map(([name, runs]) => ({
    sender: name
      .replace("1024 KiB", "1 MiB")
      .replace(/^(deno|bun): (.*)$/, (_, runtime, way) => `${way}, ${RUNTIMES[runtime]}`),
    cpu: median(runs.map((/** @type {any} */ { user, system }) => (user + system) * gib)),
  }));
}

const RUNTIMES = /** @type {Record<string, string>} */ ({ deno: "Deno", bun: "Bun" });

/** @param {any} record @returns {Promise<string>} */
export function draw({ values, about }) {
  const group = (/** @type {string} */ sender) => (ours(sender) ? "sendoff" : "others");
  const sorted = values.toSorted((/** @type {any} */ a, /** @type {any} */ b) => a.cpu - b.cpu);
  const senders = sorted.map((/** @type {any} */ { sender }) => sender);
  return picture({
    title: title("Sender's CPU time per GiB", `${about}; warm, to one client; shorter is better`),
    data: { values: sorted.map((/** @type {any} */ row) => ({ ...row, group: group(row.sender) })) },
    width: 560,
    height: { step: 23 },
    encoding: {
      y: { field: "sender", type: "nominal", sort: senders, title: null },
      x: { field: "cpu", type: "quantitative", title: "CPU seconds per GiB, user + system", axis: BARE },
    },
    layer: bars("cpu", ".2f"),
  });
}
