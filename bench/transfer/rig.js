// The rig: compiled helpers, files and one trial of one sender. All of it lives in a temp folder and is
// gone afterwards; every process started here ends by itself or is killed.

import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compiled } from "../lib/cc.js";
import { machine, output, Rig } from "../lib/rig.js";
import { STEADY, Steady } from "../lib/steady.js";

/**
 * @typedef {object} Sender
 * @property {string} name
 * @property {string[]} argv
 * @property {NodeJS.ProcessEnv} [env] on top of ours
 *
 * @typedef {object} Result seconds, bytes, and ms in `lag`
 * @property {number} wall
 * @property {number} user
 * @property {number} system
 * @property {number} rss
 * @property {{ p50: number, p99: number, max: number, samples: number }} [lag]
 * @property {{ p50: number, p99: number, max: number, samples: number }} [net] lag less waiting for a CPU
 * @property {Record<string, number>} [ways]
 * @property {number} [speed] of the slowest processor, before and after: 1 is as fast as it ever was
 */

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const TRIAL_MS = 300_000;

export class TransferRig extends Rig {
  node20 = process.execPath;
  /** Another Node with node:ffi; null where it is not installed. */
  node26 =
    ["node_modules", "../../test/runtimes/node_modules"]
      .map((folder) => here(`${folder}/node26/bin/node`))
      .find((binary) => existsSync(binary)) ?? null;
  python = output("python3", ["--version"]);
  cc = output("cc", ["--version"])?.split("\n")[0] ?? null;
  #block = Buffer.alloc(1 << 20);
  #tries;
  #steady = new Steady();

  /** @param {{ tries?: number }} [options] how often a trial is made again at the most, while a processor is not at its best */
  constructor({ tries = 1 } = {}) {
    super();
    this.#tries = tries;
  }

  /** @override @param {string[]} argv @param {NodeJS.ProcessEnv} [env] */
  spawn(argv, env) {
    return super.spawn(argv, env, TRIAL_MS);
  }

  machine() {
    return {
      ...machine(),
      node26: this.node26 && output(this.node26, ["--version"]),
      python: this.python,
      cc: this.cc,
    };
  }

  /** Compiles one of the C files here; null where there is no compiler. @param {string} source */
  compile(source) {
    return this.cc === null ? null : compiled(new URL(source, import.meta.url), this.folder);
  }

  /** A file of random bytes, in the page cache. @param {number} size */
  file(size) {
    const path = join(this.folder, `${size}.bin`);
    if (existsSync(path)) return path;
    const block = randomFillSync(Buffer.alloc(Math.min(size, 1 << 20)));
    const fd = openSync(path, "wx");
    for (let at = 0; at < size; ) at += writeSync(fd, block, 0, Math.min(block.length, size - at));
    fsyncSync(fd); // or the writing back disturbs what is measured
    closeSync(fd);
    return path;
  }

  /** A file without blocks on the disk; its zeros are in the page cache once they were read. @param {number} size */
  sparse(size) {
    const path = join(this.folder, `${size}.sparse`);
    const fd = openSync(path, "w");
    ftruncateSync(fd, size);
    closeSync(fd);
    return path;
  }

  /** Reads a file through, so that it is in the page cache whatever happened meanwhile. @param {string} path */
  warm(path) {
    const fd = openSync(path, "r");
    while (readSync(fd, this.#block) > 0) {}
    closeSync(fd);
  }

  /** Drops a file from the page cache. Returns its pages that are still there; NaN where nothing can tell. @param {string} path */
  evict(path) {
    const binary = this.compile("evict.c");
    if (binary !== null) return JSON.parse(/** @type {string} */ (output(binary, [path]))).resident;
    execFileSync("dd", [`of=${path}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"]);
    return Number(output("fincore", ["-bno", "PAGES", path]) ?? Number.NaN);
  }

  /** The receiver's command. @param {(string | number)[]} args */
  receiver(...args) {
    const binary = this.compile("receivers/drain.c");
    const command = binary === null ? [this.node20, here("receivers/drain.js")] : [binary];
    return this.spawn([...command, ...args.map(String)]);
  }

  /**
   * One trial: a fresh sender, a fresh receiver, and every byte accounted for.
   *
   * @param {Sender} sender
   * @param {number} clients
   * @param {number} bytes all clients together
   * @param {string} [warm] a file that has to be in the page cache
   * @returns {Promise<Result>}
   */
  async trial(sender, clients, bytes, warm) {
    if (warm !== undefined) this.warm(warm);
    const from = this.spawn(sender.argv, sender.env);
    const { port } = await from.next();
    const to = this.receiver(port, clients);
    const [result, received] = await Promise.all([from.next(), to.next()]);
    await Promise.all([from.end(), to.end()]);
    if (received.bytes !== bytes) throw new Error(`${sender.name}: ${received.bytes} of ${bytes} bytes arrived`);
    return result;
  }

  /**
   * `runs` rounds, each with every sender once: what disturbs the machine disturbs all of them.
   *
   * @param {Sender[]} senders
   * @param {number} runs
   * @param {(sender: Sender) => Promise<Result>} trial
   * @returns {Promise<Map<string, Result[]>>} by name
   */
  async rounds(senders, runs, trial) {
    /** @type {Map<string, Result[]>} */
    const results = new Map(senders.map(({ name }) => [name, []]));
    for (let run = 0; run < runs; run++) {
      for (const sender of senders) {
        results.get(sender.name)?.push(await this.#steadiest(() => trial(sender)));
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kround ${run + 1}/${runs}: ${sender.name}`);
      }
    }
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    return results;
  }

  /** The trial that no neighbour of this machine's has slowed down, or the one that was slowed down least. @param {() => Promise<Result>} trial @returns {Promise<Result>} */
  async #steadiest(trial) {
    let best = null;
    for (let tried = 0; best === null || (tried < this.#tries && (best.speed ?? 0) < STEADY); tried++) {
      const before = tried === 0 ? await this.#steady.look() : await this.#steady.wait();
      const result = await trial();
      const speed = Math.min(before, await this.#steady.look());
      if (best === null || speed > (best.speed ?? 0)) best = { ...result, speed };
    }
    return best;
  }
}
