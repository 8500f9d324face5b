// A line on stderr, which is lost where nobody reads it or there is no room. Such an 'error' of the stream is not the
// program's: it is listened for only until it has been emitted, so that those of the program's own writes stay what
// they are. (Node's Console wants the same, and misses the second one.)

import process from "node:process";
import { setImmediate } from "./originals.js";

/** Bytes that may wait for a reader; what comes then is lost. */
const WAITING = 1 << 20;

export function say(line: string): void {
  const { stderr } = process;
  if (stderr.writableLength > WAITING) return;
  try {
    stderr.write(`${line}\n`, lost);
  } catch {
    // Deno throws it.
  }
}

/** Called before the stream emits the error, in a tick of its own. */
function lost(error?: Error | null): void {
  if (!error) return;
  const { stderr } = process;
  stderr.on("error", nothing);
  setImmediate(() => stderr.removeListener("error", nothing));
}

function nothing(): void {}
