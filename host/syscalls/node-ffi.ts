// libc by Node's own node:ffi, from 26.1 on: experimental, so it prints a warning once.

import type { Memory } from "../core.js";
import { find, type Libc, load, SYS_OPENAT2 } from "./libc.js";
import type { System } from "./system.js";

// The part of node:ffi that is used here; @types/node has it only for the newest line.
interface FFI {
  dlopen(path: string | null): {
    lib: { getFunction(name: string, signature: Signature): (...args: unknown[]) => unknown };
  };
  getRawPointer(source: ArrayBuffer): bigint;
  getInt32(pointer: bigint, offset?: number): number;
  setInt32(pointer: bigint, offset: number, value: number): void;
}
interface Signature {
  return: string;
  arguments: string[];
}

export function openNodeFFI(memory: Memory, system: System): Libc {
  const ffi = process.getBuiltinModule?.("node:ffi") as unknown as FFI | undefined;
  if (ffi === undefined) throw new Error("this Node has no node:ffi");
  const { lib, location } = load(system.libraries, (library) => {
    const { lib } = ffi.dlopen(library);
    const locate = lib.getFunction(system.errnoLocation, { return: "pointer", arguments: [] });
    return { lib, location: locate() as bigint };
  });
  const base = ffi.getRawPointer(memory.buffer);

  const func = (names: readonly string[], returns: string, parameters: string[]) =>
    find(names, (name) => lib.getFunction(name, { return: returns, arguments: parameters })) ??
    (() => {
      ffi.setInt32(location, 0, system.errno.ENOSYS as number);
      return -1;
    });
  const { symbols } = system;
  const sendfile = func(symbols.sendfile, "int64", ["int32", "int32", "uint64", "uint64"]);
  const preadv2 = func(symbols.preadv2, "int64", ["int32", "uint64", "int32", "int64", "int32"]);
  const send = func(symbols.send, "int64", ["int32", "uint64", "uint64", "int32"]);
  const lseek = func(symbols.lseek, "int64", ["int32", "int64", "int32"]);
  const getsockopt = func(symbols.getsockopt, "int32", ["int32", "int32", "int32", "uint64", "uint64"]);
  const setsockopt = func(symbols.setsockopt, "int32", ["int32", "int32", "int32", "uint64", "uint32"]);
  const syscall = func(symbols.syscall, "int64", ["int64", "int32", "uint64", "uint64", "uint64"]);

  const at = (ptr: number) => base + BigInt(ptr);
  const bsd = (): Pick<Libc, "sendfileDarwin" | "sendfileFreeBSD"> => {
    if (system.name === "darwin") {
      const call = func(["sendfile"], "int32", ["int32", "int32", "int64", "uint64", "uint64", "int32"]);
      return {
        sendfileDarwin: (file, out, offset, length) => call(file, out, BigInt(offset), at(length), 0n, 0) as number,
      };
    }
    if (system.name === "freebsd") {
      const call = func(["sendfile"], "int32", ["int32", "int32", "int64", "uint64", "uint64", "uint64", "int32"]);
      return {
        sendfileFreeBSD: (file, out, offset, count, sent, flags) =>
          call(file, out, BigInt(offset), BigInt(count), 0n, at(sent), flags) as number,
      };
    }
    return {};
  };

  return {
    name: "node:ffi",
    base: Number(base),
    ...bsd(),
    sendfile: (out, file, offset, count) =>
      Number(sendfile(out, file, offset === null ? 0n : at(offset), BigInt(count))),
    preadv2: (file, iov, iovcnt, offset, flags) => Number(preadv2(file, at(iov), iovcnt, BigInt(offset), flags)),
    send: (out, ptr, count, flags) => Number(send(out, at(ptr), BigInt(count), flags)),
    lseek: (fd, offset, whence) => Number(lseek(fd, BigInt(offset), whence)),
    getsockopt: (fd, level, name, ptr, length) => getsockopt(fd, level, name, at(ptr), at(length)) as number,
    setsockopt: (fd, level, name, ptr, length) => setsockopt(fd, level, name, at(ptr), length) as number,
    openat2: (dir, path, how, size) => Number(syscall(BigInt(SYS_OPENAT2), dir, at(path), at(how), BigInt(size))),
    errno: () => ffi.getInt32(location, 0),
  };
}
