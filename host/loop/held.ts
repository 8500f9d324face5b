// What was read of a connection and is not answered yet: the core has one input for all of them.

import type { Core } from "../core.js";

export class Held {
  readonly #core: Core;
  readonly #input: number;
  readonly #held = new Map<number, Uint8Array>();

  constructor(core: Core) {
    this.#core = core;
    this.#input = core.request_input();
  }

  has(handle: number): boolean {
    return this.#held.has(handle);
  }

  /** Takes it out of the core's input. */
  keep(handle: number): void {
    const at = this.#core.connection_hold(handle);
    const length = this.#core.connection_held();
    this.#held.set(handle, new Uint8Array(this.#core.memory.buffer, at, length).slice());
  }

  /** Puts it back there. Returns what the connection needs then. */
  resume(handle: number): number {
    const bytes = this.bytes(handle);
    this.#held.delete(handle);
    new Uint8Array(this.#core.memory.buffer, this.#input, bytes.length).set(bytes);
    return this.#core.connection_resume(handle, bytes.length);
  }

  /** All that was read, also what is still in the core. */
  bytes(handle: number): Uint8Array {
    if (!this.#held.has(handle)) this.keep(handle);
    return this.#held.get(handle) as Uint8Array;
  }

  forget(handle: number): void {
    this.#held.delete(handle);
  }
}
