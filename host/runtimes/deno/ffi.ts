// libc by Deno.dlopen, if permission is granted already: never prompts, and prints nothing.

import { constants } from "node:os";
import type { Memory } from "../../core.js";
import { type Binding, bind, type Native, wanted } from "../../libc/bind.js";
import type { DenoLibc } from "./descriptors.js";
import { Deno, type Pointer } from "./globals.js";

/** glibc's, which Deno's own builds need; musl's, for other builds. */
const LIBRARIES = ["libc.so.6", "libc.so"];

/** A 64-bit result would be a BigInt, so results that fit into 32 bits are read as such. */
const TYPES = { i32: "i32", u32: "u32", i64: "i64", u64: "usize", ptr: "usize", count: "i32" };

const NAME = "Deno.dlopen";

/** Throws if libc is unavailable. */
export function openDeno(memory: Memory): DenoLibc {
  const declared: Record<string, object> = {
    __errno_location: { parameters: [], result: "pointer" },
    gnu_get_libc_version: { parameters: [], result: "pointer", optional: true },
  };
  for (const { symbol, takes, gives } of wanted(NAME, "linux")) {
    declared[symbol] = { parameters: takes.map((type) => TYPES[type]), result: TYPES[gives], optional: true };
  }
  const symbols = load(declared);

  const pointer = (name: string) => symbols[name]?.() as Pointer | undefined;
  const errno = new Int32Array(new Deno.UnsafePointerView(pointer("__errno_location") as Pointer).getArrayBuffer(4));
  const base = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(memory.buffer))));
  const binding: Binding = {
    name: NAME,
    find: (symbol) => symbols[symbol],
    at: (offset) => (offset === null ? 0 : base + offset),
    wide: (value) => value,
    missing() {
      errno[0] = constants.errno.ENOSYS;
      return -1;
    },
  };
  return {
    name: NAME,
    base,
    ...bind(binding, "linux"),
    errno: () => errno[0] as number,
    version() {
      const version = pointer("gnu_get_libc_version");
      return version == null ? "musl" : `glibc ${new Deno.UnsafePointerView(version).getCString()}`;
    },
  };
}

function load(declared: Record<string, object>): Record<string, Native | null> {
  let failure: unknown;
  for (const name of LIBRARIES) {
    try {
      return Deno.dlopen(name, declared).symbols as Record<string, Native | null>;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
