// libc by koffi, on Node >= 20: prebuilt inside its npm packages.

import { createRequire } from "node:module";
import type { Memory } from "../core.js";
import { find, type Libc, load, SYS_OPENAT2 } from "./libc.js";
import type { System } from "./system.js";

export function openKoffi(memory: Memory, system: System): Libc {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const libc = load(system.libraries, (library) => {
    const lib = koffi.load(library);
    lib.func("send", "int64", ["int", "uintptr_t", "size_t", "int"]);
    return lib;
  });
  const base = Number(koffi.address(memory.buffer));

  const func = (names: readonly string[], returns: string, parameters: string[]) =>
    find(names, (name) => libc.func(name, returns, parameters)) ??
    (() => {
      koffi.errno(system.errno.ENOSYS as number);
      return -1;
    });
  const { symbols } = system;
  const sendfile = func(symbols.sendfile, "int64", ["int", "int", "uintptr_t", "size_t"]);
  const preadv2 = func(symbols.preadv2, "int64", ["int", "uintptr_t", "int", "int64", "int"]);
  const send = func(symbols.send, "int64", ["int", "uintptr_t", "size_t", "int"]);
  const lseek = func(symbols.lseek, "int64", ["int", "int64", "int"]);
  const getsockopt = func(symbols.getsockopt, "int", ["int", "int", "int", "uintptr_t", "uintptr_t"]);
  const setsockopt = func(symbols.setsockopt, "int", ["int", "int", "int", "uintptr_t", "uint32_t"]);
  const syscall = func(symbols.syscall, "int64", ["int64", "int", "uintptr_t", "uintptr_t", "size_t"]);

  const bsd = (): Pick<Libc, "sendfileDarwin" | "sendfileFreeBSD"> => {
    if (system.name === "darwin") {
      const call = func(["sendfile"], "int", ["int", "int", "int64", "uintptr_t", "uintptr_t", "int"]);
      return { sendfileDarwin: (file, out, offset, length) => call(file, out, offset, base + length, 0, 0) };
    }
    if (system.name === "freebsd") {
      const call = func(["sendfile"], "int", ["int", "int", "int64", "size_t", "uintptr_t", "uintptr_t", "int"]);
      return {
        sendfileFreeBSD: (file, out, offset, count, sent, flags) =>
          call(file, out, offset, count, 0, base + sent, flags),
      };
    }
    return {};
  };

  return {
    name: "koffi",
    base,
    ...bsd(),
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
