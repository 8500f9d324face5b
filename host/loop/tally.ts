// What a loop counts, in memory that the main thread reads. It goes on where the thread before has ended.

import { Way } from "../../assembly/abi.js";
import type { Core } from "../core.js";
import { Count, type Start } from "./messages.js";

export class Tally {
  readonly #core: Core;
  readonly #start: Start;
  /** Bytes by Way of the threads before this one. */
  readonly #before: Float64Array;

  constructor(core: Core, start: Start) {
    this.#core = core;
    this.#start = start;
    this.#before = start.counts.slice(Count.Native, Count.Native + Way.Copied + 1);
  }

  /** One more. */
  add(count: number): void {
    (this.#start.counts[count] as number)++;
  }

  /** Connections of this loop. */
  get live(): number {
    return this.#start.connections[this.#start.id] as number;
  }

  /** One connection more, or less. */
  connected(change: number): void {
    this.#start.connections[this.#start.id] = this.live + change;
  }

  /** Whether all loops and the server behind have as many connections as they may. */
  get full(): boolean {
    const { maxConnections, connections } = this.#start;
    return maxConnections !== Number.POSITIVE_INFINITY && connections.reduce((all, one) => all + one) >= maxConnections;
  }

  /** What others count for it. */
  publish(openFiles: number): void {
    const { counts } = this.#start;
    counts[Count.OpenFiles] = openFiles;
    for (let way = Way.Native; way <= Way.Copied; way++) {
      counts[Count.Native + way] = (this.#before[way] as number) + this.#core.connection_tally(way);
    }
  }

  /** Nothing is open any more. */
  end(): void {
    this.connected(-this.live);
    this.publish(0);
  }
}
