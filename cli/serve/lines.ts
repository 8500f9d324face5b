// Lines on stdout: lines that can't be written wait and are retried; lines beyond the limit are lost, counted, and
// reported.

import fs from "node:fs";
import { say } from "../../host/say.js";

/** As much as a pipe takes in one piece (PIPE_BUF): the lines of several processes stay whole. */
const PIPE_PIECE = 4096;
/** A file takes any in one piece. */
const FILE_PIECE = 1 << 18;
/** The most bytes that wait for a slow reader, or for room on the disk. */
const WAITING = 4 << 20;
/** Time between retries, in ms. */
const RETRY = 1000;
/** How long the end waits for a write under way, in ms. */
const LAST = 1000;

/** Writes some bytes, and reports their count, and an error for the rest. Never throws; calls back asynchronously. */
type Sink = (piece: Buffer, done: (error: Error | null, bytes: number) => void) => void;

const NOTHING = Buffer.alloc(0);
const NEWLINE = 0x0a;

export class Lines {
  readonly #sink: Sink;
  /** The most bytes of a piece. */
  readonly #most: number;
  /** Some lines each. */
  #lines: Buffer[] = [];
  /** Their bytes. */
  #waiting = 0;
  /** The piece being written: some of the lines, or the rest of them. */
  #piece: Buffer = NOTHING;
  /** A piece is under way, or will be retried. */
  #writing = false;
  /** Why the last write failed. */
  #failure: Error | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #lost = 0;
  /** Lines that are lost so far. */
  total = 0;
  /** Why they are lost. */
  #why = "";
  /** Called when nothing is under way. */
  #idle = () => {};

  constructor() {
    [this.#sink, this.#most] = isFile(1) ? [toFile, FILE_PIECE] : [toStream(), PIPE_PIECE];
  }

  /** `lines` are ASCII, with their ends; each is shorter than a piece. */
  write(lines: Buffer): void {
    const most = this.#most;
    for (let at = 0; at < lines.length; ) {
      const end = at + most < lines.length ? lines.lastIndexOf(NEWLINE, at + most - 1) + 1 : lines.length;
      this.#add(lines.subarray(at, end));
      at = end;
    }
    if (!this.#writing) this.#next();
  }

  /** `lines` of them that should have been written now are lost. */
  lose(lines: number, why: string): void {
    this.#lose(lines, why);
    if (!this.#writing) this.#next();
  }

  #add(lines: Buffer): void {
    // Once lines are lost, all are until those before them have been written: so there is one gap, and one report.
    if (this.#lost === 0 && this.#waiting <= WAITING) {
      this.#lines.push(lines);
      this.#waiting += lines.length;
    } else this.#lose(count(lines));
  }

  /** The process ends: lines that can't be written now are lost. */
  async end(): Promise<void> {
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    const late = setTimeout(this.#idle, LAST);
    if (!this.#writing) this.#idle();
    else if (this.#failure !== null) {
      clearTimeout(this.#retry);
      this.#next();
    }
    await idle;
    clearTimeout(late);
    const left = [this.#piece, ...this.#lines].reduce((sum, lines) => sum + count(lines), 0);
    if (left > 0) this.#lose(left);
    if (this.#lost > 0) say(this.#loss());
  }

  #lose(lines: number, why = this.#failure?.message ?? "its reader is too slow"): void {
    if (this.#lost === 0) this.#why = why;
    this.#lost += lines;
    this.total += lines;
  }

  #loss(): string {
    return `sendoff: lines of the log that are lost: ${this.#lost} (${this.#why})`;
  }

  /** One write at a time: a stream would join two that wait. */
  readonly #next = (): void => {
    if (this.#piece.length === 0) this.#piece = this.#take();
    this.#writing = this.#piece.length > 0;
    if (this.#writing) this.#sink(this.#piece, this.#written);
    else this.#idle();
  };

  readonly #written = (error: Error | null, bytes: number): void => {
    this.#piece = this.#piece.subarray(bytes);
    if (error !== null) {
      if (this.#failure === null) say(`sendoff: the log can't be written (${error.message}): tried again every second`);
      this.#failure = error;
      this.#retry = setTimeout(this.#next, RETRY).unref();
      this.#idle();
      return;
    }
    if (this.#failure !== null) say("sendoff: the log is written again");
    this.#failure = null;
    this.#next();
  };

  #take(): Buffer {
    if (this.#lines.length === 0 && this.#lost > 0) {
      const loss = this.#loss();
      this.#lost = 0;
      say(loss);
      return Buffer.from(`# ${loss}\n`); // programs that read logs skip such a line
    }
    let bytes = 0;
    let i = 0;
    for (const { length } of this.#lines) {
      if (i > 0 && bytes + length > this.#most) break;
      bytes += length;
      i++;
    }
    this.#waiting -= bytes;
    const taken = this.#lines.splice(0, i);
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, bytes);
  }
}

function count(lines: Buffer): number {
  let n = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) n++;
  return n;
}

function isFile(fd: number): boolean {
  try {
    return fs.fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

/** Not by process.stdout, which treats a short write, as on a full disk, as complete. */
const toFile: Sink = (piece, done) => {
  let bytes = 0;
  let error: Error | null = null;
  try {
    while (bytes < piece.length) bytes += fs.writeSync(1, piece, bytes);
  } catch (thrown) {
    error = thrown as Error;
  }
  queueMicrotask(() => done(error, bytes));
};

function toStream(): Sink {
  const { stdout } = process;
  stdout.on("error", () => {}); // the write gets the error
  return (piece, done) => {
    try {
      stdout.write(piece, (error) => done(error ?? null, error ? 0 : piece.length));
    } catch (error) {
      queueMicrotask(() => done(error as Error, 0)); // Deno throws it
    }
  };
}
