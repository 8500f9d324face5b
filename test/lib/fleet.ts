// Three servers behind HAProxy by the files of examples/fleet, the load on them, and their restarts, one after another.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pattern } from "./bytes.js";
import { COMMAND, until } from "./command.js";

const CONFIG = fileURLToPath(new URL("../../../examples/fleet/haproxy.cfg", import.meta.url));

/** As HAProxy names them. */
export const NAMES = ["one", "two", "three"] as const;

const { SENDOFF_FLEET_ROUNDS = "2" } = process.env;
/** How often each server is restarted. */
export const ROUNDS = Number(SENDOFF_FLEET_ROUNDS);
if (!Number.isSafeInteger(ROUNDS) || ROUNDS < 1) throw new Error("SENDOFF_FLEET_ROUNDS must be a whole number");

export const SMALL = Array.from({ length: 16 }, (_, i) => ({
  path: `/small-${i}.bin`,
  bytes: pattern(256 << (i % 8)),
}));
export const LARGE = { path: "/large.bin", bytes: pattern(16 << 20) };
export const RELEASED = new Date("2026-01-02T03:04:05Z");

/** The files of a release, as each machine has a copy of its own. */
export function release(folder: string): void {
  for (const { path, bytes } of [...SMALL, LARGE]) {
    const file = join(folder, path);
    fs.writeFileSync(file, bytes);
    fs.utimesSync(file, RELEASED, RELEASED);
  }
}

/** Bytes in a ms: 20 MB/s. */
const RATE = 20_000;
/** Between two requests of a client that keeps its connection, in ms: or the clients alone took all of a small machine. */
const PAUSE = 20;

/** Ports that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

export interface Process {
  readonly child: ChildProcess;
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>;
  err(): string;
}

export function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Process {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SENDOFF_"));
  const child = spawn(command, args, {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  return { child, ended, err: () => text };
}

/** `sendoff serve` of a folder. */
export function serve(folder: string, port: number): Promise<Process> {
  const drain = ["--health", "/healthz", "--drain-delay", "1500", "--timeout", "30s"];
  return started([COMMAND, "serve", "--quiet", "--port", String(port), ...drain, folder], port);
}

/** A server on Node; resolves once it is ready. */
export async function started(args: readonly string[], port: number): Promise<Process> {
  const server = run(process.execPath, args);
  let over = false;
  server.ended.then(() => {
    over = true;
  });
  await until(`a server is ready: ${server.err()}`, async () => {
    if (over) throw new Error(`a server ended at its start: ${server.err()}`);
    return (await statusOf(port, "/healthz")) === 200;
  });
  return server;
}

/** -1 if nobody answers. */
export function statusOf(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const req = http.get({ port, host: "127.0.0.1", path, agent: false }, (res) => {
      res.resume();
      resolve(res.statusCode ?? -1);
    });
    req.on("error", () => resolve(-1));
  });
}

export class Balancer {
  readonly process: Process;
  readonly #socket: string;
  #isOver = false;

  constructor(folder: string, port: number, servers: readonly number[]) {
    this.#socket = join(folder, "haproxy.sock");
    const [one, two, three] = servers.map((server) => `127.0.0.1:${server}`);
    const env = { FLEET_PORT: String(port), FLEET_SOCKET: this.#socket, FLEET_1: one, FLEET_2: two, FLEET_3: three };
    this.process = run("haproxy", ["-db", "-f", CONFIG], env);
    this.process.ended.then(() => {
      this.#isOver = true;
    });
  }

  /** Whether it sends requests to a server. */
  async isUp(name: string): Promise<boolean> {
    if (this.#isOver) throw new Error(`haproxy ended: ${this.process.err()}`);
    if (!fs.existsSync(this.#socket)) return false;
    const socket = net.connect(this.#socket);
    socket.end("show stat\n");
    let text = "";
    try {
      for await (const part of socket) text += part;
    } catch {
      return false; // it has just begun
    }
    const rows = text.split("\n").map((row) => row.split(","));
    const at = rows[0]?.indexOf("status") ?? -1;
    const row = rows.find(([backend, server]) => backend === "servers" && server === name);
    return row?.[at]?.startsWith("UP") === true;
  }
}

export interface Tally {
  readonly failed: string[];
  small: number;
  large: number;
}

interface Item {
  readonly path: string;
  readonly bytes: Buffer;
}

/** Clients that ask all the time, each over a connection that it keeps, until `stop()`, which resolves when they are done. */
export class Load {
  readonly tally: Tally = { failed: [], small: 0, large: 0 };
  readonly #port: number;
  readonly #clients: Promise<void>[];
  #stopped = false;

  constructor(port: number, small: readonly Item[], large: Item, counts: { small: number; large: number }) {
    this.#port = port;
    const clients = Array.from({ length: counts.small }, (_, i) =>
      this.#client(async (agent, n) => {
        await this.#get(agent, small[(i + n) % small.length] as Item, false);
        this.tally.small++;
        await new Promise((next) => setTimeout(next, PAUSE));
      }),
    );
    const downloads = Array.from({ length: counts.large }, () =>
      this.#client(async (agent) => {
        await this.#get(agent, large, true);
        this.tally.large++;
      }),
    );
    this.#clients = [...clients, ...downloads];
  }

  async stop(): Promise<Tally> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    return this.tally;
  }

  async #client(each: (agent: http.Agent, n: number) => Promise<void>): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; !this.#stopped; n++) {
      try {
        await each(agent, n);
      } catch (error) {
        this.tally.failed.push(`${new Date().toISOString()} ${error}`);
        await new Promise((next) => setTimeout(next, PAUSE));
      }
    }
    agent.destroy();
  }

  /** Rejects unless all bytes come, and are right. */
  #get(agent: http.Agent, { path, bytes }: Item, slowly: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const req = http.get({ port: this.#port, host: "127.0.0.1", path, agent }, (res) => {
        const begin = performance.now();
        let count = 0;
        let wrong = res.statusCode === 200 ? "" : `status ${res.statusCode}`;
        res.on("data", (chunk: Buffer) => {
          if (wrong === "" && bytes.compare(chunk, 0, chunk.length, count, count + chunk.length) !== 0) {
            wrong = `other bytes at ${count}`;
          }
          count += chunk.length;
          const early = slowly ? count / RATE - (performance.now() - begin) : 0;
          if (early < 5) return;
          res.pause();
          setTimeout(() => res.resume(), early);
        });
        res.on("end", () => {
          if (wrong === "" && count !== bytes.length) wrong = `${count} of ${bytes.length} bytes`;
          if (wrong === "") resolve();
          else reject(new Error(`${path}: ${wrong}`));
        });
        res.on("error", reject);
      });
      req.on("error", (error) => reject(new Error(`${path}: ${error.message}`)));
    });
  }
}
