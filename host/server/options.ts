// The options of a server, checked.

import { type RequestListener, Server } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { ListenOptions } from "node:net";
import { argumentError } from "../errors.js";
import type { StaticOptions } from "../http/static.js";
import { MOST_LOOPS } from "../loop/fds.js";
import { LONGEST } from "../timers.js";
import { describe, integer, milliseconds, object } from "../validate.js";
import type { App, Page } from "./app.js";
import { type Field, fieldsOf } from "./fields.js";
import { isTarget } from "./health.js";
import type { LogOptions } from "./journals.js";

/** Those of `serveStatic()`, and these. */
export interface FileServerOptions extends StaticOptions {
  /**
   * "loop": an epoll loop in a thread of its own answers what it recognizes in full, and a `node:http` server the rest.
   * "node": a `node:http` server answers all. "auto": the loop where it can run, else "node". Default: "auto".
   */
  engine?: "auto" | "loop" | "node";
  /** Loops, on one listener; for more than one core. 255 at the most. Default: 1. */
  threads?: number;
  /** Milliseconds that a connection may take for its first request; 0 for no limit. Default: 60000, as `node:http`'s. */
  headersTimeout?: number;
  /** Milliseconds that a connection may be idle between two requests; 0 for no limit. Default: 5000, as `node:http`'s. */
  keepAliveTimeout?: number;
  /** Milliseconds that an answer may stand still before its connection is closed; 0 for no limit. Default: 60000, as nginx's send_timeout. */
  stallTimeout?: number;
  /**
   * Header fields of each answer with a file, as nginx's add_header has them: text by name, or several texts. Not those of
   * a connection or of one answer, as Content-Length and Date. Default: none.
   */
  headers?: { readonly [name: string]: string | readonly string[] };
  /** The target of a page that is sent, with 200, for what is missing: '/index.html' of a program with a router of its own. */
  fallback?: string;
  /** The same with 404. */
  notFound?: string;
  /** Connections, whoever has them; a further one is closed at once, as by `net.Server`. Default: no limit. */
  maxConnections?: number;
  /**
   * Answers what no file answers, on the same connections: an `http.Server` that does not listen itself, or a request
   * listener, such as an Express app or Koa's `callback()`. Limits that are not given are those of the `http.Server`.
   */
  app?: Server | RequestListener;
  /** The files are below this target, '/static', as by Express's `app.use()`; for a server with `app`. Default: '/'. */
  prefix?: string;
  /**
   * A target that is answered before all else, on whatever connection: 200 while the server serves, 503 once it drains.
   * Default: none.
   */
  health?: string;
  /** A port of its own for `metrics()`, at /metrics; on 127.0.0.1 unless `host` says otherwise. Default: none. */
  metrics?: Pick<ListenOptions, "port" | "host"> & {
    /** A listening socket in place of `port`, as of `listenFds()`. */
    fd?: number;
  };
}

/** What only this package has. */
export interface Inside {
  /** Why no loop can serve, beside what is asked here. */
  readonly obstacle?: string | null;
  /** Its app listens already: `FileServer.follow`. */
  readonly follows?: boolean;
  readonly app?: App;
  /** The access log of the loops; the app has that of its own answers. */
  readonly log?: LogOptions | null;
}

export interface Settings {
  readonly engine: "auto" | "loop" | "node";
  readonly threads: number;
  readonly headersTimeout: number;
  readonly keepAliveTimeout: number;
  readonly stallTimeout: number;
  readonly maxConnections: number;
  readonly headers: readonly Field[];
  /** For what is missing. */
  readonly page: Page | null;
  readonly app: Server | RequestListener | null;
  /** Without a slash at its end; "" for all. */
  readonly prefix: string;
  readonly health: string | null;
  readonly metrics: ListenOptions | null;
  readonly files: StaticOptions;
}

/** `follows`: the app listens already. @throws TypeError or RangeError that names the option. */
export function settingsOf(options: FileServerOptions, follows = false): Settings {
  const app = appOf(options, follows);
  const own = app instanceof Server ? app : null;
  const {
    engine = "auto",
    threads = 1,
    headersTimeout = own?.headersTimeout ?? 60_000,
    keepAliveTimeout = own?.keepAliveTimeout ?? 5000,
    stallTimeout = 60_000,
    maxConnections = own?.maxConnections || Number.POSITIVE_INFINITY,
    app: _,
    prefix = "/",
    headers = {},
    fallback,
    notFound,
    health,
    metrics,
    ...files
  } = options;
  if (engine !== "auto" && engine !== "loop" && engine !== "node") {
    throw argumentError(TypeError, `engine must be 'auto', 'loop' or 'node' (got ${describe(engine)})`);
  }
  integer("threads", "positive", threads, 1);
  if (threads > MOST_LOOPS) throw argumentError(RangeError, `threads must be at most ${MOST_LOOPS} (got ${threads})`);
  for (const [name, value] of Object.entries({ headersTimeout, keepAliveTimeout, stallTimeout })) {
    milliseconds(name, value);
  }
  if (maxConnections !== Number.POSITIVE_INFINITY) integer("maxConnections", "positive", maxConnections, 1);
  return {
    ...{ engine, threads, headersTimeout, keepAliveTimeout, stallTimeout, maxConnections },
    headers: fieldsOf(headers),
    page: pageOf(fallback, notFound),
    ...{ app, prefix: prefixOf(prefix) },
    ...{ health: healthOf(health), metrics: metricsOf(metrics) },
    // Else whoever answers hears which error it is.
    files: { ...files, fallthrough: app !== null },
  };
}

/** As with node:http, 0 is no limit. */
export const endless = (ms: number): number => ms || Number.POSITIVE_INFINITY;

/** The longest timer in ms; 0, for none, if it is longer. */
export function timerOf(ms: number): number {
  return ms > LONGEST ? 0 : ms;
}

function appOf({ app, prefix, fallback, notFound }: FileServerOptions, follows: boolean): Settings["app"] {
  if (app === undefined) {
    if (prefix !== undefined) throw argumentError(TypeError, "prefix is for a server with an app");
    return null;
  }
  if (app instanceof HttpsServer) {
    const why = "a TLS connection can't be handed over to it";
    throw argumentError(TypeError, `app must not be an https.Server: ${why}. Let a proxy in front speak TLS`);
  }
  if (typeof app !== "function" && !(app instanceof Server)) {
    throw argumentError(TypeError, `app must be an http.Server or a request listener (got ${describe(app)})`);
  }
  if (app instanceof Server && app.listening && !follows) {
    throw argumentError(TypeError, "app must not listen itself: createFileServer() listens for it");
  }
  if (fallback !== undefined || notFound !== undefined) {
    throw argumentError(TypeError, "app, or fallback or notFound: what is missing is the app's");
  }
  return app;
}

export function prefixOf(prefix: unknown): string {
  if (typeof prefix !== "string" || !/^\/[\x21-\x7e]*$/.test(prefix) || /[?#]/.test(prefix)) {
    throw argumentError(
      TypeError,
      `prefix must be a target such as '/static', percent-encoded (got ${describe(prefix)})`,
    );
  }
  return prefix.replace(/\/+$/, "");
}

function healthOf(health: unknown): string | null {
  if (health === undefined) return null;
  if (typeof health !== "string" || !isTarget(health)) {
    throw argumentError(TypeError, `health must be a target such as '/healthz' (got ${describe(health)})`);
  }
  return health;
}

function metricsOf(metrics: FileServerOptions["metrics"]): ListenOptions | null {
  if (metrics === undefined) return null;
  object("metrics", metrics);
  const { port, fd } = metrics;
  if (fd === undefined) integer("metrics.port", "non-negative", port, 0);
  else integer("metrics.fd", "non-negative", fd, 0);
  return metrics as ListenOptions;
}

function pageOf(fallback: unknown, notFound: unknown): Settings["page"] {
  if (fallback !== undefined && notFound !== undefined) {
    throw argumentError(TypeError, "fallback or notFound, not both");
  }
  const target = fallback ?? notFound;
  if (target === undefined) return null;
  if (typeof target !== "string" || !target.startsWith("/")) {
    const name = fallback === undefined ? "notFound" : "fallback";
    throw argumentError(TypeError, `${name} must be a target such as '/index.html' (got ${describe(target)})`);
  }
  return { target, status: fallback === undefined ? 404 : 200 };
}
