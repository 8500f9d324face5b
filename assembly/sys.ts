// The core's system calls: env's in the module for embedding, WASI's in the command. Which of them is a
// constant of the compiler's (`--use WASI=1`), so a module imports nothing of the other.

import { Fault } from "./abi";
import * as env from "./env";
import * as wasi from "./wasi/syscalls";

/** Whether there is a sendfile. WASI has none: the command copies, as a host without it does. */
export const NATIVE: bool = !isDefined(WASI);

export function sendfile(out: i32, file: i32, offset: f64, count: i32): i32 {
  return NATIVE ? env.sendfile(out, file, offset, count) : -Fault.Missing;
}

export function read(file: i32, ptr: usize, offset: f64, count: i32): i32 {
  return isDefined(WASI) ? wasi.read(file, ptr, offset, count) : env.read(file, ptr, offset, count);
}

export function send(out: i32, ptr: usize, count: i32, more: i32): i32 {
  return isDefined(WASI) ? wasi.send(out, ptr, count) : env.send(out, ptr, count, more);
}

export function recv(from: i32, ptr: usize, count: i32): i32 {
  return env.recv(from, ptr, count);
}
