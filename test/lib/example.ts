// A program of examples/ as a child process, which serves a folder on a port of its own choice.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./command.js";
import { within } from "./web.js";

const ROOT = new URL("../../../", import.meta.url);
const WRITTEN = new URL("test/fixtures/examples/written.mjs", ROOT);

/** Their own dependencies have to be there: why not, or null. */
export const missing = fs.existsSync(new URL("examples/node_modules/sendoff", ROOT))
  ? null
  : "no examples/node_modules: npm ci --prefix examples";

/** The exports of a package of examples/node_modules. */
export const library = (file: string) => import(new URL(`examples/node_modules/${file}`, ROOT).href);

export interface Example {
  readonly pid: number;
  /** Its first output: an address that ends in a slash. */
  readonly url: URL;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  /** The signal that it died by, or its exit code. */
  readonly ended: Promise<string | number>;
  /** Of the connections that have ended, and on which `bytes` or more were sent: what the runtime wrote on the nth, from 0. */
  copied(bytes: number, nth: number): Promise<number>;
}

export async function start(name: string, root: string, scratch: string): Promise<Example> {
  const written = path.join(scratch, `${name}.written`);
  fs.writeFileSync(written, "");
  // SENDOFF_* of the test run itself must not affect these tests.
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith("SENDOFF_"));
  const program = fileURLToPath(new URL(`examples/${name}.js`, ROOT));
  const child = spawn(process.execPath, ["--no-warnings", "--import", WRITTEN.href, program, root, "0"], {
    env: { ...Object.fromEntries(inherited), WRITTEN: written },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<string | number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal ?? code ?? -1));
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  let stdout = "";
  child.stdout.setEncoding("utf8");
  const line = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (text: string) => {
      stdout += text;
      if (stdout.includes("\n")) resolve(stdout.slice(0, stdout.indexOf("\n")));
    });
    ended.then(() => reject(new Error(`${name} ended before it listened: ${stderr}`)), reject);
  });
  return {
    pid: child.pid as number,
    url: new URL(
      await within(line, `${name}'s address`, 60_000).catch((error) => {
        child.kill("SIGKILL");
        throw error;
      }),
    ),
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    ended,
    async copied(bytes, nth) {
      const find = () => {
        const rows = fs.readFileSync(written, "utf8").split("\n").slice(0, -1);
        return rows.map((row) => row.split(" ").map(Number)).filter(([all = 0]) => all >= bytes)[nth];
      };
      await until(`${name} has closed the connection`, () => find() !== undefined);
      return find()?.[1] as number;
    },
  };
}

/** How many descriptors a process has open on files in `root`. */
export function filesOpen(pid: number, root: string): number {
  const folder = `/proc/${pid}/fd`;
  const target = (fd: string) => {
    try {
      return fs.readlinkSync(path.join(folder, fd));
    } catch {
      return ""; // closed meanwhile
    }
  };
  return fs.readdirSync(folder).filter((fd) => target(fd).startsWith(root)).length;
}
