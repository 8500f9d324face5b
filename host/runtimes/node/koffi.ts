// libc by koffi, on Node >= 20: prebuilt inside its npm packages.

import type { Memory } from "../../core.js";
import { load as loadPackage } from "../../home.js";
import { type Binding, bind } from "../../libc/bind.js";
import { type Libc, load } from "../../libc/libc.js";
import type { System } from "../../libc/system.js";

const TYPES = { i32: "int", u32: "uint32_t", i64: "int64", u64: "size_t", ptr: "uintptr_t", count: "int64" };

export function openKoffi(memory: Memory, system: System): Libc {
  const koffi = loadPackage("koffi") as typeof import("koffi");
  const libc = load(system.libraries, (library) => {
    const lib = koffi.load(library);
    lib.func("send", "int64", ["int", "uintptr_t", "size_t", "int"]);
    return lib;
  });
  const base = Number(koffi.address(memory.buffer));
  const binding: Binding = {
    name: "koffi",
    find(symbol, takes, gives) {
      const parameters = takes.map((type) => TYPES[type]);
      return libc.func(symbol, TYPES[gives], parameters);
    },
    at: (offset) => (offset === null ? 0 : base + offset),
    wide: (value) => value,
    missing() {
      koffi.errno(system.errno.ENOSYS as number);
      return -1;
    },
  };
  return { name: binding.name, base, ...bind(binding, system.name), errno: () => koffi.errno() };
}
