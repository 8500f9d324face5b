// The core's calls over WASI preview 1, with the answers that env.ts promises.

import { Fault } from "../abi";
import { fd_pread, fd_read, fd_write } from "./preview1";

/** WASI numbers them by the alphabet. */
export enum Errno {
  Again = 6,
  BadFd = 8,
  ConnectionReset = 15,
  Interrupted = 27,
  IO = 29,
  IsDirectory = 31,
  NotConnected = 53,
  Pipe = 64,
  IllegalSeek = 70,
}

/** The errno behind the last Fault: the core knows none. */
export let errno: i32 = 0;

/** Address and length of the bytes; and the count that the host returns. */
const IOVEC: usize = memory.data(8, 4);
const SIZE: usize = memory.data(4, 4);

/** The file can't be read at an offset: a FIFO, a device. */
let sequential: bool = false;

/** From now on reads go on where the last one ended. */
export function stream(): void {
  sequential = true;
}

/** preadv(2), or readv(2) of a stream. Both may wait for the disk. */
export function read(file: i32, ptr: usize, offset: f64, count: i32): i32 {
  vector(ptr, count);
  const error = sequential ? fd_read(file, IOVEC, 1, SIZE) : fd_pread(file, IOVEC, 1, <i64>offset, SIZE);
  return answer(error, count);
}

/** writev(2). Waits for the reader, unless the host's descriptor is a non-blocking one. */
export function send(out: i32, ptr: usize, count: i32): i32 {
  vector(ptr, count);
  const n = answer(fd_write(out, IOVEC, 1, SIZE), count);
  return n != 0 ? n : refuse(Errno.Again); // none taken, and no error: later
}

function vector(ptr: usize, count: i32): void {
  store<u32>(IOVEC, <u32>ptr);
  store<u32>(IOVEC, count, 4);
  store<u32>(SIZE, 0);
}

/** A count, or minus a Fault. A count above the one asked for is an error of the host. */
function answer(error: i32, count: i32): i32 {
  if (error != 0) return refuse(error);
  const n = load<u32>(SIZE);
  return n <= <u32>count ? <i32>n : refuse(Errno.IO);
}

function refuse(error: i32): i32 {
  errno = error;
  switch (error) {
    case Errno.Again:
      return -Fault.WouldBlock;
    case Errno.Interrupted:
      return -Fault.Interrupted;
    case Errno.BadFd:
    case Errno.ConnectionReset:
    case Errno.NotConnected:
    case Errno.Pipe:
      return -Fault.Closed;
    default:
      return -Fault.System;
  }
}
