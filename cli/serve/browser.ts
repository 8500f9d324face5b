// Opens an address in the browser, by the system's own program for that.

import { spawn } from "node:child_process";
import { say } from "../../host/say.js";

/** The program, and its arguments. */
export function openerOf(platform: NodeJS.Platform, url: string): [program: string, args: string[]] {
  if (platform === "darwin") return ["open", [url]];
  // The first argument of start in quotes is a title.
  if (platform === "win32") return ["cmd", ["/c", "start", '""', url]];
  return ["xdg-open", [url]];
}

/** Whatever comes of it, the server goes on: a failure is told. The browser outlives the server. */
export function openBrowser(url: string): void {
  const [program, args] = openerOf(process.platform, url);
  const { SENDOFF_AUTH: _, ...env } = process.env;
  const fail = (why: string) => say(`sendoff: --open: ${program} failed: ${why}`);
  try {
    const options = {
      detached: true,
      stdio: "ignore",
      env,
      windowsVerbatimArguments: true,
      windowsHide: true,
    } as const;
    const child = spawn(program, args, options);
    child.once("error", ({ message }) => fail(message));
    child.once("exit", (code, signal) => {
      if (code !== 0) fail(signal ?? `status ${code}`);
    });
    child.unref();
  } catch (error) {
    fail((error as Error).message);
  }
}
