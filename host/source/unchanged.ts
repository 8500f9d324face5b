// Who opens, reads and asks for files: as it was when this was loaded. Whoever replaced it since wants to be asked.

import fs from "node:fs";
import { SafeWeakSet } from "../originals.js";

const { createReadStream, open, read, close, stat } = fs;

/** The fs.stat of this process, and what says the same in its place. */
export const known = new SafeWeakSet<object>([stat]);

/** Whether the files that a server sees are those of the file system. */
export function unchanged(): boolean {
  const streams =
    fs.createReadStream === createReadStream && fs.open === open && fs.read === read && fs.close === close;
  return streams && known.has(fs.stat);
}
