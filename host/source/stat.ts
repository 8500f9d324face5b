// What an open file is, asked of its fd: on an open file this waits for nothing.

import fs from "node:fs";

/** What is used of fs.Stats. */
export type Stat = Pick<fs.Stats, "size" | "blocks" | "isFile" | "isDirectory" | "isBlockDevice">;

/** Null where the fd is closed. */
export function fstat(fd: number): fs.Stats | null {
  try {
    return fs.fstatSync(fd);
  } catch {
    return null;
  }
}

/** Whether it is a regular file whose size can be believed. Those in /proc claim 0 and those in /sys a page, without a block. */
export function hasTrueSize(stat: Stat): boolean {
  return stat.isFile() && stat.size > 0 && !(stat.blocks === 0 && stat.size <= 4096);
}
