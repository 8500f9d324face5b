// How a loop ends: each answer is the last one of its connection, nobody is accepted any more, and connections are closed once
// they have been idle for a while. All others have until a time.

import type { Core } from "../core.js";
import { EPOLLIN } from "../libc/epoll.js";
import { LINGER, type Start, type ToLoop } from "./messages.js";

/** Between two looks for connections that have been idle for long enough, in ms. */
const LOOK = 20;

/** What the loop does with a connection. */
interface Calls {
  act(handle: number, act: number): void;
  end(handle: number): void;
}

export class Ending {
  readonly #core: Core;
  readonly #start: Start;
  readonly #calls: Calls;
  /** Each answer is the last one of its connection. */
  isDraining = false;
  /** Told to stop. */
  isClosing = false;
  #until = Number.POSITIVE_INFINITY;
  #look = Number.POSITIVE_INFINITY;

  constructor(core: Core, start: Start, calls: Calls) {
    this.#core = core;
    this.#start = start;
    this.#calls = calls;
  }

  /** Milliseconds till it has something to do. */
  wait(now: number): number {
    return Math.max(Math.min(this.#until, this.#look) - now, 0);
  }

  /** Whether it may end, with that many connections. */
  isOver(connections: number, now: number): boolean {
    return this.isClosing && (connections === 0 || now >= this.#until);
  }

  /** Told again, it may end earlier. True the first time. */
  stop({ timeout, idle }: Extract<ToLoop, { type: "stop" }>, now: number): boolean {
    const isFirst = !this.isClosing;
    this.#until = Math.min(this.#until, now + timeout);
    this.isDraining = this.isClosing = true;
    const { headersTimeout, keepAliveTimeout, stallTimeout } = this.#start;
    this.#core.connection_limits(
      Math.min(headersTimeout, idle),
      Math.min(keepAliveTimeout, idle),
      stallTimeout,
      LINGER,
    );
    this.#look = now;
    return isFirst;
  }

  /** After each turn: ends who has been idle for long enough. What has come of them is read first. */
  turn(now: number): void {
    if (now < this.#look) return;
    this.#look = Number.POSITIVE_INFINITY;
    const core = this.#core;
    every(core, (handle) => {
      if (core.connection_idle(handle) === 0) return;
      this.#calls.act(handle, core.connection_event(handle, core.connection_generation(handle), EPOLLIN, now));
    });
  }

  /** A connection waits: if it is idle, for no longer than it may. */
  waits(handle: number, now: number): void {
    if (!this.isClosing || this.#core.connection_idle(handle) === 0) return;
    if (this.#core.connection_expired(handle, now) === 1) this.#calls.end(handle);
    else this.#look = Math.min(this.#look, now + LOOK);
  }
}

/** Calls `call` for each connection, which it may close. */
export function every(core: Core, call: (handle: number) => void): void {
  for (let handle = core.connection_after(0); handle !== 0; ) {
    const next = core.connection_after(handle);
    call(handle);
    handle = next;
  }
}
