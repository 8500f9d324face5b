// npm run bench -- runtimes: 1 GiB from the page cache to one client, on each runtime against its own best way
// and against a C loop and CPython. The rig is bench/transfer's.
//
//   node bench/runtimes/run.js [--only node,deno,bun] [--runs N] [--tries N] [--size BYTES] [--json FILE]

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median, table } from "../lib/numbers.js";
import { write } from "../lib/rig.js";
import { TransferRig } from "../transfer/rig.js";
import { nodes, others, pipe, sendoff } from "../transfer/senders.js";
import { cpu, medians, middle, verdict, verdicts, wall } from "../transfer/table.js";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const installed = (/** @type {string} */ name) => here(`../../test/runtimes/node_modules/.bin/${name}`);

/**
 * @typedef {object} Runtime
 * @property {string} path
 * @property {string[]} [ours] ways of sendoff, as the sender knows them. Default: "sendoff"
 * @property {string} own its own best way
 * @property {string[]} [more] other ways of its own, to compare
 * @property {(way: string, file: string) => string[]} command
 * @property {[pick: typeof cpu, what: string, other: string, target: number][]} figures `other`: the own way, or the C loop
 */

/** @type {Record<string, Runtime>} */
const RUNTIMES = {
  deno: {
    path: installed("deno"),
    own: "pipeTo",
    command: (way, file) => ["run", "-A", "--no-lock", here("deno.js"), JSON.stringify({ way, file })],
    figures: [
      [cpu, "CPU", "own", 0.5],
      [cpu, "CPU", "C loop", 1.3],
      [wall, "wall", "C loop", 1.5],
    ],
  },
  bun: {
    path: installed("bun"),
    ours: ["sendoff", "sendoff, node:net"],
    own: "Bun.file stream",
    more: ["pipe 64 KiB", "pipe 1 MiB"],
    command: (way, file) => [here("bun.js"), JSON.stringify({ way, file })],
    figures: [
      [cpu, "CPU", "own", 0.5],
      [cpu, "CPU", "C loop", 1.3],
    ],
  },
};

/** Node's senders are those of bench/transfer. */
const KNOWN = ["node", ...Object.keys(RUNTIMES)];

const { values } = parseArgs({
  options: {
    only: { type: "string", default: KNOWN.join() },
    runs: { type: "string", default: "7" },
    size: { type: "string", default: String(2 ** 30) },
    tries: { type: "string", default: "1" },
    json: { type: "string" },
  },
});
const runs = Number(values.runs);
const size = Number(values.size);
const tries = Number(values.tries);
const only = values.only.split(",");
if (!(runs >= 1 && runs <= 1000)) throw new RangeError(`--runs must be 1 to 1000 (got ${values.runs})`);
if (!(tries >= 1 && tries <= 100)) throw new RangeError(`--tries must be 1 to 100 (got ${values.tries})`);
if (!(size >= 2 ** 20 && size <= 2 ** 34)) throw new RangeError(`--size must be 1 MiB to 16 GiB (got ${values.size})`);
if (only.some((name) => !KNOWN.includes(name))) throw new RangeError(`--only knows ${KNOWN.join(", ")}`);
if (!existsSync(here("../../build/core.wasm"))) throw new Error("npm run build comes first");

const rig = new TransferRig({ tries });
const file = rig.file(size);
const asked = only.filter((name) => name !== "node");
const chosen = asked.filter((name) => existsSync(RUNTIMES[name].path));
const version = (/** @type {string} */ name) =>
  execFileSync(RUNTIMES[name].path, ["--version"], { encoding: "utf8" }).split("\n")[0];
const load = () =>
  loadavg()
    .map((n) => n.toFixed(1))
    .join(" ");
const machine = {
  ...rig.machine(),
  ...Object.fromEntries(asked.map((name) => [name, chosen.includes(name) ? version(name) : null])),
};
table(
  ["machine", ""],
  [...Object.entries(machine).map(([name, value]) => [name, value ?? "not installed"]), ["load before", load()]],
);

const ours = (/** @type {string} */ runtime) => RUNTIMES[runtime].ours ?? ["sendoff"];
const name = (/** @type {string} */ runtime, /** @type {string} */ way) => `${runtime}: ${way}`;
const inNode = only.includes("node") ? nodes(rig) : [];
const senders = inNode.flatMap((runtime) => [
  sendoff(runtime, { file, clients: 1 }),
  pipe(runtime, file, 1, 64),
  pipe(runtime, file, 1, 1024),
]);
const beyondNode = chosen.flatMap((runtime) =>
  [...ours(runtime), RUNTIMES[runtime].own, ...(RUNTIMES[runtime].more ?? [])].map((way) => ({
    name: name(runtime, way),
    argv: [RUNTIMES[runtime].path, ...RUNTIMES[runtime].command(way, file)],
  })),
);
senders.push(...beyondNode, ...others(rig, file).filter(({ name }) => ["C loop", "CPython sendfile"].includes(name)));
console.log("");
const results = await rig.rounds(senders, runs, (sender) => rig.trial(sender, 1, size, file));
medians(results);
const speed = median([...results.values()].flat().map(({ speed = 1 }) => speed));
console.log(`\nload after: ${load()}; the slower processor's speed, of the best seen: ${(speed * 100).toFixed(0)} %\n`);
verdicts(
  chosen.flatMap((runtime) =>
    ours(runtime).flatMap((way) =>
      RUNTIMES[runtime].figures.flatMap(([pick, what, other, target]) => {
        const against = other === "own" ? name(runtime, RUNTIMES[runtime].own) : other;
        const ratio = middle(results, name(runtime, way), pick) / middle(results, against, pick);
        return verdict(`${name(runtime, way)}: ${what} / ${against}`, ratio, target);
      }),
    ),
  ),
);
if (values.json !== undefined) {
  const record = { machine, runs, size, results: Object.fromEntries(results) };
  write(values.json, "bench/runtimes/run.js", record);
}
process.exit();
