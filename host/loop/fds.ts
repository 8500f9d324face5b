// The fds of a loop, in a table that the main thread sees: whatever ends the thread, each is closed, once.

import type { LoopLibc } from "../libc/epoll.js";

/** Ids of loops are bytes, and 0 is nobody's. */
export const MOST_LOOPS = 255;

export class Fds {
  readonly #libc: LoopLibc;
  readonly table: Uint8Array;
  readonly id: number;

  /** `table` has a byte for each fd of the process: `id` if it is this loop's, 1 to 255. */
  constructor(libc: LoopLibc, table: Uint8Array, id: number) {
    this.#libc = libc;
    this.table = table;
    this.id = id;
  }

  /** Takes an fd; false for one that has no place in the table, and is closed. */
  own(fd: number): boolean {
    if (fd < this.table.length) {
      this.table[fd] = this.id;
      return true;
    }
    this.#libc.close(fd);
    return false;
  }

  /** Leaves an fd to somebody else, whose it may be already. */
  give(fd: number): void {
    Atomics.compareExchange(this.table, fd, this.id, 0);
  }

  close(fd: number): void {
    this.table[fd] = 0;
    this.#libc.close(fd);
  }

  /** Closes all that are left. */
  end(): void {
    for (let fd = this.table.indexOf(this.id); fd >= 0; fd = this.table.indexOf(this.id, fd + 1)) this.close(fd);
  }
}
