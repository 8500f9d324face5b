// A loop's thread, as the main thread sees it: started again when it ends, with the same listener.

import { writeSync } from "node:fs";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { warn } from "../close.js";
import { COUNTS, Count, type FromLoop, type Start, type ToLoop } from "../loop/messages.js";

/** An eventfd adds what is written to it. */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);
/** A thread that ends this soon after its start is started later and later, in ms. */
const STABLE = 10_000;
const LONGEST = 5000;

/** What a loop is started with, but for what each start has anew. */
export type Plan = Omit<Start, "port" | "reader" | "counts" | "leave">;

export interface ThreadEvents {
  /** A message of the loop. */
  message(thread: Thread, message: FromLoop): void;
  /** Connects a loop to the thread that reads from disks. */
  reader(port: MessagePort, wake: number): void;
  close(fd: number): void;
}

export class Thread {
  readonly #entry: URL;
  readonly #plan: Plan;
  readonly #events: ThreadEvents;
  readonly counts = new Float64Array(new SharedArrayBuffer(COUNTS * 8));
  readonly #leave = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | null = null;
  #port: MessagePort | null = null;
  #timer: NodeJS.Timeout | null = null;
  #began = 0;
  #delay = 0;
  #stopping = false;
  #isRef = true;
  respawns = 0;
  /** Resolves once the thread has ended for good. */
  readonly over: Promise<void>;
  #over: () => void = () => {};

  constructor(entry: URL, plan: Plan, events: ThreadEvents) {
    this.#entry = entry;
    this.#plan = plan;
    this.#events = events;
    this.over = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.#spawn();
  }

  get worker(): Worker | null {
    return this.#worker;
  }

  tell(message: ToLoop): void {
    this.#port?.postMessage(message);
    this.#wake();
  }

  /** Ends the loop: idle connections at once, answers that are on their way within `timeout` ms. */
  stop(timeout: number): void {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#worker === null) this.#over();
    else this.tell({ type: "stop", timeout });
  }

  /** Ends it at once, without a word: the process is leaving. */
  leave(): void {
    this.#stopping = true;
    Atomics.store(this.#leave, 0, 1);
    this.#wake();
  }

  /** Whether the thread keeps the process running. */
  setRef(isRef: boolean): void {
    this.#isRef = isRef;
    if (isRef) this.#worker?.ref();
    else this.#worker?.unref();
  }

  #wake(): void {
    try {
      writeSync(this.#plan.wake, ONE);
    } catch {} // its count is at its maximum: it is awake
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
    const { NODE_OPTIONS: _, ...env } = process.env;
    const worker = new Worker(this.#entry, {
      workerData: start,
      transferList: [port2, reader.port1],
      trackUnmanagedFds: false,
      execArgv: [],
      env,
    });
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    worker.once("exit", () => this.#ended(cause));
    port1.on("message", (message: FromLoop) => this.#events.message(this, message));
    port1.unref();
    this.#worker = worker;
    this.#port = port1;
    this.setRef(this.#isRef);
  }

  #ended(cause: unknown): void {
    this.#worker = null;
    this.#port?.close();
    this.#port = null;
    // What it could not close itself: it was terminated.
    const { fds, id } = this.#plan;
    for (let fd = fds.indexOf(id); fd >= 0; fd = fds.indexOf(id, fd + 1)) {
      fds[fd] = 0;
      this.#events.close(fd);
    }
    this.counts[Count.Connections] = 0;
    this.counts[Count.OpenFiles] = 0;
    if (this.#stopping) return this.#over();
    this.respawns++;
    if (cause !== undefined) warn(cause);
    this.#delay = performance.now() - this.#began < STABLE ? Math.min(2 * this.#delay + 10, LONGEST) : 0;
    this.#timer = setTimeout(() => this.#spawn(), this.#delay);
  }
}
