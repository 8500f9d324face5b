// The rows of the table: what is asked of whom, and the figures to reach.

import { sized } from "../http/rig.js";

/**
 * @typedef {object} Figure
 * @property {string} work
 * @property {string} [of] the server whose figure it is, over that of another
 * @property {string} [over]
 * @property {"rate" | "cpu"} [by] requests per second, or the server's CPU time for each
 * @property {number} bound
 * @property {number | null} aim
 * @property {boolean} atMost the bound is the most, and not the least, that it may be
 *
 * @typedef {object} Row
 * @property {string[]} servers
 * @property {string} title
 * @property {import("../http/rig.js").Request} [request] none: measures.js has a way of its own
 * @property {"files" | "many" | "disk" | "app"} [root]
 * @property {boolean} [logged] the servers have an access log: that it has all requests is checked
 * @property {boolean} [handedOver] the loop hands each request over: that is checked
 * @property {Figure[]} figures
 */

const KIB = 1024;
/** Their number, of 4 KiB each. */
export const MANY = 1000;
export const SMALL = 4 * KIB;
const ALL = ["loop", "nginx", "lighttpd", "bare", "respond", "serveStatic"];
/** Of the chart, too: `sendoff serve` on each runtime, what it was before, and whoever else serves folders. */
const PEERS = [
  ...["sendoff serve", "sendoff serve, Bun", "sendoff serve, Deno", "loop", "nginx", "lighttpd", "h2o", "caddy"],
  ...["bun", "deno", "sirv-cli", "serve", "http-server", "sendoff serve, before"],
];
const small = sized(SMALL);

/** Of an app: a file, and what it answers itself. */
export const inFront = { path: `/static/${SMALL}.bin`, size: SMALL };
export const ownAnswer = { path: "/own.bin", size: 100 };

/** What Chromium sends for a picture: with the request line about 600 bytes. */
const CHROMIUM = {
  Connection: "keep-alive",
  "sec-ch-ua-platform": '"Linux"',
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "sec-ch-ua": '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
  "sec-ch-ua-mobile": "?0",
  Accept: "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
  "Sec-Fetch-Site": "same-origin",
  "Sec-Fetch-Mode": "no-cors",
  "Sec-Fetch-Dest": "image",
  Referer: "http://127.0.0.1:8080/",
  "Accept-Encoding": "gzip, deflate, br, zstd",
  "Accept-Language": "en-US,en;q=0.9",
};
const CLOSE = { Connection: "close" };

/** Requests per second. @param {string} of @param {string} over @param {number} bound @param {number | null} [aim] @returns {Figure} */
const rate = (of, over, bound, aim = null) => ({ work: "requests/s", of, over, by: "rate", bound, aim, atMost: false });
/** @param {string} beside @param {string} over @returns {Figure} */
const p99 = (beside, over) => ({
  work: `p99 over that beside ${beside}`,
  of: "loop",
  over,
  bound: 1.2,
  aim: null,
  atMost: true,
});
/** @param {string} of @param {string} over @param {number} bound @param {number} aim @returns {Figure} */
const cpu = (of, over, bound, aim) => ({ work: "CPU a request", of, over, by: "cpu", bound, aim, atMost: true });

/** @type {Record<string, Row>} */
export const ROWS = {
  "4k": {
    title: "4 KiB",
    servers: ALL,
    request: small,
    figures: [rate("loop", "nginx", 1.2, 1.4), rate("loop", "lighttpd", 0.9, 1.05)],
  },
  "64k": {
    title: "64 KiB",
    servers: ALL,
    request: sized(64 * KIB),
    figures: [rate("loop", "nginx", 1, 1.2), cpu("loop", "nginx", 0.85, 0.77)],
  },
  "256k": {
    title: "256 KiB",
    servers: ALL,
    request: sized(256 * KIB),
    figures: [cpu("loop", "nginx", 0.95, 0.85)],
  },
  "16m": {
    title: "16 MiB",
    servers: ALL,
    request: sized(16 * KIB * KIB),
    figures: [cpu("loop", "nginx", 0.95, 0.85)],
  },
  serve: {
    title: "4 KiB, by the command",
    servers: ["sendoff serve", "sendoff serve, Bun", "sendoff serve, Deno", "nginx"],
    request: small,
    figures: [
      rate("sendoff serve", "nginx", 1.2, 1.4),
      rate("sendoff serve, Bun", "nginx", 1.2, 1.4),
      rate("sendoff serve, Deno", "nginx", 0.75, 1),
    ],
  },
  log: {
    title: "4 KiB, with a log",
    servers: ["sendoff serve, log", "nginx, log", "nginx, buffered log"],
    request: small,
    logged: true,
    figures: [
      rate("sendoff serve, log", "nginx, log", 1, 1.2),
      rate("sendoff serve, log", "nginx, buffered log", 1, 1.2),
    ],
  },
  "peers-4k": {
    title: "4 KiB, everybody",
    servers: PEERS,
    request: small,
    figures: [
      rate("sendoff serve", "bun", 2.5),
      rate("sendoff serve", "deno", 2.5),
      rate("sendoff serve", "sendoff serve, before", 6),
    ],
  },
  "peers-64k": {
    title: "64 KiB, everybody",
    servers: PEERS,
    request: sized(64 * KIB),
    figures: [rate("sendoff serve", "bun", 2), rate("sendoff serve", "sendoff serve, before", 4)],
  },
  many: {
    title: `${MANY} files of 4 KiB`,
    servers: ALL,
    root: "many",
    request: { path: "/0.bin", size: SMALL, files: MANY },
    figures: [rate("loop", "nginx", 1.1, 1.3)],
  },
  chromium: {
    title: "4 KiB, Chromium's heads",
    servers: ALL,
    request: { ...small, headers: CHROMIUM },
    figures: [rate("loop", "nginx", 1.1, 1.3)],
  },
  connections: {
    title: "4 KiB, a connection each",
    servers: ALL,
    request: { ...small, headers: CLOSE },
    figures: [rate("loop", "nginx", 0.85, 1)],
  },
  node26: {
    title: "4 KiB, Node 26",
    servers: ["Node 26, koffi", "Node 26, node:ffi", "nginx"],
    request: small,
    figures: [rate("Node 26, koffi", "nginx", 1.15, 1.4), rate("Node 26, node:ffi", "nginx", 1, 1.2)],
  },
  // Some clients send it to any server, and it says nothing here; the loop takes no request that has it.
  "hand-over": {
    title: "4 KiB, handed over, a connection each",
    servers: ["loop", "serveStatic"],
    request: { ...small, headers: { ...CLOSE, "Proxy-Connection": "close" } },
    handedOver: true,
    figures: [rate("loop", "serveStatic", 0.8, 0.95)],
  },
  "app-files": {
    title: "4 KiB, an app behind",
    servers: ["app, files in front", "loop", "app"],
    root: "app",
    request: inFront,
    figures: [rate("app, files in front", "loop", 0.85), rate("app, files in front", "app", 6)],
  },
  "app-mixed": {
    title: "4 KiB, four files to one of the app's own answers, on each connection",
    servers: ["app, files in front", "app"],
    root: "app",
    request: { ...inFront, paths: [ownAnswer.path, ...Array(4).fill(inFront.path)] },
    figures: [rate("app, files in front", "app", 1.5)],
  },
  "app-own": {
    title: "the app's own answers",
    servers: ["app, files in front", "app"],
    root: "app",
    request: ownAnswer,
    figures: [rate("app, files in front", "app", 0.9)],
  },
  "app-latency": {
    title: "the app's own answers, beside 10,000 files a second",
    servers: ["app, files in front", "app", "loop"],
    root: "app",
    figures: [p99("the same loop in another process", "beside"), p99("a busy loop, without clients", "burner")],
  },
  slow: {
    title: "64 KiB, beside 500 slow clients",
    servers: ["loop", "nginx", "lighttpd"],
    figures: [{ work: "p99 over that without", bound: 1.3, aim: null, atMost: true }],
  },
  cold: {
    title: "4 KiB, beside 1 GiB from a cold disk",
    servers: ["loop", "nginx", "nginx, threads"],
    root: "disk",
    figures: [{ work: "p99 of 16 warm clients, ms", bound: 3, aim: null, atMost: true }],
  },
  lag: {
    title: "4 KiB, the main thread meanwhile",
    servers: ["loop", "serveStatic"],
    figures: [{ work: "its event loop's lag, p99, ms", bound: 2, aim: null, atMost: true }],
  },
  idle: {
    title: "idle connections, 1000 to 10000",
    servers: ["loop-idle", "nginx, idle"],
    figures: [{ work: "private memory for each, KiB", bound: 1.5, aim: 0.5, atMost: true }],
  },
};
