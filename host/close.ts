// close(2) can fail where all bytes were read and sent (EIO, EDQUOT). The fd is gone all the same: it is never closed
// twice. Who waits for the end of it is told; where nobody does, it is a warning of the process.

import { SendfileError } from "./errors.js";
import { closeSync } from "./originals.js";

/** Tells of a failure that nobody waits for. */
export function warn(error: unknown): void {
  process.emitWarning(SendfileError.after(0, error));
}

/** Closes an fd of ours whose end nobody waits for. */
export function closeFd(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    warn(error);
  }
}
