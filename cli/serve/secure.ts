// The server for HTTPS: by node:https alone.

import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { type StaticOptions, serveStatic } from "sendoff/http";
import type { App } from "../../host/server/app.js";
import { endClient } from "../../host/server/client-error.js";
import { Connections } from "../../host/server/connections.js";

/** Between two looks for connections that have become idle, in ms. */
const IDLE = 20;
/** Timers take a 32-bit number of milliseconds. */
const LONGEST = 0x7fffffff;

export class SecureServer extends EventEmitter {
  readonly #server: Server;
  readonly #connections: Connections;
  #closing = false;

  constructor(root: string, options: StaticOptions, files: { cert: string; key: string }, app: App) {
    super();
    const handler = serveStatic(root, options);
    this.#connections = new Connections((req, res) => {
      if (this.#closing) res.setHeader("Connection", "close");
      app(req, res, handler);
    });
    this.#server = createServer(certificate(files), this.#connections.ask);
    // The body of a GET is useless: it is ignored.
    this.#server.on("checkContinue", this.#connections.ask);
    this.#server.on("clientError", endClient);
    this.#server.on("secureConnection", (socket) => this.#connections.follow(socket));
  }

  async listen(options: { host: string; port: number }): Promise<AddressInfo> {
    this.#server.listen(options);
    await once(this.#server, "listening");
    return this.#server.address() as AddressInfo;
  }

  /** Answers that are on their way get `timeout` ms. */
  async close({ timeout }: { timeout: number }): Promise<void> {
    this.#closing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#connections.endIdle();
    const looks = setInterval(() => this.#connections.endIdle(), IDLE);
    const late = setTimeout(
      () => {
        this.#connections.end();
        this.#server.closeAllConnections(); // handshakes that are not over
      },
      Math.min(timeout, LONGEST),
    );
    await closed;
    clearInterval(looks);
    clearTimeout(late);
    this.emit("close");
  }
}

/** @throws if they can't be read, or do not match. */
export function certificate(files: { cert: string; key: string }): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key) };
}
