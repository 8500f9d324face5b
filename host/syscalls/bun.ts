// libc by bun:ffi.

import { createRequire } from "node:module";
import { constants } from "node:os";
import type { Memory } from "../core.js";
import { find, type Libc, SYMBOLS } from "./libc.js";

// The part of bun:ffi that is used here. A 'fast' type is a number as long as one holds it exactly.
interface FFI {
  dlopen(path: string, symbols: Record<string, Signature>): { symbols: Record<string, (...args: number[]) => number> };
  ptr(buffer: ArrayBuffer): number;
  toArrayBuffer(address: number, offset: number, length: number): ArrayBuffer;
}
interface Signature {
  args: readonly string[];
  returns: string;
}

/** glibc, then musl as Alpine has it. */
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

export function openBunFFI(memory: Memory): Libc {
  const { dlopen, ptr, toArrayBuffer } = createRequire(import.meta.url)("bun:ffi") as FFI;
  const look = (name: string, returns: string, args: readonly string[]) =>
    find(LIBRARIES, (library) => dlopen(library, { [name]: { args, returns } }).symbols[name]);
  const location = look("__errno_location", "ptr", []);
  if (location == null) throw new Error(`no libc: neither ${LIBRARIES.join(" nor ")} can be opened`);

  // It stays where it is, as long as the thread lives.
  const errno = new Int32Array(toArrayBuffer(location(), 0, 4));
  const func = (names: readonly string[], returns: string, args: readonly string[]) => {
    for (const name of names) {
      const found = look(name, returns, args);
      if (found != null) return found;
    }
    return () => {
      errno[0] = constants.errno.ENOSYS;
      return -1;
    };
  };
  const sendfile = func(SYMBOLS.sendfile, "i64_fast", ["i32", "i32", "u64_fast", "u64_fast"]);
  const preadv2 = func(SYMBOLS.preadv2, "i64_fast", ["i32", "u64_fast", "i32", "i64_fast", "i32"]);
  const send = func(SYMBOLS.send, "i64_fast", ["i32", "u64_fast", "u64_fast", "i32"]);
  const lseek = func(SYMBOLS.lseek, "i64_fast", ["i32", "i64_fast", "i32"]);
  const getsockopt = func(SYMBOLS.getsockopt, "i32", ["i32", "i32", "i32", "u64_fast", "u64_fast"]);
  const setsockopt = func(SYMBOLS.setsockopt, "i32", ["i32", "i32", "i32", "u64_fast", "u32"]);

  // JavaScriptCore moves a memory that grows where it has no address space to reserve it whole.
  let buffer = memory.buffer;
  let address = ptr(buffer);
  const base = () => {
    if (memory.buffer !== buffer) address = ptr((buffer = memory.buffer));
    return address;
  };

  return {
    name: "bun:ffi",
    get base() {
      return base();
    },
    sendfile: (out, file, offset, count) => sendfile(out, file, offset === null ? 0 : base() + offset, count),
    preadv2: (file, iov, iovcnt, offset, flags) => preadv2(file, base() + iov, iovcnt, offset, flags),
    send: (out, at, count, flags) => send(out, base() + at, count, flags),
    lseek: (fd, offset, whence) => lseek(fd, offset, whence),
    getsockopt: (fd, level, name, at, length) => getsockopt(fd, level, name, base() + at, base() + length),
    setsockopt: (fd, level, name, at, length) => setsockopt(fd, level, name, base() + at, length),
    errno: () => errno[0] as number,
  };
}
