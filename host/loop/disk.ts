// Reads from disks, for a loop that must not wait: by another thread, which answers with how much it has read.

import type { MessagePort } from "node:worker_threads";
import type { FromReader, ToReader } from "./messages.js";

export class Disk<Job> {
  readonly #reader: MessagePort;
  readonly #jobs = new Map<number, Job>();
  #last = 0;

  constructor(reader: MessagePort) {
    this.#reader = reader;
  }

  /** Has bytes of an open file read into the page cache; the fd must stay open until `take` gives the job back. */
  read(job: Job, fd: number, position: number, length: number): void {
    const id = ++this.#last;
    this.#jobs.set(id, job);
    this.#reader.postMessage({ id, fd, position, length } satisfies ToReader);
  }

  /** The job that a message of the thread is about. */
  take({ id }: FromReader): Job | null {
    const job = this.#jobs.get(id) ?? null;
    this.#jobs.delete(id);
    return job;
  }
}
