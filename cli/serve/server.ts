// The server of one process: it listens, and it stops when the process ends.

import type { EventEmitter } from "node:events";
import { configureExit, onExit } from "sendoff";
import { host, loopEntries } from "#process";
import type { Format } from "../../host/loop/log-line.js";
import type { Trust } from "../../host/loop/proxies.js";
import type { App } from "../../host/server/app.js";
import { isAsking } from "../../host/server/ask.js";
import { FileServer } from "../../host/server/server.js";
import { AccessLog } from "./log.js";
import { SecureServer } from "./secure.js";
import { type SiteOptions, site, staticOptions } from "./site.js";

/** All values can be sent to another process. */
export interface Settings extends SiteOptions {
  host: string;
  port: number;
  /** Files in PEM: HTTPS, by node:https. */
  tls: { cert: string; key: string } | null;
  engine: "loop" | "node";
  /** Loops. */
  threads: number;
  /** null: none. */
  log: Format | null;
  /** Whose X-Forwarded-For the log believes. */
  trust: Trust | null;
  /** Milliseconds that running responses get when the process ends. */
  timeout: number;
}

/** Time that the end of a process takes beyond the responses' timeout, in ms. */
export const MARGIN = 2000;

/** What both servers are. Its last event is 'close'. */
interface Server extends EventEmitter {
  listen(options: { host: string; port: number }): Promise<{ port: number }>;
  close(options: { timeout: number }): Promise<void>;
}

/** Resolves once it listens. */
export async function open(settings: Settings): Promise<{ server: EventEmitter; port: number }> {
  const { host, port, timeout } = settings;
  const log = settings.log === null ? null : new AccessLog(settings.log, settings.trust);
  const answer = site(settings);
  const app: App = (req, res, files) => {
    if (!isAsking(req.socket)) log?.follow(req, res);
    answer(req, res, files);
  };
  const server = serverOf(settings, app, log);
  const address = await server.listen({ host, port });

  configureExit({ deadline: timeout + MARGIN, log: null });
  // The last one registered is the first to run.
  onExit(async () => {
    await new Promise(setImmediate); // aborted responses are closed by then
    await log?.end();
  });
  onExit(() => server.close({ timeout }), { timeout: Number.POSITIVE_INFINITY });
  return { server, port: address.port };
}

function serverOf({ root, tls, engine, threads, ...rest }: Settings, app: App, log: AccessLog | null): Server {
  const files = staticOptions({ root, ...rest });
  if (tls !== null) return new SecureServer(root, files, tls, app);
  // A download may be paused for as long as its client likes.
  const options = { ...files, engine, threads, stallTimeout: 0 };
  const server = new FileServer(host().shared, loopEntries, root, options, { app, log });
  if (log !== null) log.earlier = () => server.readLog();
  return server;
}
