// The end of a server: no transfer starts any more, and those that run get time to finish.

import { SendfileError } from "./errors.js";

/** What can be asked to take no more: a net, http, https or http2 server. */
export interface Listener {
  close(done?: (error?: Error) => void): unknown;
  closeIdleConnections?(): void;
}

export interface DrainOptions {
  /** Milliseconds that running transfers, and the servers' connections, get. Default: 5000. */
  timeout?: number | undefined;
  /** Closed first: they take no new connections, and those that idle between requests are ended. */
  servers?: readonly Listener[] | undefined;
}

export interface Running {
  abort(error: SendfileError): void;
}

/** How often idle connections are looked for, in ms. */
const IDLE_MS = 20;

export class Transfers {
  readonly #running = new Set<Running>();
  #draining = false;
  #done: () => void = () => {};

  /** @throws SendfileError where none may start any more. */
  enter(transfer: Running): void {
    this.check();
    this.#running.add(transfer);
  }

  check(): void {
    if (this.#draining) throw ending();
  }

  leave(transfer: Running): void {
    this.#running.delete(transfer);
    if (this.#running.size === 0) this.#done();
  }

  /** Resolves once all is over; what is not by then is aborted. */
  async drain({ timeout = 5000, servers = [] }: DrainOptions): Promise<void> {
    this.#draining = true;
    const closed = servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
    const settled = new Promise<void>((resolve) => {
      this.#done = resolve;
      if (this.#running.size === 0) resolve();
    });
    // A connection idles only once its response is over, so they are looked for again and again.
    const endIdle = () => {
      for (const server of servers) server.closeIdleConnections?.();
    };
    endIdle();
    const idle = setInterval(endIdle, IDLE_MS);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeout);
    });
    await Promise.race([Promise.all([settled, ...closed]), late]);
    clearInterval(idle);
    clearTimeout(timer);
    for (const transfer of [...this.#running]) transfer.abort(ending());
  }
}

function ending(): SendfileError {
  return new SendfileError("ERR_SENDFILE_ABORTED", "the transfer was aborted: the process is ending");
}
