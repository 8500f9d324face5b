// The files of the server's soak. Each has one version after another, of bytes that name file, version and position, so
// that a body is checked as it comes. Most versions replace the one before by rename: an answer is of one of them. Some
// files are truncated and rewritten in place: an answer may be cut off, or a mix, but each byte is one that stood there.

import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { pattern } from "../../lib/bytes.js";

/** A prime, so that no two versions of a file are alike. */
const PERIOD = 1_048_573;
const ONCE = pattern(PERIOD, 1);
const BYTES = Buffer.concat([ONCE, ONCE]);
const PIECE = 256 << 10;
/** Of version 0, in s: each version is a second younger, which Last-Modified tells. */
const EPOCH = 1_700_000_000;
/** States that are remembered. */
const KEPT = 2000;
/** An answer may be of a file that was replaced this long before the request, in ms. The server promises 100. */
const STALE = 5000;

const NAMES: [name: string, size: number][] = [
  ["empty.bin", 0],
  ["one.bin", 1],
  ["tiny.txt", 500],
  ["page.bin", 4096],
  ["text.html", 9000],
  ["text.html.gz", 5000],
  ["text.html.br", 4500],
  ["ready.bin", 15_000],
  ["odd.bin", 65_537],
  ["sub/large.bin", 300_000],
  ["mib.bin", 1 << 20],
  ["five.bin", (5 << 20) + 3],
  ["huge.bin", 24 << 20],
];
const REWRITTEN: [name: string, size: number][] = [
  ["rewritten-small.bin", 4096],
  ["rewritten.bin", 400_000],
  ["rewritten-large.bin", 3 << 20],
];
/** May be missing for a while. */
const REMOVED = ["tiny.txt", "text.html.gz", "odd.bin", "mib.bin"];

interface State {
  /** null: there is no file. */
  readonly version: number | null;
  readonly at: number;
}

export class Stock {
  readonly name: string;
  readonly least: number;
  readonly isRewritten: boolean;
  readonly #index: number;
  readonly #states: State[] = [];
  version = -1;

  constructor(name: string, least: number, isRewritten: boolean, index: number) {
    this.name = name;
    this.least = least;
    this.isRewritten = isRewritten;
    this.#index = index;
  }

  size(version: number): number {
    return this.least < 4096 ? this.least : this.least + ((version * 37) % 1000);
  }

  /** From here on it may be of this version, or missing. */
  becomes(version: number | null): void {
    this.#states.push({ version, at: performance.now() });
    if (this.#states.length > KEPT) this.#states.shift();
    if (version !== null) this.version = version;
  }

  /** The versions that the answer to a request of that time may be of; null among them: or 404. */
  possible(since: number): (number | null)[] {
    let from = this.#states.length - 1;
    while (from > 0 && (this.#states[from] as State).at > since - STALE) from--;
    return this.#states.slice(from).map(({ version }) => version);
  }

  get isMissing(): boolean {
    return this.#states.at(-1)?.version === null;
  }

  bytes(version: number, at: number, length: number): Buffer {
    const from = (at + this.#index * 65_537 + version * 7919) % PERIOD;
    return BYTES.subarray(from, from + length);
  }

  is(chunk: Buffer, version: number, at: number): boolean {
    return chunk.equals(this.bytes(version, at, chunk.length));
  }

  /** Into how few stretches a chunk can be divided that are each of one of the versions. */
  stretches(chunk: Buffer, versions: readonly number[], at: number): number {
    let count = 0;
    for (let done = 0; done < chunk.length; count++) {
      const longest = versions.map((version) =>
        alike(chunk.subarray(done), this.bytes(version, at + done, chunk.length)),
      );
      const most = Math.max(0, ...longest);
      if (most === 0) return Number.POSITIVE_INFINITY;
      done += most;
    }
    return count;
  }
}

function alike(a: Buffer, b: Buffer): number {
  let n = 0;
  while (n < a.length && a[n] === b[n]) n++;
  return n;
}

/** The version of a Last-Modified. */
export const versionOf = (modified: string | undefined): number => Date.parse(modified ?? "") / 1000 - EPOCH;

export class Versions {
  readonly root: string;
  readonly #aside: string;
  readonly all: readonly Stock[];
  readonly tally = { replaced: 0, rewritten: 0, removed: 0, cooled: 0 };

  constructor(folder: string) {
    this.root = join(folder, "root");
    this.#aside = join(folder, "aside");
    const stock = (isRewritten: boolean, first: number) => (one: [string, number], i: number) =>
      new Stock(...one, isRewritten, first + i);
    this.all = [...NAMES.map(stock(false, 0)), ...REWRITTEN.map(stock(true, NAMES.length))];
  }

  /** Those that are never missing, nor empty. */
  get lasting(): readonly Stock[] {
    return this.all.filter(({ name, least, isRewritten }) => !REMOVED.includes(name) && least > 0 && !isRewritten);
  }

  /** The file of this name. */
  named(name: string): Stock | undefined {
    return this.all.find((one) => one.name === name);
  }

  async make(): Promise<void> {
    await fs.mkdir(join(this.root, "sub"), { recursive: true });
    await fs.mkdir(this.#aside);
    await fs.writeFile(join(this.root, ".hidden"), "hidden\n");
    for (const stock of this.all) await this.#replace(stock);
  }

  /** Changes a file, and now and then has its pages leave the page cache. */
  async change(dice: (below: number) => number): Promise<void> {
    const isRewritten = dice(4) === 0;
    const some = this.all.filter((one) => one.isRewritten === isRewritten);
    // Small ones more often: the largest would leave no time for anything else.
    const stock = some[Math.min(dice(some.length), dice(some.length + 2))] as Stock;
    if (isRewritten) return this.#rewrite(stock, dice);
    if (REMOVED.includes(stock.name) && !stock.isMissing && dice(4) === 0) {
      stock.becomes(null);
      await fs.rm(join(this.root, stock.name));
      this.tally.removed++;
      return;
    }
    await this.#replace(stock);
    if (stock.least > PIECE && dice(4) === 0) await this.#cool(stock);
  }

  async #replace(stock: Stock): Promise<void> {
    const version = stock.version + 1;
    const aside = join(this.#aside, "next");
    const size = stock.size(version);
    const file = await fs.open(aside, "w");
    for (let at = 0; at < size; at += PIECE) {
      writeSync(file.fd, stock.bytes(version, at, Math.min(PIECE, size - at)), 0, null, at);
    }
    await file.close();
    await fs.utimes(aside, EPOCH + version, EPOCH + version);
    stock.becomes(version);
    await fs.rename(aside, join(this.root, stock.name));
    this.tally.replaced++;
  }

  async #rewrite(stock: Stock, dice: (below: number) => number): Promise<void> {
    const version = stock.version + 1;
    const file = await fs.open(join(this.root, stock.name), "r+");
    try {
      stock.becomes(version);
      await file.truncate(0);
      const size = stock.size(version);
      for (let at = 0; at < size; at += PIECE) {
        const length = Math.min(PIECE, size - at);
        await file.write(stock.bytes(version, at, length), 0, length, at);
        await new Promise((next) => setTimeout(next, dice(5)));
      }
    } finally {
      await file.close();
    }
    this.tally.rewritten++;
  }

  /** dd(1) with `nocache` is posix_fadvise(POSIX_FADV_DONTNEED). */
  async #cool(stock: Stock): Promise<void> {
    const path = join(this.root, stock.name);
    const file = await fs.open(path);
    await file.sync().finally(() => file.close());
    const child = spawn("dd", [`if=${path}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
    await new Promise((done) => child.once("close", done).once("error", done));
    this.tally.cooled++;
  }
}
