// The figures to reach: each a ratio of two servers, round by round, and its bound.

import { bytes, median } from "../lib/numbers.js";
import { called, FRAMEWORKS, PIPES, registered } from "./servers.js";

const KIB = 1024;
/** Of a core: a load generator of one thread that takes so much can't ask for more. */
const BUSY = 0.9;
/** KiB. */
export const SIZES = [4, 16, 64, 256, 16 * KIB];

/**
 * @typedef {import("./rig.js").Result} Result
 * @typedef {{ label: string, results: Map<number, Result[]> }} Row of results, by size
 * @typedef {{ without: Result, with: Result }} Pair p99 without the slow clients, and with them
 * @typedef {(name: string, node?: string) => Row | undefined} Find
 *
 * @typedef {object} Figure
 * @property {string} work
 * @property {number[]} ratios a round each; none where it was not measured
 * @property {number[]} cpu the same, of requests per second of the server's CPU time; none for a latency
 * @property {boolean} limited by the load generator, which the first of the two kept busy all the time
 * @property {number[]} bare the same ratios of the server in C, which does as little as one can
 * @property {number} bound
 * @property {boolean} atMost the bound is the most, and not the least, that it may be
 */

/** Whether the load generator could not have asked for more. @param {Result[]} results */
export const limited = (results) => results.length > 0 && median(results.map(({ loader }) => loader)) >= BUSY;

/** Rounds in which both were measured. @param {Result[]} over @param {Result[]} under @param {(result: Result) => number} pick */
export function ratios(over, under, pick) {
  return over.slice(0, under.length).map((result, round) => pick(result) / pick(under[round]));
}

export const rate = (/** @type {Result} */ result) => result.rate;
/** Requests per second of the server's own CPU time: what others do on the machine hardly changes it. */
export const perCpu = (/** @type {Result} */ result) => 1e6 / result.cpu;

/**
 * All of the table, for each of the Nodes.
 *
 * @param {string[]} majors
 * @param {Find} find
 * @param {(node: string) => Pair[]} slow respond's
 * @returns {Figure[]}
 */
export function figures(majors, find, slow) {
  /** @type {Figure[]} */
  const all = [];
  for (const node of majors) {
    const speed = (
      /** @type {string} */ name,
      /** @type {string} */ reference,
      /** @type {number} */ kib,
      /** @type {number} */ bound,
      byCpu = false,
    ) => {
      const under = find(reference, node) ?? find(reference);
      const work = `${called(name)}, ${bytes(kib * KIB)}, over ${called(reference)}, Node ${node}${byCpu ? ", by CPU" : ""}`;
      const [a, b, bare] = [find(name, node), under, find("bare")].map((row) => row?.results.get(kib * KIB) ?? []);
      all.push({
        work,
        ratios: ratios(a, b, byCpu ? perCpu : rate),
        cpu: ratios(a, b, perCpu),
        bare: name === "respond" ? ratios(bare, b, rate) : [],
        limited: limited(a),
        bound,
        atMost: false,
      });
    };
    speed("loop", "nginx", 4, 1.2);
    speed("loop", "nginx", 64, 1);
    // By CPU: 0.85 of nginx's, and 0.95.
    speed("loop", "nginx", 64, 1.18, true);
    speed("loop", "nginx", 256, 1.05, true);
    speed("loop", "nginx", 16 * KIB, 1.05, true);
    speed("respond", "nginx", 64, 1.1);
    speed("respond", "nginx", 256, 1.4);
    speed("respond", "nginx", 4, 0.65);
    for (const kib of SIZES) speed("respond", "bun", kib, 1.3);
    for (const name of ["respond(path)", "serveStatic"]) {
      for (const kib of [4, 64]) speed(name, "respond", kib, 0.85);
    }
    speed("serveStatic", "bun", 4, 0.95);
    speed("serveStatic", "sirv", 4, 1.2);
    speed("serveStatic", "send", 64, 2.5);
    speed("accelerate", "send", 64, 2.5);
    for (const kib of [4, 64, 256]) {
      speed("respond-https", "https", kib, 0.8);
      speed("serveStatic-https", "https", kib, 0.8);
    }
    for (const name of PIPES) {
      for (const [kib, bound] of [
        [64, 1.8],
        [256, name === "pipe-chunked" ? 2.5 : 1.8],
        [4, 1],
      ]) {
        speed(registered(name), name, kib, bound);
      }
    }
    // Of bytes, CPU counts: 0.3 of it over itself.
    speed(registered("pipe-chunked"), "pipe-chunked", 16 * KIB, 3.33, true);
    for (const name of FRAMEWORKS) {
      speed(registered(name), name, 256, 2);
      speed(registered(name), name, 4, 1);
    }
    speed("fileResponse", "srvx", 256, 2);
    all.push({
      work: `respond, 64 KiB, p99 with 500 slow clients over without, Node ${node}`,
      ratios: slow(node).map((pair) => pair.with.p99 / pair.without.p99),
      cpu: [],
      bare: [],
      limited: false,
      bound: 1.5,
      atMost: true,
    });
  }
  return all;
}

/** Its bound, and whether that is met, as text. @param {Pick<Figure, "ratios" | "bound" | "atMost">} figure */
export function verdict(figure) {
  const reached = met(figure);
  return [
    `${figure.atMost ? "≤" : "≥"} ${figure.bound}`,
    reached === null ? "not measured" : reached ? "met" : "NOT MET",
  ];
}

/** null where it was not measured. @param {Pick<Figure, "ratios" | "bound" | "atMost">} figure */
export function met({ ratios, bound, atMost }) {
  if (ratios.length === 0) return null;
  return atMost ? median(ratios) <= bound : median(ratios) >= bound;
}
