// sendoff/server in a process of its own, perhaps with few fds; and programs beside it that are talked to line by line.

import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ServerStats } from "sendoff/server";
import type { Cleanup } from "./suite.js";

/** A program of test/fixtures that answers line by line. */
export class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  /** Resolves once it has ended. */
  readonly over: Promise<unknown>;

  /** With as many fds as it can have. */
  constructor(cleanup: Cleanup, name: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url));
    const command = ["-c", 'ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"', process.execPath, path, ...args];
    this.#child = spawn("sh", command, { stdio: ["pipe", "pipe", "inherit"] });
    cleanup.after(() => this.#child.kill("SIGKILL"));
    this.over = new Promise((resolve) => this.#child.once("close", resolve));
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** Leaves it this many fds, as prlimit(1) does. Not at its start: Node 20 has an fd open for each module that it reads. */
  limit(fds: number): void {
    execFileSync("prlimit", [`--pid=${this.#child.pid}`, `--nofile=${fds}`]);
  }

  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Its next line. @throws Error if it has ended. */
  async line(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("the program has ended");
    return value;
  }
}

export class ServedFolder {
  readonly #program: Program;
  readonly port: number;

  private constructor(program: Program, port: number) {
    this.#program = program;
    this.port = port;
  }

  static async start(cleanup: Cleanup, root: string): Promise<ServedFolder> {
    const options = JSON.stringify({ engine: "loop", keepAliveTimeout: 0, headersTimeout: 0 });
    const program = new Program(cleanup, "file-server.mjs", [root, options]);
    return new ServedFolder(program, Number(await program.line()));
  }

  /** Leaves it this many fds, once the thread that reads from disks has loaded its modules: Node 20 has an fd open for each. */
  async limit(fds: number): Promise<void> {
    this.#program.tell("ready");
    if ((await this.#program.line()) !== "ready") throw new Error("it is not ready");
    this.#program.limit(fds);
  }

  async stats(): Promise<ServerStats> {
    this.#program.tell("stats");
    return JSON.parse(await this.#program.line());
  }

  /** Resolves once it is closed. */
  async close(): Promise<void> {
    this.#program.tell("close");
    if ((await this.#program.line()) !== "closed") throw new Error("it did not close");
  }
}
