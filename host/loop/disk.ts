// Reads from disks, for a loop that must not wait: by another thread, which answers with how much it has read.

import type { MessagePort } from "node:worker_threads";
import type { FromReader, ToReader } from "./messages.js";
import { receiveAll } from "./receive.js";

/** Jobs that the thread is told of at once: the next one, too, so that it needs not wait for us. */
const MOST = 2;

/** `over`: the client has gone. */
interface Given {
  readonly sending: { readonly over: boolean };
}

export class Disk<Job extends Given> {
  #reader: MessagePort;
  /** What the thread was told, and what it will be. */
  readonly #told = new Map<number, { job: Job; message: ToReader }>();
  readonly #waiting = new Map<number, { job: Job; message: ToReader }>();
  #last = 0;

  constructor(reader: MessagePort) {
    this.#reader = reader;
  }

  /** Has bytes of an open file read into the page cache; the fd must stay open until `take` gives the job back. */
  read(job: Job, fd: number, position: number, length: number): void {
    const id = ++this.#last;
    const one = { job, message: { id, fd, position, length } };
    if (this.#told.size < MOST) this.#tell(id, one);
    else this.#waiting.set(id, one);
  }

  /** Another thread reads from now on, also what the one before has not answered. */
  reconnect(reader: MessagePort): void {
    this.#reader.close();
    this.#reader = reader;
    for (const { message } of this.#told.values()) reader.postMessage(message);
  }

  /** Passes on the answers that have come. No disk is read for a client that has gone meanwhile. */
  receive(each: (message: FromReader) => void): void {
    receiveAll(this.#reader, each);
    for (const [id, one] of this.#waiting) {
      if (this.#told.size >= MOST) return;
      if (one.job.sending.over) {
        each({ id, read: 0 });
        continue;
      }
      this.#waiting.delete(id);
      this.#tell(id, one);
    }
  }

  end(): void {
    this.#reader.close();
  }

  /** The job that a message of the thread is about. */
  take({ id }: FromReader): Job | null {
    const { job = null } = this.#told.get(id) ?? this.#waiting.get(id) ?? {};
    this.#told.delete(id);
    this.#waiting.delete(id);
    return job;
  }

  #tell(id: number, one: { job: Job; message: ToReader }): void {
    this.#told.set(id, one);
    this.#reader.postMessage(one.message);
  }
}
