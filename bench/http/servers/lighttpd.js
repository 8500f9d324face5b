// lighttpd as somebody would set it up who wants files served fast: one process, sendfile, what stat(2) says kept, no log.

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
export async function lighttpd(folder, root) {
  const port = await freePort();
  const conf = join(folder, "lighttpd.conf");
  writeFileSync(
    conf,
    `server.document-root = "${root}"
server.bind = "127.0.0.1"
server.port = ${port}
server.errorlog = "${join(folder, "error.log")}"
server.upload-dirs = ("${folder}")
server.event-handler = "linux-sysepoll"
server.network-backend = "sendfile"
server.stat-cache-engine = "simple"
server.max-connections = 4096
server.max-fds = 10000
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 3600
mimetype.assign = ("" => "application/octet-stream")
`,
  );
  return { port, argv: ["-D", "-f", conf] };
}
