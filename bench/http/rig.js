// The rig: files, servers that are stopped while others are measured, and one measurement. All of it lives
// in a temp folder and is gone afterwards.

import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { connect } from "node:net";
import { loadavg } from "node:os";
import { join } from "node:path";
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
 * @typedef {object} Server
 * @property {import("./servers.js").Competitor} competitor
 * @property {string} origin
 * @property {number} pid of the process that serves
 * @property {Set<string>} words what it said on stderr
 */

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
  root = join(this.folder, "files");
  /** @type {Map<number, string>} SHA-256 of each file */
  #digests = new Map();
  #steady = new Steady();

  /** @param {import("./load.js").Generator} generator @param {number[]} sizes @param {number} tries of a measurement that is not a quiet one */
  constructor(generator, sizes, tries) {
    super();
    this.generator = generator;
    this.tries = tries;
    mkdirSync(this.root);
    for (const size of sizes) {
      const bytes = randomBytes(size);
      this.#digests.set(size, createHash("sha256").update(bytes).digest("hex"));
      writeFileSync(join(this.root, `${size}.bin`), bytes, { flush: true });
    }
  }

  machine() {
    return {
      ...machine(),
      load: loadavg()
        .map((load) => load.toFixed(2))
        .join(" "),
    };
  }

  /** Starts a server; it stays stopped but for its turns. @param {import("./servers.js").Competitor} competitor @returns {Promise<Server>} */
  async start(competitor) {
    const { label, argv, env, configure } = competitor;
    const own = configure && (await configure(mkdtempSync(join(this.folder, "server-")), this.root));
    const { child, next, words } = this.spawn([...argv, ...(own?.argv ?? [this.root])], env);
    const port = own?.port ?? (await next(START_MS)).port;
    child.on("exit", (code, signal) => {
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
    return { competitor, origin: `${competitor.encrypted ? "https" : "http"}://127.0.0.1:${port}`, pid, words };
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

  /** Fetches the file once and compares it, then loads the server until it is warm. @param {Server} server @param {number} size @param {number} seconds */
  async prepare(server, size, seconds) {
    await this.awake(server, async () => {
      const { status, digest } = await fetched(`${server.origin}/${size}.bin`);
      if (status !== 200 || digest !== this.#digests.get(size)) {
        const words = [...server.words].join("\n");
        throw new Error(`${server.competitor.label}: status ${status}, or other bytes, for ${size} bytes\n${words}`);
      }
      await this.warm(server, size, seconds);
    });
  }

  /** Load, unmeasured. @param {Server} server @param {number} size @param {number} [seconds] */
  async warm({ origin }, size, seconds = AGAIN_S) {
    await this.generator.run(`${origin}/${size}.bin`, seconds);
  }

  /** One measurement, the quietest of as many as were tried, in a turn of its own. @param {Server} server @param {number} size @param {number} seconds */
  async measure(server, size, seconds) {
    return this.awake(server, async () => {
      await this.warm(server, size);
      let best = await this.load(server, size, seconds);
      for (let tried = 1; tried < this.tries && disturbed(best) > QUIET; tried++) {
        await this.#steady.wait();
        const again = await this.load(server, size, seconds);
        const errors = best.errors + again.errors;
        best = { ...(disturbed(again) < disturbed(best) ? again : best), errors };
      }
      return best;
    });
  }

  /** One measurement of a server that is awake. @param {Server} server @param {number} size @param {number} seconds @returns {Promise<Result>} */
  async load({ origin, pid }, size, seconds) {
    const speed = await this.#steady.look();
    const before = { all: machineSeconds(), server: cpuSeconds(pid), self: cpuSeconds("self") };
    const {
      bytes,
      errors,
      p50,
      p99,
      seconds: wall,
      ...load
    } = await this.generator.run(`${origin}/${size}.bin`, seconds);
    const after = { all: machineSeconds(), server: cpuSeconds(pid), self: cpuSeconds("self") };
    const requests = size >= LARGE ? bytes / size : load.requests;
    if (requests === 0) throw new Error(`${origin}/${size}.bin: no answer in ${seconds} s; --seconds has to be more`);
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

/** @param {string} url @returns {Promise<{ status: number | undefined, digest: string }>} */
function fetched(url) {
  return new Promise((resolve, reject) => {
    const { get } = url.startsWith("https:") ? https : http;
    get(url, { agent: false, rejectUnauthorized: false }, (res) => {
      const hash = createHash("sha256");
      res.on("data", (chunk) => hash.update(chunk));
      res.on("error", reject);
      res.on("end", () => resolve({ status: res.statusCode, digest: hash.digest("hex") }));
    }).on("error", reject);
  });
}
