// A file that was looked at before: it is opened late, and only this one is sent, as long as it was.

import * as fs from "node:fs";
import { SendfileError } from "../errors.js";
import { OpenedSource } from "../source/fd.js";
import { fstat } from "../source/stat.js";
import { isWithin, realPathOf } from "./within.js";

/** What was seen of it. */
export interface Seen {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
}

/** A plain open() would block if a FIFO has taken its name since. */
const FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0) | (fs.constants.O_NOFOLLOW ?? 0);

export class MemberSource extends OpenedSource {
  readonly #root: string;
  readonly #path: string;
  readonly #seen: Seen;

  /** By its real path, which is in `root`, a real path too. */
  constructor(root: string, path: string, seen: Seen) {
    super();
    this.#root = root;
    this.#path = path;
    this.#seen = seen;
  }

  open(done: (error: unknown) => void): void {
    fs.open(this.#path, FLAGS, (error, fd) => {
      if (error) return done(error);
      if (!this.has(fd)) return;
      const { dev, ino, size } = this.#seen;
      const stat = fstat(fd);
      if (stat?.isFile() !== true || stat.dev !== dev || stat.ino !== ino || stat.size !== size)
        return done(this.#changed());
      this.applyStat(stat);
      realPathOf(fd, this.#path, (error, real) => done(error ?? (isWithin(this.#root, real) ? null : this.#changed())));
    });
  }

  #changed(): SendfileError {
    return new SendfileError("ERR_SENDFILE_TRUNCATED", `the file has changed since its header was made: ${this.#path}`);
  }
}
