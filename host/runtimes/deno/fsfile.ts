// Deno.FsFile as a source. Reads use its position, which ends up after the last byte sent.

import { FdSource } from "../../source/fd.js";
import type { Lseek } from "../../source/source.js";
import type { Descriptors } from "./descriptors.js";
import type { FsFile } from "./globals.js";

const SEEK_SET = 0;
const SEEK_CUR = 1;

/** The last read of each file: seek and read belong together, so reads go one by one. */
const reads = new WeakMap<FsFile, Promise<unknown>>();

/** The fd of each file, once found: it stays the same until the file is closed. */
const fds = new WeakMap<FsFile, number>();

export class FsFileSource extends FdSource {
  readonly #file: FsFile;
  readonly #descriptors: Descriptors | null;

  constructor(file: FsFile, descriptors: Descriptors | null) {
    super();
    this.#file = file;
    this.#descriptors = descriptors;
  }

  open(done: (error: unknown) => void): void {
    try {
      const { size, blocks, isFile, isDirectory, isBlockDevice } = this.#file.statSync();
      this.applyStat({
        size,
        blocks: blocks ?? 0,
        isFile: () => isFile,
        isDirectory: () => isDirectory,
        isBlockDevice: () => isBlockDevice === true,
      });
      if (this.native) this.native = this.#find() >= 0;
    } catch (error) {
      return done(error);
    }
    done(null);
  }

  #find(): number {
    let fd = fds.get(this.#file);
    if (fd === undefined) fds.set(this.#file, (fd = this.#descriptors?.ofFile(this.#file) ?? -1));
    return fd;
  }

  fd(): number {
    try {
      this.#file.seekSync(0, SEEK_CUR);
    } catch (error) {
      if ((error as Error).name === "BadResource") return -1;
    }
    return fds.get(this.#file) ?? -1;
  }

  protected override fetch(
    buffer: Uint8Array,
    length: number,
    position: number | null,
    done: (error: unknown, bytes: number) => void,
  ): void {
    const read = async () => {
      if (position !== null) this.#file.seekSync(position, SEEK_SET);
      return (await this.#file.read(buffer.subarray(0, length))) ?? 0;
    };
    this.#after(read).then(
      (bytes) => done(null, bytes),
      (error: unknown) => done(error, 0),
    );
  }

  override seek(position: number, _lseek: Lseek | null): void {
    if (!this.seekable) return;
    const leave = () => this.#file.seekSync(position, SEEK_SET);
    try {
      leave();
    } catch {
      this.#after(async () => leave()).catch(() => {}); // closed, or busy with an abandoned read
    }
  }

  #after<T>(job: () => Promise<T>): Promise<T> {
    const next = (reads.get(this.#file) ?? Promise.resolve()).then(job, job);
    reads.set(this.#file, next);
    return next;
  }

  protected release(): void {}
}
