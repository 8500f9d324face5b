// A test with real sockets and files: what it opens is closed after it, whatever its end, and a test
// that hangs fails.

import { type Test, test } from "uvu";

/** Far more than any test needs on a busy machine: it tells a hang from slowness, nothing else. */
const WATCHDOG_MS = 60_000;

type Undo = () => unknown;

export class Scene {
  readonly #undo: Undo[] = [];

  /** Runs `undo` after the test, the last one first. */
  after(undo: Undo): void {
    this.#undo.push(undo);
  }

  async end(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
  }
}

export type Body = (scene: Scene) => Promise<void>;

/** Declares a test of uvu's global suite. With a `reason` it is skipped, and the reason is its name. */
export function row(name: string, body: Body, reason: string | null = null): void {
  if (reason !== null) (test as Test).skip(`${name} (${reason})`, () => {});
  else test(name, () => play(body));
}

async function play(body: Body): Promise<void> {
  const scene = new Scene();
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hung: not over after ${WATCHDOG_MS} ms`)), WATCHDOG_MS);
  });
  try {
    await Promise.race([body(scene), hung]);
  } finally {
    clearTimeout(timer);
    await scene.end();
  }
}
