// The node:http server that answers what a loop does not, or all where there is no loop.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Socket } from "node:net";
import { isAsking } from "./ask.js";
import { endClient, endConnect } from "./client-error.js";
import type { Connections } from "./connections.js";
import { lingering } from "./lingering.js";
import { endless, type Settings, timerOf } from "./options.js";

/** Its requests go to `connections`. */
export function createBehind(settings: Settings, connections: Connections): Server {
  const { maxConnections, ...limits } = settings;
  const headersTimeout = timerOf(limits.headersTimeout);
  const timers = {
    ...{ headersTimeout, requestTimeout: Math.max(headersTimeout, 300_000) },
    keepAliveTimeout: timerOf(limits.keepAliveTimeout),
    connectionsCheckingInterval: 1000, // as the loop; else half a head stays for 30 s longer
  };
  const ask = lingering(connections.ask);
  const server = createServer(timers, ask);
  server.on("checkContinue", (req, res) => {
    const { "content-length": length = "0", "transfer-encoding": coding } = req.headers;
    // Nobody waits for it without a body. Before its turn it would come between head and body of this answer: node:http
    // puts the head before all that waits.
    if ((length !== "0" || coding !== undefined) && res.socket !== null) res.writeContinue();
    else Object.assign(res, { _expect_continue: false }); // undocumented: else the connection ends behind it
    ask(req, res);
  });
  // A client may half-close after its request, and wait for the answer: nc -N. The property is undocumented.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.timeout = timerOf(limits.stallTimeout);
  server.on("clientError", endClient);
  server.on("connect", endConnect);
  if (maxConnections !== Number.POSITIVE_INFINITY) server.maxConnections = maxConnections;
  server.on("connection", (socket: Socket) => {
    if (!isAsking(socket)) connections.follow(socket);
  });
  return server;
}

/** Between two looks for connections whose time is up, in ms. */
const SWEEP = 1000;

/** Has the connections that a server is given end by the limits of the others. Returns an undo. */
export function limit(server: Server, connections: Connections, settings: Settings): () => void {
  const headersTimeout = endless(settings.headersTimeout);
  const keepAliveTimeout = endless(settings.keepAliveTimeout);
  const stalls = (socket: Socket) => {
    if (!isAsking(socket)) socket.setTimeout(timerOf(settings.stallTimeout), () => socket.destroy());
  };
  if (settings.app === null) server.on("connection", stalls); // an app may answer when it likes
  const timer = setInterval(
    () => connections.expire(performance.now(), { headersTimeout, keepAliveTimeout }),
    SWEEP,
  ).unref();
  return () => clearInterval(timer);
}

/** Of the event loop, at the most: as many as a backlog has room for. */
const TURNS = 4096;

/** Has a server accept who has connected, then listen no more. Resolves when it has no connections. */
export async function stopListening(server: Server | SecureServer): Promise<void> {
  let accepted = 0;
  const count = () => accepted++;
  server.on("connection", count);
  // A turn accepts one or some; the first may have looked already.
  for (let quiet = 0, turns = 0; quiet < 2 && turns < TURNS; turns++) {
    const before = accepted;
    await new Promise(setImmediate);
    quiet = accepted === before ? quiet + 1 : 0;
  }
  server.off("connection", count);
  const closed = new Promise((done) => server.once("close", done));
  // Of node:http's: it would end idle connections at once.
  Object.defineProperty(server, "closeIdleConnections", { value: () => {}, configurable: true, writable: true });
  server.close();
  Reflect.deleteProperty(server, "closeIdleConnections");
  await closed;
}

/** Whether Node's own server would answer a request with 400: other servers might read it as two. */
export function isUnsound({ httpVersion, headers }: IncomingMessage): boolean {
  const { host, "transfer-encoding": coding = "chunked" } = headers;
  return (host === undefined && httpVersion === "1.1") || coding.toLowerCase() !== "chunked";
}
