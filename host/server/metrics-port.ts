// A port that tells metrics, and nothing else.

import { createServer, type Server } from "node:http";
import type { AddressInfo, ListenOptions } from "node:net";
import { withoutQuery } from "../http/message.js";
import { MEDIA_TYPE } from "./exposition.js";

/** Connections at once: those who ask are few. */
const MOST = 64;

export class MetricsPort {
  readonly server: Server;

  /** `text`: what it tells. */
  constructor(text: () => string) {
    this.server = createServer((req, res) => {
      const { method, url = "" } = req;
      if (withoutQuery(url) !== "/metrics") return void res.writeHead(404).end();
      if (method !== "GET" && method !== "HEAD") return void res.writeHead(405, { Allow: "GET, HEAD" }).end();
      res.writeHead(200, { "Content-Type": MEDIA_TYPE, "Cache-Control": "no-store" });
      res.end(method === "HEAD" ? undefined : text());
    });
    this.server.maxConnections = MOST;
  }

  get address(): AddressInfo | null {
    return this.server.address() as AddressInfo | null;
  }

  /** On loopback, unless it is told otherwise. It keeps no process running. */
  listen(options: ListenOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host: "127.0.0.1", ...options }, () => {
        this.server.off("error", reject);
        this.server.unref();
        resolve();
      });
    });
  }

  close(): void {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
  }
}
