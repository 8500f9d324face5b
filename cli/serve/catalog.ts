// The entries of a folder: its names in order and, on demand, sizes and times. Sorted as requested, a page at a time. A
// folder of any size is read in slices, once for all clients that request it meanwhile.

import type { Dirent, Stats } from "node:fs";
import { join } from "node:path";
import { isWithin } from "../../host/http/within.js";
import { fold } from "./filter.js";
import { Flights } from "./flights.js";
import { due, each, turn } from "./pace.js";
import { sorted } from "./sort.js";

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
  /** How many of them the filter finds; null without one. */
  matches: number | null;
  /** Names that are not UTF-8, which no URL can request. */
  unnamed: number;
  /** From 1. */
  page: number;
  pages: number;
}

/** The part of the file system that we use. */
export interface Files {
  opendir(path: string): Promise<AsyncIterable<Dirent>>;
  realpath(path: string): Promise<string>;
  lstat(path: string): Promise<Stats>;
}

/** A folder to read, and how. */
export interface Place {
  /** Real paths: the folder is in the root; links out of the root are not listed. */
  readonly root: string;
  readonly folder: string;
  readonly dotfiles: boolean;
  readonly files: Files;
  /** Milliseconds. */
  now(): number;
}

/** Entries on a page: a telephone still scrolls these well. */
const PAGE = 1000;
/** A file changes without its folder: sizes and times that are sorted by are no older, in ms. */
const FRESH = 10_000;
/** Names that are compared with a filter before the clock is looked at. */
const RUN = 128;
/** Bytes of an entry beside its name, with size and time. */
const WEIGHT = 160;

/** Of each name, by its index; the time is NaN if the file is gone. */
interface Attributes {
  readonly at: number;
  readonly sizes: Float64Array;
  readonly times: Float64Array;
}

interface Sorted extends Attributes {
  /** Of the names. */
  readonly indices: readonly number[];
}

export class Catalog {
  readonly #place: Place;
  /** Folders first, both by name. */
  readonly #names: readonly string[];
  readonly #folders: number;
  readonly #links: ReadonlySet<string>;
  readonly #unnamed: number;
  /** The most memory that it takes, in bytes. */
  readonly weight: number;

  #attributes: Attributes | null = null;
  readonly #asking = new Flights<Attributes>();
  readonly #sorted = new Map<string, Sorted>();
  readonly #sorting = new Flights<Sorted>();

  constructor(place: Place, names: readonly string[], counts: Counts, links: ReadonlySet<string>) {
    this.#place = place;
    this.#names = names;
    this.#folders = counts.folders;
    this.#links = links;
    this.#unnamed = counts.unnamed;
    this.weight = WEIGHT * (1 + names.length) + 2 * counts.characters;
  }

  /** A page, or the nearest one that exists, of the names that have `filter` in them. */
  async list(order: Order, page: number, signal: AbortSignal, filter = ""): Promise<Listing> {
    const found = order.by === "name" ? null : await this.#sort(order, signal);
    const matching = filter === "" ? null : await this.#matching(filter, order, found, signal);
    const indices = matching ?? found?.indices ?? null;
    const count = indices?.length ?? this.#names.length;
    const pages = Math.max(1, Math.ceil(count / PAGE));
    const at = Math.min(Math.max(1, page), pages);
    const first = (at - 1) * PAGE;
    const some = Array.from({ length: Math.min(PAGE, count - first) }, (_, i) =>
      indices === null ? this.#nth(first + i, order) : (indices[first + i] as number),
    );
    const entries = found === null ? await this.#look(some, signal) : this.#of(found, some);
    const { length: all } = this.#names;
    const folders = this.#folders;
    const matches = matching?.length ?? null;
    return { entries, folders, files: all - folders, matches, unnamed: this.#unnamed, page: at, pages };
  }

  /** The index of the name at a place, sorted by name. */
  #nth(place: number, { descending }: Order): number {
    if (!descending) return place;
    const folders = this.#folders;
    return place < folders ? folders - 1 - place : this.#names.length - 1 - (place - folders);
  }

  /** The indices of the names that a filter finds, in order. */
  async #matching(filter: string, order: Order, found: Sorted | null, signal: AbortSignal): Promise<number[]> {
    const text = fold(filter);
    const matching: number[] = [];
    const count = found?.indices.length ?? this.#names.length;
    for (let place = 0; place < count; place++) {
      if (place % RUN === 0 && due()) await turn(signal);
      const i = found === null ? this.#nth(place, order) : (found.indices[place] as number);
      if (fold(this.#names[i] as string).includes(text)) matching.push(i);
    }
    return matching;
  }

  /** Stats only these: the names are sorted already. */
  async #look(indices: readonly number[], signal: AbortSignal): Promise<Entry[]> {
    const names = indices.map((i) => this.#names[i] as string);
    const all = await this.#seen(names, signal);
    return all.map(({ name, stat }) => ({ name, folder: stat.isDirectory(), size: stat.size, modified: stat.mtime }));
  }

  /** What is there now of these. */
  async #seen(names: readonly string[], signal: AbortSignal): Promise<Named[]> {
    const found: (Named | null)[] = Array(names.length).fill(null);
    await each(names.length, signal, async (i) => {
      const name = names[i] as string;
      const seen = await this.#lookAt(name);
      if (seen !== null) found[i] = { ...seen, name };
    });
    return found.filter((one) => one !== null);
  }

  #lookAt(name: string): Promise<Seen | null> {
    return look(this.#place, name, this.#links.has(name));
  }

  /** All that there is now, by name. A page of it at a time is in memory. */
  async *all(signal: AbortSignal): AsyncGenerator<Named> {
    for (let first = 0; first < this.#names.length; first += PAGE) {
      yield* await this.#seen(this.#names.slice(first, first + PAGE), signal);
    }
  }

  #of({ sizes, times }: Sorted, indices: readonly number[]): Entry[] {
    return indices.map((i) => ({
      name: this.#names[i] as string,
      folder: i < this.#folders,
      size: sizes[i] as number,
      modified: new Date(times[i] as number),
    }));
  }

  async #sort({ by, descending }: Order, signal: AbortSignal): Promise<Sorted> {
    const key = `${by} ${descending}`;
    const known = this.#sorted.get(key);
    if (known !== undefined && this.#fresh(known)) return known;
    return this.#sorting.share(key, signal, async (signal) => {
      const attributes = await this.#ask(signal);
      const { sizes, times } = attributes;
      const folders = this.#folders;
      const values = by === "size" ? sizes : times;
      const sign = descending ? -1 : 1;
      const compare = (a: number, b: number) => {
        // A folder has no size of its own, and comes before all files; those that are equal are sorted by name.
        const first = Math.min(a, b);
        if (first < folders && (by === "size" || Math.max(a, b) >= folders)) return a - b;
        return sign * ((values[a] as number) - (values[b] as number)) || a - b;
      };
      const there: number[] = [];
      for (let i = 0; i < times.length; i++) if (!Number.isNaN(times[i])) there.push(i);
      const found = { ...attributes, indices: await sorted(there, compare, signal) };
      this.#sorted.set(key, found);
      return found;
    });
  }

  /** Sizes and times of all. */
  async #ask(signal: AbortSignal): Promise<Attributes> {
    const known = this.#attributes;
    if (known !== null && this.#fresh(known)) return known;
    return this.#asking.share("", signal, async (signal) => {
      const names = this.#names;
      const sizes = new Float64Array(names.length);
      const times = new Float64Array(names.length).fill(Number.NaN);
      const at = this.#place.now();
      await each(names.length, signal, async (i) => {
        const seen = await this.#lookAt(names[i] as string);
        if (seen === null) return;
        sizes[i] = seen.stat.size;
        times[i] = seen.stat.mtimeMs;
      });
      this.#attributes = { at, sizes, times };
      return this.#attributes;
    });
  }

  #fresh({ at }: Attributes): boolean {
    return this.#place.now() - at < FRESH;
  }
}

/** What a name leads to. */
export interface Seen {
  /** Its real path. */
  readonly path: string;
  readonly stat: Stats;
}

interface Named extends Seen {
  readonly name: string;
}

interface Counts {
  folders: number;
  unnamed: number;
  /** Of all names. */
  characters: number;
}

/** A name that was read. */
interface Found {
  readonly name: string;
  readonly folder: boolean;
  /** The sort key: ignores case and accents, and compares numbers by value. */
  readonly key: string;
}

/** More names than are wanted. */
export class TooMany extends Error {}

/**
 * The files and folders of a folder, without links out of the root and anything else that is not served.
 *
 * @throws TooMany for more than `most`; the reason of `signal`, if that aborts.
 */
export async function read(place: Place, signal: AbortSignal, most = Number.POSITIVE_INFINITY): Promise<Catalog> {
  const { folder, dotfiles, files } = place;
  const found: Found[] = [];
  const counts = { folders: 0, unnamed: 0, characters: 0 };
  const take = (name: string, folder: boolean) => {
    found.push({ name, folder, key: keyOf(name) });
    counts.characters += name.length;
    if (folder) counts.folders++;
  };

  /** Names that need another look, and whether each is a link. */
  const unsure = new Map<string, boolean>();
  for await (const entry of await files.opendir(folder)) {
    if (due()) await turn(signal);
    const { name } = entry;
    if (name.startsWith(".") && !dotfiles) continue;
    const odd = name.includes(REPLACED);
    if (odd && unsure.has(name)) counts.unnamed++;
    else if (odd || entry.isSymbolicLink()) unsure.set(name, entry.isSymbolicLink());
    else if (entry.isDirectory() || entry.isFile()) take(name, entry.isDirectory());
    if (found.length + unsure.size > most) throw new TooMany();
  }
  const links = new Set<string>();
  const others = [...unsure];
  await each(others.length, signal, async (i) => {
    const [name, link] = others[i] as [string, boolean];
    if (name.includes(REPLACED) && !(await exists(files, join(folder, name)))) counts.unnamed++;
    else {
      const seen = await look(place, name, link);
      if (seen === null) return;
      if (link) links.add(name);
      take(name, seen.stat.isDirectory());
    }
  });

  const all = await sorted(found, byName, signal);
  const names = all.map(({ name }) => name);
  return new Catalog(place, names, counts, links);
}

/** The replacement character for invalid UTF-8. A valid name may contain it, too, but no two names are the same. */
const REPLACED = "\ufffd";

async function exists(files: Files, path: string): Promise<boolean> {
  try {
    await files.lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** The real path of this name, and what is there, as clients may see it; null if there is nothing to list. */
async function look({ root, folder, files }: Place, name: string, link: boolean): Promise<Seen | null> {
  try {
    let path = join(folder, name);
    if (link) {
      path = await files.realpath(path);
      if (!isWithin(root, path)) return null;
    }
    const stat = await files.lstat(path);
    return stat.isFile() || stat.isDirectory() ? { path, stat } : null;
  } catch {
    return null;
  }
}

/** Compared as plain strings: a collator would need 200 ms for 50,000 names. */
function keyOf(name: string): string {
  return name
    .normalize("NFD")
    .toLowerCase()
    .replace(/\d+/g, (digits) => digits.padStart(16, "0"));
}

function byName(a: Found, b: Found): number {
  return Number(b.folder) - Number(a.folder) || compare(a.key, b.key) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
