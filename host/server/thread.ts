// A loop's thread, as the main thread sees it: started again when it ends, with the same listener.

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { warn } from "../close.js";
import { type LoopLibc, wake } from "../libc/epoll.js";
import { Fds } from "../loop/fds.js";
import { COUNTS, Count, type FromLoop, type Start, type ToLoop } from "../loop/messages.js";
import { receiveAll } from "../loop/receive.js";
import type { ServerRuntime } from "./runtime.js";

/** A thread that ends this soon after its start is started later and later, in ms. */
const STABLE = 10_000;
const LONGEST = 5000;

/** What a loop is started with, but for what each start has anew. */
export type Plan = Omit<Start, "port" | "reader" | "counts" | "leave">;

export interface ThreadEvents {
  /** A message of the loop. */
  message(thread: Thread, message: FromLoop): void;
  /** Connects a loop to the thread that reads from disks. */
  reader(port: MessagePort, eventfd: number): void;
}

export class Thread {
  readonly #runtime: ServerRuntime;
  readonly #libc: LoopLibc;
  readonly #plan: Plan;
  /** The loop's: what it could not close itself is closed here. */
  readonly #fds: Fds;
  readonly #events: ThreadEvents;
  readonly counts = new Float64Array(new SharedArrayBuffer(COUNTS * 8));
  readonly #leave = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | null = null;
  #port: MessagePort | null = null;
  #timer: NodeJS.Timeout | null = null;
  #began = 0;
  #delay = 0;
  #isDraining = false;
  #stopping = false;
  #isRef = true;
  respawns = 0;
  /** Resolves once the thread has ended for good. */
  readonly over: Promise<void>;
  #over: () => void = () => {};

  constructor(runtime: ServerRuntime, libc: LoopLibc, plan: Plan, events: ThreadEvents) {
    this.#runtime = runtime;
    this.#libc = libc;
    this.#plan = plan;
    this.#fds = new Fds(libc, plan.fds, plan.id);
    this.#events = events;
    this.over = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.#spawn();
  }

  get worker(): Worker | null {
    return this.#worker;
  }

  /** Nothing, once the thread has ended: the number of its eventfd may be somebody else's. */
  tell(message: ToLoop, transfer: MessagePort[] = []): void {
    if (this.#port === null) return;
    this.#port.postMessage(message, transfer);
    wake(this.#libc, this.#plan.wake);
  }

  /** Connects it to another thread that reads from disks. */
  reconnect(): void {
    if (this.#port === null) return;
    const { port1, port2 } = new MessageChannel();
    this.#events.reader(port2, this.#plan.wake);
    this.tell({ type: "reader", port: port1 }, [port1]);
  }

  /** Each answer is the last one of its connection from now on. */
  drain(): void {
    this.#isDraining = true;
    this.tell({ type: "drain" });
  }

  /** Ends the loop: as the message has it. */
  stop(timeout: number, idle = 0, shut = false): void {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#worker === null) this.#over();
    else this.tell({ type: "stop", timeout, idle, shut });
  }

  /** Ends it at once, without a word: the process is leaving. */
  leave(): void {
    this.#stopping = true;
    Atomics.store(this.#leave, 0, 1);
    wake(this.#libc, this.#plan.wake);
  }

  /** Whether the thread keeps the process running. */
  setRef(isRef: boolean): void {
    this.#isRef = isRef;
    if (isRef) this.#worker?.ref();
    else this.#worker?.unref();
  }

  #spawn(): void {
    this.#timer = null;
    this.#began = performance.now();
    const { port1, port2 } = new MessageChannel();
    const reader = new MessageChannel();
    this.#events.reader(reader.port2, this.#plan.wake);
    const start: Start = {
      ...this.#plan,
      port: port2,
      reader: reader.port1,
      counts: this.counts,
      leave: this.#leave,
    };
    const { loop, options } = this.#runtime;
    const worker = new Worker(loop(), { ...options(), workerData: start, transferList: [port2, reader.port1] });
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    worker.once("exit", () => this.#ended(cause));
    port1.on("message", (message: FromLoop) => this.#hear(message));
    port1.unref();
    this.#worker = worker;
    this.#port = port1;
    this.setRef(this.#isRef);
    if (this.#isDraining) this.drain();
  }

  #hear(message: FromLoop): void {
    if (message.type === "handed") for (const { fd } of message.connections) this.#fds.give(fd);
    this.#events.message(this, message);
  }

  #ended(cause: unknown): void {
    this.#worker = null;
    const port = this.#port;
    this.#port = null;
    // Its last words may be about connections that it has left to us.
    if (port !== null) receiveAll(port, (message: FromLoop) => this.#hear(message));
    port?.close();
    this.#fds.end();
    this.#plan.connections[this.#plan.id] = 0;
    this.counts[Count.OpenFiles] = 0;
    if (this.#stopping) return this.#over();
    this.respawns++;
    if (cause !== undefined) warn(cause);
    this.#delay = performance.now() - this.#began < STABLE ? Math.min(2 * this.#delay + 10, LONGEST) : 0;
    this.#timer = setTimeout(() => this.#spawn(), this.#delay);
  }
}
