// Puts files in front of an app's http.Server: its own listeners hear only of requests that no file answers.

import { createServer, type IncomingMessage, type RequestListener, Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Connections } from "./connections.js";
import { type Settings, timerOf } from "./options.js";

/** Between two looks for connections whose time is up, in ms: as a loop's. */
const SWEEP = 1000;

/** The server of an app: a listener gets one. What was set of limits holds for it, too. */
export function serverOf(app: Server | RequestListener, settings: Settings): Server {
  const server = app instanceof Server ? app : createServer({ connectionsCheckingInterval: SWEEP }, app);
  const { headersTimeout, keepAliveTimeout, maxConnections } = settings;
  server.headersTimeout = timerOf(headersTimeout);
  server.keepAliveTimeout = timerOf(keepAliveTimeout);
  if (maxConnections !== Number.POSITIVE_INFINITY) server.maxConnections = maxConnections;
  return server;
}

/** Those that a FileServer has, and answers for. */
const had = new WeakSet<Server>();

/** Whether a server is a part of a FileServer already. */
export const isHad = (server: Server): boolean => had.has(server);

/** Makes it one. */
export const have = (server: Server): void => void had.add(server);

/** What is before a server's listeners. */
interface Front {
  /** Calls the listeners. */
  readonly pass: RequestListener;
  readonly undo: () => void;
}

/**
 * Has `connections` asked for each request before the server's listeners, whenever those are added. Those that `waits` is
 * true of come one at a time, all others at once.
 */
export function putBefore(server: Server, connections: Connections, waits: (req: IncomingMessage) => boolean): Front {
  const own = Object.getOwnPropertyDescriptor(server, "emit");
  const emit = server.emit as (event: string | symbol, ...args: unknown[]) => boolean;
  const pass: RequestListener = (req, res) => void emit.call(server, "request", req, res);
  /** The app has decided whether their bodies may come. */
  const expected = new WeakSet<ServerResponse>();

  const asked: RequestListener = (req, res) => {
    if (expected.has(res)) pass(req, res);
    else if (waits(req)) connections.ask(req, res);
    else connections.askNow(req, res);
  };
  const expects: RequestListener = (req, res) => {
    expected.add(res);
    connections.count(req, res);
  };
  // An own `emit`, since a listener for "upgrade" or the like changes what node:http does.
  const before = (event: string | symbol, ...args: unknown[]): boolean => {
    const [first, second] = args;
    if (event === "request") {
      asked(first as IncomingMessage, second as ServerResponse & { req: IncomingMessage });
      return true;
    }
    if (event === "connection") connections.follow(first as Socket);
    else if (event === "upgrade" || event === "connect") connections.keep(second as Socket);
    else if (event === "checkContinue" || event === "checkExpectation") {
      expects(first as IncomingMessage, second as ServerResponse & { req: IncomingMessage });
    }
    return emit.call(server, event, ...args);
  };
  Object.assign(server, { emit: before });
  have(server);
  const undo = () => {
    had.delete(server);
    if (server.emit !== before) return; // somebody else's is before ours
    if (own === undefined) Reflect.deleteProperty(server, "emit");
    else Object.defineProperty(server, "emit", own);
  };
  return { pass, undo };
}
