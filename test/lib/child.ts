// A program in a process of its own, with an environment of its own.

import { spawn } from "node:child_process";

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface ChildOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The node to run. Default: the one that runs the test. */
  node?: string;
  /** Arguments of node itself. */
  flags?: string[];
}

/** Runs a file by node and waits for its end. SENDOFF_* of this process are not handed on. */
export function runNode(args: string[], options: ChildOptions = {}): Promise<Outcome> {
  const { env = {}, cwd, node = process.execPath, flags = [] } = options;
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SENDOFF_"));
  const child = spawn(node, [...flags, ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const outcome: Outcome = { code: null, signal: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (outcome.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (outcome.stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(Object.assign(outcome, { code, signal })));
  });
}
