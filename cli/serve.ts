// `sendoff serve`: a folder over HTTP, for people and for scripts.

import { once } from "node:events";
import { realpathSync, statSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { createSecureContext } from "node:tls";
import { configureExit, onExit } from "sendoff";
import { host, serverRuntime } from "#process";
import { MOST_LOOPS } from "../host/loop/fds.js";
import { FORMATS } from "../host/loop/log-line.js";
import { say } from "../host/say.js";
import { obstacle } from "../host/server/obstacle.js";
import { FileServer } from "../host/server/server.js";
import { choice, duration, integer, parse, UsageError } from "./arguments.js";
import { known } from "./info.js";
import { runtime } from "./runtime.js";
import { cache, fields, health, mimeTypes, page, trust } from "./serve/flags.js";
import { certificate } from "./serve/secure.js";
import { type Address, MARGIN, open, type Settings, untilEnd } from "./serve/server.js";
import { onSuccession, sockets } from "./serve/sockets.js";
import { startWorkers } from "./serve/workers.js";

export const help = `sendoff serve: serve a folder over HTTP

Usage:
  sendoff serve [OPTION]... [DIR]

DIR       the folder (default: the one you are in)

Options:
  -p, --port PORT       the port (default: 8080; 0: any free port)
      --host HOST       the address (default: 127.0.0.1, so from this machine only;
                        0.0.0.0 or :: listens on all of them)
      --engine ENGINE   loop: a thread with an epoll loop answers requests for files,
                        and node:http the rest; node: node:http answers all;
                        auto (default): loop where it can run, else node
      --threads N       the number of loops, each in a thread (default: 1); where no
                        loop serves, the number of processes
  -w, --workers N       the number of processes of engine node (default: 1); one that
                        dies is replaced
      --tls             HTTPS, with these two:
      --cert FILE       the certificate, and those above it, in PEM
      --key FILE        its private key, in PEM
      --precompressed   send FILE.br, .zst or .gz in place of FILE, if they exist and
                        the client accepts them
      --cache CACHE     how long clients may cache a file: seconds (default: 0), or the
                        whole Cache-Control: 'public, max-age=31536000, immutable'
      --header 'NAME: VALUE'
                        a header field of each answer; may be repeated
      --cors            let pages of other sites read the files
      --mime EXT=TYPE   the media type of an extension; may be repeated
      --single          send index.html for what is missing, with 200, and no pages for
                        folders: for an app with a router of its own
      --404 FILE        send FILE, which is in DIR, for what is missing, with 404
      --dotfiles        serve and list names that begin with a dot, too
      --no-listing      no pages for folders: those without an index.html are 404
      --log-format FORMAT
                        common (default), combined (with Referer and User-Agent), or
                        json: an object in each line
      --trust-proxy PROXIES
                        log the address that X-Forwarded-For tells, if a trusted proxy
                        has sent it: addresses and ranges (10.0.0.0/8,::1), loopback,
                        linklocal, uniquelocal; a number of proxies; or true: anybody
  -q, --quiet           no log
      --timeout TIME    how long running downloads get when it is stopped (default: 5s)
      --drain-delay TIME
                        how long SIGTERM lets it take connections, so that a balancer sees
                        that --health fails (default: 0)
      --health PATH     a target that is answered with 200, and with 503 once it is told to
                        stop: /healthz
      --metrics PORT    metrics in the format of OpenMetrics at
                        http://127.0.0.1:PORT/metrics
  -h, --help            this text

TIME is in milliseconds, or with a unit: 500, 500ms, 10s, 2m.

A folder is answered with its index.html, or else with a page that lists it, sorted and
filtered as you like; with ?tar it is a tar archive. Ranges and conditional requests work. Always 404: dotfiles, anything but
regular files, and files outside of DIR behind a symbolic link.

Addresses, whether sendfile is used, and the engine go to stderr. The log goes to stdout, a line
for each response when it is over, by default in the NCSA common log format:
  host - - [time] "request" status bytes
bytes are those of the body that were sent, also if the client disconnected.

A socket of systemd's (LISTEN_FDS) takes the place of --port and --host, one that is named
'metrics' that of --metrics.

Environment:
  SENDOFF_MODE    auto (default), native or copy: copy never calls the kernel's sendfile
  SENDOFF_FFI     koffi, node or none: how the C library is called

Exit status:
  1  it can't listen there, or workers die as soon as they have started
  2  the arguments are wrong
  Ctrl-C, SIGTERM and SIGHUP stop it: no new connections, and running downloads get
  their time; a second one stops at once. Then it dies by the signal.
  SIGUSR2 starts it anew, with the same arguments, on the same socket; once that serves
  this one stops, with 0.

Examples:
  sendoff serve
  sendoff serve -p 0 ~/Videos
  sendoff serve --host :: --threads 4 /srv/files > access.log
  sendoff serve --tls --cert cert.pem --key key.pem
  sendoff serve --single --cache no-cache dist
  curl -r 0-99 http://127.0.0.1:8080/film.mp4
`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv, {
    port: { type: "string", short: "p" },
    host: { type: "string" },
    engine: { type: "string" },
    threads: { type: "string" },
    workers: { type: "string", short: "w" },
    tls: { type: "boolean" },
    cert: { type: "string" },
    key: { type: "string" },
    precompressed: { type: "boolean" },
    cache: { type: "string" },
    header: { type: "string", multiple: true },
    cors: { type: "boolean" },
    mime: { type: "string", multiple: true },
    single: { type: "boolean" },
    "404": { type: "string" },
    "trust-proxy": { type: "string" },
    dotfiles: { type: "boolean" },
    "no-listing": { type: "boolean" },
    "log-format": { type: "string" },
    quiet: { type: "boolean", short: "q" },
    timeout: { type: "string" },
    "drain-delay": { type: "string" },
    health: { type: "string" },
    metrics: { type: "string" },
  });
  if (positionals.length > 1) throw new UsageError(`serve takes one DIR (got '${positionals[1]}' too)`);
  const wanted: Wanted = {
    engine: choice("--engine", values.engine, ENGINES) ?? "auto",
    threads: integer("--threads", values.threads, 1, MOST_LOOPS),
    workers: integer("--workers", values.workers, 1, 1024),
    tls: values.tls === true,
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
    cache: cache(values.cache),
    fields: fields(values.header ?? []),
    cors: values.cors === true,
    mimeTypes: mimeTypes(values.mime ?? []),
    page: null,
    trust: trust(values["trust-proxy"]),
    engine: "node",
    threads: 1,
    log: values.quiet === true ? null : (choice("--log-format", values["log-format"], FORMATS) ?? "common"),
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
  if (settings.host === "") throw new UsageError("--host must be an address or a name (got '')");
  settings.root = folder(positionals[0] ?? ".");
  settings.page = page(settings.root, values.single === true, values["404"]);
  if (settings.tls !== null) check(settings.tls);
  const reason = whyNode(wanted);
  const way = travel(settings, reason === null); // before listening: SENDOFF_MODE may be wrong
  if (wanted.engine === "loop" && reason !== null) throw new Error(`--engine loop can't serve here: ${reason}`);
  const { threads = 1, workers = threads } = wanted;
  const given = sockets();
  settings.inherited = given.http;
  settings.metrics = given.metrics ?? (metrics === undefined ? null : { port: metrics });

  if (reason !== null && workers > 1) {
    if (settings.inherited ?? settings.metrics) {
      throw new Error("an inherited socket, and metrics, are of one process: without --workers");
    }
    settings.port = await freePort(settings);
    configureExit({ deadline: untilEnd(settings) + MARGIN, log: null });
    await startWorkers(workers, settings);
    onSuccession(null, settings, "workers can't be handed over");
    announce(settings, settings, [way, `engine: node (${reason}), ${workers} processes`]);
    await new Promise<never>(() => {}); // until a signal comes, or workers can't be kept alive
  }
  if (reason === null) Object.assign(settings, { engine: "loop", threads });
  const { server, at } = await listening(settings, open(settings));
  onSuccession(server, settings);
  const loop = threads === 1 ? "engine: loop" : `engine: loop, ${threads} threads`;
  const told = server instanceof FileServer ? server.metricsAddress() : null;
  const port = told === null ? [] : [`metrics: http://${told.address}:${told.port}/metrics`];
  announce(settings, at, [way, ...port, reason === null ? loop : `engine: node (${reason})`]);
  await once(server, "close");
  return 0;
}

const ENGINES = ["loop", "node", "auto"] as const;

interface Wanted {
  readonly engine: (typeof ENGINES)[number];
  readonly threads: number | undefined;
  readonly workers: number | undefined;
  readonly tls: boolean;
}

function checkEngine({ engine, threads, workers, tls }: Wanted): void {
  if (threads !== undefined && workers !== undefined) throw new UsageError("--threads or --workers, not both");
  if (engine !== "loop") return;
  if (tls) throw new UsageError("--engine loop has no --tls");
  if (workers !== undefined) throw new UsageError("--workers are of engine node: --engine loop has --threads");
}

/** Why node:http answers all; null if a loop serves. */
function whyNode({ engine, workers = 1, tls }: Wanted): string | null {
  if (engine === "node") return "--engine node";
  if (tls) return "HTTPS";
  if (workers > 1) return "--workers";
  return obstacle(host().shared, serverRuntime);
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

function announce({ root, tls, timeout }: Settings, at: Address, lines: readonly string[]): void {
  const urls =
    typeof at === "string" || at === null ? [`  ${at ?? "an inherited socket"}\n`] : urlsOf(at, tls !== null);
  say(`Serving ${root}\n${urls.join("")}${lines.join("\n")}`);
  onExit(({ signal }) => {
    if (signal !== undefined)
      say(`stopping: running downloads get ${timeout / 1000} s; a second Ctrl-C ends them at once`);
  });
}

function urlsOf({ host, port }: { host: string; port: number }, isSecure: boolean): string[] {
  const hosts = host === "0.0.0.0" || host === "::" ? everywhere(host === "::") : [host];
  return hosts.map((one) => `  ${isSecure ? "https" : "http"}://${one.includes(":") ? `[${one}]` : one}:${port}/\n`);
}

/** The addresses of a machine that has several. */
function everywhere(six: boolean): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const some = all.filter(({ family, scopeid }) => family === "IPv4" || (six && !scopeid));
  return some.map(({ address }) => address);
}
