// `sendoff serve` in a process of its own: its address, its log, and its end.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { type Result, start, until, type Wrap } from "./command.js";
import { within } from "./web.js";

export interface Serving {
  readonly child: ChildProcess;
  readonly ended: Promise<Result>;
  readonly args: readonly string[];
  /** With a slash at its end. */
  readonly url: string;
  readonly port: number;
  /** The output so far. */
  stdout(): string;
  stderr(): string;
  /** Waits until this was logged. */
  logged(line: RegExp): Promise<void>;
  /** SIGTERM, and its end. */
  stop(): Promise<Result>;
}

/** Starts it on a free port; resolves once it listens. Killed after `limit` ms, if that is given in place of the usual. */
export async function serving(
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
  wrap?: Wrap,
  limit?: number,
): Promise<Serving> {
  const { child, ended } = start(["serve", "--port", "0", ...args], env, wrap, limit);
  let stdout = "";
  let stderr = "";
  let over: Result | null = null;
  child.stdout?.on("data", (text: string) => (stdout += text));
  child.stderr?.on("data", (text: string) => (stderr += text));
  void ended.then((result) => (over = result));
  const ready = () => /(https?:\/\/\S+:(\d+)\/)\n(?:.*\n)*engine: .*\n/.exec(stderr);
  await until("the address", () => over !== null || ready() !== null);
  const [, url = "", port] = ready() ?? [];
  if (url === "") throw new Error(`sendoff serve ended: ${JSON.stringify(over)}`);
  return {
    child,
    ended,
    args,
    url,
    port: Number(port),
    stdout: () => stdout,
    stderr: () => stderr,
    logged: (line) => until(`${line} in the log`, () => line.test(stdout)),
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** All that comes for a request, until the server closes. */
export async function talkTo({ url, port }: Serving, text: string): Promise<Buffer> {
  const at = { port, host: "127.0.0.1" };
  const socket = url.startsWith("https") ? tls.connect({ ...at, rejectUnauthorized: false }) : net.connect(at);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  socket.write(text, "latin1");
  await within(once(socket, "close"), text);
  return Buffer.concat(chunks);
}
