// Work that is done once for all callers that request it meanwhile, and abandoned when the last of them leaves.

interface Flight<T> {
  readonly version: string;
  readonly result: Promise<T>;
  readonly control: AbortController;
  /** Callers that have not left. */
  waiting: number;
}

export class Flights<T> {
  readonly #under = new Map<string, Flight<T>>();

  /** The work under way, by key. */
  get(key: string): Pick<Flight<T>, "version" | "result"> | undefined {
    return this.#under.get(key);
  }

  /**
   * Resolves with the result of `work`, or of the work already under way for this key.
   *
   * @param work is aborted once all its callers have left.
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
        this.#end(key, flight); // abandoned work can't be joined
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
