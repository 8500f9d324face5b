// The files of the soak. Each is replaced again and again by a new version under the same name; every version
// is kept under a name of its own for a while, so that what a client got can be compared with it. The version
// is the file's time of modification, which a response tells as Last-Modified.

import { createHash, randomBytes } from "node:crypto";
import { closeSync, createReadStream, ftruncateSync, openSync, writeSync } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";

const MIB = 1 << 20;
const SIZES = [0, 1, 511, 4096, 65_537, 300_000, MIB, 5 * MIB + 3, 32 * MIB, 256 * MIB, 1024 * MIB];
/** Larger ones are sparse: each MiB begins with some bytes of its version. */
const DENSE = 8 * MIB;
/** Whole seconds, as Last-Modified has them. */
const EPOCH = 1_700_000_000;
/** So many versions are kept behind the current one. */
const KEPT = 6;

export interface Stock {
  readonly name: string;
  readonly size: number;
  version: number;
}

export class Files {
  readonly root: string;
  readonly #kept: string;
  readonly all: readonly Stock[];
  readonly #digests = new Map<string, string>();
  replaced = 0;

  constructor(folder: string) {
    this.root = join(folder, "root");
    this.#kept = join(folder, "kept");
    this.all = SIZES.map((size) => ({ name: `${size}.bin`, size, version: -1 }));
  }

  async make(): Promise<void> {
    await fs.mkdir(this.root);
    await fs.mkdir(this.#kept);
    for (const stock of this.all) await this.replace(stock);
    this.replaced = 0;
  }

  #name(stock: Stock, version: number): string {
    return join(this.#kept, `${stock.size}.${version}`);
  }

  /** A new version takes the name over at once, by rename. */
  async replace(stock: Stock): Promise<void> {
    const version = stock.version + 1;
    const kept = this.#name(stock, version);
    const file = openSync(kept, "wx");
    try {
      const stamp = randomBytes(Math.min(stock.size, stock.size > DENSE ? 64 : MIB));
      const step = stock.size > DENSE ? MIB : Math.max(1, stamp.length);
      for (let at = 0; at < stock.size; at += step) {
        if (stamp.length >= 64) stamp.writeUInt32LE(at / step); // no two of them are alike
        writeSync(file, stamp, 0, Math.min(stamp.length, stock.size - at), at);
      }
      ftruncateSync(file, stock.size);
    } finally {
      closeSync(file);
    }
    await fs.utimes(kept, EPOCH + version, EPOCH + version);
    await fs.link(kept, `${kept}.new`);
    await fs.rename(`${kept}.new`, join(this.root, stock.name));
    stock.version = version;
    this.replaced++;
    await fs.rm(this.#name(stock, version - KEPT), { force: true });
  }

  /** The SHA-256 of bytes `from` to `to` of the version of that time, `to` not included; null where it is gone. */
  async digest(stock: Stock, modified: number, from: number, to: number): Promise<string | null> {
    const path = this.#name(stock, modified / 1000 - EPOCH);
    const key = `${path} ${from} ${to}`;
    const known = this.#digests.get(key);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    if (to > from) {
      const bytes = createReadStream(path, { start: from, end: to - 1, highWaterMark: MIB });
      try {
        for await (const chunk of bytes) hash.update(chunk);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
        throw error;
      }
    }
    const digest = hash.digest("hex");
    if (this.#digests.size > 1000) this.#digests.clear();
    this.#digests.set(key, digest);
    return digest;
  }
}
