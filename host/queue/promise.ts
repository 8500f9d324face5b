// A queue for connections with promise-based writes: Deno.Conn and the like. Transfers wait for one another, and for
// the caller's earlier writes if the runtime can tell; a write by the caller during a transfer goes out somewhere in
// between.

import { something } from "../errors.js";
import type { Done, Job, Queue } from "./queue.js";

/** A connection, as an adapter implements it. */
export interface Conn {
  /** Resolves once the caller's earlier writes are out, if the runtime can tell. */
  flush?(): Promise<unknown>;
  /**
   * The doorbell: writes some of the bytes, at least one, and resolves with their count once the kernel has them.
   * Rejects if the connection is closed. The bytes stay unchanged until it settles.
   */
  write(bytes: Uint8Array): Promise<number>;
  /** The fd for native calls, -1 if there is none; called immediately before each of them. */
  fd(): number;
  /** True once nothing more can be written. */
  closed(): boolean;
  /** Calls `listener` once when the connection has closed, if the runtime tells. */
  onClose?(listener: () => void): void;
}

const queues = new WeakMap<object, ConnQueue>();

/** The queue of a connection: one for its life. */
export function connQueue(conn: object, lend: () => Conn): Queue {
  let queue = queues.get(conn);
  if (queue === undefined) queues.set(conn, (queue = new ConnQueue(lend())));
  return queue;
}

class ConnQueue implements Queue {
  readonly ended = false;
  readonly connecting = false;
  readonly retainsChunks = false;
  errored: Error | null = null;
  readonly #conn: Conn;
  readonly #jobs: Job[] = [];
  readonly #listeners = new Set<() => void>();
  #checked = -1;
  #pending = 0;
  #moved = 0;
  #listening = false;
  /** A write has failed: none will succeed from now on. */
  #gone = false;

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  get closed(): boolean {
    return this.#gone || this.#conn.closed();
  }

  get idle(): boolean {
    // The caller's earlier writes may still be on their way.
    return !this.closed && this.#jobs.length === 0 && this.#conn.flush === undefined;
  }

  once(event: "connect" | "close", listener: () => void): void {
    if (event === "connect") return;
    this.#listeners.add(listener);
    if (!this.#listening) this.#conn.onClose?.(this.#onClose);
    this.#listening = true;
  }

  off(_event: "connect" | "close", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  readonly #onClose = (): void => {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
    for (const job of this.#jobs.slice(1)) job.drop();
  };

  enter(job: Job): void {
    if (this.#jobs.push(job) === 1) this.#next();
  }

  #next(): void {
    const job = this.#jobs[0];
    if (job === undefined) return;
    const start = () =>
      job.start(() => {
        this.#jobs.shift();
        this.#next();
      });
    if (this.#conn.flush === undefined || this.closed) return start();
    this.#conn.flush().then(start, (error: unknown) => {
      this.#fail(error);
      start();
    });
  }

  #fail(error: unknown): void {
    this.#gone = true;
    this.errored = something(error) as Error;
  }

  write(chunks: Uint8Array[], done: Done): void {
    this.#pending = chunks.reduce((sum, { length }) => sum + length, 0);
    const all = async () => {
      for (const chunk of chunks) {
        for (let at = 0; at < chunk.length; ) {
          const written = await this.#conn.write(chunk.subarray(at));
          at += written;
          this.#pending -= written;
          this.#moved += written;
        }
      }
    };
    all().then(
      () => done(),
      (error: unknown) => {
        this.#fail(error);
        done(this.errored);
      },
    );
  }

  fd(): number {
    return this.closed ? -1 : this.#conn.fd();
  }

  native(check: (fd: number) => boolean): number {
    const fd = this.fd();
    if (fd >= 0 && this.#checked !== fd && check(fd)) this.#checked = fd;
    return this.#checked === fd ? fd : -1;
  }

  pending(): number {
    return this.#pending;
  }

  activity(): number {
    return this.#moved;
  }

  moved(bytes: number): void {
    this.#moved += bytes;
  }
}
