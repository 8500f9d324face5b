// The end of a server: no transfer starts any more, and those that run get time to finish.

import { argumentError, SendfileError } from "../errors.js";
import { describe, milliseconds, object } from "../validate.js";

/** What can be asked to take no more: a net, http, https or http2 server. */
export interface Listener {
  /** Takes no new connections; `done` is called once the last one has ended. */
  close(done?: (error?: Error) => void): unknown;
  /** Ends the connections that wait for a request. */
  closeIdleConnections?(): void;
}

/** How the running transfers are ended. */
export interface DrainOptions {
  /** Milliseconds that running transfers, and the servers' connections, get. Default: 5000. */
  timeout?: number | undefined;
  /** Closed first: they take no new connections, and those that idle between requests are ended. Default: none. */
  servers?: readonly Listener[] | undefined;
}

/** @throws TypeError or RangeError: once it is used, the process is ending, and it is too late. */
export function checkDrain(options: DrainOptions): void {
  object("options", options);
  const { timeout = 0, servers = [] } = options;
  milliseconds("timeout", timeout);
  if (Array.isArray(servers) && servers.every((server) => typeof server?.close === "function")) return;
  throw argumentError(TypeError, `servers must be an array of servers (got ${describe(servers)})`);
}

export interface Running {
  /** Where it stands among those that run, -1 where it does not: for {@link ActiveTransfers} alone. */
  slot: number;
  abort(error: SendfileError): void;
}

/** Timers take a 32-bit number of milliseconds. */
const LONGEST = 0x7fffffff;

/** How often idle connections are looked for, in ms. */
const IDLE_MS = 20;

export class ActiveTransfers {
  /** Each knows its slot: a Set would hash every response. */
  readonly #running: Running[] = [];
  #draining = false;
  #done: () => void = () => {};

  /** @throws SendfileError where none may start any more. */
  add(transfer: Running): void {
    if (this.#draining) throw ending();
    transfer.slot = this.#running.push(transfer) - 1;
  }

  /** Nothing where it runs no more. */
  remove(transfer: Running): void {
    const { slot } = transfer;
    if (slot < 0) return;
    transfer.slot = -1;
    const last = this.#running.pop() as Running;
    if (last !== transfer) {
      this.#running[slot] = last;
      last.slot = slot;
    }
    if (this.#running.length === 0) this.#done();
  }

  /** Resolves once all is over; what is not by then is aborted. */
  async drain({ timeout = 5000, servers = [] }: DrainOptions): Promise<void> {
    this.#draining = true;
    const closed = servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
    const settled = new Promise<void>((resolve) => {
      this.#done = resolve;
      if (this.#running.length === 0) resolve();
    });
    // A connection idles only once its response is over, so they are looked for again and again.
    const endIdle = () => {
      for (const server of servers) server.closeIdleConnections?.();
    };
    endIdle();
    const idle = setInterval(endIdle, IDLE_MS);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(timeout, LONGEST));
    });
    await Promise.race([Promise.all([settled, ...closed]), late]);
    clearInterval(idle);
    clearTimeout(timer);
    // What one of them runs into on its way, somebody's own destroy(), must not keep the others.
    const thrown: unknown[] = [];
    for (const transfer of [...this.#running]) {
      try {
        transfer.abort(ending());
      } catch (error) {
        thrown.push(error);
      }
    }
    if (thrown.length > 0) throw thrown[0];
  }
}

function ending(): SendfileError {
  return new SendfileError("ERR_SENDFILE_ABORTED", "the transfer was aborted: the process is ending");
}
