// What a server needs of its runtime, beside libc.

import type { Socket } from "node:net";
import type { WorkerOptions } from "node:worker_threads";

export interface ServerRuntime {
  /** Where a loop's thread begins, and the one that reads from disks. */
  readonly loop: URL;
  readonly reader: URL;
  /** How they are started. */
  readonly options: () => WorkerOptions;
  /** Whether an http.Server has its timeouts for connections that it was given: they have ours, if not. */
  readonly limits: boolean;
  /** Makes the socket of an fd, at once or soon. Throws if it is no good any more. */
  readonly open: (fd: number, opened: (socket: Socket) => void) => void;
}
