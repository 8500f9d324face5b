// The interface of a libc binding. Every pointer is an offset into the core's linear memory: a binding adds the
// memory's base, and never passes the address of a JS buffer to native code.

/** The functions of a C library, as a host provides them. */
export interface Libc {
  /** How it is called: "koffi". */
  readonly name: string;
  /** Arguments as in the man pages. Each returns -1 on failure, and `errno()` says why. */
  sendfile(out: number, file: number, offsetPtr: number | null, count: number): number;
  /** macOS's sendfile(2), without headers and flags: `*lengthPtr` is the bytes asked for, then those sent. */
  sendfileDarwin?(file: number, out: number, offset: number, lengthPtr: number): number;
  /** FreeBSD's sendfile(2), without headers. */
  sendfileFreeBSD?(file: number, out: number, offset: number, count: number, sentPtr: number, flags: number): number;
  /** preadv2(2). */
  preadv2(file: number, iovPtr: number, iovCount: number, offset: number, flags: number): number;
  /** send(2). */
  send(out: number, ptr: number, count: number, flags: number): number;
  /** lseek(2), with the 64-bit off_t. */
  lseek(fd: number, offset: number, whence: number): number;
  /** getsockopt(2). */
  getsockopt(fd: number, level: number, name: number, ptr: number, lengthPtr: number): number;
  /** setsockopt(2). */
  setsockopt(fd: number, level: number, name: number, ptr: number, length: number): number;
  /** openat2(2), by its number: no libc has a wrapper for it. Missing if it can't be called. */
  openat2?(dir: number, pathPtr: number, howPtr: number, size: number): number;
  /** getsockname(2): Deno's binding only, and so is the next one. */
  getsockname?(fd: number, ptr: number, lengthPtr: number): number;
  /** getpeername(2). */
  getpeername?(fd: number, ptr: number, lengthPtr: number): number;
  /** close(2): of the server's threads, as the rest are. */
  close?(fd: number): number;
  /** pread(2), with the 64-bit off_t. */
  pread?(fd: number, ptr: number, count: number, offset: number): number;
  /** recv(2). */
  recv?(fd: number, ptr: number, count: number, flags: number): number;
  /** accept4(2); null: without the peer's address. */
  accept4?(fd: number, ptr: number | null, lengthPtr: number | null, flags: number): number;
  /** statx(2). */
  statx?(dir: number, pathPtr: number, flags: number, mask: number, structPtr: number): number;
  /** shutdown(2). */
  shutdown?(fd: number, how: number): number;
  /** fcntl(2), with a number. */
  fcntl?(fd: number, command: number, value: number): number;
  /** eventfd(2). */
  eventfd?(value: number, flags: number): number;
  /** eventfd_read(3). */
  eventfd_read?(fd: number, valuePtr: number): number;
  /** eventfd_write(3). */
  eventfd_write?(fd: number, value: number): number;
  /** epoll_create1(2). */
  epoll_create1?(flags: number): number;
  /** epoll_ctl(2). */
  epoll_ctl?(epoll: number, operation: number, fd: number, eventPtr: number): number;
  /** epoll_wait(2). */
  epoll_wait?(epoll: number, eventsPtr: number, most: number, timeout: number): number;
  /** errno of this thread's last call that failed. */
  errno(): number;
  /** The address of offset 0, for an iovec. It never changes: a memory with a maximum is reserved whole. */
  readonly base: number;
}

/**
 * Tries the libraries in turn, null being the process itself: returns the first that can be loaded and has the
 * functions. Throws if none has, with the error of each.
 */
export function load<T>(libraries: readonly (string | null)[], open: (library: string | null) => T): T {
  const reasons: string[] = [];
  for (const library of libraries) {
    try {
      return open(library);
    } catch (error) {
      const words = String(error instanceof Error ? error.message : error).split("\n")[0];
      reasons.push(`${library ?? "the process itself"} (${words})`);
    }
  }
  throw new Error(`no C library: ${reasons.join(", ")}`);
}
