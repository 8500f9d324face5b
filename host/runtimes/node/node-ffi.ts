// libc by Node's own node:ffi, from 26.1 on: experimental, so it prints a warning once.

import type { Memory } from "../../core.js";
import { type Binding, bind, type Native } from "../../libc/bind.js";
import { type Libc, load } from "../../libc/libc.js";
import type { System } from "../../libc/system.js";

// The part of node:ffi that we use; @types/node has it only for the newest line.
interface FFI {
  dlopen(path: string | null): { lib: { getFunction(name: string, signature: Signature): Native } };
  getRawPointer(source: ArrayBuffer): bigint;
  getInt32(pointer: bigint, offset?: number): number;
  setInt32(pointer: bigint, offset: number, value: number): void;
}
interface Signature {
  return: string;
  arguments: string[];
}

const TYPES = { i32: "int32", u32: "uint32", i64: "int64", u64: "uint64", ptr: "uint64", count: "int64" };

export function openNodeFFI(memory: Memory, system: System): Libc {
  const ffi = process.getBuiltinModule?.("node:ffi") as unknown as FFI | undefined;
  if (ffi === undefined) throw new Error("this Node has no node:ffi");
  const { lib, location } = load(system.libraries, (library) => {
    const { lib } = ffi.dlopen(library);
    const locate = lib.getFunction(system.errnoLocation, { return: "pointer", arguments: [] });
    return { lib, location: locate() as bigint };
  });
  const base = ffi.getRawPointer(memory.buffer);
  const binding: Binding = {
    name: "node:ffi",
    find(symbol, takes, gives) {
      const parameters = takes.map((type) => TYPES[type]);
      return lib.getFunction(symbol, { return: TYPES[gives], arguments: parameters });
    },
    at: (offset) => (offset === null ? 0n : base + BigInt(offset)),
    wide: (value) => BigInt(value),
    missing() {
      ffi.setInt32(location, 0, system.errno.ENOSYS as number);
      return -1;
    },
  };
  return {
    name: binding.name,
    base: Number(base),
    ...bind(binding, system.name),
    errno: () => ffi.getInt32(location, 0),
  };
}
