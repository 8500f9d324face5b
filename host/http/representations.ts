// What a target of a request has led to, for the next who ask for it: the file that `send` has found, or that there is
// none. Where it was found must still be so: the names that were tried before it are still missing.

import type { Stats } from "node:fs";
import { changedAt, forget, isSettled } from "../keep.js";
import { SafeMap, statSync } from "../originals.js";
import type { Scheduler } from "../scheduler.js";
import type { Files, OpenFile } from "../source/files.js";
import { hasTrueSize } from "../source/stat.js";
import { unchanged } from "../source/unchanged.js";
import type { Header } from "./set-headers.js";

/** What was found. */
export interface Found {
  /** The file; null if there is none. */
  readonly path: string | null;
  /** Names that would come before it, and that no file has. */
  readonly absent: readonly string[];
  /** The file that was asked for: it has the type, and must be there, if `path` is its compressed sibling. */
  readonly name: string;
  /** Its content coding. */
  readonly coding: string | null;
}

export interface Representation extends Found {
  /** Those that depend on the file's size and times. */
  headers: readonly Header[];
  /** The file that they are of. */
  stat: Stats | null;
  /** Content-Type, and the turn of the event loop in which it was asked for. */
  type: readonly Header[];
  typed: number;
  /** The turn of the event loop in which the names were last seen to be as they were found. */
  turn: number;
  /** Since the place in the list was last asked for. */
  used: boolean;
}

/** Representations remembered; then the one that was not used for long is forgotten. */
const MOST = 10_000;
/** Longer targets are not remembered, in characters. */
const LONGEST = 1024;

export class Representations {
  readonly #files: Files;
  readonly #scheduler: Scheduler;
  readonly #headersOf: (path: string, stat: Stats) => Header[];
  readonly #allowed: (file: OpenFile) => boolean;
  readonly #known = new SafeMap<string, Representation>();

  /** `headersOf` makes the headers of a file; `allowed` is asked about each open file. */
  constructor(
    { files, scheduler }: { files: Files; scheduler: Scheduler },
    headersOf: (path: string, stat: Stats) => Header[],
    allowed: (file: OpenFile) => boolean,
  ) {
    this.#files = files;
    this.#scheduler = scheduler;
    this.#headersOf = headersOf;
    this.#allowed = allowed;
  }

  /** What is known of a target, and is still so; null if nothing. */
  find(key: string): Representation | null {
    const known = this.#known.get(key);
    if (known === undefined) return null;
    known.used = true;
    if (this.#unmoved(known)) return known;
    this.#known.delete(key);
    return null;
  }

  /** Its file, which the caller releases; null if it is not there as it was found. */
  open(key: string, known: Representation): OpenFile | null {
    const file = known.path === null ? null : this.#files.get(known.path, true);
    if (file === null) return null;
    let fits = false;
    try {
      if (!hasTrueSize(file.stat) || !this.#allowed(file)) {
        this.#known.delete(key);
        return null;
      }
      if (known.stat !== file.stat) {
        known.headers = this.#headersOf(file.path, file.stat);
        // A strong ETag is weak at first.
        known.stat = isSettled(changedAt(file.stat)) ? file.stat : null;
      }
      fits = true;
      return file;
    } finally {
      if (!fits) file.release();
    }
  }

  learn(key: string, found: Found): void {
    if (key.length > LONGEST) return;
    if (this.#known.size >= MOST) forget(this.#known);
    const none = { headers: [], stat: null, type: [], typed: Number.NaN };
    this.#known.set(key, { ...found, ...none, turn: Number.NaN, used: false });
  }

  /** Their folders were asked for these names not long ago, so the kernel has the answers in memory. */
  #unmoved(known: Representation): boolean {
    const { path, name, absent } = known;
    const aside = path !== null && path !== name;
    if (absent.length === 0 && !aside) return true;
    if (!unchanged()) return false;
    const { turn } = this.#scheduler;
    if (known.turn === turn) return true;
    try {
      for (const path of absent) if (statSync(path, { throwIfNoEntry: false }) !== undefined) return false;
      if (aside && !statSync(name).isFile()) return false;
    } catch {
      return false; // a loop of links, or no permission
    }
    known.turn = turn;
    return true;
  }
}
