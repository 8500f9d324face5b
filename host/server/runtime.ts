// What a server needs of its runtime, beside libc.

import type { Socket } from "node:net";
import type { WorkerOptions } from "node:worker_threads";

export interface ServerRuntime {
  /** Where a loop's thread begins, and the one that reads from disks. */
  readonly loop: () => URL;
  readonly reader: () => URL;
  /** What this process lacks for a loop; null if nothing. */
  readonly lacks: () => string | null;
  /** Why its servers can't listen on a socket that was inherited, by the engine; null if they can. */
  readonly inherits: (engine: "loop" | "node") => string | null;
  /** How they are started. */
  readonly options: () => WorkerOptions;
  /** Whether its http.Server takes requests that have no Host, or a transfer coding that it does not know. */
  readonly isLax: boolean;
  /** Whether it has no timeouts for a connection that it was given, and does not tell the header of an answer. */
  readonly isBare: boolean;
  /** Makes the socket of an fd. Throws if it is no good any more. */
  readonly socketOf: (fd: number) => Socket;
}
