// Accepts connections for a loop. Without an fd or memory for another one it rests, and does not turn: they wait in the
// kernel.

import { accept, type Epoll, type LoopLibc } from "../libc/epoll.js";

/** Connections accepted at once. */
const MOST = 64;
/** ENOMEM, ENFILE, EMFILE, ENOBUFS on Linux. */
const FULL = [12, 23, 24, 105];

export class Acceptor {
  readonly #libc: LoopLibc;
  readonly #epoll: Epoll;
  readonly #fd: number;
  readonly #shared: boolean;
  readonly #handle: number;
  #resting = true;
  #over = false;

  /** `handle`: what epoll says of the listener. `shared`: other loops accept from it, too. */
  constructor(libc: LoopLibc, epoll: Epoll, fd: number, shared: boolean, handle: number) {
    this.#libc = libc;
    this.#epoll = epoll;
    this.#fd = fd;
    this.#shared = shared;
    this.#handle = handle;
    this.wake();
  }

  /** Goes on, once there may be an fd. */
  wake(): void {
    if (this.#resting && !this.#over) {
      this.#resting = this.#epoll.listen(this.#fd, this.#shared, this.#handle, 0) < 0;
    }
  }

  /** Ends, for good. */
  end(): void {
    this.#over = true;
    this.#rest();
  }

  /** Passes on what waits in the kernel. False once there is no room for more. */
  run(each: (fd: number) => void): boolean {
    for (let i = 0; i < MOST; i++) {
      const fd = accept(this.#libc, this.#fd);
      if (fd >= 0) each(fd);
      else if (!FULL.includes(-fd)) return true;
      else {
        this.#rest();
        return false;
      }
    }
    return true;
  }

  #rest(): void {
    if (!this.#resting) this.#epoll.remove(this.#fd);
    this.#resting = true;
  }
}
