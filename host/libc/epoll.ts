// The calls of the server's loop over Linux's libc: epoll(7) by edges, accept4(2), recv(2).

import { arch } from "node:process";
import type { Memory } from "../core.js";
import { sort } from "./errno.js";
import type { Functions } from "./prototypes.js";

const EPOLL_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;
const F_DUPFD_CLOEXEC = 1030;
const MSG_DONTWAIT = 0x40;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SHUT_RD = 0;
const SHUT_WR = 1;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
export const EPOLLIN = 1;
const EPOLLPRI = 2;
const EPOLLOUT = 4;
const EPOLLRDHUP = 0x2000;
const EPOLLEXCLUSIVE = 1 << 28;
const EPOLLET = 1 << 31;

/** struct epoll_event is packed on x86-64 alone. */
const PACKED = arch === "x64";
const SIZE = PACKED ? 12 : 16;
const DATA = PACKED ? 4 : 8;

/** Events of one wait. */
const MOST = 128;
/** Bytes that the events need in the core's memory, and one more for epoll_ctl. */
export const EVENTS_SIZE = (MOST + 1) * 16;

/** The functions that the loop calls. */
const CALLS = [
  ...(["accept4", "close", "epoll_create1", "epoll_ctl", "epoll_wait", "fcntl", "recv"] as const),
  ...(["eventfd", "eventfd_read", "eventfd_write", "pread", "setsockopt", "shutdown", "statx"] as const),
] as const;

export type LoopLibc = Pick<Functions, (typeof CALLS)[number]> & { errno(): number };

/** Whether all of them are there. */
export function hasLoop(libc: Partial<LoopLibc>): libc is LoopLibc {
  return CALLS.every((name) => libc[name] !== undefined);
}

/** An eventfd(2), to wake a loop: -1 and errno if there is none. */
export const openEvent = (libc: LoopLibc): number => libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

/** Wakes who waits for an eventfd(2). If its count is at its maximum that is awake. */
export const wake = (libc: LoopLibc, eventfd: number): number => libc.eventfd_write(eventfd, 1);

/** Another number for an fd, closed at exec(3). */
export const duplicate = (libc: LoopLibc, fd: number): number => libc.fcntl(fd, F_DUPFD_CLOEXEC, 3);

/** Ends listening, whoever else has the socket open. */
export const shutListener = (libc: LoopLibc, fd: number): number => libc.shutdown(fd, SHUT_RD);

export const shutSending = (libc: LoopLibc, fd: number): number => libc.shutdown(fd, SHUT_WR);

/** Sets TCP_NODELAY; Linux's accept4(2) gives it to each connection of a listener that has it. `room` is 4 bytes. */
export function noDelay(libc: LoopLibc, memory: Memory, room: number, fd: number): void {
  new Int32Array(memory.buffer, room, 1)[0] = 1;
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, room, 4); // a Unix socket has none
}

/** The import `recv` of the core. */
export function receive(libc: LoopLibc): (from: number, ptr: number, count: number) => number {
  return (from, ptr, count) => {
    const n = libc.recv(from, ptr, count, MSG_DONTWAIT);
    return n >= 0 ? n : -sort(libc.errno());
  };
}

/** Where the address of a client goes, in the core's memory, and its length. */
export interface Room {
  readonly address: number;
  readonly length: number;
}

/** Who owns an fd: a byte for each of the process. */
interface Owner {
  readonly table: Uint8Array;
  readonly id: number;
}

/** A connection that waits: its fd, or minus an errno. */
export function accept(libc: LoopLibc, listener: number, room: Room | null, owner: Owner): number {
  const fd = libc.accept4(listener, room?.address ?? null, room?.length ?? null, SOCK_NONBLOCK | SOCK_CLOEXEC);
  // At once: a thread that is terminated ends with its next call of a function, and this would stay open.
  if (fd >= 0) owner.table[fd] = owner.id;
  return fd >= 0 ? fd : -libc.errno();
}

export class Epoll {
  readonly fd: number;
  readonly #libc: LoopLibc;
  readonly #memory: Memory;
  readonly #events: number;
  #words = new Int32Array();

  /** `events` is the address of EVENTS_SIZE bytes. @throws Error if the kernel has no fd for it. */
  constructor(libc: LoopLibc, memory: Memory, events: number) {
    this.#libc = libc;
    this.#memory = memory;
    this.#events = events;
    this.fd = libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.fd < 0) throw new Error(`epoll_create1: errno ${libc.errno()}`);
  }

  /** Watches a connection for all that can happen to it, by edges. Returns -1 on failure. */
  add(fd: number, handle: number, generation: number): number {
    const events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    return this.#control(EPOLL_CTL_ADD, fd, events, handle, generation);
  }

  /** Watches for input, by level: a listener, which wakes one loop of several, or an eventfd. */
  listen(fd: number, exclusive: boolean, handle: number, generation: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, EPOLLIN | (exclusive ? EPOLLEXCLUSIVE : 0), handle, generation);
  }

  /** Sends small pieces at once, on a connection that its listener gave no TCP_NODELAY. */
  noDelay(fd: number): void {
    noDelay(this.#libc, this.#memory, this.#events + MOST * SIZE, fd);
  }

  /** Takes the count of an eventfd(2), so that it is no longer ready. Another wake may have taken it. */
  take(eventfd: number): void {
    this.#libc.eventfd_read(eventfd, this.#events + MOST * SIZE);
  }

  remove(fd: number): number {
    return this.#control(EPOLL_CTL_DEL, fd, 0, 0, 0);
  }

  /** Waits `timeout` ms at most. Returns how many fds are ready: `at` has them. */
  wait(timeout: number): number {
    return this.#libc.epoll_wait(this.fd, this.#events, MOST, Math.ceil(timeout)); // Deno takes whole numbers alone
  }

  events(i: number): number {
    return this.#view()[(i * SIZE) >> 2] as number;
  }

  handle(i: number): number {
    return this.#view()[(i * SIZE + DATA) >> 2] as number;
  }

  generation(i: number): number {
    return this.#view()[(i * SIZE + DATA + 4) >> 2] as number;
  }

  /** Memory may grow when a connection is opened: its old views are empty then. */
  #view(): Int32Array {
    if (this.#words.length === 0) this.#words = new Int32Array(this.#memory.buffer, this.#events, EVENTS_SIZE >> 2);
    return this.#words;
  }

  #control(operation: number, fd: number, events: number, handle: number, generation: number): number {
    const at = MOST * SIZE;
    const words = this.#view();
    words[at >> 2] = events;
    words[(at + DATA) >> 2] = handle;
    words[(at + DATA + 4) >> 2] = generation;
    return this.#libc.epoll_ctl(this.fd, operation, fd, this.#events + at);
  }
}
