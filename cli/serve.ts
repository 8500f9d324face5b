// `sendoff serve`: a folder over HTTP, for people and for scripts.

import { once } from "node:events";
import { realpathSync, statSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { createSecureContext } from "node:tls";
import { configureExit } from "sendoff";
import { host, serverRuntime } from "#process";
import { isWithin } from "../host/http/within.js";
import { MOST_LOOPS } from "../host/loop/fds.js";
import { FORMATS } from "../host/loop/log-line.js";
import { obstacle } from "../host/server/obstacle.js";
import { FileServer } from "../host/server/server.js";
import { choice, duration, integer, parse, UsageError } from "./arguments.js";
import { known } from "./info.js";
import { runtime } from "./runtime.js";
import { announce } from "./serve/announce.js";
import { checkCleartext, credentials } from "./serve/auth.js";
import { blame, type Config, config, merged } from "./serve/config.js";
import { cache, fields, health, mimeTypes, page, trust } from "./serve/flags.js";
import { OPTIONS, type Values } from "./serve/options.js";
import { certificate } from "./serve/secure.js";
import { MARGIN, open, type Settings, untilEnd } from "./serve/server.js";
import { onSuccession, sockets } from "./serve/sockets.js";
import { logStyle } from "./serve/terminal.js";
import { startWorkers } from "./serve/workers.js";

export { help } from "./serve/options.js";

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv, OPTIONS);
  if (positionals.length > 1) throw new UsageError(`serve takes one DIR (got '${positionals[1]}' too)`);
  const file = config(values.config);
  try {
    return await serve(merged(values, file), positionals[0] ?? ".", file);
  } catch (error) {
    throw blame(error, values, file);
  }
}

async function serve(values: Values, dir: string, file: Config | null): Promise<number> {
  const auth = credentials(values.auth);
  const wanted: Wanted = {
    engine: choice("--engine", values.engine, ENGINES) ?? "auto",
    threads: integer("--threads", values.threads, 1, MOST_LOOPS),
    workers: integer("--workers", values.workers, 1, 1024),
    tls: values.tls === true,
    auth: auth !== null,
  };
  checkEngine(wanted);
  const settings: Settings = {
    root: "",
    host: values.host ?? "127.0.0.1",
    port: integer("--port", values.port, 0, 65535) ?? 8080,
    tls: tlsFiles(values),
    listing: values["no-listing"] !== true && values.single !== true,
    dotfiles: values.dotfiles === true,
    precompressed: values.precompressed === true,
    cache: cacheOf(values.cache, auth),
    fields: fields(values.header ?? []),
    cors: values.cors === true,
    mimeTypes: mimeTypes(values.mime ?? []),
    page: null,
    trust: trust(values["trust-proxy"]),
    auth,
    hidden: [],
    engine: "node",
    threads: 1,
    ...logStyle(
      values.quiet === true,
      choice("--log-format", values["log-format"], FORMATS),
      process.stdout.isTTY,
      process.env,
    ),
    timeout: duration("--timeout", values.timeout) ?? 5000,
    delay: duration("--drain-delay", values["drain-delay"]) ?? 0,
    health: health(values.health),
    metrics: null,
    inherited: null,
  };
  const metrics = integer("--metrics", values.metrics, 0, 65535);
  if (metrics !== undefined && (wanted.tls || (wanted.workers ?? 1) > 1)) {
    throw new UsageError("--metrics are of one process, without --tls");
  }
  const isClear = auth !== null && settings.tls === null && values["auth-allow-cleartext"] !== true;
  if (settings.host === "") throw new UsageError("--host must be an address or a name (got '')");
  settings.root = folder(dir);
  settings.hidden = hiddenOf(values, file).filter((path) => isWithin(settings.root, path));
  settings.page = page(settings.root, values.single === true, values["404"]);
  if (settings.tls !== null) check(settings.tls);
  const reason = whyNode(wanted);
  const way = travel(settings, reason === null); // before listening: SENDOFF_MODE may be wrong
  if (wanted.engine === "loop" && reason !== null) throw new Error(`--engine loop can't serve here: ${reason}`);
  const { threads = 1, workers = threads } = wanted;
  const options = file === null ? [] : [`options: ${file.path}`];
  const opens = values.open === true;
  const given = sockets();
  settings.inherited = given.http;
  if (isClear) checkCleartext(settings.host);
  settings.metrics = given.metrics ?? (metrics === undefined ? null : { port: metrics });

  if (reason !== null && workers > 1) {
    if (settings.inherited ?? settings.metrics) {
      throw new Error("an inherited socket, and metrics, are of one process: without --workers");
    }
    settings.port = await freePort(settings);
    configureExit({ deadline: untilEnd(settings) + MARGIN, log: null });
    await startWorkers(workers, settings);
    onSuccession(null, settings, "workers can't be handed over");
    const lines = [...options, way, `engine: node (${reason}), ${workers} processes`];
    await announce(settings, settings, { lines, opens });
    await new Promise<never>(() => {}); // until a signal comes, or workers can't be kept alive
  }
  if (reason === null) Object.assign(settings, { engine: "loop", threads });
  const { server, at } = await listening(settings, open(settings));
  if (isClear && given.http !== null && typeof at === "object" && at !== null) await refuseCleartext(server, at.host);
  onSuccession(server, settings);
  const loop = threads === 1 ? "engine: loop" : `engine: loop, ${threads} threads`;
  const told = server instanceof FileServer ? server.metricsAddress() : null;
  const port = told === null ? [] : [`metrics: http://${told.address}:${told.port}/metrics`];
  const lines = [...options, way, ...port, reason === null ? loop : `engine: node (${reason})`];
  const closed = once(server, "close"); // it may be so before all is said
  await announce(settings, at, { lines, opens });
  await closed;
  return 0;
}

const ENGINES = ["loop", "node", "auto"] as const;

interface Wanted {
  readonly engine: (typeof ENGINES)[number];
  readonly threads: number | undefined;
  readonly workers: number | undefined;
  readonly tls: boolean;
  readonly auth: boolean;
}

function checkEngine({ engine, threads, workers, tls, auth }: Wanted): void {
  if (threads !== undefined && workers !== undefined) throw new UsageError("--threads or --workers, not both");
  if (engine !== "loop") return;
  if (tls) throw new UsageError("--engine loop has no --tls");
  if (auth) throw new UsageError("--engine loop has no --auth, nor SENDOFF_AUTH");
  if (workers !== undefined) throw new UsageError("--workers are of engine node: --engine loop has --threads");
}

/** Why node:http answers all; null if a loop serves. */
function whyNode({ engine, workers = 1, tls, auth }: Wanted): string | null {
  if (engine === "node") return "--engine node";
  if (tls) return "HTTPS";
  if (workers > 1) return "--workers";
  if (auth) return "--auth";
  return obstacle(host().shared, serverRuntime);
}

/** What only some may read is not for caches of all (RFC 9111 section 3.5), unless that is said. */
function cacheOf(text: string | undefined, auth: string | null): number | string {
  const given = cache(text);
  return auth !== null && typeof given === "number" ? `private, max-age=${given}` : given;
}

/** Real paths of what has passwords or keys in it. */
function hiddenOf({ key }: Values, file: Config | null): string[] {
  const paths = [...(key === undefined ? [] : [key]), ...(file === null ? [] : [file.path])];
  return paths.flatMap((path) => {
    try {
      return [realpathSync.native(path)];
    } catch {
      return []; // its reader tells
    }
  });
}

/** Of an inherited socket the address is known only once it listens. */
async function refuseCleartext(server: Awaited<ReturnType<typeof open>>["server"], host: string): Promise<void> {
  try {
    checkCleartext(host);
  } catch (error) {
    await server.close({ timeout: 0 });
    throw error;
  }
}

function tlsFiles({ tls, cert, key }: { tls?: boolean; cert?: string; key?: string }): Settings["tls"] {
  if (tls && cert !== undefined && key !== undefined) return { cert, key };
  if (tls) throw new UsageError("--tls needs a certificate: --cert FILE and --key FILE");
  if (cert !== undefined || key !== undefined) throw new UsageError("--cert and --key need --tls");
  return null;
}

function folder(path: string): string {
  try {
    const real = realpathSync.native(path);
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    throw new Error(`DIR can't be read: ${(error as Error).message}`);
  }
  throw new Error(`DIR must be a folder (got '${path}')`);
}

function check(files: { cert: string; key: string }): void {
  try {
    createSecureContext(certificate(files));
  } catch (error) {
    throw new Error(`--cert and --key can't be used: ${(error as Error).message}`);
  }
}

function travel({ tls }: Settings, isLoop: boolean): string {
  const { native, binding, reason } = known();
  if (tls !== null) return "bytes are copied: TLS encrypts them in this process";
  if (!native) return `bytes are copied: ${reason}`;
  if (runtime.name === "bun" && !isLoop)
    return "bytes are copied: a response of node:http under Bun has no socket with an fd";
  return `bytes go by the kernel's sendfile (${binding})`;
}

async function listening<T>({ host, port }: Settings, done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    const { code, port: taken } = error as NodeJS.ErrnoException & { port?: number };
    if (code !== "EADDRINUSE" || taken !== port) throw error; // that of the metrics tells itself
    throw new Error(`port ${port} of ${host} is taken (--port PORT chooses another one, --port 0 any)`);
  }
}

/** Finds a free port: all workers, and later replacements, must listen on the same one. */
async function freePort(settings: Settings): Promise<number> {
  const server = createServer().listen({ host: settings.host, port: settings.port });
  await listening(settings, once(server, "listening"));
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
