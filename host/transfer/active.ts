// Draining at the end of the process: no new transfers, and time for the running ones to finish.

import { argumentError, callEach, SendfileError } from "../errors.js";
import { LONGEST } from "../timers.js";
import { describe, milliseconds, object } from "../validate.js";

/** A server that can be closed: of net, http, https or http2. */
export interface Listener {
  /** Takes no new connections; `done` is called once the last one has ended. */
  close(done?: (error?: Error) => void): unknown;
  /** Ends idle connections. */
  closeIdleConnections?(): void;
}

/** How the running transfers are ended. */
export interface DrainOptions {
  /** Milliseconds that running transfers, and the servers' connections, get. Default: 5000. */
  timeout?: number | undefined;
  /** Closed first: no new connections, and idle ones are ended. Default: none. */
  servers?: readonly Listener[] | undefined;
}

/** Checked early: by the time they are used the process is ending. @throws TypeError or RangeError. */
export function checkDrain(options: DrainOptions): void {
  object("options", options);
  const { timeout = 0, servers = [] } = options;
  milliseconds("timeout", timeout);
  if (Array.isArray(servers) && servers.every((server) => typeof server?.close === "function")) return;
  throw argumentError(TypeError, `servers must be an array of servers (got ${describe(servers)})`);
}

export interface Running {
  /** Its index in {@link ActiveTransfers}, which alone uses this; -1 if it is not running. */
  slot: number;
  abort(error: SendfileError): void;
}

/** Interval between checks for idle connections, in ms. */
const IDLE_MS = 20;

export class ActiveTransfers {
  /** An array, with each transfer keeping its slot: a Set would hash every response. */
  readonly #running: Running[] = [];
  #draining = false;
  #drained = false;
  #done: () => void = () => {};
  /** Once draining has begun. */
  #settled: Promise<void> | undefined;

  /** @throws SendfileError once draining has begun. */
  add(transfer: Running): void {
    if (this.#draining) throw ending();
    this.follow(transfer);
  }

  /** The same in the turn in which the one that it goes on with is over. @throws SendfileError once its time is over, too. */
  follow(transfer: Running): void {
    if (this.#drained) throw ending();
    transfer.slot = this.#running.push(transfer) - 1;
  }

  /** Does nothing if it is not running. */
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

  /** Resolves once all transfers are over; aborts those that outlast the timeout. */
  async drain({ timeout = 5000, servers = [] }: DrainOptions): Promise<void> {
    this.#draining = true;
    const closed = servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
    this.#settled ??= this.#settle();
    // A connection becomes idle only once its response is over, so we check repeatedly.
    const endIdle = () => {
      for (const server of servers) server.closeIdleConnections?.();
    };
    endIdle();
    const idle = setInterval(endIdle, IDLE_MS);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(timeout, LONGEST));
    });
    await Promise.race([Promise.all([this.#settled, ...closed]), late]);
    clearInterval(idle);
    clearTimeout(timer);
    this.#drained = true;
    // An error from one, such as from a user's destroy(), must not keep the others.
    callEach(this.#running.map((transfer) => () => transfer.abort(ending())));
  }

  async #settle(): Promise<void> {
    while (this.#running.length > 0) await new Promise<void>((resolve) => (this.#done = resolve));
  }
}

function ending(): SendfileError {
  return new SendfileError("ERR_SENDFILE_ABORTED", "the transfer was aborted: the process is ending");
}
