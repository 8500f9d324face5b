// fstat(2) of an open file, which never blocks.

import type fs from "node:fs";
import { constants } from "node:fs";
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

const { S_IFMT, S_IFREG } = constants;

/** stat.isFile(), which a program may replace. */
export const isFile = ({ mode }: Pick<fs.Stats, "mode">): boolean => (mode & S_IFMT) === S_IFREG;

/** Whether the size of a regular file is reliable. Files in /proc claim 0, those in /sys a page, without blocks. */
export function hasTrueSize({ size, blocks }: Pick<Stat, "size" | "blocks">): boolean {
  return size > 0 && !(blocks === 0 && size <= 4096);
}
