// A program that is run to its end, or to its limit of time.

import { execFile } from "node:child_process";
import { ROOT } from "./tree.js";

/** How it ended: `code` is null where it was killed, because it ran for `limit` ms. */
export function run(args: readonly string[], limit: number): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, FORCE_COLOR: "0" };
    const options = { cwd: ROOT, timeout: limit, killSignal: "SIGKILL", maxBuffer: 1 << 26, env } as const;
    const child = execFile(process.execPath, args, options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, out: `${stdout}${stderr}` }),
    );
  });
}
