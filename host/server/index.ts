// The entry point for a server of files.

import { host, serverRuntime } from "#process";
import type { FileServerOptions } from "./options.js";
import { FileServer } from "./server.js";

export type { FileServerOptions } from "./options.js";
export type { FileServer } from "./server.js";
export type { ServerStats } from "./stats.js";

/**
 * A server for the files below `root`. A thread with an epoll loop answers what it recognizes in full: GET and HEAD of a
 * file, whole, one range of it, or 304. All else a `node:http` server answers with {@link serveStatic}, on the same
 * connection. The answers are the same, whoever gives them.
 *
 * With `setHeaders` every request is the `node:http` server's.
 *
 * @param root a folder, absolute or from the working directory.
 * @throws TypeError or RangeError for a bad argument, at once; SendfileError if `engine` is "loop", and it can't run here.
 */
export function createFileServer(root: string, options?: FileServerOptions): FileServer {
  return new FileServer(host().shared, serverRuntime, root, options);
}
