// Work that is done once for all who ask for it meanwhile, and given up when none of them waits any more.

interface Flight<T> {
  readonly version: string;
  readonly result: Promise<T>;
  readonly control: AbortController;
  /** Callers that have not left. */
  waiting: number;
}

export class Flights<T> {
  readonly #under = new Map<string, Flight<T>>();

  /** What is under way by this key. */
  get(key: string): Pick<Flight<T>, "version" | "result"> | undefined {
    return this.#under.get(key);
  }

  /**
   * What `work` resolves with, or what is under way by this key already.
   *
   * @param work is aborted once all who wait for it have left.
   * @throws the reason of `signal` as soon as that aborts: the caller leaves.
   */
  async share(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>, version = ""): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#under.get(key) ?? this.#begin(key, work, version);
    flight.waiting++;
    let leave = () => {};
    const left = new Promise<never>((_, reject) => {
      leave = () => {
        reject(signal.reason);
        if (--flight.waiting > 0) return;
        this.#end(key, flight); // nobody joins what is given up
        flight.control.abort(signal.reason);
      };
    });
    signal.addEventListener("abort", leave);
    try {
      return await Promise.race([flight.result, left]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>, version: string): Flight<T> {
    const control = new AbortController();
    const result = work(control.signal).finally(() => this.#end(key, flight));
    const flight: Flight<T> = { version, result, control, waiting: 0 };
    this.#under.set(key, flight);
    return flight;
  }

  #end(key: string, flight: Flight<T>): void {
    if (this.#under.get(key) === flight) this.#under.delete(key);
  }
}
