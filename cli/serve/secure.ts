// The server for HTTPS: by node:https alone.

import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo, ListenOptions } from "node:net";
import { type StaticOptions, serveStatic } from "sendoff/http";
import type { App } from "../../host/server/app.js";
import { stopListening } from "../../host/server/behind.js";
import { endClient } from "../../host/server/client-error.js";
import { type CloseOptions, Closing } from "../../host/server/closing.js";
import { Connections, endBehind } from "../../host/server/connections.js";
import { answerHealth, isHealth } from "../../host/server/health.js";
import { lingering } from "../../host/server/lingering.js";

/** Between two looks for connections that have become idle, in ms. */
const IDLE = 20;

export class SecureServer extends EventEmitter {
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #closing = new Closing();
  #isDraining = false;

  /** `health`: the target that tells whether it is ready. */
  constructor(
    root: string,
    options: StaticOptions,
    files: { cert: string; key: string },
    app: App,
    health: string | null,
  ) {
    super();
    const handler = serveStatic(root, options);
    this.#connections = new Connections((req, res) => {
      if (this.#isDraining) endBehind(res);
      if (isHealth(health, req)) return answerHealth(req, res, !this.#isDraining);
      app(req, res, handler);
    });
    const ask = lingering(this.#connections.ask);
    this.#server = createServer(certificate(files), ask);
    // The body of a GET is useless: it is ignored.
    this.#server.on("checkContinue", ask);
    this.#server.on("clientError", endClient);
    this.#server.on("secureConnection", (socket) => this.#connections.follow(socket));
  }

  async listen(options: ListenOptions): Promise<AddressInfo | string | null> {
    this.#server.listen(options);
    await once(this.#server, "listening");
    return this.#server.address();
  }

  /** As that of the other server. */
  async close(options: CloseOptions): Promise<void> {
    this.#closing.add(options);
    this.#isDraining = true;
    this.#connections.drain();
    await this.#closing.delayed();
    const closed = stopListening(this.#server);
    const looks = setInterval(() => {
      if (this.#closing.left > 0) return this.#connections.endIdle(this.#closing.idle);
      this.#connections.end();
      this.#server.closeAllConnections(); // handshakes that are not over
    }, IDLE);
    await closed;
    clearInterval(looks);
    this.emit("close");
  }
}

/** @throws if they can't be read, or do not match. */
export function certificate(files: { cert: string; key: string }): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key) };
}
