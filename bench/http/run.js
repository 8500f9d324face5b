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
import { bytes, interval, median, quantile, spread, table } from "../lib/numbers.js";
import { dated, write } from "../lib/rig.js";
import { figures, met, perCpu, rate, ratios, SIZES } from "./figures.js";
import { generators } from "./load.js";
import { HttpRig } from "./rig.js";
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

/** @param {"only" | "node" | "scenario"} option @param {string[]} known */
function list(option, known) {
  const chosen = values[option].split(",");
  const stranger = chosen.find((item) => !known.includes(item));
  if (stranger !== undefined) throw new RangeError(`--${option} knows ${known.join(", ")} (got '${stranger}')`);
  return chosen;
}

/** @param {"runs" | "seconds" | "tries"} option @param {number} most */
function whole(option, most) {
  const value = Number(values[option]);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new RangeError(`--${option} must be a whole number of 1 to ${most} (got '${values[option]}')`);
}

const only = list("only", NAMES);
const majors = list(
  "node",
  nodes().map(({ major }) => major),
);
const scenarios = list("scenario", SCENARIOS);
const sizes = values.sizes.split(",").map((kib) => {
  if (/^[1-9][0-9]{0,5}$/.test(kib)) return Number(kib) * 1024;
  throw new RangeError(`--sizes must be whole numbers of KiB, 1 to 999999 (got '${kib}')`);
});
const runs = whole("runs", 1000);
const seconds = whole("seconds", 600);
const tries = whole("tries", 100);
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
    const results = await speed(rig, servers, size, { runs, seconds });
    for (const [server, of] of results) rows.get(server)?.results.set(size, of);
    print(size, results);
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
  all.map((figure) => {
    const reached = met(figure);
    return [
      figure.work,
      ...spread(figure.ratios),
      `${figure.atMost ? "≤" : "≥"} ${figure.bound}`,
      reached === null ? "not measured" : reached ? "met" : "NOT MET",
      figure.limited ? loader : "",
      spread(figure.cpu)[0],
      spread(figure.bare)[0],
    ];
  }),
);
const everything = [...rows.values()].flatMap(({ results }) => [...results.values()].flat());
if (everything.length > 0) {
  const percent = (/** @type {"others" | "speed"} */ name) => {
    const all = everything.map((result) => result[name]);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((p) => quantile(all, p) * 100);
    return { middle, words: `${middle.toFixed(0)} % (quartiles ${low.toFixed(0)}-${high.toFixed(0)})` };
  };
  const others = percent("others");
  const speed = percent("speed");
  console.log(`\nOthers on this machine took meanwhile, of a core: ${others.words}`);
  console.log(`The slower processor's speed before and after, of the best seen: ${speed.words}`);
  if (others.middle > 20 || speed.middle < 80) console.log("Too much for the verdicts above to mean much.");
}
console.log(`\n${runs} rounds of ${seconds} s; load average at the end: ${loadavg()[0].toFixed(2)}`);

for (const { competitor, words } of servers) {
  if (words.size > 0) console.log(`\n${competitor.label} said:\n${[...words].join("\n")}`);
}
const errors = [...everything, ...[...pairs.values()].flat().flatMap((pair) => [pair.with, pair.without])];
const failed = errors.reduce((sum, result) => sum + result.errors, 0);
if (failed > 0) {
  console.log(`\n${failed} requests failed, or were not answered with 2xx`);
  process.exitCode = 1;
}

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
  const [{ record }, { draw, values }] = await Promise.all([
    import("../charts/record.js"),
    import("../charts/requests.js"),
  ]);
  writeFileSync(file, await draw(record(data, (all) => values(all, majors[0]))));
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

/** @param {number} size @param {Map<import("./rig.js").Server, import("./rig.js").Result[]>} results */
function print(size, results) {
  const nginx = [...results].find(([{ competitor }]) => competitor.name === "nginx")?.[1] ?? [];
  const percent = (/** @type {number[]} */ shares) => `${(median(shares) * 100).toFixed(0)} %`;
  console.log("");
  table(
    [bytes(size), "req/s", "over nginx", "quartiles", "CPU µs/req", "by CPU", "busy", loader, "others", "errors"],
    [...results].map(([{ competitor }, all]) => [
      competitor.label,
      median(all.map(rate)).toFixed(0),
      ...spread(ratios(all, nginx, rate)),
      median(all.map(({ cpu }) => cpu)).toFixed(1),
      spread(ratios(all, nginx, perCpu))[0],
      percent(all.map(({ busy }) => busy)),
      percent(all.map(({ loader }) => loader)),
      percent(all.map(({ others }) => others)),
      all.reduce((sum, { errors }) => sum + errors, 0),
    ]),
  );
}

/** @param {Map<import("./rig.js").Server, import("./figures.js").Pair[]>} pairs */
function printSlow(pairs) {
  console.log("");
  table(
    ["64 KiB, 16 fast clients", "p99 ms alone", "beside 500 slow", "ratio", "quartiles", "a slow one's KB/s", "errors"],
    [...pairs].map(([{ competitor }, all]) => [
      competitor.label,
      median(all.map((pair) => pair.without.p99)).toFixed(2),
      median(all.map((pair) => pair.with.p99)).toFixed(2),
      ...spread(all.map((pair) => pair.with.p99 / pair.without.p99)),
      (median(all.map((pair) => pair.with.slowRate ?? Number.NaN)) / 1000).toFixed(1),
      all.reduce((sum, pair) => sum + pair.with.errors + pair.without.errors, 0),
    ]),
  );
}
