// The recognizer of request heads: a strict subset of HTTP/1.1, whose requests are answered without node:http. It never repairs
// and never guesses: a head that it does not know in full is odd, and goes to llhttp. It reads no byte at or behind `end`,
// and no bytes make it trap.

import { Odd, RangeKind, RequestFlag } from "./abi";
import { BLANK, CLASS, digits, equals, HEX, HOST, isPlain, matches, number, PATH, size, TCHAR, VALUE } from "./bytes";

/*
 * What a recognized head says. Addresses are of its bytes; 0 where the field is missing.
 * ┌────────┬─────────────────────────────────────────────────────────────────────────────────────┐
 * │  0..12 │ flags, target, targetLength (the path, without "?" and query), rangeKind            │
 * │ 16..36 │ noneMatch, modifiedSince, acceptEncoding: the address and the length of each value  │
 * │ 40..52 │ referer, userAgent: the same, of the first of the name                              │
 * │ 56..64 │ first (of a suffix: how many bytes), last                                     (f64) │
 * └────────┴─────────────────────────────────────────────────────────────────────────────────────┘
 */
@unmanaged
class Facts {
  flags: i32;
  target: usize;
  targetLength: usize;
  rangeKind: i32;
  noneMatch: usize;
  noneMatchLength: usize;
  modifiedSince: usize;
  modifiedSinceLength: usize;
  acceptEncoding: usize;
  acceptEncodingLength: usize;
  referer: usize;
  refererLength: usize;
  userAgent: usize;
  userAgentLength: usize;
  first: f64;
  last: f64;
}
const SIZE: usize = offsetof<Facts>();
export const FACTS: usize = memory.data(72, 8);
const facts = changetype<Facts>(FACTS);

/** The longest head that a host puts here, and 64 bytes to spare. */
export const INPUT: usize = memory.data(8192 + 64, 16);

/** As two bytes are loaded. */
const CRLF: u16 = 0x0a0d;
/** More fields are odd. */
const FIELDS: i32 = 100;
/** Digits of a number in a range: it stays below 2^53. */
const DIGITS: usize = 15;

// Met in this head: bits of `seen`.
const SEEN_HOST: i32 = 1;
const SEEN_CONNECTION: i32 = 2;
/** Cache-Control or Pragma. */
const SEEN_CACHE: i32 = 4;
let seen: i32 = 0;

/** Why the last head was not recognized. */
export let odd: Odd = Odd.None;

export function refuse(reason: Odd): usize {
  odd = reason;
  return 0;
}

/** Returns: the address behind `text`, which begins at `at`; or 0, and the reason is `other`, or that the bytes end. */
function literal(at: usize, end: usize, text: string, other: Odd): usize {
  const length = matches(at, end, text);
  if (length == size(text)) return at + length;
  return refuse(at + length >= end ? Odd.Partial : other);
}

/** Returns: the address behind the head that begins at `at`, with its facts at FACTS; or 0, and `odd` says why. */
export function recognize(at: usize, end: usize): usize {
  memory.fill(FACTS, 0, SIZE);
  seen = 0;
  odd = Odd.None;
  let next = requestLine(at, end);
  for (let fields = 0; next != 0; fields++) {
    if (next >= end) return refuse(Odd.Partial);
    if (load<u8>(next) == 0x0d) return conclude(literal(next, end, "\r\n", Odd.Field));
    if (fields == FIELDS) return refuse(Odd.Field);
    next = field(next, end);
  }
  return 0;
}

/** What only the whole head shows. */
function conclude(next: usize): usize {
  if (next == 0) return 0;
  if (!(seen & SEEN_HOST)) return refuse(Odd.Host);
  const conditional = facts.noneMatch != 0 || facts.modifiedSince != 0;
  if (conditional && (facts.rangeKind != RangeKind.None || seen & SEEN_CACHE)) return refuse(Odd.Condition);
  return next;
}

/** RFC 9112, 3; origin-form only. Returns: the address of the next line, or 0. */
function requestLine(at: usize, end: usize): usize {
  const head = at < end && load<u8>(at) == 0x48; // H
  if (head) facts.flags = RequestFlag.Head;
  const target = literal(at, end, head ? "HEAD " : "GET ", Odd.Method);
  if (target == 0 || literal(target, end, "/", Odd.Target) == 0) return 0;
  let query: usize = 0;
  let p = target + 1;
  for (; p < end; p++) {
    const byte = load<u8>(p);
    if (load<u8>(byte, CLASS) & PATH) continue;
    if (byte == 0x25 /* % */) {
      if (p + 2 >= end) return refuse(Odd.Partial);
      if (!(load<u8>(load<u8>(p, 1), CLASS) & load<u8>(load<u8>(p, 2), CLASS) & HEX)) break;
      p += 2;
    } else if (byte != 0x3f /* ? */) break;
    else if (query == 0) query = p;
  }
  // Two slashes are the host of another site where a redirect repeats them.
  if (p > target + 1 && load<u8>(target, 1) == 0x2f) return refuse(Odd.Target);
  facts.target = target;
  facts.targetLength = (query == 0 ? p : query) - target;
  const version = literal(p, end, " ", Odd.Target);
  return version == 0 ? 0 : literal(version, end, "HTTP/1.1\r\n", Odd.Version);
}

/** RFC 9112, 5, without obs-fold. Returns: the address of the next line, or 0. */
function field(name: usize, end: usize): usize {
  let p = name;
  while (p < end && load<u8>(load<u8>(p), CLASS) & TCHAR) p++;
  const length = <i32>(p - name);
  if (p >= end) return refuse(Odd.Partial);
  if (length == 0 || load<u8>(p) != 0x3a /* : */) return refuse(Odd.Field);
  p++;
  while (p < end && load<u8>(load<u8>(p), CLASS) & BLANK) p++;
  const value = p;
  while (p + 8 <= end && isPlain(load<u64>(p))) p += 8;
  while (p < end && load<u8>(load<u8>(p), CLASS) & VALUE) p++;
  if (p + 2 > end || load<u16>(p) != CRLF) return literal(p, end, "\r\n", Odd.Field); // for the reason
  const next = p + 2;
  while (p > value && load<u8>(load<u8>(p - 1), CLASS) & BLANK) p--;
  const reason = note(name, length, value, p);
  return reason == Odd.None ? next : refuse(reason);
}

/** What a field means for a request of a file. */
function note(name: usize, length: i32, value: usize, end: usize): Odd {
  switch (length) {
    case 4:
      return equals(name, "host") ? host(value, end) : Odd.None;
    case 5:
      return equals(name, "range") ? range(value, end) : Odd.None;
    case 6:
      if (equals(name, "pragma")) seen |= SEEN_CACHE;
      return equals(name, "expect") ? Odd.Body : Odd.None;
    case 7:
      if (equals(name, "upgrade")) return Odd.Connection;
      if (equals(name, "referer")) keepFirst(offsetof<Facts>("referer"), value, end);
      return equals(name, "trailer") ? Odd.Body : Odd.None;
    case 8:
      return equals(name, "if-match") || equals(name, "if-range") ? Odd.Condition : Odd.None;
    case 10:
      if (equals(name, "user-agent")) keepFirst(offsetof<Facts>("userAgent"), value, end);
      return equals(name, "connection") ? connection(value, end) : Odd.None;
    case 13:
      if (equals(name, "cache-control")) seen |= SEEN_CACHE;
      return equals(name, "if-none-match") ? keep(offsetof<Facts>("noneMatch"), value, end) : Odd.None;
    case 14:
      return equals(name, "content-length") ? Odd.Body : Odd.None;
    case 15:
      return equals(name, "accept-encoding") ? keep(offsetof<Facts>("acceptEncoding"), value, end) : Odd.None;
    case 16:
      return equals(name, "proxy-connection") ? Odd.Connection : Odd.None;
    case 17:
      if (equals(name, "transfer-encoding")) return Odd.Body;
      return equals(name, "if-modified-since") ? keep(offsetof<Facts>("modifiedSince"), value, end) : Odd.None;
    case 19:
      return equals(name, "if-unmodified-since") ? Odd.Condition : Odd.None;
  }
  return Odd.None;
}

/** A value that is a fact: once, and not empty. */
function keep(fact: usize, value: usize, end: usize): Odd {
  if (load<usize>(FACTS + fact) != 0 || value == end) return Odd.Condition;
  keepFirst(fact, value, end);
  return Odd.None;
}

/** A value that is only told on. */
function keepFirst(fact: usize, value: usize, end: usize): void {
  if (load<usize>(FACTS + fact) != 0) return;
  store<usize>(FACTS + fact, value);
  store<usize>(FACTS + fact, end - value, sizeof<usize>());
}

function host(at: usize, end: usize): Odd {
  if (seen & SEEN_HOST || at == end) return Odd.Host;
  seen |= SEEN_HOST;
  while (at < end && load<u8>(load<u8>(at), CLASS) & HOST) at++;
  return at == end ? Odd.None : Odd.Host;
}

/** No blank behind the value: llhttp takes `close` and a HTAB for another word. */
function connection(at: usize, end: usize): Odd {
  if (seen & SEEN_CONNECTION || load<u8>(end) != 0x0d) return Odd.Connection;
  seen |= SEEN_CONNECTION;
  if (end - at == 10 && equals(at, "keep-alive")) return Odd.None;
  if (end - at != 5 || !equals(at, "close")) return Odd.Connection;
  facts.flags |= RequestFlag.Last;
  return Odd.None;
}

/** RFC 9110, 14.1.2: one range, whose unit is in lower case, as the package `send` has it. */
function range(at: usize, end: usize): Odd {
  const from = literal(at, end, "bytes=", Odd.Range);
  if (from == 0 || facts.rangeKind != RangeKind.None) return Odd.Range;
  const dash = digits(from, end);
  const to = literal(dash, end, "-", Odd.Range);
  if (to == 0 || dash - from > DIGITS || end - to > DIGITS || digits(to, end) != end) return Odd.Range;
  const open = to == end;
  if (dash == from) {
    facts.rangeKind = RangeKind.Suffix;
    facts.first = number(to, end);
    return open ? Odd.Range : Odd.None;
  }
  facts.rangeKind = open ? RangeKind.From : RangeKind.Closed;
  facts.first = number(from, dash);
  facts.last = number(to, end);
  return open || facts.first <= facts.last ? Odd.None : Odd.Range;
}
