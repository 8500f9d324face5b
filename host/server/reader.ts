// The thread that reads from disks for the loops, as the main thread sees it: started again when it ends.

import { type MessagePort, Worker } from "node:worker_threads";
import { warn } from "../close.js";
import type { ReaderStart } from "../loop/messages.js";
import type { ServerRuntime } from "./runtime.js";

/** Until it is started again, in ms. */
const AGAIN = 100;

export class Reader {
  readonly #runtime: ServerRuntime;
  readonly #bindings: Int32Array;
  readonly #again: () => void;
  #worker: Worker | null;

  /** `again` is called for each new thread, which is connected to no loop. */
  constructor(runtime: ServerRuntime, bindings: Int32Array, again: () => void) {
    this.#runtime = runtime;
    this.#bindings = bindings;
    this.#again = again;
    this.#worker = this.#start();
  }

  /** Connects a loop, which waits for this eventfd. */
  connect(port: MessagePort, eventfd: number): void {
    this.#worker?.postMessage({ port, eventfd }, [port]);
  }

  /** Calls `over` at the end: until then it may still read from a disk, and wake who asked. */
  end(over: () => void): void {
    const worker = this.#worker as Worker;
    this.#worker = null;
    worker.postMessage(null); // ended while it loads its modules, it would leave their fds open
    if (worker.threadId < 0) over();
    else worker.once("exit", over);
  }

  #start(): Worker {
    const { reader, options } = this.#runtime;
    const worker = new Worker(reader(), {
      ...options(),
      workerData: { bindings: this.#bindings } satisfies ReaderStart,
    });
    worker.unref();
    worker.on("error", warn);
    worker.once("exit", () => {
      const again = () => {
        if (this.#worker !== worker) return; // it was ended
        this.#worker = this.#start();
        this.#again();
      };
      if (this.#worker === worker) setTimeout(again, AGAIN).unref();
    });
    return worker;
  }
}
