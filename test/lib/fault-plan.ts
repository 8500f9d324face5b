// Which call of a server's threads fails, and how: in memory that the test shares with them. One fault at a time, which
// happens once, whatever thread meets it.

import { constants } from "node:os";
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";

/** Functions of libc, openat2(2) being the only use of `syscall`. */
export const CALLS = [
  ...[
    "accept4",
    "close",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "eventfd",
    "eventfd_read",
    "fcntl",
    "recv",
    "send",
  ],
  ...["preadv2", "sendfile", "setsockopt", "shutdown", "statx", "syscall"],
] as const;

/** Words. */
enum At {
  Call,
  Left,
  Errno,
  Most,
  Size,
  Fired,
  Twice,
  Held,
  Reading,
  WORDS,
}

const KEY = "sendoff.faults";
const NONE = -1;

export class FaultPlan {
  readonly #words: Int32Array;
  readonly #path: string;

  /** Of the thread's own, or of a new one for threads that are started later. `path`: the file that `shrink` is about. */
  constructor(path?: string) {
    if (path === undefined) {
      const { words, file } = getEnvironmentData(KEY) as unknown as { words: Int32Array; file: string };
      this.#words = words;
      this.#path = file;
      return;
    }
    this.#words = new Int32Array(new SharedArrayBuffer(At.WORDS * 4));
    this.#path = path;
    this.disarm();
    setEnvironmentData(KEY, { words: this.#words, file: path } as unknown as string);
  }

  /** The file that a call cuts before it is made. */
  get path(): string {
    return this.#path;
  }

  /** The nth call from now on fails. */
  fail(call: string, nth: number, errno: string): void {
    this.disarm();
    this.#arm(call, nth, (constants.errno as { [name: string]: number })[errno] as number);
  }

  /** It throws, which ends the thread. */
  break(call: string, nth: number): void {
    this.disarm();
    this.#arm(call, nth, NONE);
  }

  /** It moves `most` bytes at most. */
  shorten(call: string, nth: number, most: number): void {
    this.disarm();
    this.#words[At.Most] = most;
    this.#arm(call, nth, 0);
  }

  /** Before it the file is cut to `size` bytes. */
  shrink(call: string, nth: number, size: number): void {
    this.disarm();
    this.#words[At.Size] = size;
    this.#arm(call, nth, 0);
  }

  #arm(call: string, nth: number, errno: number): void {
    this.#words[At.Left] = nth;
    this.#words[At.Errno] = errno;
    this.#words[At.Fired] = 0;
    Atomics.store(this.#words, At.Call, (CALLS as readonly string[]).indexOf(call));
  }

  disarm(): void {
    Atomics.store(this.#words, At.Call, NONE);
    this.#words[At.Most] = NONE;
    this.#words[At.Size] = NONE;
  }

  /** Whether the fault has happened. */
  get fired(): boolean {
    return Atomics.load(this.#words, At.Fired) === 1;
  }

  /** Closes of fds that were not open. */
  get twice(): number {
    return Atomics.load(this.#words, At.Twice);
  }

  /** Threads that read from disks wait, until they are let go. */
  hold(): void {
    Atomics.store(this.#words, At.Held, 1);
  }

  letGo(): void {
    Atomics.store(this.#words, At.Held, 0);
    Atomics.notify(this.#words, At.Held);
  }

  /** Whether one waits. */
  get isReading(): boolean {
    return Atomics.load(this.#words, At.Reading) === 1;
  }

  /** In the thread: what is to happen to this call; null if nothing. */
  meet(call: string): { errno: number; most: number; size: number } | null {
    const words = this.#words;
    if (Atomics.load(words, At.Call) !== (CALLS as readonly string[]).indexOf(call)) return null;
    if (Atomics.sub(words, At.Left, 1) !== 1) return null;
    const fate = { errno: words[At.Errno] as number, most: words[At.Most] as number, size: words[At.Size] as number };
    this.disarm();
    Atomics.store(words, At.Fired, 1);
    return fate;
  }

  /** In the thread: an fd was closed that was not open. */
  closedTwice(): void {
    Atomics.add(this.#words, At.Twice, 1);
  }

  /** In the thread that reads. */
  waitHere(): void {
    Atomics.store(this.#words, At.Reading, 1);
    Atomics.wait(this.#words, At.Held, 1);
    Atomics.store(this.#words, At.Reading, 0);
  }
}
