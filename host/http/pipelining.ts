// A response behind others in its pipeline has no socket yet, and Node tells it nothing when the connection goes
// away meanwhile: no 'close', no error. So the request's socket is asked.

import { ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Request, Response } from "./message.js";

/** One listener for each connection, however many responses wait there. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/** The connection that the response waits for; null where it does not wait. */
function awaited(req: Request, res: Response): Socket | null {
  if (res.socket !== null || !(res instanceof ServerResponse)) return null;
  const { socket } = req as { socket?: unknown };
  return socket instanceof Socket ? socket : null;
}

/** Whether the connection went away before it was the response's turn. */
export function lost(req: Request, res: Response): boolean {
  return awaited(req, res)?.destroyed === true;
}

/** Those that wait for a connection. Its listener lives as long: it is made where it can hold on to none of them. */
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

/** Has `onLost` called when the connection goes away; the function returned takes it back. */
export function watch(req: Request, res: Response, onLost: () => void): () => void {
  const socket = awaited(req, res);
  if (socket === null) return () => {};
  const all = waitingFor(socket);
  all.add(onLost);
  return () => void all.delete(onLost);
}
