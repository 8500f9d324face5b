// libc by Deno.dlopen, where permission for it has been granted already: asks for none, and prints nothing.

import { constants } from "node:os";
import type { Memory } from "../core.js";
import type { DenoLibc } from "../deno/descriptors.js";
import { Deno, type Pointer } from "../deno/globals.js";
import { SYMBOLS } from "./libc.js";

/** glibc's, which Deno's own builds need; musl's, where somebody has built Deno for it. */
const NAMES = ["libc.so.6", "libc.so"];

type Call = (...args: (number | null)[]) => number;

/** Throws where libc can't be had. */
export function openDeno(memory: Memory): DenoLibc {
  const wanted: Record<string, object> = {
    __errno_location: { parameters: [], result: "pointer" },
    gnu_get_libc_version: { parameters: [], result: "pointer", optional: true },
  };
  // No call moves 2 GiB, so every count fits into 32 bits; a result of 64 would be a BigInt.
  const want = (names: readonly string[], parameters: string[], result = "i32") => {
    for (const name of names) wanted[name] = { parameters, result, optional: true };
  };
  want(SYMBOLS.sendfile, ["i32", "i32", "usize", "usize"]);
  want(SYMBOLS.preadv2, ["i32", "usize", "i32", "i64", "i32"]);
  want(SYMBOLS.send, ["i32", "usize", "usize", "i32"]);
  want(SYMBOLS.lseek, ["i32", "i64", "i32"], "i64");
  want(SYMBOLS.getsockopt, ["i32", "i32", "i32", "usize", "usize"]);
  want(SYMBOLS.setsockopt, ["i32", "i32", "i32", "usize", "u32"]);
  want(["getsockname", "getpeername"], ["i32", "usize", "usize"]);
  want(["close"], ["i32"]);
  const symbols = load(wanted);

  const pointer = (name: string) => symbols[name]?.() as unknown as Pointer | undefined;
  const errno = new Int32Array(new Deno.UnsafePointerView(pointer("__errno_location") as Pointer).getArrayBuffer(4));
  const base = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(memory.buffer))));

  const func = (names: readonly string[]): Call =>
    names.map((name) => symbols[name]).find((call) => call != null) ??
    (() => {
      errno[0] = constants.errno.ENOSYS;
      return -1;
    });
  const sendfile = func(SYMBOLS.sendfile);
  const preadv2 = func(SYMBOLS.preadv2);
  const send = func(SYMBOLS.send);
  const lseek = func(SYMBOLS.lseek);
  const getsockopt = func(SYMBOLS.getsockopt);
  const setsockopt = func(SYMBOLS.setsockopt);
  const getsockname = func(["getsockname"]);
  const getpeername = func(["getpeername"]);
  const close = func(["close"]);

  return {
    name: "Deno.dlopen",
    base,
    sendfile: (out, file, offset, count) => sendfile(out, file, offset === null ? 0 : base + offset, count),
    preadv2: (file, iov, iovcnt, offset, flags) => preadv2(file, base + iov, iovcnt, offset, flags),
    send: (out, ptr, count, flags) => send(out, base + ptr, count, flags),
    lseek: (fd, offset, whence) => Number(lseek(fd, offset, whence)),
    getsockopt: (fd, level, name, ptr, length) => getsockopt(fd, level, name, base + ptr, base + length),
    setsockopt: (fd, level, name, ptr, length) => setsockopt(fd, level, name, base + ptr, length),
    getsockname: (fd, ptr, length) => getsockname(fd, base + ptr, base + length),
    getpeername: (fd, ptr, length) => getpeername(fd, base + ptr, base + length),
    close: (fd) => close(fd),
    errno: () => errno[0] as number,
    version() {
      const version = pointer("gnu_get_libc_version");
      return version == null ? "musl" : `glibc ${new Deno.UnsafePointerView(version).getCString()}`;
    },
  };
}

function load(wanted: Record<string, object>): Record<string, Call | null> {
  let failure: unknown;
  for (const name of NAMES) {
    try {
      return Deno.dlopen(name, wanted).symbols as Record<string, Call | null>;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
