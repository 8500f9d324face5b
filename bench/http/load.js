// The load: 16 connections that ask for one URL again and again, by wrk or, without it, by autocannon. wrk alone knows
// header fields of ours, and many files.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { version } from "./servers.js";

const run = promisify(execFile);
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const CONNECTIONS = 16;
const TIMEOUT_S = 60;

/**
 * @typedef {object} Load
 * @property {number} requests answered in full
 * @property {number} bytes of all answers; wrk includes those that the end of the time cut off
 * @property {number} seconds
 * @property {number} errors of connections, timeouts, and answers that were not 2xx
 * @property {number} p50 ms
 * @property {number} p99 ms
 *
 * @typedef {object} More
 * @property {Record<string, string>} [headers] with `Connection: close` each request has a connection of its own
 * @property {number} [files] in turn, instead of the URL's path: /0.bin, /1.bin, …
 * @property {string[]} [paths] the same: these
 * @property {{ connections: number, delay: number }} [pace] so many connections, that wait so many ms before each request
 *
 * @typedef {object} Generator
 * @property {string | null} version
 * @property {(url: string, seconds: number, more?: More) => Promise<Load>} run
 */

/** @type {Generator} */
const wrk = {
  version: version(["wrk"], "-v", 1)?.version.replace(/ Copyright.*/, "") ?? null,
  async run(url, seconds, { headers = {}, files, paths = [], pace } = {}) {
    const fields = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const script = [
      "-s",
      here("report.lua"),
      url,
      "--",
      `${pace?.delay ?? 0}`,
      ...(files === undefined ? paths : [`${files}`]),
    ];
    const args = [
      "-t1",
      `-c${pace?.connections ?? CONNECTIONS}`,
      `-d${seconds}s`,
      `--timeout=${TIMEOUT_S}s`,
      ...fields,
      ...script,
    ];
    const { stdout } = await run("wrk", args);
    return JSON.parse(/** @type {string} */ (stdout.trim().split("\n").pop()));
  },
};

/** @type {Generator} */
const autocannon = {
  version: version([here("node_modules/.bin/autocannon")])?.version ?? null,
  async run(url, seconds) {
    const args = ["--json", "--no-progress", "-c", `${CONNECTIONS}`, "-d", `${seconds}`, "-t", `${TIMEOUT_S}`, url];
    const { stdout } = await run(process.execPath, [here("node_modules/autocannon/autocannon.js"), ...args]);
    const { "2xx": requests, throughput, duration, errors, non2xx, latency } = JSON.parse(stdout);
    const { p50, p99 } = latency;
    return { requests, bytes: throughput.total, seconds: duration, errors: errors + non2xx, p50, p99 };
  },
};

/** @type {Record<string, Generator>} */
export const generators = { wrk, autocannon };
