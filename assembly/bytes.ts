// Bytes of a protocol in ASCII: their classes, and how they are compared with words.

// Classes of bytes: bits of CLASS.
/** RFC 9110, 5.6.2: a field name. */
export const TCHAR: u8 = 1;
/** RFC 3986: pchar and "/", without what "%" begins. */
export const PATH: u8 = 2;
/** RFC 9110, 7.2: uri-host and port. */
export const HOST: u8 = 4;
export const HEX: u8 = 8;
/** RFC 9110, 5.5: a field value, without obs-text. */
export const VALUE: u8 = 16;
/** RFC 9110, 5.6.3: OWS. */
export const BLANK: u8 = 32;
// biome-ignore format: sixteen bytes a line, then the other half
export const CLASS: usize = memory.data<u8>([
   0,  0,  0,  0,  0,  0,  0,  0,  0, 48,  0,  0,  0,  0,  0,  0,
   0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
  48, 23, 16, 17, 23, 21, 23, 23, 22, 22, 23, 23, 22, 23, 23, 18,
  31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 22, 16, 22, 16, 16,
  18, 31, 31, 31, 31, 31, 31, 23, 23, 23, 23, 23, 23, 23, 23, 23,
  23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 20, 16, 20, 17, 23,
  17, 31, 31, 31, 31, 31, 31, 23, 23, 23, 23, 23, 23, 23, 23, 23,
  23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 16, 17, 16, 23,  0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** A one in each byte. */
const EACH: u64 = (0x01010101 << 32) | 0x01010101;

/** Whether all eight bytes are 0x20 to 0x7e. Carry and borrow come only from a byte that is not, and that is seen itself. */
export function isPlain(eight: u64): bool {
  return (((eight + EACH) | (eight - EACH * 0x20)) & (EACH * 0x80)) == 0;
}

// Strings as AssemblyScript lays them out: UTF-16, and their size in bytes in front of them. Its own
// `length` would draw a part of the runtime in.

export function size(text: string): usize {
  return load<u32>(changetype<usize>(text) - 4) >> 1;
}

/** How many bytes of `text` stand at `at`, before `end`. */
export function matches(at: usize, end: usize, text: string): usize {
  const length = min(size(text), end > at ? end - at : 0);
  const letters = changetype<usize>(text);
  let i: usize = 0;
  while (i < length && load<u8>(at + i) == load<u8>(letters + (i << 1))) i++;
  return i;
}

/** Whether as many bytes as `text` has, each of them TCHAR or VALUE, are its letters, small or capital. */
export function equals(at: usize, text: string): bool {
  const end = at + size(text);
  for (let letter = changetype<usize>(text); at < end; at++, letter += 2)
    if ((load<u8>(at) | 0x20) != load<u8>(letter)) return false;
  return true;
}

/** The address behind the digits at `at`. */
export function digits(at: usize, end: usize): usize {
  while (at < end && load<u8>(at) - 0x30 < 10) at++;
  return at;
}

/** At most 18 digits. */
export function number(at: usize, end: usize): f64 {
  let n: i64 = 0;
  for (; at < end; at++) n = n * 10 + <i64>(load<u8>(at) - 0x30);
  return <f64>n;
}
