// Has an http.Server whose connections come from loops look as if it listened itself: to its app, and to itself.

import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Those of its methods that are about listening. */
export type Listens = Pick<Server, "address" | "close" | "closeAllConnections" | "ref" | "unref">;

/** Of net's, undocumented: what getConnections() tells. */
interface Counts {
  _connections?: number;
}

/** Emits "listening": else no timeout is enforced, and on Deno no connection kept. Returns what closes it. */
export function listens(server: Server, methods: Partial<Listens>): () => void {
  const properties = { ...methods, listening: true };
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(server, name, { value, configurable: true, writable: true });
  }
  server.emit("listening");
  return () => {
    for (const name of Object.keys(properties)) delete (server as unknown as Record<string, unknown>)[name];
    let isTold = false;
    server.once("close", () => {
      isTold = true;
    });
    // Bun emits nothing for a server that has not listened.
    server.close(() => isTold || server.emit("close"));
  };
}

/** Counts a connection as one that the server has accepted. */
export function countIn(server: Server & Counts, socket: Socket): void {
  if (typeof server._connections !== "number") return;
  server._connections++;
  // Were it net's to count them down, "close" would come with each last one: it sees no listener.
  socket.once("close", () => {
    (server._connections as number)--;
  });
}
