// A queue for what has only write(): an http.ServerResponse and the like.

import { type Done, type Job, type Queue, StreamBase } from "./queue.js";
import { hasQueue } from "./stream.js";

/**
 * For objects that have only write(): an http.ServerResponse and the like. Jobs wait for one another, not for
 * writes. As pipe() does, it relies on the result of write() and on 'drain': wrappers of a response
 * (`compression`) never call write's callback.
 */
export class WriteOnlyQueue extends StreamBase implements Queue {
  readonly #jobs: Job[] = [];
  #waiting: Done | null = null;
  #listening = false;
  #watched = false;

  get current(): boolean {
    return !hasQueue(this.stream);
  }

  get closed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  get connecting(): boolean {
    return false;
  }

  /** A wrapper's use of the chunks can't be seen. */
  get idle(): boolean {
    return false;
  }

  get retainsChunks(): boolean {
    return true;
  }

  native(): number {
    return -1;
  }

  enter(job: Job): void {
    if (!this.#watched) this.stream.once("close", this.#onClose);
    this.#watched = true;
    if (this.#jobs.push(job) === 1) this.#next();
  }

  /** A closed stream never drains: the waiting job is told, and those behind it are dropped. */
  readonly #onClose = (): void => {
    const next = this.#waiting;
    this.#waiting = null;
    next?.();
    for (const job of this.#jobs.splice(0)) job.drop();
  };

  #next(): void {
    this.#jobs[0]?.start(() => {
      this.#jobs.shift();
      this.#next();
    });
  }

  write(chunks: Uint8Array[], done: Done): void {
    let more = true;
    for (const chunk of chunks) more = this.stream.write(chunk);
    if (more !== false) done();
    else this.#wait(done);
  }

  /** One permanent listener, as in pipe(): a wrapper may pass it to a stream from which it can't be removed. */
  #wait(done: Done): void {
    this.#waiting = done;
    if (this.#listening) return;
    this.#listening = true;
    this.stream.on("drain", () => {
      const next = this.#waiting;
      this.#waiting = null;
      next?.();
    });
  }

  fd(): number {
    return -1;
  }

  pending(): number {
    return Number.NaN;
  }

  activity(): number {
    return -this.stream.writableLength;
  }

  moved(): void {}
}
