// Threads that bind libc while the process ends. koffi aborts the process if its thread is stopped meanwhile, so the main thread
// waits for those that have begun; no other one begins.

/** Of a word: threads that bind, and whether the process is leaving. */
const ONE = 1;
const LEAVING = 1 << 16;
/** The longest wait, in ms. */
const LONGEST = 1000;

/** What all threads of a server share. */
export const bindings = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

/** What `bind` returns; null, without a call, if the process is leaving. */
export function unlessLeaving<T>(word: Int32Array, bind: () => T): T | null {
  try {
    return Atomics.add(word, 0, ONE) < LEAVING ? bind() : null;
  } finally {
    Atomics.sub(word, 0, ONE);
    Atomics.notify(word, 0);
  }
}

/** The process is leaving: waits for threads that bind. */
export function leaveBindings(word: Int32Array): void {
  Atomics.or(word, 0, LEAVING);
  const end = performance.now() + LONGEST;
  for (let now = Atomics.load(word, 0); now !== LEAVING; now = Atomics.load(word, 0)) {
    if (Atomics.wait(word, 0, now, Math.max(end - performance.now(), 0)) === "timed-out") return;
  }
}
