// The rig: files, servers that are stopped while others are measured, and one measurement. All of it lives
// in a temp folder and is gone afterwards.

import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { connect } from "node:net";
import { loadavg } from "node:os";
import { dirname, join } from "node:path";
import { kill, machine, Rig } from "../lib/rig.js";
import { STEADY, Steady } from "../lib/steady.js";

/**
 * @typedef {object} Result of one measurement
 * @property {number} rate requests per second
 * @property {number} cpu µs of the server's, user and system, per request
 * @property {number} busy the server's CPU time over the wall clock's
 * @property {number} loader the same of the load generator
 * @property {number} others the same of everybody else on the machine, the hypervisor's other guests included
 * @property {number} speed of the slower processor, before and after: 1 is as fast as it ever was
 * @property {number} errors
 * @property {number} p50 ms
 * @property {number} p99 ms
 * @property {number} [slowRate] bytes per second that each of the slow clients got meanwhile
 *
 * @typedef {import("./load.js").More & { path: string, size: number }} Request what is asked for, and the length of the file
 *
 * @typedef {object} Server
 * @property {import("./servers.js").Competitor} competitor
 * @property {string} root the folder of its files
 * @property {string} origin
 * @property {number} pid of the process that serves
 * @property {Set<string>} words what it said on stderr
 * @property {(what: "stats" | "lag") => Promise<any>} ask a server of servers/node.js about itself
 * @property {string} [log] where its access log goes
 * @property {() => void} end before the bench ends
 */

/** Of random bytes, at once. */
const BLOCK = 1 << 20;
/** From here on a second holds so few requests that they are counted by their bytes. */
const LARGE = 1 << 20;
const START_MS = 20_000;
/**
 * Unmeasured at the beginning of each turn, in s. V8 takes a process that was stopped for long for an idle one, makes the
 * space for its young objects small, and needs 1.5 s of load until it is as large as before.
 */
const AGAIN_S = 2;
/** Of a core: as long as others take no more, a measurement is a quiet one. */
const QUIET = 0.05;
/** Of the kernel's clock in /proc/PID/stat. */
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The file of one size. @param {number} size @returns {Request} */
export const sized = (size) => ({ path: `/${size}.bin`, size });

/** CPU time in seconds: of all threads of a process, and of those of its children that have ended. @param {number | "self"} pid */
function cpuSeconds(pid) {
  // The second field is the name, in brackets, and can contain anything.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map((ticks) => Number(ticks) / TICKS);
  return { own: user + system, children: childrenUser + childrenSystem };
}

/** CPU time in seconds of the whole machine, stolen time too. */
function machineSeconds() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / TICKS);
  return user + nice + system + irq + softirq + steal;
}

export class HttpRig extends Rig {
  #steady = new Steady();

  /** @param {import("./load.js").Generator} generator @param {number[]} sizes @param {number} tries of a measurement that is not a quiet one */
  constructor(generator, sizes, tries) {
    super();
    this.generator = generator;
    this.tries = tries;
    this.root = this.fill(
      "files",
      sizes.map((size) => [String(size), size]),
    );
  }

  /** A new folder of files: their paths without ".bin", and sizes. @param {string} name @param {[string, number][]} files */
  fill(name, files) {
    const folder = join(this.folder, name);
    mkdirSync(folder);
    for (const [name, size] of files) {
      const path = join(folder, `${name}.bin`);
      mkdirSync(dirname(path), { recursive: true });
      written(path, size);
    }
    return folder;
  }

  machine() {
    return {
      ...machine(),
      load: loadavg()
        .map((load) => load.toFixed(2))
        .join(" "),
    };
  }

  /** Starts a server; it stays stopped but for its turns. @param {import("./servers.js").Competitor} competitor @param {string} [root] @returns {Promise<Server>} */
  async start(competitor, root = this.root) {
    const { label, argv, env, configure } = competitor;
    const own = configure && (await configure(mkdtempSync(join(this.folder, "server-")), root));
    const { child, next, words } = this.spawn([...argv, ...(own?.argv ?? [root])], env);
    const port = own?.port ?? (await next(START_MS)).port;
    let wanted = true;
    child.on("exit", (code, signal) => {
      if (!wanted) return;
      console.error(`${label} ended: ${signal ?? code}\n${[...words].join("\n")}`);
      process.exit(1);
    });
    await listening(port);
    let pid = /** @type {number} */ (child.pid);
    if (competitor.name === "nginx") {
      // The master waits; its only child serves, and would outlive it.
      pid = await onlyChild(pid);
      this.pids.add(pid);
    }
    kill(pid, "SIGSTOP");
    const ask = (/** @type {string} */ what) => {
      child.stdin.write(`${what}\n`);
      return next();
    };
    const end = () => {
      wanted = false;
      child.kill("SIGKILL"); // nginx's master before its worker, which it would replace
      kill(pid, "SIGKILL");
    };
    const origin = `${competitor.encrypted ? "https" : "http"}://127.0.0.1:${port}`;
    return { competitor, root, origin, pid, words, log: own?.log, ask, end };
  }

  /** A server's turn. @template T @param {Server} server @param {() => Promise<T>} act @returns {Promise<T>} */
  async awake({ pid }, act) {
    kill(pid, "SIGCONT");
    try {
      return await act();
    } finally {
      await sleep(50); // for the connections to be closed
      kill(pid, "SIGSTOP");
    }
  }

  /** Fetches the file once and compares it, then loads the server until it is warm. @param {Server} server @param {Request} request @param {number} seconds */
  async prepare(server, request, seconds) {
    const wanted = createHash("sha256")
      .update(readFileSync(join(server.root, request.path)))
      .digest("hex");
    await this.awake(server, async () => {
      const { status, digest } = await fetched(`${server.origin}${request.path}`, request.headers);
      if (status !== 200 || digest !== wanted) {
        const words = [...server.words].join("\n");
        throw new Error(`${server.competitor.label}: status ${status}, or other bytes, for ${request.path}\n${words}`);
      }
      await this.warm(server, request, seconds);
    });
  }

  /** Load, unmeasured. @param {Server} server @param {Request} request @param {number} [seconds] */
  async warm({ origin }, request, seconds = AGAIN_S) {
    await this.generator.run(`${origin}${request.path}`, seconds, request);
  }

  /** One measurement, the quietest of as many as were tried, in a turn of its own. @param {Server} server @param {Request} request @param {number} seconds */
  async measure(server, request, seconds) {
    return this.awake(server, async () => {
      await this.warm(server, request);
      let best = await this.load(server, request, seconds);
      for (let tried = 1; tried < this.tries && disturbed(best) > QUIET; tried++) {
        await this.#steady.wait();
        const again = await this.load(server, request, seconds);
        const errors = best.errors + again.errors;
        best = { ...(disturbed(again) < disturbed(best) ? again : best), errors };
      }
      return best;
    });
  }

  /** One measurement of a server that is awake. @param {Server} server @param {Request} request @param {number} seconds @returns {Promise<Result>} */
  async load({ origin, pid }, request, seconds) {
    const { path, size } = request;
    const speed = await this.#steady.look();
    const before = { all: machineSeconds(), server: cpuSeconds(pid), self: cpuSeconds("self") };
    const {
      bytes,
      errors,
      p50,
      p99,
      seconds: wall,
      ...load
    } = await this.generator.run(`${origin}${path}`, seconds, request);
    const after = { all: machineSeconds(), server: cpuSeconds(pid), self: cpuSeconds("self") };
    const requests = size >= LARGE ? bytes / size : load.requests;
    if (requests === 0) throw new Error(`${origin}${path}: no answer in ${seconds} s; --seconds has to be more`);
    const cpu = after.server.own - before.server.own;
    // The load generator is the one child that ended meanwhile.
    const loader = after.self.children - before.self.children;
    const own = after.self.own - before.self.own;
    const others = Math.max(0, after.all - before.all - cpu - loader - own);
    return {
      speed: Math.min(speed, await this.#steady.look()),
      rate: requests / wall,
      cpu: (cpu / requests) * 1e6,
      busy: cpu / wall,
      loader: loader / wall,
      others: others / wall,
      errors,
      p50,
      p99,
    };
  }
}

/** A file of random bytes, on the disk. @param {string} path @param {number} size */
function written(path, size) {
  const fd = openSync(path, "wx");
  for (let at = 0; at < size; ) at += writeSync(fd, randomBytes(Math.min(BLOCK, size - at)));
  fsyncSync(fd); // or the writing back disturbs what is measured
  closeSync(fd);
}

/** How much of a core was somebody else's, inside of this machine or outside. @param {Result} result */
function disturbed({ others, speed }) {
  return others + (1 - Math.min(1, speed / STEADY));
}

/** @param {number} pid */
async function onlyChild(pid) {
  const limit = performance.now() + START_MS;
  while (performance.now() < limit) {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
    if (child > 0) return child; // 0 would be our own process group
    await sleep(20);
  }
  throw new Error(`process ${pid} has no child`);
}

/** Until somebody accepts. @param {number} port */
async function listening(port) {
  const limit = performance.now() + START_MS;
  while (performance.now() < limit) {
    const accepted = await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (accepted) return;
    await sleep(20);
  }
  throw new Error(`nobody listens on port ${port}`);
}

/** @param {string} url @param {Record<string, string>} [headers] @returns {Promise<{ status: number | undefined, digest: string }>} */
function fetched(url, headers) {
  return new Promise((resolve, reject) => {
    const { get } = url.startsWith("https:") ? https : http;
    get(url, { agent: false, rejectUnauthorized: false, headers }, (res) => {
      const hash = createHash("sha256");
      res.on("data", (chunk) => hash.update(chunk));
      res.on("error", reject);
      res.on("end", () => resolve({ status: res.statusCode, digest: hash.digest("hex") }));
    }).on("error", reject);
  });
}
