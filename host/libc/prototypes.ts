// The libc functions that we call, a row each; every binding makes methods of `Libc` from them. To add a function, add
// a row here, and its method there.

import type { Libc } from "./libc.js";
import type { System } from "./system.js";

/** Of a parameter. */
export type Type = "i32" | "u32" | "i64" | "u64" | "ptr";

/** Of a result. A `count` is a ssize_t that fits into 32 bits, because no call moves 2 GiB. */
export type Result = "i32" | "i64" | "count";

/** Marks for the compiler: a plain number is refused where a binding takes 64 bits or an address. */
interface Wide {
  readonly wide: unique symbol;
}
interface Address {
  readonly address: unique symbol;
}

/** How a binding passes them: see `Binding`. */
export interface Lent {
  at(offset: number | null): Address;
  wide(value: number): Wide;
}

/** Makes the compiler check each argument's type: an offset is no address. */
type Argument<T extends Type> = T extends "ptr" ? Address : T extends "i64" | "u64" ? Wide : number;
type Native<T extends readonly Type[], R extends Result> = (
  ...args: { [I in keyof T]: Argument<T[I]> }
) => R extends "i32" ? number : Wide;

/** The places to look for a function. */
interface Where {
  /** Its name in the library. Default: the row's. */
  readonly symbol?: string;
  /** By these bindings only. Default: all. */
  readonly by?: readonly Libc["name"][];
  /** On these systems only. Default: all. */
  readonly on?: readonly System["name"][];
}

export interface Prototype<F> extends Where {
  readonly takes: readonly Type[];
  readonly gives: Result;
  /** The method that calls the bound function: a function literal of its own, as fast as one written by hand. */
  // biome-ignore lint/suspicious/noExplicitAny: each row has been held to its own types
  readonly method: (native: any, lent: Lent) => F;
}

function row<const T extends readonly Type[], R extends Result, F>(
  takes: T,
  gives: R,
  method: (native: Native<T, R>, lent: Lent) => F,
  where: Where = {},
): Prototype<F> {
  return { takes, gives, method, ...where };
}

/** The methods of `Libc` that are functions of the library. */
export type Functions = Required<Omit<Libc, "name" | "base" | "errno">>;

/** Of the server's loop, but for those that are everywhere. */
const LOOP: Where = { on: ["linux"] };

/** The same on every architecture, as all that came after 2019. */
const SYS_OPENAT2 = 437;

/*
 * All systems are 64-bit, so the plain names have a 64-bit off_t.
 *
 * syscall(2) is variadic, as fcntl(2) is. The Linux ABIs in system.ts pass a variadic integer like a named parameter,
 * so it is declared as one. Apple's on arm64 passes it on the stack: a row for darwin would need koffi's "...".
 */
export const PROTOTYPES: { readonly [Name in keyof Functions]: Prototype<Functions[Name]> } = {
  sendfile: row(
    ["i32", "i32", "ptr", "u64"],
    "count",
    (f, { at, wide }) =>
      (out, file, offset, count) =>
        Number(f(out, file, at(offset), wide(count))),
    { on: ["linux"] },
  ),
  sendfileDarwin: row(
    ["i32", "i32", "i64", "ptr", "ptr", "i32"],
    "i32",
    (f, { at, wide }) =>
      (file, out, offset, length) =>
        f(file, out, wide(offset), at(length), at(null), 0),
    { symbol: "sendfile", on: ["darwin"] },
  ),
  sendfileFreeBSD: row(
    ["i32", "i32", "i64", "u64", "ptr", "ptr", "i32"],
    "i32",
    (f, { at, wide }) =>
      (file, out, offset, count, sent, flags) =>
        f(file, out, wide(offset), wide(count), at(null), at(sent), flags),
    { symbol: "sendfile", on: ["freebsd"] },
  ),
  preadv2: row(
    ["i32", "ptr", "i32", "i64", "i32"],
    "count",
    (f, { at, wide }) =>
      (file, iov, iovCount, offset, flags) =>
        Number(f(file, at(iov), iovCount, wide(offset), flags)),
    { on: ["linux"] },
  ),
  send: row(
    ["i32", "ptr", "u64", "i32"],
    "count",
    (f, { at, wide }) =>
      (out, ptr, count, flags) =>
        Number(f(out, at(ptr), wide(count), flags)),
  ),
  lseek: row(
    ["i32", "i64", "i32"],
    "i64",
    (f, { wide }) =>
      (fd, offset, whence) =>
        Number(f(fd, wide(offset), whence)),
  ),
  getsockopt: row(
    ["i32", "i32", "i32", "ptr", "ptr"],
    "i32",
    (f, { at }) =>
      (fd, level, name, ptr, length) =>
        f(fd, level, name, at(ptr), at(length)),
  ),
  setsockopt: row(
    ["i32", "i32", "i32", "ptr", "u32"],
    "i32",
    (f, { at }) =>
      (fd, level, name, ptr, length) =>
        f(fd, level, name, at(ptr), length),
  ),
  openat2: row(
    ["i64", "i32", "ptr", "ptr", "u64"],
    "i64",
    (f, { at, wide }) =>
      (dir, path, how, size) =>
        Number(f(wide(SYS_OPENAT2), dir, at(path), at(how), wide(size))),
    { symbol: "syscall", on: ["linux"] },
  ),
  getsockname: row(
    ["i32", "ptr", "ptr"],
    "i32",
    (f, { at }) =>
      (fd, ptr, length) =>
        f(fd, at(ptr), at(length)),
    { by: ["Deno.dlopen"] },
  ),
  getpeername: row(
    ["i32", "ptr", "ptr"],
    "i32",
    (f, { at }) =>
      (fd, ptr, length) =>
        f(fd, at(ptr), at(length)),
    { by: ["Deno.dlopen"] },
  ),
  close: row(["i32"], "i32", (f) => (fd) => f(fd), LOOP),
  recv: row(
    ["i32", "ptr", "u64", "i32"],
    "count",
    (f, { at, wide }) =>
      (fd, ptr, count, flags) =>
        Number(f(fd, at(ptr), wide(count), flags)),
    LOOP,
  ),
  accept4: row(
    ["i32", "ptr", "ptr", "i32"],
    "i32",
    (f, { at }) =>
      (fd, ptr, length, flags) =>
        f(fd, at(ptr), at(length), flags),
    LOOP,
  ),
  statx: row(
    ["i32", "ptr", "i32", "u32", "ptr"],
    "i32",
    (f, { at }) =>
      (dir, path, flags, mask, ptr) =>
        f(dir, at(path), flags, mask, at(ptr)),
    LOOP,
  ),
  shutdown: row(["i32", "i32"], "i32", (f) => (fd, how) => f(fd, how), LOOP),
  fcntl: row(["i32", "i32", "i32"], "i32", (f) => (fd, command, value) => f(fd, command, value), LOOP),
  pread: row(
    ["i32", "ptr", "u64", "i64"],
    "count",
    (f, { at, wide }) =>
      (fd, ptr, count, offset) =>
        Number(f(fd, at(ptr), wide(count), wide(offset))),
    LOOP,
  ),
  eventfd: row(["u32", "i32"], "i32", (f) => (value, flags) => f(value, flags), LOOP),
  eventfd_read: row(
    ["i32", "ptr"],
    "i32",
    (f, { at }) =>
      (fd, ptr) =>
        f(fd, at(ptr)),
    LOOP,
  ),
  eventfd_write: row(
    ["i32", "u64"],
    "i32",
    (f, { wide }) =>
      (fd, value) =>
        f(fd, wide(value)),
    LOOP,
  ),
  epoll_create1: row(["i32"], "i32", (f) => (flags) => f(flags), LOOP),
  epoll_ctl: row(
    ["i32", "i32", "i32", "ptr"],
    "i32",
    (f, { at }) =>
      (epoll, operation, fd, event) =>
        f(epoll, operation, fd, at(event)),
    LOOP,
  ),
  epoll_wait: row(
    ["i32", "ptr", "i32", "i32"],
    "i32",
    (f, { at }) =>
      (epoll, events, most, timeout) =>
        f(epoll, at(events), most, timeout),
    LOOP,
  ),
};
