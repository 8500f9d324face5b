// libc by bun:ffi.

import { createRequire } from "node:module";
import { constants } from "node:os";
import type { Memory } from "../../core.js";
import { type Binding, bind, type Native } from "../../libc/bind.js";
import type { Libc } from "../../libc/libc.js";

// The part of bun:ffi that we use.
interface FFI {
  dlopen(path: string, symbols: Record<string, Signature>): { symbols: Record<string, Native> };
  ptr(buffer: ArrayBuffer): number;
  toArrayBuffer(address: number, offset: number, length: number): ArrayBuffer;
}
interface Signature {
  args: readonly string[];
  returns: string;
}

/** glibc, then musl by Alpine's name. */
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** A 'fast' type is a number if that is exact, else a BigInt. */
const TYPES = { i32: "i32", u32: "u32", i64: "i64_fast", u64: "u64_fast", ptr: "u64_fast", count: "i64_fast" };

export function openBunFFI(memory: Memory): Libc {
  const { dlopen, ptr, toArrayBuffer } = createRequire(import.meta.url)("bun:ffi") as FFI;
  /** Undefined if no library has it. */
  const look = (symbol: string, returns: string, args: readonly string[]): Native | undefined => {
    for (const library of LIBRARIES) {
      try {
        return dlopen(library, { [symbol]: { args, returns } }).symbols[symbol];
      } catch {}
    }
    return undefined;
  };
  const location = look("__errno_location", "ptr", []);
  if (location === undefined) throw new Error(`no libc: neither ${LIBRARIES.join(" nor ")} can be opened`);

  // errno's address is fixed for the life of the thread.
  const errno = new Int32Array(toArrayBuffer(location() as number, 0, 4));

  // Without address space to reserve a memory whole, JavaScriptCore moves it when it grows.
  let buffer = memory.buffer;
  let address = ptr(buffer);
  const base = () => {
    if (memory.buffer !== buffer) address = ptr((buffer = memory.buffer));
    return address;
  };
  const binding: Binding = {
    name: "bun:ffi",
    find(symbol, takes, gives) {
      const parameters = takes.map((type) => TYPES[type]);
      return look(symbol, TYPES[gives], parameters);
    },
    at: (offset) => (offset === null ? 0 : base() + offset),
    wide: (value) => value,
    missing() {
      errno[0] = constants.errno.ENOSYS;
      return -1;
    },
  };
  return {
    name: binding.name,
    get base() {
      return base();
    },
    ...bind(binding, "linux"),
    errno: () => errno[0] as number,
  };
}
