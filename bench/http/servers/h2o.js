// h2o as somebody would set it up who wants files served fast: one thread, no log. Open files and what stat(2) says of
// them it keeps by itself, for a turn of its loop. Its version 2.2 calls no sendfile.

import { writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.js";

/**
 * Writes the configuration into `folder`; it serves the files in `root`.
 *
 * @param {string} folder
 * @param {string} root
 * @returns {Promise<{ port: number, argv: string[] }>}
 */
export async function h2o(folder, root) {
  const port = await freePort();
  const conf = join(folder, "h2o.conf");
  writeFileSync(
    conf,
    `${process.getuid?.() === 0 ? `user: ${userInfo().username}` : ""}
num-threads: 1
num-name-resolution-threads: 1
max-connections: 4096
http1-request-timeout: 3600
error-log: ${join(folder, "error.log")}
listen: { host: 127.0.0.1, port: ${port} }
hosts:
  default:
    paths:
      /: { file.dir: ${root} }
`,
  );
  return { port, argv: ["-c", conf] };
}
