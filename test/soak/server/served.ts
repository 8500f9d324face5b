// The server of the soak, in a process of its own: as `sendoff serve` makes it, with its access log on stdout. It is
// asked by messages.

import type { AddressInfo } from "node:net";
import process from "node:process";
import { host, serverRuntime } from "#process";
import { AccessLog } from "../../../cli/serve/log.js";
import { type App, byFiles } from "../../../host/server/app.js";
import { isAsking } from "../../../host/server/ask.js";
import { FileServer } from "../../../host/server/server.js";
import type { ServerStats } from "../../../host/server/stats.js";

/** Limits in ms, short enough to be met. */
export const LIMITS = { headersTimeout: 4000, keepAliveTimeout: 4000, stallTimeout: 10_000 };
/** A thread that has just been started loads modules: ended meanwhile it leaves their fds open, which is Node's. */
const LOADED = 3000;

export interface Told {
  readonly stats: ServerStats;
  /** Lines of the loops, and those that were lost. */
  readonly lines: number;
  readonly lost: number;
  /** Threads that run. */
  readonly threads: number;
}

export type Asked = "stats" | "kill" | "close";

const [root = "", engine = "loop", threads = "2"] = process.argv.slice(2);
const log = new AccessLog("common");
let lines = 0;
let lost = 0;
const app: App = (req, res, files) => {
  if (!isAsking(req.socket)) log.follow(req, res);
  byFiles(req, res, files);
};
const inside = {
  app,
  log: {
    format: log.format,
    write(text: Buffer) {
      lines += text.toString("latin1").split("\n").length - 1;
      log.write(text);
    },
    lost(count: number) {
      lost += count;
      log.lost(count);
    },
  },
};
const options = { engine: engine as "loop" | "node", threads: Number(threads), precompressed: true, ...LIMITS };
const server = new FileServer(host().shared, serverRuntime, root, options, inside);
log.earlier = () => server.readLog();

const workers = () => server.threads().flatMap(({ worker }) => worker ?? []);

/** When each thread was first seen. */
const seen = new Map<number, number>();
const look = () => {
  for (const { threadId } of workers()) if (!seen.has(threadId)) seen.set(threadId, performance.now());
};
setInterval(look, 100).unref();

/** Ends one of the threads. */
async function kill(): Promise<boolean> {
  const now = performance.now();
  const old = workers().filter(({ threadId }) => (seen.get(threadId) ?? now) < now - LOADED);
  const worker = old[Math.floor(Math.random() * old.length)];
  await worker?.terminate();
  return worker !== undefined;
}

const answers = {
  stats: (): Told => {
    server.readLog();
    return { stats: server.stats(), lines, lost, threads: workers().length };
  },
  kill,
  async close() {
    await server.close();
    await log.end();
    setImmediate(() => process.disconnect?.());
    return true;
  },
};

process.on("message", async (asked: Asked) => process.send?.(await answers[asked]()));
const { port } = (await server.listen({ port: 0, host: "127.0.0.1" })) as AddressInfo;
process.send?.(port);
