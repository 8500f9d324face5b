// Transfers on the way out: no new one begins, and those that are open get time to finish.

import type { Shared } from "./sendfile.js";

/** What can be told to take no more clients: a net.Server, an http.Server. */
export interface Listener {
  close(): unknown;
  closeIdleConnections?(): void;
}

/** Resolves once no transfer is open; those that are after `timeout` ms fail with ERR_SENDFILE_ABORTED. */
export function drain(shared: Shared, timeout: number, listeners: readonly Listener[]): Promise<void> {
  for (const listener of listeners) {
    listener.close();
    listener.closeIdleConnections?.();
  }
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const transfer of [...shared.running]) transfer.abort();
    }, timeout);
    shared.drained = () => {
      clearTimeout(timer);
      for (const listener of listeners) listener.closeIdleConnections?.();
      resolve();
    };
    if (shared.running.size === 0) shared.drained();
  });
}
