// A folder by serve-static, ended by one of the packages as its README has it:
//
//   node server.mjs NAME FOLDER PORT
//
// Each gets what `sendoff serve --drain-delay 1500 --timeout 30s` has: /healthz, 503 from SIGTERM on, 1.5 s in which the balancer
// sees that, and 30 s for downloads.

import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import serveStatic from "serve-static";

const [name, folder, port] = process.argv.slice(2);
const DELAY = 1500;
const TIMEOUT = 30_000;

let isReady = true;
const serve = serveStatic(folder);
const server = createServer((req, res) => {
  if (req.url === "/healthz") return res.writeHead(isReady ? 200 : 503).end();
  serve(req, res, () => res.writeHead(404).end());
});

/** @type {Record<string, () => Promise<void>>} */
const ways = {
  async node() {
    process.once("SIGTERM", async () => {
      isReady = false;
      await sleep(DELAY);
      server.close(() => process.exit());
      server.closeIdleConnections();
    });
  },

  async "http-terminator"() {
    const { createHttpTerminator } = await import("http-terminator");
    const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: TIMEOUT });
    process.once("SIGTERM", async () => {
      isReady = false;
      await sleep(DELAY);
      await terminator.terminate();
      process.exit();
    });
  },

  async "@godaddy/terminus"() {
    const { createTerminus } = await import("@godaddy/terminus");
    createTerminus(server, {
      signal: "SIGTERM",
      timeout: TIMEOUT,
      healthChecks: { "/healthz": async () => {} },
      beforeShutdown: () => sleep(DELAY),
    });
  },

  async "close-with-grace"() {
    const { default: closeWithGrace } = await import("close-with-grace");
    closeWithGrace({ delay: TIMEOUT + DELAY }, async () => {
      isReady = false;
      await sleep(DELAY);
      await new Promise((done) => server.close(done));
    });
  },
};

await ways[name]();
server.listen(Number(port), "127.0.0.1");
