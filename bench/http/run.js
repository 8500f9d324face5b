// npm run bench -- http: requests per second and CPU per request of every server, and which figures were reached.
//
//   node bench/http/run.js [--only NAME,…] [--node 20,26] [--scenario speed,slow] [--sizes KIB,…]
//                          [--runs N] [--seconds S] [--tries N] [--load wrk|autocannon]
//                          [--against CHECKOUT] [--json FILE] [--chart FILE.svg]
//   node bench/http/run.js --from FILE --chart FILE.svg

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { about } from "../figures/take.js";
import { bytes, interval, median, spread, table } from "../lib/numbers.js";
import { list, whole } from "../lib/options.js";
import { dated, write } from "../lib/rig.js";
import { figures, met, perCpu, rate, ratios, SIZES, verdict } from "./figures.js";
import { generators } from "./load.js";
import { printDisturbance, printErrors, printSlow, printSpeed, printWords } from "./print.js";
import { HttpRig, sized } from "./rig.js";
import { LONG, SHORT, slow, speed } from "./scenarios.js";
import { choose, NAMES, nodes, tools, version } from "./servers.js";

const SCRIPT = "bench/http/run.js";
const SCENARIOS = ["speed", "slow"];
/** Those that the slow clients are let loose on. */
const SLOW = ["respond", "nginx", "send"];
/** The tail of the latency wants more requests than their rate does. */
const SLOW_SECONDS = 3;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: NAMES.join() },
    node: {
      type: "string",
      default: nodes()
        .map(({ major }) => major)
        .join(),
    },
    scenario: { type: "string", default: SCENARIOS.join() },
    sizes: { type: "string", default: SIZES.join() },
    runs: { type: "string", default: "7" },
    seconds: { type: "string", default: "1" },
    tries: { type: "string", default: "1" },
    load: { type: "string" },
    against: { type: "string" },
    json: { type: "string" },
    from: { type: "string" },
    chart: { type: "string" },
  },
});

const only = list("only", values.only, NAMES);
const majors = list(
  "node",
  values.node,
  nodes().map(({ major }) => major),
);
const scenarios = list("scenario", values.scenario, SCENARIOS);
const sizes = values.sizes.split(",").map((kib) => {
  if (/^[1-9][0-9]{0,5}$/.test(kib)) return Number(kib) * 1024;
  throw new RangeError(`--sizes must be whole numbers of KiB, 1 to 999999 (got '${kib}')`);
});
const runs = whole("runs", values.runs, 1000);
const seconds = whole("seconds", values.seconds, 600);
const tries = whole("tries", values.tries, 100);
const loader = values.load ?? (generators.wrk.version === null ? "autocannon" : "wrk");
if (!(loader in generators))
  throw new RangeError(`--load knows ${Object.keys(generators).join(", ")} (got '${loader}')`);
const generator = generators[loader];
if (generator.version === null) throw new Error(`${loader} is not installed`);

if (values.from !== undefined) {
  if (values.chart === undefined) throw new TypeError("--from wants --chart");
  await drawn(JSON.parse(readFileSync(values.from, "utf8")), values.chart);
  process.exit();
}
if (!existsSync(new URL("../../build/core.wasm", import.meta.url))) throw new Error("npm run build comes first");

const runtimes = nodes().filter(({ major }) => majors.includes(major));
const { competitors, missing } = choose(only, runtimes, values.against && resolve(values.against));
const rig = new HttpRig(generator, [...new Set([...sizes, SHORT, LONG])], tries);
const machine = {
  ...rig.machine(),
  load_generator: generator.version,
  ...Object.fromEntries(
    runtimes.map(({ major, binary, ffi }) => [`Node ${major}`, `${version([binary])?.version}, ${ffi}`]),
  ),
  ...Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, tool?.version ?? null])),
  packages: packages(),
};
table(
  ["machine", ""],
  Object.entries(machine).map(([name, value]) => [name, value ?? "not installed"]),
);
if (missing.length > 0) console.log(`\nnot installed, and left out: ${missing.join(", ")}`);

/** @type {import("./rig.js").Server[]} */
const servers = [];
for (const competitor of competitors) servers.push(await rig.start(competitor));

/** @type {Map<import("./rig.js").Server, import("./figures.js").Row>} */
const rows = new Map(servers.map((server) => [server, { label: server.competitor.label, results: new Map() }]));
if (scenarios.includes("speed")) {
  for (const size of sizes) {
    const results = await speed(rig, servers, bytes(size), sized(size), { runs, seconds });
    for (const [server, of] of results) rows.get(server)?.results.set(size, of);
    printSpeed(bytes(size), results, loader);
  }
}

const slowly = scenarios.includes("slow") && tools.bare !== null;
if (scenarios.includes("slow") && !slowly)
  console.log("\nno C compiler: the measurement beside slow clients is left out");
const victims = servers.filter(({ competitor }) => SLOW.includes(competitor.name));
const pairs = slowly ? await slow(rig, victims, { runs, seconds: seconds * SLOW_SECONDS }) : new Map();
if (pairs.size > 0) printSlow(pairs);

/** @param {string} name @param {string} [node] @param {boolean} [former] */
const find = (name, node, former) => {
  const server = servers.find(
    ({ competitor: one }) => one.name === name && one.node === node && (one.former ?? false) === (former ?? false),
  );
  return server && rows.get(server);
};
const changes = servers.filter(({ competitor }) => competitor.former).flatMap(changed);
if (changes.length > 0) {
  console.log(`\n## Over ${values.against}, round by round\n`);
  table(
    ["requests per second", "median", "95 %", "by CPU", "95 %"],
    changes.map(({ label, size, requests, cpu }) => {
      const said = (/** @type {number[]} */ all) => [
        median(all).toFixed(3),
        interval(all)
          .map((bound) => bound.toFixed(3))
          .join("-"),
      ];
      return [`${label}, ${bytes(size)}`, ...said(requests), ...said(cpu)];
    }),
  );
}
const respond = (/** @type {string} */ node) =>
  [...pairs].find(([{ competitor }]) => competitor.name === "respond" && competitor.node === node)?.[1] ?? [];
const all = figures(majors, find, respond);
console.log("\n## Figures to reach\n");
table(
  ["ratio", "median", "quartiles", "bound", "", "limit", "by CPU", "bare C"],
  all.map((figure) => [
    figure.work,
    ...spread(figure.ratios),
    ...verdict(figure),
    figure.limited ? loader : "",
    spread(figure.cpu)[0],
    spread(figure.bare)[0],
  ]),
);
const everything = [...rows.values()].flatMap(({ results }) => [...results.values()].flat());
printDisturbance(everything);
console.log(`\n${runs} rounds of ${seconds} s; load average at the end: ${loadavg()[0].toFixed(2)}`);

printWords(servers);
printErrors([...everything, ...[...pairs.values()].flat().flatMap((pair) => [pair.with, pair.without])]);

const record = {
  machine,
  runs,
  seconds,
  tries,
  figures: all.map((figure) => ({ ...figure, met: met(figure) })),
  speed: [...rows].map(([{ competitor }, { label, results }]) => ({
    label,
    name: competitor.name,
    node: competitor.node ?? null,
    former: competitor.former ?? false,
    results: Object.fromEntries(results),
  })),
  changes,
  slow: [...pairs].map(([{ competitor }, of]) => ({ label: competitor.label, results: of })),
};
if (values.json !== undefined) write(values.json, SCRIPT, record);
if (values.chart !== undefined) await drawn(dated(SCRIPT, record), values.chart);
process.exit();

/** Loaded only now: the plotting library is large. @param {typeof record} data @param {string} file */
async function drawn(data, file) {
  const { draw, values } = await import("../figures/charts/requests.js");
  writeFileSync(file, await draw({ about: about(data), values: values(data, majors[0]) }));
}

/** A former server and ours: the ratios at each size. @param {import("./rig.js").Server} former */
function changed({ competitor }) {
  const [now, before] = [false, true].map((former) => find(competitor.name, competitor.node, former));
  return [...(now?.results ?? [])].map(([size, results]) => {
    const of = before?.results.get(size) ?? [];
    return {
      label: /** @type {string} */ (now?.label),
      size,
      requests: ratios(results, of, rate),
      cpu: ratios(results, of, perCpu),
    };
  });
}

/** The versions that were measured. */
function packages() {
  const names = ["send", "express", "serve-static", "sirv", "koa", "koa-send", "fastify", "@fastify/static"];
  return names
    .map((name) => {
      const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
      return `${name} ${JSON.parse(readFileSync(file, "utf8")).version}`;
    })
    .join(", ");
}
