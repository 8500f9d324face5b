// The access logs of a server's loops, as the main thread reads them: in batches, or earlier if a line of its own is to
// follow.

import type { Format } from "../loop/log-line.js";
import type { LogPlan } from "../loop/messages.js";
import type { Trust } from "../loop/proxies.js";
import { Ring } from "../loop/ring.js";

/** A batch is read this long after its first line was written, in ms. */
const DELAY = 10;

/** Where lines go. */
export interface LogOptions {
  readonly format: Format;
  /** Whose X-Forwarded-For is believed. Default: null, nobody's. */
  readonly trust?: Trust | null;
  /** Lines, with their ends. */
  write(lines: Buffer): void;
  /** Lines behind these that are lost, because this thread was too slow. */
  lost(lines: number): void;
  /** All lines that are lost so far, for metrics. Default: those that `lost` was told of. */
  readonly total?: () => number;
}

export class Journals {
  readonly #options: LogOptions;
  readonly #rings: Ring[] = [];
  #lost = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** For one more loop. */
  add(): LogPlan {
    const memory = Ring.room();
    this.#rings.push(new Ring(memory));
    const { format, trust = null } = this.#options;
    return { format, trust, memory };
  }

  /** Lines that are lost so far. */
  get lost(): number {
    return this.#options.total?.() ?? this.#lost;
  }

  /** A loop has written. */
  told(): void {
    this.#timer ??= setTimeout(() => this.read(), DELAY);
  }

  /** Passes on all that is there. */
  read(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const ring of this.#rings) {
      const { lines, lost } = ring.read();
      if (lines.length > 0) this.#options.write(lines);
      this.#lost += lost;
      if (lost > 0) this.#options.lost(lost);
    }
  }
}
