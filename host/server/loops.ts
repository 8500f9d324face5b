// The loops of a server: one listener, a thread for each of them, and one that reads from disks for all.

import { unlinkSync } from "node:fs";
import type { AddressInfo, ListenOptions } from "node:net";
import { type MessagePort, Worker } from "node:worker_threads";
import { warn } from "../close.js";
import { type LoopLibc, openEvent } from "../libc/epoll.js";
import type { FromLoop } from "../loop/messages.js";
import type { Shared } from "../shared.js";
import type { Journals } from "./journals.js";
import { onLeaving } from "./leaving.js";
import { type Listening, listen } from "./listener.js";
import { endless, type Settings } from "./options.js";
import type { ServerRuntime } from "./runtime.js";
import { type Plan, Thread } from "./thread.js";

/** fds that a loop may have: a byte each. */
const FDS = 1 << 20;
/** Until a reader that has ended is started again, in ms. */
const AGAIN = 100;
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
  #threads: Thread[] = [];
  #reader: Worker | null = null;
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
    const { libc } = this;
    const listening = await listen(libc, options, this.#shared.fdOf);
    this.#listening = listening;
    this.#reader = this.#startReader();
    for (let id = 1; id <= this.#options.settings.threads; id++) this.#start(id, listening.fd);
    this.#stay = onLeaving(() => {
      for (const thread of this.#threads) thread.leave();
    });
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
    this.#stay();
    const reader = this.#reader;
    this.#reader = null;
    reader?.postMessage(null); // ended while it loads its modules, it would leave their fds open
    if (this.#listening === null) return;
    const { libc } = this;
    const { fd, address, isLeft = false } = this.#listening;
    libc.close(fd);
    const wakes = this.#wakes;
    this.#wakes = [];
    const free = () => {
      for (const eventfd of wakes) libc.close(eventfd);
    };
    // It may still read from a disk, and then wakes who asked: the number must be nobody else's until it has ended.
    if (reader === null || reader.threadId < 0) free();
    else reader.once("exit", free);
    this.#listening = null;
    if (isLeft || typeof address !== "string") return;
    try {
      unlinkSync(address);
    } catch {} // somebody else has removed it
  }

  #start(id: number, listener: number): void {
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
      ...{ varies: files.precompressed === true, connections },
      log: journals?.add() ?? null,
    };
    const reader = (port: MessagePort, eventfd: number) => this.#reader?.postMessage({ port, eventfd }, [port]);
    this.#threads.push(new Thread(this.#runtime, libc, plan, { message, reader }));
  }

  #startReader(): Worker {
    const { reader, options } = this.#runtime;
    const worker = new Worker(reader(), options());
    worker.unref();
    worker.on("error", warn);
    worker.once("exit", () => {
      const again = () => {
        if (this.#reader !== worker) return; // it was ended
        this.#reader = this.#startReader();
        for (const thread of this.#threads) thread.reconnect();
      };
      if (this.#reader === worker) setTimeout(again, AGAIN).unref();
    });
    return worker;
  }
}
