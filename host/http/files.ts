// Who opens and asks for files: as it was when this was loaded. Whoever replaced it since wants to be asked.

import fs from "node:fs";

const { createReadStream, stat } = fs;

/** The fs.stat of this process, and what says the same in its place. */
export const known = new WeakSet<object>([stat]);

/** Whether the files that a server sees are those of the file system. */
export function unchanged(): boolean {
  return fs.createReadStream === createReadStream && known.has(fs.stat);
}
