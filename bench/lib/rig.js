// What every rig has: a temp folder, children that talk in lines of JSON, and a word about the machine. All of it is
// gone when the bench ends, however it ends.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** Lines of a child's stderr that are kept. */
const WORDS = 100;

/** What a command prints; null where it fails, or is not there. @param {string} command @param {string[]} args */
export function output(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}

/** @returns {Record<string, string | null>} */
export function machine() {
  return { cpu: `${cpus().length} x ${cpus()[0]?.model.trim()}`, kernel: release(), node: process.version };
}

/** The results of a bench, with the command that made them. @template T @param {string} script @param {T} results */
export function dated(script, results) {
  const command = ["node", script, ...process.argv.slice(2)].join(" ");
  return { date: new Date().toISOString(), command, ...results };
}

/** @param {string} file @param {string} script @param {object} results */
export function write(file, script, results) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(dated(script, results), null, 2)}\n`);
}

export class Rig {
  folder = mkdtempSync(join(tmpdir(), "sendoff-bench-"));
  /** Of the children that run. @type {Set<number>} */
  pids = new Set();

  constructor() {
    process.on("exit", () => {
      // SIGKILL also ends what is stopped.
      for (const pid of this.pids) kill(pid, "SIGKILL");
      rmSync(this.folder, { recursive: true, force: true });
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));
  }

  /**
   * A child that is killed with us.
   *
   * @param {string[]} argv
   * @param {NodeJS.ProcessEnv} [env] on top of ours
   * @param {number} [limit] ms that it may live; Infinity: as long as we do
   */
  spawn([command, ...args], env = {}, limit = Number.POSITIVE_INFINITY) {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    const pid = /** @type {number} */ (child.pid);
    this.pids.add(pid);
    /** @type {Set<string>} */
    const words = new Set();
    createInterface({ input: child.stderr }).on("line", (line) => words.size < WORDS && words.add(line));
    const die = () => child.kill("SIGKILL");
    const timer = limit < Number.POSITIVE_INFINITY ? setTimeout(die, limit) : undefined;
    const over = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        this.pids.delete(pid);
        resolve(code ?? signal);
      });
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      child,
      words,
      over,
      /** The next line, parsed; the child is killed where it says nothing for `patience` ms. */
      async next(patience = Number.POSITIVE_INFINITY) {
        const timer = patience < Number.POSITIVE_INFINITY ? setTimeout(die, patience) : undefined;
        const { value, done } = await lines.next();
        clearTimeout(timer);
        if (!done) return JSON.parse(value);
        throw new Error(`${command} ${args.join(" ")}: ${await over}\n${[...words].join("\n")}`);
      },
      async end() {
        child.stdin.end();
        return over;
      },
    };
  }

  /** So many file descriptors are allowed to our children from here on, if we may say so. @param {number} count */
  descriptors(count) {
    const own = Number(output("sh", ["-c", "ulimit -n"])); // NaN: unlimited
    if (!(own < count)) return true;
    return output("prlimit", [`--nofile=${count}:${count}`, "--pid", `${process.pid}`]) !== null;
  }
}

/** @param {number} pid @param {NodeJS.Signals} signal */
export function kill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {} // it has ended
}
