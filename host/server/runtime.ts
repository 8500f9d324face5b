// What a server needs of its runtime, beside libc.

import type { Socket } from "node:net";
import type { WorkerOptions } from "node:worker_threads";

export interface ServerRuntime {
  /** Where a loop's thread begins, and the one that reads from disks. */
  readonly loop: URL;
  readonly reader: URL;
  /** How they are started. */
  readonly options: () => WorkerOptions;
  /** The socket of an fd that is open. May throw if it is no good any more. */
  readonly socketOf: (fd: number) => Socket;
}
