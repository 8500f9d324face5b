// nginx as somebody would set it up who wants files served fast: one worker, sendfile, open_file_cache, no log.

import { writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.js";

/**
 * Writes the configuration into `folder`; it serves the files in `root`.
 *
 * @param {string} folder
 * @param {string} root
 * @param {object} [options]
 * @param {string} [options.log] parameters of an access log: `combined`, which is nginx's own format, and more
 * @param {boolean} [options.threads] files are read, and sent, by a pool of threads
 * @param {number} [options.connections]
 * @returns {Promise<{ port: number, argv: string[], log?: string }>}
 */
export async function nginx(folder, root, { log, threads = false, connections = 4096 } = {}) {
  const port = await freePort();
  const file = join(folder, "access.log");
  const conf = join(folder, "nginx.conf");
  writeFileSync(
    conf,
    `${process.getuid?.() === 0 ? `user ${userInfo().username};` : ""}
daemon off;
worker_processes 1;
pid ${join(folder, "nginx.pid")};
events { worker_connections ${connections}; }
http {
  access_log ${log === undefined ? "off" : `${file} ${log}`};
  sendfile on;
  tcp_nopush on;
  ${threads ? "aio threads;" : ""}
  open_file_cache max=2000 inactive=1h;
  open_file_cache_valid 1h;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path ${join(folder, "body")};
  proxy_temp_path ${join(folder, "proxy")};
  fastcgi_temp_path ${join(folder, "fastcgi")};
  default_type application/octet-stream;
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`,
  );
  return {
    port,
    argv: ["-p", folder, "-c", conf, "-e", "stderr"],
    log: log === undefined ? undefined : file,
  };
}
