// libc by Node's own node:ffi, from 26.1 on: experimental, so it prints a warning once.

import { constants } from "node:os";
import type { Memory } from "../core.js";
import { find, type Libc, SYMBOLS, SYS_OPENAT2 } from "./libc.js";

// The part of node:ffi that is used here; @types/node has it only for the newest line.
interface FFI {
  dlopen(path: null): { lib: { getFunction(name: string, signature: Signature): (...args: unknown[]) => unknown } };
  getRawPointer(source: ArrayBuffer): bigint;
  getInt32(pointer: bigint, offset?: number): number;
  setInt32(pointer: bigint, offset: number, value: number): void;
}
interface Signature {
  return: string;
  arguments: string[];
}

export function openNodeFFI(memory: Memory): Libc {
  const ffi = process.getBuiltinModule?.("node:ffi") as unknown as FFI | undefined;
  if (ffi === undefined) throw new Error("this Node has no node:ffi");
  const { lib } = ffi.dlopen(null);
  const base = ffi.getRawPointer(memory.buffer);
  const location = lib.getFunction("__errno_location", { return: "pointer", arguments: [] })() as bigint;

  const func = (names: readonly string[], returns: string, parameters: string[]) =>
    find(names, (name) => lib.getFunction(name, { return: returns, arguments: parameters })) ??
    (() => {
      ffi.setInt32(location, 0, constants.errno.ENOSYS);
      return -1;
    });
  const sendfile = func(SYMBOLS.sendfile, "int64", ["int32", "int32", "uint64", "uint64"]);
  const preadv2 = func(SYMBOLS.preadv2, "int64", ["int32", "uint64", "int32", "int64", "int32"]);
  const send = func(SYMBOLS.send, "int64", ["int32", "uint64", "uint64", "int32"]);
  const lseek = func(SYMBOLS.lseek, "int64", ["int32", "int64", "int32"]);
  const getsockopt = func(SYMBOLS.getsockopt, "int32", ["int32", "int32", "int32", "uint64", "uint64"]);
  const setsockopt = func(SYMBOLS.setsockopt, "int32", ["int32", "int32", "int32", "uint64", "uint32"]);
  const syscall = func(SYMBOLS.syscall, "int64", ["int64", "int32", "uint64", "uint64", "uint64"]);

  const at = (ptr: number) => base + BigInt(ptr);
  return {
    name: "node:ffi",
    base: Number(base),
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
