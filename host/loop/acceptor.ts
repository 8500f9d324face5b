// Accepts connections for a loop. Without an fd or memory for another one it rests, and does not turn: they wait in the
// kernel. It leaves some fds to the files that those who were accepted ask for.

import { Fault } from "../../assembly/abi.js";
import { accept, duplicate, type Epoll, type LoopLibc } from "../libc/epoll.js";
import { isNoRoom, sort } from "../libc/errno.js";
import type { Fds } from "./fds.js";
import type { Peer } from "./peer.js";

/** Connections accepted at once. */
const MOST = 64;
/** Rounds of these that are accepted at the end: more than a backlog has room for. */
const ROUNDS = 128;
/** fds that it holds while it accepts, and frees while it rests. */
const SPARE = 8;

export class Acceptor {
  readonly #libc: LoopLibc;
  readonly #fds: Fds;
  readonly #epoll: Epoll;
  readonly #fd: number;
  readonly #shared: boolean;
  readonly #handle: number;
  readonly #peer: Peer | null;
  readonly #spare: number[] = [];
  #resting = true;
  #over = false;
  /** Nobody waited when it last looked. */
  #empty = false;
  /** Who has waited since before the listener had its options is without them. */
  #early = true;

  /**
   * `handle`: what epoll says of the listener. `shared`: other loops accept from it, too. `peer`: for the address of each
   * client, if it is asked for.
   */
  constructor(
    libc: LoopLibc,
    fds: Fds,
    epoll: Epoll,
    fd: number,
    shared: boolean,
    handle: number,
    peer: Peer | null = null,
  ) {
    this.#libc = libc;
    this.#fds = fds;
    this.#epoll = epoll;
    this.#fd = fd;
    this.#shared = shared;
    this.#handle = handle;
    this.#peer = peer;
    this.wake();
  }

  /** Goes on, once there may be an fd. */
  wake(): void {
    if (!this.#resting || this.#over) return;
    this.#resting = !this.#save() || this.#epoll.listen(this.#fd, this.#shared, this.#handle, 0) < 0;
    if (this.#resting) this.#free();
  }

  /**
   * Passes on all that still wait in the kernel, then ends: a listener that is closed resets them. `shut` is called as soon
   * as nobody waits.
   */
  finish(each: (fd: number) => void, shut: () => void): void {
    this.#empty = false;
    for (let i = 0; i < ROUNDS && !this.#empty && this.run(each); i++);
    shut();
    this.end();
  }

  /** Ends, for good. */
  end(): void {
    this.#over = true;
    this.rest();
  }

  /** Frees fds for files, and waits for more of them. */
  rest(): void {
    if (!this.#resting) this.#epoll.remove(this.#fd);
    this.#resting = true;
    this.#free();
  }

  /** Passes on what waits in the kernel. False once there is no room for more. */
  run(each: (fd: number) => void): boolean {
    for (let i = 0; i < MOST; i++) {
      const fd = accept(this.#libc, this.#fd, this.#peer?.reset() ?? null, this.#fds);
      if (fd >= 0) {
        if (this.#early) this.#epoll.noDelay(fd);
        each(fd);
      } else if (!isNoRoom(-fd)) {
        if (sort(-fd) === Fault.WouldBlock) this.#early = false; // nobody waits any more
        this.#empty = true;
        return true;
      } else {
        this.rest();
        return false;
      }
    }
    return true;
  }

  /** Takes fds of no use; false if there are too few. */
  #save(): boolean {
    while (this.#spare.length < SPARE) {
      const fd = duplicate(this.#libc, this.#fd);
      if (fd < 0 || !this.#fds.own(fd)) return false;
      this.#spare.push(fd);
    }
    return true;
  }

  #free(): void {
    for (const fd of this.#spare) this.#fds.close(fd);
    this.#spare.length = 0;
  }
}
