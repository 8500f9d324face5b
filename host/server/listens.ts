// Has an http.Server whose connections come from loops look as if it listened itself: to its app, and to itself.

import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Those of its methods that are about listening. */
export type Listens = Pick<Server, "address" | "close" | "closeAllConnections" | "listen" | "ref" | "unref">;

/** Of net's, undocumented: what getConnections() tells. */
interface Counts {
  _connections?: number;
}

/** As node:net's. */
export function listensAlready(): Error {
  const code = "ERR_SERVER_ALREADY_LISTEN";
  return Object.assign(new Error("Listen method has been called more than once without closing."), { code });
}

/** The server that an app is a part of. */
interface Whole {
  address(): ReturnType<Server["address"]>;
  close(options: { timeout: number }): Promise<void>;
  /** If it is closing. */
  cut(): void;
  ref(): this;
  unref(): this;
}

/** `app`'s methods as those of the whole: what closes one closes the other. */
export function asWhole(app: Server, whole: Whole): Listens {
  const { closeAllConnections } = app;
  return {
    address: () => whole.address(),
    close(done) {
      if (done) app.once("close", done);
      void whole.close({ timeout: Number.POSITIVE_INFINITY });
      return app;
    },
    closeAllConnections() {
      closeAllConnections.call(app);
      whole.cut();
    },
    listen() {
      throw listensAlready();
    },
    ref: () => whole.ref() && app,
    unref: () => whole.unref() && app,
  };
}

/**
 * Emits "listening" if that `isNew` to it: else no timeout is enforced, and on Deno no connection kept. Returns what closes
 * it.
 */
export function listens(server: Server, methods: Partial<Listens>, isNew = true): () => void {
  const properties = { ...methods, listening: true };
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(server, name, { value, configurable: true, writable: true });
  }
  if (isNew) server.emit("listening");
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
