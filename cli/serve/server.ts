// The server of one process: it listens, and it stops when the process ends.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { configureExit, drainOnExit, onExit } from "sendoff";
import { AccessLog } from "./log.js";
import { type SiteOptions, site } from "./site.js";

/** All values can be sent to another process. */
export interface Settings extends SiteOptions {
  host: string;
  port: number;
  /** Files in PEM. */
  tls: { cert: string; key: string } | null;
  log: boolean;
  /** Milliseconds that running responses get when the process ends. */
  timeout: number;
}

/** Time that the end of a process takes beyond the responses' timeout, in ms. */
export const MARGIN = 2000;

/** A connection with this many waiting requests is ended: nothing else bounds their memory. */
const PIPELINED = 1000;

export async function open(settings: Settings): Promise<{ server: Server; address: AddressInfo }> {
  const { host, port, tls, timeout } = settings;
  const log = settings.log ? new AccessLog() : null;
  const answer = site(settings);
  /** Requests by connection: the answer under way, and those that wait behind it. */
  const connections = new Map<Socket, (() => void)[]>();
  let stopping = false;

  const listener: RequestListener = (req, res) => {
    const asked = connections.get(req.socket);
    // One at a time: otherwise a few bytes of pipelined requests could open hundreds of files, and read them into
    // memory. The requests of a client that disconnects are dropped with its connection.
    const waiting = asked?.push(() => start(req, res));
    if (waiting === 1) start(req, res);
    else if (waiting === PIPELINED) req.socket.destroy();
  };
  const start: RequestListener = (req, res) => {
    const asked = connections.get(req.socket);
    log?.follow(req, res);
    res.once("close", () => {
      asked?.shift();
      if (!req.socket.destroyed) asked?.[0]?.();
    });
    if (stopping) res.setHeader("Connection", "close");
    answer(req, res);
  };
  const server = tls === null ? createServer(listener) : createSecureServer(certificate(tls), listener);
  // A client may half-close after its request, and wait for the answer: nc -N. Over TLS that ends the connection. The
  // property is undocumented.
  Object.assign(server, { httpAllowHalfOpen: tls === null });
  // The body of a GET is useless: it is ignored.
  server.on("checkContinue", listener);
  server.on(tls === null ? "connection" : "secureConnection", (socket: Socket) => {
    connections.set(socket, []);
    socket.once("close", () => connections.delete(socket));
  });

  server.listen({ port, host });
  await once(server, "listening");

  configureExit({ deadline: timeout + MARGIN, log: null });
  // The last one registered is the first to run.
  onExit(async () => {
    await new Promise(setImmediate); // aborted responses are closed by then
    await log?.end();
  });
  drainOnExit({ timeout, servers: [server] });
  onExit(() => {
    stopping = true;
    // Node counts a connection without a first request as busy, and would wait for it.
    for (const [socket, asked] of connections) if (asked.length === 0) socket.destroy();
  });
  return { server, address: server.address() as AddressInfo };
}

/** @throws if they can't be read, or do not match. */
export function certificate(files: { cert: string; key: string }): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key) };
}
