// The one line on stderr for an error. It is built in memory, and written at once.

import { fd_write } from "./preview1";

const STDERR = 2;
const CAPACITY: usize = 6 << 10;
const LINE: usize = memory.data(<i32>CAPACITY, 1);
const IOVEC: usize = memory.data(8, 4);
const SIZE: usize = memory.data(4, 4);

let filled: usize = 0;

/** ASCII. */
export function say(words: string): void {
  for (let i = 0; i < size(words); i++) put(byte(words, i));
}

/** Lower-case letters as capitals. */
export function shout(words: string): void {
  for (let i = 0; i < size(words); i++) put(byte(words, i) - 0x20);
}

// Strings as AssemblyScript lays them out: UTF-16, and their size in bytes in front of them. Its own
// `length` would draw a part of the runtime in.

export function size(words: string): i32 {
  return <i32>(load<u32>(changetype<usize>(words) - 4) >> 1);
}

/** Character i, which is ASCII. */
export function byte(words: string, i: i32): u8 {
  return load<u8>(changetype<usize>(words) + (i << 1));
}

/** Foreign text, up to its NUL; control characters, such as a newline, become question marks. */
export function quote(text: usize): void {
  for (let next = load<u8>(text); next != 0; next = load<u8>(++text)) put(next < 0x20 || next == 0x7f ? 0x3f : next);
}

/** Bytes of a text, without its NUL. */
export function length(text: usize): i32 {
  let end = text;
  while (load<u8>(end) != 0) end++;
  return <i32>(end - text);
}

/** A number from 0, as decimal digits. */
export function count(n: u64): void {
  if (n >= 10) count(n / 10);
  put(0x30 + <u8>(n % 10));
}

/** Writes the line. A failure can't be reported. */
export function end(): void {
  if (filled == CAPACITY) filled--;
  put(0x0a);
  for (let at: usize = 0; at < filled; ) {
    store<u32>(IOVEC, <u32>(LINE + at));
    store<u32>(IOVEC, <u32>(filled - at), 4);
    store<u32>(SIZE, 0);
    if (fd_write(STDERR, IOVEC, 1, SIZE) != 0) return;
    const n = load<u32>(SIZE);
    if (n == 0) return;
    at += n;
  }
}

function put(next: u8): void {
  if (filled < CAPACITY) store<u8>(LINE + filled++, next);
}

/** The message of an errno, as in strerror(3). */
export function explain(errno: i32): void {
  const words = known(errno);
  if (size(words) > 0) return say(words);
  say("errno ");
  count(errno);
}

function known(errno: i32): string {
  switch (errno) {
    case 2:
      return "Permission denied";
    case 6:
      return "Resource temporarily unavailable";
    case 8:
      return "Bad file descriptor";
    case 15:
      return "Connection reset by peer";
    case 28:
      return "Invalid argument";
    case 29:
      return "Input/output error";
    case 31:
      return "Is a directory";
    case 37:
      return "File name too long";
    case 44:
      return "No such file or directory";
    case 51:
      return "No space left on device";
    case 52:
      return "Function not implemented";
    case 54:
      return "Not a directory";
    case 63:
      return "Operation not permitted";
    case 64:
      return "Broken pipe";
    case 70:
      return "Illegal seek";
    case 76:
      return "Not permitted by the host";
    default:
      return "";
  }
}
