// Reads from disks, for a loop that must not wait: by another thread, which answers with how much it has read.

import type { MessagePort } from "node:worker_threads";
import type { FromReader, ToReader } from "./messages.js";
import { receiveAll } from "./wake.js";

export class Disk<Job> {
  #reader: MessagePort;
  readonly #jobs = new Map<number, { job: Job; message: ToReader }>();
  #last = 0;

  constructor(reader: MessagePort) {
    this.#reader = reader;
  }

  /** Has bytes of an open file read into the page cache; the fd must stay open until `take` gives the job back. */
  read(job: Job, fd: number, position: number, length: number): void {
    const id = ++this.#last;
    const message: ToReader = { id, fd, position, length };
    this.#jobs.set(id, { job, message });
    this.#reader.postMessage(message);
  }

  /** Another thread reads from now on, also what the one before has not answered. */
  reconnect(reader: MessagePort): void {
    this.#reader.close();
    this.#reader = reader;
    for (const { message } of this.#jobs.values()) reader.postMessage(message);
  }

  /** Passes on the answers that have come. */
  receive(each: (message: FromReader) => void): void {
    receiveAll(this.#reader, each);
  }

  end(): void {
    this.#reader.close();
  }

  /** The job that a message of the thread is about. */
  take({ id }: FromReader): Job | null {
    const job = this.#jobs.get(id)?.job ?? null;
    this.#jobs.delete(id);
    return job;
  }
}
