// The loops of a server: one listener, a thread for each of them, and one that reads from disks for all.

import { unlinkSync } from "node:fs";
import type { AddressInfo, ListenOptions, Server } from "node:net";
import { type LoopLibc, openEvent } from "../libc/epoll.js";
import { bindings, leaveBindings } from "../loop/binding.js";
import type { FromLoop } from "../loop/messages.js";
import type { Shared } from "../shared.js";
import type { Journals } from "./journals.js";
import { onLeaving } from "./leaving.js";
import { type Listening, listen, take } from "./listener.js";
import { endless, type Settings } from "./options.js";
import { Reader } from "./reader.js";
import type { ServerRuntime } from "./runtime.js";
import { type Plan, Thread, type ThreadEvents } from "./thread.js";

/** fds that a loop may have: a byte each. */
const FDS = 1 << 20;
/** Files that a loop keeps open. */
const OPEN_FILES = 2048;

export interface LoopsOptions {
  readonly settings: Settings;
  /** As `Start` has it. */
  readonly connections: Int32Array;
  readonly journals: Journals | null;
  /** A message of a loop. */
  message(thread: Thread, message: FromLoop): void;
}

export class Loops {
  readonly #shared: Shared;
  readonly #runtime: ServerRuntime;
  readonly #options: LoopsOptions;
  readonly #fds = new Uint8Array(new SharedArrayBuffer(FDS));
  readonly #bindings = bindings();
  #threads: Thread[] = [];
  #reader: Reader | null = null;
  #wakes: number[] = [];
  #listening: Listening | null = null;
  #stay: () => void = () => {};

  constructor(shared: Shared, runtime: ServerRuntime, options: LoopsOptions) {
    this.#shared = shared;
    this.#runtime = runtime;
    this.#options = options;
  }

  get libc(): LoopLibc {
    return this.#shared.sys?.libc as unknown as LoopLibc;
  }

  get threads(): readonly Thread[] {
    return this.#threads;
  }

  /** null while it does not listen. */
  get address(): AddressInfo | string | null {
    return this.#listening?.address ?? null;
  }

  /** Resolves once it listens, and all threads are started. If it rejects, it has to be ended. */
  async listen(options: ListenOptions): Promise<void> {
    this.#serve(await listen(this.libc, options, this.#shared.fdOf));
  }

  /** Goes on with the socket of a server that listens. `isInherited`: others have it, too. */
  follow(server: Server, isInherited: boolean): void {
    this.#serve({ ...take(this.libc, server, this.#shared.fdOf), isInherited });
  }

  setRef(isRef: boolean): void {
    for (const thread of this.#threads) thread.setRef(isRef);
  }

  /** Each answer is the last one of its connection from now on. */
  drain(): void {
    for (const thread of this.#threads) thread.drain();
  }

  /** The listening socket; -1 while it does not listen. */
  get fd(): number {
    return this.#listening?.fd ?? -1;
  }

  /** Leaves the listening socket, and its name, to another process. */
  leaveListener(): void {
    if (this.#listening !== null) this.#listening = { ...this.#listening, isInherited: true, isLeft: true };
  }

  /** Takes no new connections; ends those that have been idle for `idle` ms, and all within `timeout` ms. */
  stop(timeout: number, idle: number): void {
    const shut = this.#listening?.isInherited === false;
    for (const thread of this.#threads) thread.stop(timeout, idle, shut);
  }

  /** Waits for the threads, which were told to stop. */
  async over(): Promise<void> {
    await Promise.all(this.#threads.map(({ over }) => over));
  }

  /** Gives back what the threads shared, once they are over. */
  release(): void {
    if (this.#listening === null) return;
    const stay = this.#stay;
    const { libc } = this;
    const { fd, address, isLeft = false } = this.#listening;
    libc.close(fd);
    const wakes = this.#wakes;
    this.#wakes = [];
    // Their numbers must be nobody else's until it has ended.
    this.#reader?.end(() => {
      stay();
      for (const eventfd of wakes) libc.close(eventfd);
    });
    this.#reader = null;
    this.#listening = null;
    if (isLeft || typeof address !== "string") return;
    try {
      unlinkSync(address);
    } catch {} // somebody else has removed it
  }

  #serve(listening: Listening): void {
    this.#listening = listening;
    this.#stay = onLeaving(() => {
      leaveBindings(this.#bindings);
      for (const thread of this.#threads) thread.leave();
    });
    const reader = new Reader(this.#runtime, this.#bindings, () => {
      for (const thread of this.#threads) thread.reconnect();
    });
    this.#reader = reader;
    for (let id = 1; id <= this.#options.settings.threads; id++) this.#start(id, listening.fd, reader);
  }

  #start(id: number, listener: number, disks: Reader): void {
    const { libc } = this;
    const { settings, connections, journals, message } = this.#options;
    const { threads, headersTimeout, keepAliveTimeout, stallTimeout, maxConnections, files } = settings;
    const wake = openEvent(libc);
    if (wake < 0) throw new Error(`eventfd: errno ${libc.errno()}`);
    this.#wakes.push(wake);
    const plan: Plan = {
      ...{ listener, wake, fds: this.#fds, id, shared: threads > 1 },
      ...{ headersTimeout: endless(headersTimeout), keepAliveTimeout: endless(keepAliveTimeout) },
      ...{ stallTimeout, maxConnections, openFiles: OPEN_FILES },
      ...{ varies: files.precompressed === true, connections, bindings: this.#bindings },
      log: journals?.add() ?? null,
    };
    const reader: ThreadEvents["reader"] = (port, eventfd) => disks.connect(port, eventfd);
    this.#threads.push(new Thread(this.#runtime, libc, plan, { message, reader }));
  }
}
