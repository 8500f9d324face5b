// What a binding of libc has to offer. Every pointer is an offset into the core's linear memory: a
// binding adds the memory's base, and never hands the address of a JS buffer to native code.

export interface Libc {
  /** How it is called: "koffi". */
  readonly name: string;
  /** Arguments as in the man pages. Each returns -1 on failure, and `errno()` says why. */
  sendfile(out: number, file: number, offsetPtr: number | null, count: number): number;
  preadv2(file: number, iovPtr: number, iovCount: number, offset: number, flags: number): number;
  send(out: number, ptr: number, count: number, flags: number): number;
  lseek(fd: number, offset: number, whence: number): number;
  getsockopt(fd: number, level: number, name: number, ptr: number, lengthPtr: number): number;
  setsockopt(fd: number, level: number, name: number, ptr: number, length: number): number;
  errno(): number;
  /** The address of offset 0, for an iovec. It stays: a memory with a maximum is reserved whole. */
  readonly base: number;
}

/**
 * Which symbols to look for, in this order: glibc has the 64-bit off_t under a name of its own on
 * 32-bit systems, musl has only the plain one.
 */
export const SYMBOLS = {
  sendfile: ["sendfile64", "sendfile"],
  preadv2: ["preadv64v2", "preadv2"],
  send: ["send"],
  lseek: ["lseek64", "lseek"],
  getsockopt: ["getsockopt"],
  setsockopt: ["setsockopt"],
} as const;

/** Tries the names in turn; `null` where this libc has none of them. */
export function find<T>(names: readonly string[], look: (name: string) => T): T | null {
  for (const name of names) {
    try {
      return look(name);
    } catch {}
  }
  return null;
}
