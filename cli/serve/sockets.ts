// Sockets that `sendoff serve` is started with, and how it passes them on.

import { host } from "#process";
import { say } from "../../host/say.js";
import { inherited, type ListenFd } from "../../host/server/inherited.js";
import { FileServer } from "../../host/server/server.js";
import type { Settings } from "./server.js";

/** Milliseconds in which a connection that is idle may ask once more, while another process has taken over already. */
const IDLE = 1000;

export interface Sockets {
  /** Takes the place of --port and --host; null for none. */
  readonly http: ListenFd | null;
  readonly metrics: ListenFd | null;
}

/** Those of systemd, or of the process before. @throws Error if there are too many. */
export function sockets(): Sockets {
  const all = inherited(host().shared);
  const metrics = all.find(({ name }) => name === "metrics") ?? null;
  const [http = null, ...others] = all.filter((one) => one !== metrics);
  if (others.length === 0) return { http, metrics };
  throw new Error(`serve listens on one socket, and on one named 'metrics' (LISTEN_FDS has ${all.length})`);
}

/** On SIGUSR2 a new process takes over. `lacks`: why none can. */
export function onSuccession(server: unknown, { timeout }: Settings, lacks: string | null = null): void {
  if (process.platform === "win32") return;
  let isUnderWay = false;
  process.on("SIGUSR2", async () => {
    if (isUnderWay) return;
    isUnderWay = true;
    try {
      if (!(server instanceof FileServer)) throw new Error(lacks ?? "HTTPS");
      say("SIGUSR2: a new process takes over");
      await server.handOver({ timeout, idle: IDLE });
    } catch (error) {
      say(`sendoff: SIGUSR2: ${(error as Error).message}: this process serves on`);
    }
    isUnderWay = false;
  });
}
