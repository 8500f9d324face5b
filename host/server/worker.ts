// Starts a thread of a server.

import { Worker, type WorkerOptions } from "node:worker_threads";

/** Without NODE_OPTIONS and flags: a module that they preload, such as `sendoff/register`, has no business there. */
export function startWorker(entry: URL, options: Pick<WorkerOptions, "workerData" | "transferList"> = {}): Worker {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Worker(entry, { ...options, trackUnmanagedFds: false, execArgv: [], env });
}
