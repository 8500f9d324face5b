// Counts the bytes of a transfer: header, body and trailer, sent and still to send. Arithmetic only.

import { Action } from "../../assembly/abi.js";
import type { Queue } from "../queue/queue.js";
import { detached } from "../validate.js";
import type { Driver } from "./driver.js";

const EMPTY = new Uint8Array(0);

export class Account {
  header: Uint8Array | string = "";
  /** Lengths at the time of the call: the caller may detach the memory later. */
  headerLength = 0;
  trailer: Uint8Array = EMPTY;
  trailerLength = 0;
  /** Bytes of the file to send; Infinity if unknown until the end. */
  total = 0;
  /** Bytes of a copy that were given to the stream's writer, and may not have been sent yet. */
  flight = 0;
  /** Both are set from `attach` on. */
  #driver: Driver | undefined;
  #queue!: Queue;

  attach(driver: Driver, queue: Queue, header: Uint8Array | string, trailer: Uint8Array): void {
    this.#driver = driver;
    this.#queue = queue;
    this.header = header;
    this.headerLength = header.length;
    this.trailer = trailer;
    this.trailerLength = trailer.length;
  }

  /** Bytes of the file that were sent, or can't be recalled: those in an open socket's own queue. */
  sent(): number {
    const driver = this.#driver;
    if (driver === undefined) return 0;
    if (driver.action === Action.Done) return this.total;
    const flight = this.#queue.closed ? 0 : this.flight;
    return Math.max(0, Math.min(driver.at + flight - this.headerLength, this.total));
  }

  /** An error if header or trailer has bytes to send and was detached; else null. */
  missing(): Error | null {
    const headerGone = this.header.length !== this.headerLength;
    const trailerGone = this.trailer.length !== this.trailerLength;
    if (!headerGone && !trailerGone) return null;
    const { at } = this.#driver as Driver;
    if (headerGone && at < this.headerLength) return detached("header");
    return trailerGone && at < this.headerLength + this.total + this.trailerLength ? detached("trailer") : null;
  }

  /** Reports bytes of the copy under way, sent since the last call; `active` if some were, in unknown number. */
  look(active: boolean, now: number): void {
    const pending = this.#queue.pending();
    const gone = Number.isNaN(pending) ? 0 : Math.max(0, this.flight - pending);
    if (gone > 0 || (active && Number.isNaN(pending))) (this.#driver as Driver).moved(gone, now);
    this.flight -= gone;
  }
}
