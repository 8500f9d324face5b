// The foreign listeners of one signal. While ours is registered each of them is replaced by a stand-in that does
// nothing: no emission calls it, and we can call it, once, after our functions.
//
// A stand-in has its original as `listener`, as the wrappers of once() do, so removeListener() and listeners() see
// through it. Ours is added before the first original is replaced, and removed after the last is back: the signal is
// never without a listener.

export type Listener = ((...args: unknown[]) => unknown) & { listener?: Listener };

/** The part of `process` that we use. */
export interface Emitter {
  on(name: string, listener: Listener): unknown;
  removeListener(name: string, listener: Listener): unknown;
  rawListeners(name: string): Listener[];
}

/** By signal: one listener of `newListener` serves them all. */
const all = new Map<string, ForeignListeners>();

/** 'newListener' is emitted before the listener is added: it is replaced in the microtask after. */
function added(name: unknown): void {
  const others = all.get(name as string);
  if (others !== undefined) queueMicrotask(() => others.hold());
}

/** The stand-in for a foreign listener, if there is one. */
export function standIn(signal: string, listener: Listener): Listener | undefined {
  return all.get(signal)?.standIn(listener);
}

export class ForeignListeners {
  readonly #process: Emitter;
  readonly #signal: string;
  readonly #ours: Listener;
  /** Stand-ins and their originals, as rawListeners() had them. */
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

  /** Replaces new listeners. */
  hold(): void {
    if (this.#stopped) return;
    const raw = this.#theirs();
    if (raw.every((listener) => this.#held.has(listener))) return;
    // Removes and adds all of them, to keep their order.
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
