// The listeners of others, for one signal. As long as ours is there each of them is replaced by a
// stand-in that does nothing; so no emission calls it, and we can, after our functions and once.
//
// A stand-in carries the function it stands for as its `listener`, as the wrappers of once() do:
// removeListener() and listeners() see through it. Ours is there before the first of theirs is taken,
// and goes after the last is back: the signal is never without a listener.

export type Listener = ((...args: unknown[]) => unknown) & { listener?: Listener };

/** What is used of `process`. */
export interface Emitter {
  on(name: string, listener: Listener): unknown;
  removeListener(name: string, listener: Listener): unknown;
  rawListeners(name: string): Listener[];
}

/** By their signals: one listener of `newListener` serves them all. */
const all = new Map<string, Others>();

/** They are told before the listener is there: it is replaced in the microtask after. */
function added(name: unknown): void {
  const others = all.get(name as string);
  if (others !== undefined) queueMicrotask(() => others.hold());
}

/** The stand-in for a listener of theirs, where there is one. */
export function standIn(signal: string, listener: Listener): Listener | undefined {
  return all.get(signal)?.standIn(listener);
}

export class Others {
  readonly #process: Emitter;
  readonly #signal: string;
  readonly #ours: Listener;
  /** What each stand-in stands for, as rawListeners() had it. */
  readonly #held = new Map<Listener, Listener>();
  #stopped = false;

  constructor(process: Emitter, signal: string, ours: Listener) {
    this.#process = process;
    this.#signal = signal;
    this.#ours = ours;
    process.on(signal, ours);
    try {
      this.hold();
      if (all.size === 0) process.on("newListener", added);
    } catch (error) {
      this.stop();
      throw error;
    }
    all.set(signal, this);
  }

  #theirs(): Listener[] {
    return this.#process.rawListeners(this.#signal).filter((listener) => listener !== this.#ours);
  }

  /** Replaces those that are new. */
  hold(): void {
    if (this.#stopped) return;
    const raw = this.#theirs();
    if (raw.every((listener) => this.#held.has(listener))) return;
    // All of them, so that they keep their order.
    this.#replace(raw, (listener) => {
      const known = this.#held.get(listener) ?? listener;
      this.#held.delete(listener);
      const standIn: Listener = () => {};
      standIn.listener = known.listener ?? known;
      this.#held.set(standIn, known);
      return standIn;
    });
  }

  #replace(listeners: Listener[], by: (listener: Listener) => Listener): void {
    for (const listener of listeners) this.#process.removeListener(this.#signal, listener);
    for (const listener of listeners) this.#process.on(this.#signal, by(listener));
  }

  list(): Listener[] {
    return this.#theirs().map((listener) => {
      const call = this.#held.get(listener) ?? listener;
      return (...args) => call.apply(this.#process, args);
    });
  }

  standIn(listener: Listener): Listener | undefined {
    return this.#theirs().findLast((held) => this.#held.get(held) === listener);
  }

  stop(): void {
    this.#stopped = true;
    all.delete(this.#signal);
    if (all.size === 0) this.#process.removeListener("newListener", added);
    this.#replace(this.#theirs(), (listener) => this.#held.get(listener) ?? listener);
    this.#process.removeListener(this.#signal, this.#ours);
  }
}
