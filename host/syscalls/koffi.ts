// libc by koffi, on Node >= 20: prebuilt inside its npm packages.

import { createRequire } from "node:module";
import { constants } from "node:os";
import type { Memory } from "../core.js";
import { find, type Libc, SYMBOLS, SYS_OPENAT2 } from "./libc.js";

export function openKoffi(memory: Memory): Libc {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const libc = koffi.load(null);
  const base = Number(koffi.address(memory.buffer));

  const func = (names: readonly string[], returns: string, parameters: string[]) =>
    find(names, (name) => libc.func(name, returns, parameters)) ??
    (() => {
      koffi.errno(constants.errno.ENOSYS);
      return -1;
    });
  const sendfile = func(SYMBOLS.sendfile, "int64", ["int", "int", "uintptr_t", "size_t"]);
  const preadv2 = func(SYMBOLS.preadv2, "int64", ["int", "uintptr_t", "int", "int64", "int"]);
  const send = func(SYMBOLS.send, "int64", ["int", "uintptr_t", "size_t", "int"]);
  const lseek = func(SYMBOLS.lseek, "int64", ["int", "int64", "int"]);
  const getsockopt = func(SYMBOLS.getsockopt, "int", ["int", "int", "int", "uintptr_t", "uintptr_t"]);
  const setsockopt = func(SYMBOLS.setsockopt, "int", ["int", "int", "int", "uintptr_t", "uint32_t"]);
  const syscall = func(SYMBOLS.syscall, "int64", ["int64", "int", "uintptr_t", "uintptr_t", "size_t"]);

  return {
    name: "koffi",
    base,
    sendfile: (out, file, offset, count) => sendfile(out, file, offset === null ? 0 : base + offset, count),
    preadv2: (file, iov, iovcnt, offset, flags) => preadv2(file, base + iov, iovcnt, offset, flags),
    send: (out, ptr, count, flags) => send(out, base + ptr, count, flags),
    lseek: (fd, offset, whence) => lseek(fd, offset, whence),
    getsockopt: (fd, level, name, ptr, length) => getsockopt(fd, level, name, base + ptr, base + length),
    setsockopt: (fd, level, name, ptr, length) => setsockopt(fd, level, name, base + ptr, length),
    openat2: (dir, path, how, size) => syscall(SYS_OPENAT2, dir, base + path, base + how, size),
    errno: () => koffi.errno(),
  };
}
