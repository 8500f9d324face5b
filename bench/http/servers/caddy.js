// Caddy as it comes: one process, sendfile, no access log, and Go's threads on all processors, which are no fewer than the
// others have.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./port.js";

/**
 * Writes the configuration into `folder`; it serves the files in `root`.
 *
 * @param {string} folder
 * @param {string} root
 * @returns {Promise<{ port: number, argv: string[] }>}
 */
export async function caddy(folder, root) {
  const port = await freePort();
  const conf = join(folder, "caddy.json");
  const files = {
    listen: [`127.0.0.1:${port}`],
    idle_timeout: "1h",
    automatic_https: { disable: true },
    routes: [{ handle: [{ handler: "file_server", root }] }],
  };
  writeFileSync(
    conf,
    JSON.stringify({
      admin: { disabled: true, config: { persist: false } },
      storage: { module: "file_system", root: folder },
      logging: { logs: { default: { level: "ERROR" } } },
      apps: { http: { servers: { files } } },
    }),
  );
  return { port, argv: ["run", "--config", conf] };
}
