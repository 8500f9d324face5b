// npm run bench -- server: what createFileServer and `sendoff serve` have to reach beside others, and whether they do.
//
//   node bench/server/run.js [--only ROW,…] [--runs N] [--seconds S] [--tries N] [--before REF] [--json FILE]

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { limited, ratios, verdict } from "../http/figures.js";
import { generators } from "../http/load.js";
import { printDisturbance, printErrors, printSlow, printSpeed, printWords } from "../http/print.js";
import { HttpRig } from "../http/rig.js";
import { LONG, progress, SHORT, slow, speed } from "../http/scenarios.js";
import { tools } from "../http/servers.js";
import { median, spread, table } from "../lib/numbers.js";
import { list, whole } from "../lib/options.js";
import { write } from "../lib/rig.js";
import { COLD, cold, printCold } from "./cold.js";
import { built } from "./commands.js";
import { latency, printLatency } from "./latency.js";
import { idle, lag } from "./measures.js";
import { MANY, ROWS, SMALL } from "./rows.js";
import { BEFORE, competitors, serveBefore, versions } from "./servers.js";

/**
 * @typedef {import("../http/rig.js").Server} Server
 * @typedef {import("../http/rig.js").Result} Result
 * @typedef {import("./rows.js").Row} Row
 *
 * @typedef {object} Measured
 * @property {Record<string, object[]>} results every single one, by server
 * @property {Result[]} loads those of them that the load generator took part in
 * @property {(figure: import("./rows.js").Figure) => { ratios: number[], limited?: boolean }} figure
 */

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(ROWS).join() },
    runs: { type: "string", default: "7" },
    seconds: { type: "string", default: "1" },
    tries: { type: "string", default: "1" },
    before: { type: "string" },
    json: { type: "string" },
  },
});
const only = list("only", values.only, Object.keys(ROWS));
const runs = whole("runs", values.runs, 1000);
const seconds = whole("seconds", values.seconds, 600);
const tries = whole("tries", values.tries, 100);
const { wrk } = generators;
if (wrk.version === null) throw new Error("wrk is not installed"); // autocannon is slower than all that is measured
if (!existsSync(new URL("../../build/core.wasm", import.meta.url))) throw new Error("npm run build comes first");

const sizes = Object.values(ROWS).flatMap(({ request }) => request?.size ?? []);
const rig = new HttpRig(wrk, [...new Set([...sizes, SHORT, LONG])], tries);
/** The folders of files, made when a row wants them. @type {Record<NonNullable<Row["root"]>, [string, number][]>} */
const FILES = {
  files: [],
  many: Array.from({ length: MANY }, (_, i) => [String(i), SMALL]),
  disk: [[String(SMALL), SMALL], COLD],
  app: [
    [`static/${SMALL}`, SMALL],
    ["own", 100],
  ],
};
/** @type {Map<string, string>} */
const roots = new Map([["files", rig.root]]);
const former = values.before === undefined ? {} : { before: values.before };
const machine = { ...rig.machine(), load_generator: wrk.version, ...versions(), ...former };
table(
  ["machine", ""],
  Object.entries(machine).map(([name, value]) => [name, value ?? "not installed"]),
);
const missing = new Set(only.flatMap((row) => ROWS[row].servers).filter((name) => competitors[name] === null));
if (values.before !== undefined && missing.delete(BEFORE)) {
  progress(`building ${values.before}`);
  competitors[BEFORE] = serveBefore(built(rig.folder, values.before));
  progress("");
}
if (missing.delete(BEFORE)) console.log(`\nwithout --before REF, and left out: ${BEFORE}`);
if (missing.size > 0) console.log(`\nnot installed, and left out: ${[...missing].join(", ")}`);

/** @type {Map<string, Server>} */
const servers = new Map();
/** @type {Record<string, Measured | null>} */
const measured = {};
for (const row of only) measured[row] = await measure(row, ROWS[row]);

const loads = Object.values(measured).flatMap((all) => all?.loads ?? []);
const figures = only.flatMap((row) =>
  ROWS[row].figures.map((figure) => ({
    row,
    ...figure,
    limited: false,
    ...(measured[row]?.figure(figure) ?? { ratios: [] }),
  })),
);
console.log("\n## Figures to reach\n");
table(
  ["row: work", "median", "quartiles", "bound", "", "aim", "limit"],
  figures.map((figure) => {
    const over = figure.over === undefined ? "" : `, ${figure.of} over ${figure.over}`;
    return [
      `${figure.row}: ${ROWS[figure.row].title}, ${figure.work}${over}`,
      ...spread(figure.ratios),
      ...verdict(figure),
      figure.aim ?? "",
      figure.limited ? "wrk" : "",
    ];
  }),
);
printDisturbance(loads);
console.log(`\n${runs} rounds of ${seconds} s; load average at the end: ${loadavg()[0].toFixed(2)}`);
printWords(servers.values());
printErrors(loads);
if (values.json !== undefined) {
  const results = Object.fromEntries(Object.entries(measured).map(([row, all]) => [row, all?.results ?? null]));
  const labels = Object.fromEntries(Object.entries(competitors).map(([name, one]) => [name, one?.label ?? name]));
  write(values.json, "bench/server/run.js", { machine, runs, seconds, tries, figures, labels, results });
}
process.exit();

/** @param {string} name @param {Row} row @returns {Promise<Measured | null>} */
async function measure(name, row) {
  if (name === "idle") return idling(row);
  /** @type {Map<string, Server>} */
  const present = new Map();
  for (const server of row.servers) {
    if (competitors[server] !== null) present.set(server, await started(server, row.root ?? "files"));
  }
  if (name === "slow") return slowly(present);
  if (name === "cold") return coldly(present);
  if (name === "lag") return lagging(present);
  if (name === "app-latency") return waiting(present);
  return answering(row, present);
}

/** Each is started once. @param {string} name @param {NonNullable<Row["root"]>} root */
async function started(name, root) {
  const key = `${name} ${root}`;
  const competitor = /** @type {import("./servers.js").Competitor} */ (competitors[name]);
  const folder = roots.get(root) ?? rig.fill(root, FILES[root]);
  roots.set(root, folder);
  const server = servers.get(key) ?? (await rig.start(competitor, folder));
  servers.set(key, server);
  return server;
}

/** Requests per second, and CPU. @param {Row} row @param {Map<string, Server>} present @returns {Promise<Measured>} */
async function answering({ title, request, handedOver, logged }, present) {
  if (request === undefined) throw new Error(`${title}: no request`);
  const loop = present.get("loop");
  const before = handedOver && loop ? await handOvers(loop) : 0;
  const results = await speed(rig, [...present.values()], title, request, { runs, seconds });
  printSpeed(title, results, "wrk");
  const of = (/** @type {string} */ name) => results.get(/** @type {Server} */ (present.get(name))) ?? [];
  if (handedOver && loop) {
    const count = (await handOvers(loop)) - before;
    const asked = of("loop").reduce((sum, { rate }) => sum + rate * seconds, 0);
    if (count < asked) throw new Error(`${title}: of ${asked} requests ${count} were handed over`);
  }
  if (logged) {
    for (const [server, all] of results) {
      const count = lines(/** @type {string} */ (server.log));
      const asked = all.reduce((sum, { rate }) => sum + rate * seconds, 0);
      if (count < asked) throw new Error(`${server.competitor.label}: of ${asked} requests ${count} are in its log`);
    }
  }
  return {
    ...recorded(present, results),
    loads: [...results.values()].flat(),
    figure: ({ of: one = "", over = "", by = "rate" }) => ({
      ratios: ratios(of(one), of(over), (result) => result[by]),
      limited: by === "rate" && limited(of(one)),
    }),
  };
}

/** How many it has. @param {string} file */
function lines(file) {
  return Number(execFileSync("wc", ["-l", file], { encoding: "utf8" }).split(" ")[0]);
}

/** Connections that the loop gave to the server behind it. @param {Server} server @returns {Promise<number>} */
function handOvers(server) {
  return rig.awake(server, async () => {
    const { handedOver } = await server.ask("stats");
    return Object.values(handedOver).reduce((sum, count) => sum + count, 0);
  });
}

/** @param {Map<string, Server>} present @returns {Promise<Measured | null>} */
async function slowly(present) {
  if (tools.bare === null) return leftOut("slow", "no C compiler");
  const pairs = await slow(rig, [...present.values()], { runs, seconds: 3 * seconds });
  printSlow(pairs);
  const own = pairs.get(/** @type {Server} */ (present.get("loop"))) ?? [];
  return {
    ...recorded(present, pairs),
    loads: [...pairs.values()].flat().flatMap((pair) => [pair.without, pair.with]),
    figure: () => ({ ratios: own.map((pair) => pair.with.p99 / pair.without.p99) }),
  };
}

/** @param {Map<string, Server>} present @returns {Promise<Measured | null>} */
async function coldly(present) {
  if (tools.bare === null) return leftOut("cold", "no C compiler");
  const results = await cold(rig, [...present.values()], { runs, seconds: 3 * seconds });
  if (results === null) return leftOut("cold", "its file stays in the page cache");
  printCold(results);
  const own = results.get(/** @type {Server} */ (present.get("loop"))) ?? [];
  return {
    ...recorded(present, results),
    loads: [...results.values()].flat().flatMap((pair) => [pair.without, pair.with]),
    figure: () => ({ ratios: own.map((pair) => pair.with.p99) }),
  };
}

/** @param {Map<string, Server>} present @returns {Promise<Measured>} */
async function waiting(present) {
  const [front, app, other] = /** @type {[Server, Server, Server]} */ ([...present.values()]);
  const results = await latency(rig, front, app, other, { runs, seconds: 3 * seconds });
  printLatency(results);
  return {
    results,
    loads: Object.values(results).flat(),
    figure: ({ over }) => ({
      ratios: results.loop.map(({ p99 }, i) => p99 / results[/** @type {"beside" | "burner"} */ (over)][i].p99),
    }),
  };
}

/** @param {Map<string, Server>} present @returns {Promise<Measured>} */
async function lagging(present) {
  const results = await lag(rig, [...present.values()], { runs, seconds });
  console.log("");
  table(
    ["event loop's lag, ms", "p99, idle", "p50, busy", "p99", "max", "p99, net", "req/s"],
    [...results].map(([{ competitor }, all]) => [
      competitor.label,
      ...[
        ...[all.map((one) => one.without.lag.p99), all.map((one) => one.with.lag.p50)],
        ...[all.map((one) => one.with.lag.p99), all.map((one) => one.with.lag.max)],
        all.map((one) => one.with.net.p99),
      ].map((values) => median(values).toFixed(2)),
      median(all.map(({ result }) => result.rate)).toFixed(0),
    ]),
  );
  const own = results.get(/** @type {Server} */ (present.get("loop"))) ?? [];
  return {
    ...recorded(present, results),
    loads: [...results.values()].flat().map(({ result }) => result),
    figure: () => ({ ratios: own.map((one) => one.with.lag.p99) }),
  };
}

/** @param {Row} row @returns {Promise<Measured | null>} */
async function idling({ title, servers }) {
  if (tools.bare === null) return leftOut("idle", "no C compiler");
  const names = servers.filter((name) => competitors[name] !== null);
  const present = names.map((name) => /** @type {import("./servers.js").Competitor} */ (competitors[name]));
  const results = await idle(rig, present, runs);
  if (results === null) return leftOut("idle", "more than 10,000 file descriptors are not allowed");
  console.log("");
  table(
    [title, "MiB before", "MiB after", "KiB each"],
    present.map(({ label }, i) => {
      const mib = (/** @type {"few" | "most"} */ of) => (median(results[i].map((one) => one[of])) / 1024).toFixed(1);
      return [label, mib("few"), mib("most"), spread(results[i].map(({ each }) => each))[0]];
    }),
  );
  return {
    results: Object.fromEntries(names.map((name, i) => [name, results[i]])),
    loads: [],
    figure: () => ({ ratios: results[0].map(({ each }) => each) }),
  };
}

/** @param {string} row @param {string} reason */
function leftOut(row, reason) {
  console.log(`\n${row} is left out: ${reason}`);
  return null;
}

/** @template {object} T @param {Map<string, Server>} present @param {Map<Server, T[]>} results */
function recorded(present, results) {
  return { results: Object.fromEntries([...present].map(([name, server]) => [name, results.get(server) ?? []])) };
}
