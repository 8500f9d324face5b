// How long an app's own answers take while its files are asked for: those that a loop sends, those that the app sends itself,
// and, to compare, beside the same loop in a process of its own, and beside a process that takes as much of the processors
// as the loop does, but has no clients, who take their part, too. But for express.static it is one server that gives them.

import { progress, turn, WARM_S } from "../http/scenarios.js";
import { median, spread, table } from "../lib/numbers.js";
import { inFront, ownAnswer } from "./rows.js";

/**
 * @typedef {import("../http/rig.js").HttpRig} Rig
 * @typedef {import("../http/rig.js").Server} Server
 * @typedef {import("../http/rig.js").Result} Result
 * @typedef {Result & { files: number }} Latency with the files per second that were answered meanwhile
 * @typedef {"alone" | "loop" | "app" | "beside" | "burner"} Way
 */

/** Of the app's own: 200 a second, so that they do not wait for each other. */
const OWN = { ...ownAnswer, pace: { connections: 4, delay: 20 } };
/** 10,000 a second, if they are answered at once. */
const FILES = { ...inFront, pace: { connections: 60, delay: 6 } };
/** Of load on both before each measurement, in s. */
const SETTLE_S = 1;
/** Takes a part of a core, in turns of 2 ms. */
const BURNER = `const part = Number(process.argv[1]);
  const turn = () => { const end = performance.now() + 2 * part; while (performance.now() < end); setTimeout(turn, 2 * (1 - part)); };
  turn();
  console.log("{}");`;

/** @type {Record<Way, string>} */
const CALLED = {
  alone: "no files",
  loop: "files by createFileServer before it",
  app: "files by express.static in it",
  beside: "the same files by createFileServer in another process",
  burner: "a busy loop of the same CPU, without clients",
};

/**
 * @param {Rig} rig @param {Server} front @param {Server} app @param {Server} other for the files alone @param {import("../http/scenarios.js").Options} options
 * @returns {Promise<Record<Way, Latency[]>>}
 */
export async function latency(rig, front, app, other, { runs, seconds }) {
  for (const server of [front, app, other]) await rig.prepare(server, inFront, WARM_S);
  for (const server of [front, app]) await rig.prepare(server, ownAnswer, WARM_S);
  /** @type {Record<Way, Latency[]>} */
  const results = { alone: [], loop: [], app: [], beside: [], burner: [] };
  const own = (/** @type {Server} */ server) => rig.load(server, OWN, seconds);
  /** @param {Server} server @param {Server} [sender] */
  const withFiles = (server, sender = server) =>
    rig.awake(server, async () => {
      const files = rig.generator.run(`${sender.origin}${FILES.path}`, seconds + 2 * SETTLE_S, FILES);
      await rig.warm(server, OWN, SETTLE_S);
      const result = await own(server);
      const { requests, seconds: wall } = await files;
      return { ...result, files: requests / wall };
    });
  /** @type {Record<Way, () => Promise<Latency>>} */
  const ways = {
    alone: () =>
      rig.awake(front, async () => {
        await rig.warm(front, OWN, SETTLE_S);
        return { ...(await own(front)), files: 0 };
      }),
    loop: () => withFiles(front),
    app: () => withFiles(app),
    beside: () => rig.awake(other, () => withFiles(front, other)),
    burner: () =>
      rig.awake(front, async () => {
        const busy = (/** @type {Way} */ way) => median(results[way].map((one) => one.busy));
        const part = Math.min(Math.max(busy("loop") - busy("alone"), 0), 1);
        const burner = rig.spawn([process.execPath, "-e", BURNER, `${part}`]);
        await burner.next();
        await rig.warm(front, OWN, SETTLE_S);
        const result = await own(front);
        burner.child.kill("SIGKILL");
        await burner.over;
        return { ...result, files: 0 };
      }),
  };
  for (let round = 0; round < runs; round++) {
    // The last one needs the first two's figures.
    const order = /** @type {Way[]} */ ([...turn(["alone", "loop", "app", "beside"], round), "burner"]);
    for (const way of order) {
      progress(`the app's latency, round ${round + 1} of ${runs}: ${CALLED[way]}`);
      results[way].push(await ways[way]());
    }
  }
  progress("");
  return results;
}

/** @param {Record<Way, Latency[]>} results */
export function printLatency(results) {
  console.log("");
  table(
    ["the app's own answers, beside", "p50 ms", "p99 ms", "quartiles", "files/s", "busy", "errors"],
    Object.entries(results).map(([way, all]) => [
      CALLED[/** @type {Way} */ (way)],
      median(all.map(({ p50 }) => p50)).toFixed(2),
      ...spread(all.map(({ p99 }) => p99)),
      median(all.map(({ files }) => files)).toFixed(0),
      `${(100 * median(all.map(({ busy }) => busy))).toFixed(0)} %`,
      all.reduce((sum, { errors }) => sum + errors, 0),
    ]),
  );
}
