// The entry point for a server of files.

import { host, serverRuntime } from "#process";
import { inherited, type ListenFd } from "./inherited.js";
import type { FileServerOptions } from "./options.js";
import { FileServer } from "./server.js";

export type { CloseOptions } from "./closing.js";
export type { ListenFd } from "./inherited.js";
export type { FileServerOptions } from "./options.js";
export type { FileServer } from "./server.js";
export type { ServerStats } from "./stats.js";
export type { HandOverOptions } from "./successor.js";

/**
 * A server for the files below `root`. A thread with an epoll loop answers what it recognizes in full: GET and HEAD of a
 * file, whole, one range of it, or 304. All else a `node:http` server answers with `serveStatic()`, on the same
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

/**
 * The listening sockets that this process was started with, as sd_listen_fds(3) has them: by systemd, or by `handOver()` of
 * the process before. Each can be passed to `listen()`. None if LISTEN_PID is another process. They are closed at exec(3),
 * and the variables are removed from the environment: called again, there are none.
 */
export function listenFds(): ListenFd[] {
  return inherited(host().shared);
}
