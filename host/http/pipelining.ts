// A response behind others in its pipeline has no socket yet, and hears nothing from Node when the connection closes
// meanwhile: no 'close', no error. So we listen to the request's socket.

import { ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Request, Response } from "./message.js";

/** One listener for each connection, however many responses wait there. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/** The connection that the response waits for; null if it has its socket. */
function awaited(req: Request, res: Response): Socket | null {
  if (res.socket !== null || !(res instanceof ServerResponse)) return null;
  const { socket } = req as { socket?: unknown };
  return socket instanceof Socket ? socket : null;
}

/** Whether the connection closed before the response's turn. */
export function lost(req: Request, res: Response): boolean {
  return awaited(req, res)?.destroyed === true;
}

/** The responses that wait for a connection. Its listener outlives them, so it is made where none is in scope. */
function waitingFor(socket: Socket): Set<() => void> {
  const known = waiting.get(socket);
  if (known !== undefined) return known;
  const all = new Set<() => void>();
  waiting.set(socket, all);
  socket.once("close", () => {
    for (const one of [...all]) one();
  });
  return all;
}

/** Calls `onLost` when the connection closes; returns a function that removes the listener. */
export function watch(req: Request, res: Response, onLost: () => void): () => void {
  const socket = awaited(req, res);
  if (socket === null) return () => {};
  const all = waitingFor(socket);
  all.add(onLost);
  return () => void all.delete(onLost);
}
