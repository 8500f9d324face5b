// What a transfer has to send, header, body and trailer, and how much of it has left: the arithmetic, and nothing else.

import { Action } from "../../assembly/abi.js";
import type { Queue } from "../queue/queue.js";
import { detached } from "../validate.js";
import type { Driver } from "./driver.js";

export class Account {
  header: Uint8Array | string = "";
  /** Lengths as they were at the call: the caller may give their memory away. */
  headerLength = 0;
  readonly #trailer: Uint8Array;
  readonly trailerLength: number;
  /** Bytes of the file that will have been sent at the end; Infinity where only the end will tell. */
  total = 0;
  /** Bytes of a copy that were given to the stream's writer and are not known to have left. */
  flight = 0;
  /** Both are there from `attach` on. */
  #driver: Driver | undefined;
  #queue!: Queue;

  constructor(trailer: Uint8Array) {
    this.#trailer = trailer;
    this.trailerLength = trailer.length;
  }

  attach(driver: Driver, queue: Queue, header: Uint8Array | string): void {
    this.#driver = driver;
    this.#queue = queue;
    this.header = header;
    this.headerLength = header.length;
  }

  /** Bytes of the file that have left, or can't be called back: those in a living socket's own queue. */
  sent(): number {
    const driver = this.#driver;
    if (driver === undefined) return 0;
    if (driver.action === Action.Done) return this.total;
    const flight = this.#queue.closed ? 0 : this.flight;
    return Math.max(0, Math.min(driver.at + flight - this.headerLength, this.total));
  }

  /** What of header and trailer has still to be sent, and is not there any more; null where all is. */
  missing(): Error | null {
    const headerGone = this.header.length !== this.headerLength;
    const trailerGone = this.#trailer.length !== this.trailerLength;
    if (!headerGone && !trailerGone) return null;
    const { at } = this.#driver as Driver;
    if (headerGone && at < this.headerLength) return detached("header");
    return trailerGone && at < this.headerLength + this.total + this.trailerLength ? detached("trailer") : null;
  }

  /** Tells the driver what of the copy under way has left since this was last asked; `active` where some bytes have. */
  look(active: boolean, now: number): void {
    const pending = this.#queue.pending();
    const gone = Number.isNaN(pending) ? 0 : Math.max(0, this.flight - pending);
    if (gone > 0 || (active && Number.isNaN(pending))) (this.#driver as Driver).moved(gone, now);
    this.flight -= gone;
  }
}
