// The server of one process: it listens, and it stops when the process ends.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { configureExit, drainOnExit, onExit } from "sendoff";
import { AccessLog } from "./log.js";
import { type SiteOptions, site } from "./site.js";

/** All of it can be sent to another process. */
export interface Settings extends SiteOptions {
  host: string;
  port: number;
  /** Files in PEM. */
  tls: { cert: string; key: string } | null;
  log: boolean;
  /** Milliseconds that running responses get when the process ends. */
  timeout: number;
}

/** What the ending of a process takes beyond the time that responses get, in ms. */
export const MARGIN = 2000;

/** A connection on which so many requests wait is ended: nothing else would bound the memory that they take. */
const PIPELINED = 1000;

export async function open(settings: Settings): Promise<{ server: Server; address: AddressInfo }> {
  const { host, port, tls, timeout } = settings;
  const log = settings.log ? new AccessLog() : null;
  const answer = site(settings);
  /** What each connection has asked for: the answer that is under way, and behind it those that wait for it. */
  const connections = new Map<Socket, (() => void)[]>();
  let stopping = false;

  const listener: RequestListener = (req, res) => {
    const asked = connections.get(req.socket);
    // One at a time: a few bytes of pipelined requests would else have hundreds of files open, and read into memory.
    // Those of a client that goes away are forgotten with their connection.
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
  // A client may close its side with its request, and wait for the answer: nc -N. Over TLS that is its end. The property
  // is not documented.
  Object.assign(server, { httpAllowHalfOpen: tls === null });
  // Nobody has a use for the body of a GET: no word about it.
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
    // Node counts a connection that has not said a word among the busy ones, and would wait for it.
    for (const [socket, asked] of connections) if (asked.length === 0) socket.destroy();
  });
  return { server, address: server.address() as AddressInfo };
}

/** @throws where they can't be read, or do not fit. */
export function certificate(files: { cert: string; key: string }): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key) };
}
