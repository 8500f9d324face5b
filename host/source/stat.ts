// fstat(2) of an open file, which never blocks.

import type fs from "node:fs";
import { fstatSync } from "../originals.js";

/** The part of fs.Stats that we use. */
export type Stat = Pick<fs.Stats, "size" | "blocks" | "isFile" | "isDirectory" | "isBlockDevice">;

/** Null if the fd is closed. */
export function fstat(fd: number): fs.Stats | null {
  try {
    return fstatSync(fd);
  } catch {
    return null;
  }
}

/** Whether it is a regular file with a reliable size. Files in /proc claim 0, those in /sys a page, without blocks. */
export function hasTrueSize(stat: Stat): boolean {
  return stat.isFile() && stat.size > 0 && !(stat.blocks === 0 && stat.size <= 4096);
}
