// What was measured, as tables, and what makes it doubtful.

import { median, quantile, spread, table } from "../lib/numbers.js";
import { perCpu, rate, ratios } from "./figures.js";

/**
 * @typedef {import("./rig.js").Server} Server
 * @typedef {import("./rig.js").Result} Result
 */

/** @param {string} title @param {Map<Server, Result[]>} results @param {string} loader */
export function printSpeed(title, results, loader) {
  const nginx = [...results].find(([{ competitor }]) => competitor.name === "nginx")?.[1] ?? [];
  const percent = (/** @type {number[]} */ shares) => `${(median(shares) * 100).toFixed(0)} %`;
  console.log("");
  table(
    [title, "req/s", "over nginx", "quartiles", "CPU µs/req", "by CPU", "busy", loader, "others", "errors"],
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

/** @param {Map<Server, import("./figures.js").Pair[]>} pairs */
export function printSlow(pairs) {
  console.log("");
  table(
    [
      ...["64 KiB, 16 fast clients", "p50 ms alone", "beside 500 slow"],
      ...["p99 alone", "beside", "ratio", "quartiles"],
      ...["req/s alone", "beside", "ratio", "a slow one's KB/s", "errors"],
    ],
    [...pairs].map(([{ competitor }, all]) => [
      competitor.label,
      ...latencies(all),
      ...spread(all.map((pair) => pair.with.p99 / pair.without.p99)),
      median(all.map((pair) => pair.without.rate)).toFixed(0),
      median(all.map((pair) => pair.with.rate)).toFixed(0),
      median(all.map((pair) => pair.with.rate / pair.without.rate)).toFixed(2),
      (median(all.map((pair) => pair.with.slowRate ?? Number.NaN)) / 1000).toFixed(1),
      all.reduce((sum, pair) => sum + pair.with.errors + pair.without.errors, 0),
    ]),
  );
}

/** p50 alone and beside others, p99 alone and beside them; ms. @param {import("./figures.js").Pair[]} all */
export function latencies(all) {
  return [
    all.map((pair) => pair.without.p50),
    all.map((pair) => pair.with.p50),
    all.map((pair) => pair.without.p99),
    all.map((pair) => pair.with.p99),
  ].map((values) => median(values).toFixed(2));
}

/** What somebody else did to the measurements. @param {Result[]} everything */
export function printDisturbance(everything) {
  if (everything.length === 0) return;
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

/** What the servers said on stderr. @param {Iterable<Server>} servers */
export function printWords(servers) {
  for (const { competitor, words } of servers) {
    if (words.size > 0) console.log(`\n${competitor.label} said:\n${[...words].join("\n")}`);
  }
}

/** Requests that failed make the run fail. @param {Result[]} everything */
export function printErrors(everything) {
  const failed = everything.reduce((sum, result) => sum + result.errors, 0);
  if (failed === 0) return;
  console.log(`\n${failed} requests failed, or were not answered with 2xx`);
  process.exitCode = 1;
}
