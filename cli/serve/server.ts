// The server of one process: it listens, and it stops when the process ends.

import type { EventEmitter } from "node:events";
import type { AddressInfo, ListenOptions } from "node:net";
import { join } from "node:path";
import { configureExit, onExit } from "sendoff";
import { host, serverRuntime } from "#process";
import { hide, isHidden } from "../../host/http/inside.js";
import type { Trust } from "../../host/loop/proxies.js";
import type { App } from "../../host/server/app.js";
import { isAsking } from "../../host/server/ask.js";
import type { CloseOptions } from "../../host/server/closing.js";
import type { ListenFd } from "../../host/server/inherited.js";
import { FileServer } from "../../host/server/server.js";
import { Gate } from "./auth.js";
import type { Files } from "./catalog.js";
import { FILES } from "./listing.js";
import { AccessLog } from "./log.js";
import { SecureServer } from "./secure.js";
import { type SiteOptions, site, staticOptions } from "./site.js";
import type { LogStyle } from "./terminal.js";

/** All values can be sent to another process. */
export interface Settings extends SiteOptions, LogStyle {
  host: string;
  port: number;
  /** In place of host and port. */
  inherited: ListenFd | null;
  /** Files in PEM: HTTPS, by node:https. */
  tls: { cert: string; key: string } | null;
  /** USER:PASSWORD; null: everybody may read. */
  auth: string | null;
  /** Real paths of files that are never sent. */
  hidden: string[];
  engine: "loop" | "node";
  /** Loops. */
  threads: number;
  /** Whose X-Forwarded-For the log believes. */
  trust: Trust | null;
  /** Milliseconds that running responses get when the process ends. */
  timeout: number;
  /** Milliseconds for which a process that gets SIGTERM still takes connections. */
  delay: number;
  /** The target that tells whether it is ready. */
  health: string | null;
  /** The port of its metrics, or their socket. */
  metrics: { port: number } | ListenFd | null;
}

/** Time that the end of a process takes beyond the responses' timeout, in ms. */
export const MARGIN = 2000;

/** What both servers are. Its last event is 'close'. */
interface Server extends EventEmitter {
  listen(options: ListenOptions): Promise<AddressInfo | string | null>;
  close(options: CloseOptions): Promise<void>;
}

/** Where it listens: the path of a Unix socket, null if that is not known. */
export type Address = { host: string; port: number } | string | null;

/** How long the end of a process may take, in ms. */
export const untilEnd = ({ delay, timeout }: Settings): number => delay + timeout + MARGIN;

/** Resolves once it listens. */
export async function open(settings: Settings): Promise<{ server: Server; at: Address }> {
  const { host, port, inherited, timeout, delay } = settings;
  const log = settings.log === null ? null : new AccessLog(settings.log, settings.trust, settings.look);
  for (const file of settings.hidden) hide(file);
  const gate = settings.auth === null ? null : new Gate(settings.auth);
  const answer = site(settings, settings.hidden.length > 0 ? LISTED : FILES);
  const app: App = (req, res, files) => {
    const user = gate?.userOf(req);
    if (!isAsking(req.socket)) log?.follow(req, res, user);
    answer(req, res, gate !== null && user === null ? gate.refuse : files);
  };
  const server = serverOf(settings, app, log);
  const address = await server.listen(inherited ?? { host, port });

  configureExit({ deadline: untilEnd(settings), log: null });
  // The last one registered is the first to run.
  onExit(async () => {
    await new Promise(setImmediate); // aborted responses are closed by then
    await log?.end();
  });
  // Who waits at a terminal waits for no balancer.
  onExit(({ signal }) => server.close({ delay: signal === "SIGTERM" ? delay : 0, timeout }), {
    timeout: Number.POSITIVE_INFINITY,
  });
  if (typeof address === "string" || address === null) return { server, at: address };
  return { server, at: { host: inherited === null ? host : address.address, port: address.port } };
}

/** Files as pages of folders have them: without those that are never sent. */
const LISTED: Files = {
  ...FILES,
  async opendir(path) {
    const folder = await FILES.opendir(path);
    return (async function* () {
      for await (const entry of folder) if (!isHidden(join(path, entry.name))) yield entry;
    })();
  },
  async lstat(path) {
    if (isHidden(path)) throw new Error("hidden");
    return FILES.lstat(path);
  },
};

function serverOf(settings: Settings, app: App, log: AccessLog | null): Server {
  const { root, tls, engine, threads, health, metrics } = settings;
  const files = staticOptions(settings);
  if (tls !== null) return new SecureServer(root, files, tls, app, health);
  // A download may be paused for as long as its client likes.
  const options = {
    ...{ ...files, engine, threads, stallTimeout: 0 },
    ...(health === null ? {} : { health }),
    ...(metrics === null ? {} : { metrics }),
  };
  const server = new FileServer(host().shared, serverRuntime, root, options, { app, log });
  if (log !== null) log.earlier = () => server.readLog();
  return server;
}
