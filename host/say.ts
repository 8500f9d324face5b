// Writes a line to stderr; it is lost if nobody reads it or there is no room. The program must not see the stream's
// 'error' then, so we listen until it was emitted, and no longer: errors of the program's own writes stay unhandled.
// (Node's Console tries the same, and misses the second one.)

import process from "node:process";
import { setImmediate } from "./originals.js";

/** Bytes that may wait for a reader; further lines are lost. */
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

let failed = false;

/** Whether a line was lost because stderr could not be written. */
export const hasFailed = (): boolean => failed;

/** Called before the stream emits the error, in a tick of its own. */
function lost(error?: Error | null): void {
  if (!error) return;
  failed = true;
  unheard();
}

/** In this turn of the event loop nobody sees the stream's 'error'. */
export function unheard(): void {
  const { stderr } = process;
  if (stderr.listeners("error").includes(nothing)) return; // each is told before the next immediate
  stderr.on("error", nothing);
  setImmediate(() => stderr.removeListener("error", nothing));
}

function nothing(): void {}
