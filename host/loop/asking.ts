// Connections that wait to be told what a target leads to: each target is asked for once.

export class Asking {
  readonly #asking = new Map<string, [handle: number, generation: number][]>();
  /** The target that is being told of: if it is still not known then, it is handed over. */
  told: string | null = null;

  /** One more that waits; true if it is the first one, so that somebody has to ask. */
  add(asked: string, handle: number, generation: number): boolean {
    const waiting = this.#asking.get(asked);
    const one: [number, number] = [handle, generation];
    if (waiting !== undefined) waiting.push(one);
    else this.#asking.set(asked, [one]);
    return waiting === undefined;
  }

  /** Calls `each` for those that wait: they do no more. */
  tell(asked: string, each: (handle: number, generation: number) => void): void {
    const waiting = this.#asking.get(asked);
    if (waiting === undefined) return;
    this.#asking.delete(asked);
    this.told = asked;
    for (const [handle, generation] of waiting) each(handle, generation);
    this.told = null;
  }
}
