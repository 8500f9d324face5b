// What is in a folder, sorted, a page of it at a time. A folder of any size is read in small steps, so that
// other requests are answered in between.

import { isUtf8 } from "node:buffer";
import { type Dirent, promises as fs } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { inside } from "../host/http/inside.js";

export interface Entry {
  name: string;
  folder: boolean;
  /** Bytes. */
  size: number;
  modified: Date;
}

export interface Order {
  by: "name" | "size" | "date";
  descending: boolean;
}

export interface Listing {
  entries: Entry[];
  /** How many folders and files there are on all pages. */
  folders: number;
  files: number;
  /** Names that are no UTF-8: no URL that a server decodes could ask for them. */
  unnamed: number;
  /** From 1. */
  page: number;
  pages: number;
}

/** Entries on a page: what a telephone still scrolls well. */
const PAGE = 1000;
/** File system calls under way at once, for one request. */
const BATCH = 64;

/** Entries that are sorted, or merged, in one turn of the event loop. */
const RUN = 2000;

/** A name that is known, before anybody has asked for its size. */
interface Found {
  name: string;
  folder: boolean;
  /** What is sorted by: without case and accents apart, and numbers by their value. */
  key: string;
  size: number;
  modified: Date;
}

/**
 * The files and folders of a folder; neither links that lead out of the root nor anything that is not served.
 *
 * @param root and @param folder are real paths.
 */
export async function listing(
  root: string,
  folder: string,
  { order, page, dotfiles }: { order: Order; page: number; dotfiles: boolean },
): Promise<Listing> {
  const found: Found[] = [];
  const links: string[] = [];
  let unnamed = 0;
  const take = (name: string, isFolder: boolean) =>
    found.push({ name, folder: isFolder, key: keyOf(name), size: 0, modified: new Date(Number.NaN) });

  const names = await fs.opendir(folder, { encoding: "buffer" as BufferEncoding, bufferSize: 256 });
  for await (const entry of names as AsyncIterable<Dirent<string | Buffer>>) {
    const bytes = Buffer.from(entry.name as string);
    if (bytes[0] === 0x2e && !dotfiles) continue;
    if (!isUtf8(bytes)) unnamed++;
    else if (entry.isDirectory() || entry.isFile()) take(bytes.toString(), entry.isDirectory());
    else if (entry.isSymbolicLink()) links.push(bytes.toString());
  }
  await each(links, async (name) => {
    const real = await fs.realpath(join(folder, name));
    if (!inside(root, real)) return;
    const stat = await fs.lstat(real);
    if (stat.isDirectory() || stat.isFile()) take(name, stat.isDirectory());
  });

  /** Those that are still there. */
  const look = async (some: Found[]) => {
    await each(some, async (entry) => {
      const { size, mtime } = await fs.stat(join(folder, entry.name));
      Object.assign(entry, { size, modified: mtime });
    });
    return some.filter(({ modified }) => !Number.isNaN(modified.getTime()));
  };
  const all = await sorted(order.by === "name" ? found : await look(found), comparison(order));
  const pages = Math.max(1, Math.ceil(all.length / PAGE));
  const shown = Math.min(Math.max(1, page), pages);
  const part = all.slice((shown - 1) * PAGE, shown * PAGE);
  const entries = order.by === "name" ? await look(part) : part;
  const folders = all.reduce((sum, entry) => sum + Number(entry.folder), 0);
  return { entries, folders, files: all.length - folders, unnamed, page: shown, pages };
}

/** Calls `use` for each item, a few at a time; what fails (it has gone meanwhile) is passed over. */
async function each<T>(items: readonly T[], use: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += BATCH) {
    await Promise.allSettled(items.slice(i, i + BATCH).map(use));
  }
}

/** Merge sort, with other work let in between: 50,000 entries at once would hold the loop for a tenth of a second. */
async function sorted<T>(items: readonly T[], compare: (a: T, b: T) => number): Promise<T[]> {
  let runs: T[][] = [];
  for (let i = 0; i < items.length; i += RUN) {
    if (i > 0) await turn();
    runs.push(items.slice(i, i + RUN).sort(compare));
  }
  while (runs.length > 1) {
    const longer: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) longer.push(await merged(runs[i] as T[], runs[i + 1] ?? [], compare));
    runs = longer;
  }
  return runs[0] ?? [];
}

async function merged<T>(a: T[], b: T[], compare: (a: T, b: T) => number): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const first = j === b.length || (i < a.length && compare(a[i] as T, b[j] as T) <= 0);
    all.push((first ? a[i++] : b[j++]) as T);
    if (all.length % RUN === 0) await turn();
  }
  return all;
}

/** Compared as plain strings: that is quicker than a collator, which would need 200 ms for 50,000 names. */
function keyOf(name: string): string {
  return name
    .normalize("NFD")
    .toLowerCase()
    .replace(/\d+/g, (digits) => digits.padStart(16, "0"));
}

function comparison({ by, descending }: Order): (a: Found, b: Found) => number {
  const names = (a: Found, b: Found) => compare(a.key, b.key) || compare(a.name, b.name);
  const sign = descending ? -1 : 1;
  const of = {
    name: (a: Found, b: Found) => sign * names(a, b),
    // A folder has no size of its own.
    size: (a: Found, b: Found) => (a.folder ? names(a, b) : sign * (a.size - b.size) || names(a, b)),
    date: (a: Found, b: Found) => sign * (a.modified.getTime() - b.modified.getTime()) || names(a, b),
  }[by];
  return (a, b) => Number(b.folder) - Number(a.folder) || of(a, b);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
