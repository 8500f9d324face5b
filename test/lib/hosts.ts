// WASI hosts, and the command on them: a real process, whose stdout is a pipe or a socket of the test's.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listen } from "./connection.js";
import { tempFolder } from "./files.js";
import type { Cleanup } from "./suite.js";

const here = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const RUNTIMES = here("test/runtimes/node_modules");
const PACKAGES = here("test/wasi/node_modules");

export const MODULE = here("build/core.wasi.wasm");

export interface Host {
  name: string;
  /** Requirements. */
  path: string;
  /** The command line that runs the module, with one folder open. Without `args` options go by the environment. */
  command(module: string, folder: string): string[];
  /** It hands arguments on. */
  args: boolean;
  /** Known results other than "exact", "status 1" and "status 2". */
  flaws?: { [cell in "nonBlocking" | "wrong" | "gone"]?: string };
}

/** A script of test/wasi/hosts, run by a runtime. */
const script = (runtime: string[], name: string) => (module: string, folder: string) => [
  ...runtime,
  here(`test/wasi/hosts/${name}.js`),
  module,
  folder,
];

export const NODE: Host = {
  name: `node:wasi, Node ${process.versions.node.split(".")[0]}`,
  path: process.execPath,
  command: script([process.execPath, "--no-warnings"], "node"),
  args: true,
};

const node26 = join(RUNTIMES, "node26/bin/node");
const deno = join(RUNTIMES, ".bin/deno");
const bun = join(RUNTIMES, ".bin/bun");
const wizer = join(PACKAGES, "@bytecodealliance/wizer-linux-x64/wizer");

export const HOSTS: Host[] = [
  NODE,
  { name: "node:wasi, Node 26", path: node26, command: script([node26, "--no-warnings"], "node"), args: true },
  {
    name: "node:wasi, Deno 2",
    path: deno,
    command: script([deno, "run", "-A", "--quiet"], "node"),
    args: true,
    // Its fd_write answers that all was written, whatever became of it.
    flaws: { nonBlocking: "**loses bytes**, status 0", gone: "**status 0**" },
  },
  {
    name: "node:wasi, Bun 1",
    path: bun,
    command: script([bun], "node"),
    args: true,
    // Its fd_write goes on until all is written, and forgets what was when it meets EAGAIN.
    flaws: { nonBlocking: "**repeats bytes**, status 0" },
  },
  {
    name: "Wasmtime, in wizer 11",
    path: wizer,
    // Meant to run initialisers, it has a real Wasmtime in it, and no arguments for the module.
    command: (module, folder) => [
      wizer,
      "--allow-wasi",
      "--inherit-env",
      "true",
      "--dir",
      folder,
      "-f",
      "_start",
      module,
      "-o",
      "/dev/null",
    ],
    args: false,
    // EAGAIN is an I/O error to it; and to wizer a module that exits has failed, with whatever status.
    flaws: { nonBlocking: "fails, and says so", wrong: "status 1" },
  },
  {
    name: "jco 1, preview2-shim",
    path: join(PACKAGES, "@bytecodealliance/jco"),
    command: script([process.execPath, "--no-warnings"], "jco"),
    args: true,
    // Preview 2 knows success and failure only; and stdout is a stream of Node's, whose error nobody hears.
    flaws: { wrong: "status 1", gone: "status 1, by a crash" },
  },
  {
    name: "browser_wasi_shim",
    path: join(PACKAGES, "@bjorn3/browser_wasi_shim"),
    command: script([process.execPath, "--no-warnings"], "shim"),
    args: true,
  },
];

/** The request: PATH, and options by their names. */
export interface Wish {
  path: string;
  offset?: number | string;
  count?: number | string;
  fd?: number;
  timeout?: number;
  deadline?: number;
}

function words(host: Host, module: string, folder: string, wish: Partial<Wish>) {
  const command = host.command(module, folder);
  const { path, ...options } = wish;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SENDOFF_")));
  if (host.args) {
    command.push(...Object.entries(options).map(([name, value]) => `--${name}=${value}`));
    if (path !== undefined) command.push(path);
  } else for (const [name, value] of Object.entries(wish)) env[`SENDOFF_${name.toUpperCase()}`] = String(value);
  return { command, env };
}

export interface Outcome {
  /** The exit code, or the signal. */
  code: number | string;
  bytes: number;
  digest: string;
  stderr: string;
}

export type Out = "pipe" | "non-blocking pipe" | "tcp";

export interface Way {
  module?: string;
  out?: Out;
  /** The reader goes away after so many bytes. Default: it stays. */
  vanish?: number;
  /** Called once the first bytes are here. */
  first?: () => void;
  /** Nothing is read before the process has ended. */
  stall?: boolean;
}

/** Runs the command on a host, and reads its output. */
export async function send(
  cleanup: Cleanup,
  host: Host,
  folder: string,
  wish: Partial<Wish>,
  way: Way = {},
): Promise<Outcome> {
  const { module = MODULE, out = "pipe", vanish = Number.POSITIVE_INFINITY, first = () => {}, stall = false } = way;
  const { command, env } = words(host, module, folder, wish);
  const far = out === "tcp" ? await socket(cleanup) : pipe(cleanup, out === "non-blocking pipe");
  // Node makes descriptors up to 2 blocking in a child: a shell hands on one that is to stay as it is.
  const shell = out === "non-blocking pipe" ? ["sh", "-c", 'exec "$@" >&3 3>&-', "sh"] : [];
  const [file, ...args] = [...shell, ...command] as [string, ...string[]];
  const stdio =
    shell.length > 0 ? (["ignore", "ignore", "pipe", far.write] as const) : (["ignore", far.write, "pipe"] as const);
  const child: ChildProcess = spawn(file, args, { env, stdio: [...stdio] });
  cleanup.after(() => child.kill("SIGKILL"));
  far.spawned();
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const over = once(child, "close") as Promise<[number | null, string | null]>;
  const hash = createHash("sha256");
  let bytes = 0;
  if (stall) await over;
  for await (const piece of far.read()) {
    if (bytes === 0) first();
    hash.update(piece);
    bytes += piece.length;
    if (bytes >= vanish) break;
  }
  far.close();
  const [code, signal] = await over;
  return { code: code ?? signal ?? "", bytes, digest: hash.digest("hex"), stderr };
}

interface Far {
  /** The child's end. */
  write: number | net.Socket;
  /** The child has it: ours is closed. */
  spawned(): void;
  read(): AsyncIterable<Buffer>;
  close(): void;
}

/** A FIFO: spawn's pipes are socket pairs. */
function pipe(cleanup: Cleanup, nonBlocking: boolean): Far {
  const path = join(tempFolder(cleanup), "fifo");
  const { status, stderr } = spawnSync("mkfifo", [path], { encoding: "utf8" });
  if (status !== 0) throw new Error(`mkfifo: ${stderr}`);
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  let near: number | null = fs.openSync(path, O_RDONLY | O_NONBLOCK);
  const write = fs.openSync(path, O_WRONLY | (nonBlocking ? O_NONBLOCK : 0));
  const close = () => {
    if (near !== null) fs.closeSync(near);
    near = null;
  };
  cleanup.after(close);
  const sleep = (ms: number) => new Promise((next) => setTimeout(next, ms));
  return {
    write,
    spawned: () => fs.closeSync(write),
    async *read() {
      const buffer = Buffer.alloc(1 << 20);
      let asleep = !nonBlocking;
      while (near !== null) {
        let n: number;
        try {
          // The slow one takes a byte first, and lets the pipe run full; then pieces that leave no room for whole writes.
          n = fs.readSync(near, buffer, 0, !asleep ? 1 : nonBlocking ? 10_000 : buffer.length, null);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
          await sleep(1);
          continue;
        }
        if (n === 0) return;
        yield buffer.subarray(0, n);
        if (!asleep) await sleep(300);
        asleep = true;
        await sleep(0);
      }
    },
    close,
  };
}

async function socket(cleanup: Cleanup): Promise<Far> {
  const server = net.createServer({ pauseOnConnect: true });
  const address = await listen(cleanup, server);
  const far = net.connect(address);
  far.on("error", () => {});
  cleanup.after(() => far.destroy());
  const [write] = (await once(server, "connection")) as [net.Socket];
  cleanup.after(() => write.destroy());
  return {
    write,
    spawned: () => void write.destroy(),
    read: () => far as AsyncIterable<Buffer>,
    close: () => void far.destroy(),
  };
}
