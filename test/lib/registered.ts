// A program of test/fixtures as a child process that has loaded `sendoff/register`, with an environment of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { IMPORT, RUN, runtime } from "./runtime.js";
import type { Cleanup } from "./suite.js";

const register = fileURLToPath(new URL("../../host/register/index.js", import.meta.url));
/** Bun finds no URL whose path has a space. */
const REGISTER = runtime === "bun" ? register : pathToFileURL(register).href;

export interface Registered {
  readonly child: ChildProcess;
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>;
  out(): string;
  err(): string;
}

export function registered(t: Cleanup, name: string, how: string, env: NodeJS.ProcessEnv): Registered {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SENDOFF_"));
  const program = fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url));
  const child = spawn(process.execPath, [...RUN, IMPORT, REGISTER, program, how], {
    env: { ...Object.fromEntries(inherited), NODE_NO_WARNINGS: "1", SENDOFF_DEBUG: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (part: string) => {
      text[name] += part;
    });
  }
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  return { child, ended, out: () => text.stdout, err: () => text.stderr };
}
