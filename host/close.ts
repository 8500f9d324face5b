// close(2) can fail where all bytes were read and sent (EIO, EDQUOT). The fd is closed all the same, and never
// closed twice. The error goes to the caller if one waits, else it is a process warning.

import { SendfileError } from "./errors.js";
import { closeSync } from "./originals.js";
import { unheard } from "./say.js";

/** Warns of a failure that nobody waits for. A stderr that is gone ends no process: Node writes the warning in this turn. */
export function warn(error: unknown): void {
  unheard();
  process.emitWarning(SendfileError.after(0, error));
}

/** Closes an fd of ours when nobody waits for it. */
export function closeFd(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    warn(error);
  }
}
