// Checks that fs's functions are those from when this was loaded: replacements must not be bypassed.

import fs from "node:fs";
import { SafeWeakSet } from "../originals.js";

const { createReadStream, open, read, close, stat } = fs;

/** The fs.stat of this process, and equivalent replacements. */
export const known = new SafeWeakSet<object>([stat]);

/** Whether the files that a server sees are those of the file system. */
export function unchanged(): boolean {
  const streams =
    fs.createReadStream === createReadStream && fs.open === open && fs.read === read && fs.close === close;
  return streams && known.has(fs.stat);
}
