// The fds of a loop, in a table that the main thread sees: whatever ends the thread, each is closed, once.

import type { LoopLibc } from "../libc/epoll.js";

export const MOST_LOOPS = 127;
/** Beside `id`: it is on its way to the main thread. */
const GIVEN = 128;

export class Fds {
  readonly #libc: LoopLibc;
  readonly #table: Uint8Array;
  readonly #id: number;

  /** `table` has a byte for each fd of the process: `id` if it is this loop's, 1 to MOST_LOOPS. */
  constructor(libc: LoopLibc, table: Uint8Array, id: number) {
    this.#libc = libc;
    this.#table = table;
    this.#id = id;
  }

  /** Takes an fd; false for one that has no place in the table, and is closed. */
  own(fd: number): boolean {
    if (fd < this.#table.length) {
      this.#table[fd] = this.#id;
      return true;
    }
    this.#libc.close(fd);
    return false;
  }

  /** Says that the message that hands an fd over is about to be sent. */
  give(fd: number): void {
    this.#table[fd] = this.#id | GIVEN;
  }

  /** Takes an fd out of the table: it is somebody else's now. */
  taken(fd: number): void {
    this.#table[fd] = 0;
  }

  close(fd: number): void {
    this.#table[fd] = 0;
    this.#libc.close(fd);
  }

  /** Closes all that are left. */
  end(): void {
    this.#closeAll(this.#id);
  }

  /** Closes those, too, whose message was lost with the thread. */
  endGiven(): void {
    this.#closeAll(this.#id | GIVEN);
  }

  #closeAll(mark: number): void {
    for (let fd = this.#table.indexOf(mark); fd >= 0; fd = this.#table.indexOf(mark, fd + 1)) this.close(fd);
  }
}
