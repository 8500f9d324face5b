// A transfer: its record, and the one function that changes its state.
//
// A transfer is a run of bytes, header then body then trailer; `done` counts those sent.
// The body is `body` bytes of the file from `offset`.

import { Fault, Flag, Way } from "./abi";
import { take } from "./records";

/** Zero is no state: in the table below it marks an illegal event. */
export enum State {
  /** `run` may be called. */
  Ready = 1,
  /** The host is copying `want` bytes. */
  Copying,
  Done,
  Failed,
  /** In the free list. */
  Free,
}

export enum Event {
  /** Bytes were sent, and the work of this state goes on. */
  Moved,
  /** The host is asked to copy. */
  Wanted,
  /** The copy is over. */
  Copied,
  /** The last byte was sent. */
  Finished,
  Faulted,
  Closed,
  /** An extent was set: the first, or another one. */
  Extended,
}

/*
 *             Moved  Wanted  Copied  Finished  Faulted  Closed  Extended
 *   Ready       1      2       .        3         4        5       1
 *   Copying     2      .       1        .         4        5       .
 *   Done        .      .       .        .         .        5       1
 *   Failed      .      .       .        .         .        5       .
 *   Free        .      .       .        .         .        .       .
 *
 * A dot is an illegal event: it traps, and changes nothing.
 */
const EVENTS: i32 = 7;
// biome-ignore format: the lines of the table above
const TABLE: usize = memory.data<u8>([
  1, 2, 0, 3, 4, 5, 1,
  2, 0, 1, 0, 4, 5, 0,
  0, 0, 0, 0, 0, 5, 1,
  0, 0, 0, 0, 0, 5, 0,
  0, 0, 0, 0, 0, 0, 0,
]);

/*
 * ┌────────┬──────────────────────────────────────────────────────┐
 * │  0     │ next: the record after it in the free list           │
 * │  4..20 │ state, flags, fault, way and corked, want            │
 * │ 24..   │ head, body, tail, offset, done, coldUntil, warmUntil (i64) │
 * │ 80..   │ timeout, progress, deadline                 (f64 ms) │
 * │ 104..  │ bytes by Way: native, doorbell, cold, copied (i64)   │
 * └────────┴──────────────────────────────────────────────────────┘
 */
@unmanaged
export class Transfer {
  next: usize;
  state: i32;
  flags: i32;
  fault: i32;
  way: u8;
  /** The last bytes were sent with MSG_MORE, and may be held back until more follows. */
  corked: bool;
  want: i32;
  head: i64;
  body: i64;
  tail: i64;
  offset: i64;
  done: i64;
  /** The file offset up to which everything is taken to be cold, since a cold byte was met; else 0. */
  coldUntil: i64;
  /** The file offset up to which the host has just had it read from a disk. */
  warmUntil: i64;
  timeout: f64;
  progress: f64;
  deadline: f64;
  native: i64;
  doorbell: i64;
  cold: i64;
  copied: i64;
}

/** The only place where a state changes. */
function step(t: Transfer, event: Event): void {
  if (t.state < State.Ready || t.state > State.Free) unreachable(); // not a record
  const next = load<u8>(TABLE + (t.state - 1) * EVENTS + event);
  if (next == 0) unreachable();
  t.state = next;
}

let free: usize = 0;

/** Takes a record from the free list, or new memory; null if the memory's maximum is reached. */
export function open(now: f64): Transfer | null {
  if (free == 0 && !grow()) return null;
  const t = changetype<Transfer>(free);
  free = t.next;
  memory.fill(changetype<usize>(t), 0, offsetof<Transfer>());
  t.state = State.Ready;
  t.progress = now;
  t.deadline = Infinity;
  return t;
}

/** Sets the bytes to send. Those left of an extent before it are forgotten; what is known of the page cache is kept. */
export function extent(t: Transfer, head: i32, offset: f64, body: f64, tail: i32, flags: i32): void {
  if (head < 0 || tail < 0) unreachable();
  // Written so that NaN is refused too; and an f64 holds every position exactly.
  if (!(offset >= 0 && body >= 0 && offset + body <= f64.MAX_SAFE_INTEGER)) unreachable();
  step(t, Event.Extended);
  t.done = 0;
  t.head = head;
  t.offset = <i64>offset;
  t.body = <i64>body;
  t.tail = tail;
  t.flags = flags;
}

/** Sets the limits and starts the clock of the first. */
export function limit(t: Transfer, timeout: f64, deadline: f64, now: f64): void {
  t.timeout = timeout;
  t.deadline = deadline;
  t.progress = now;
}

/** Puts a new record into the free list. */
function grow(): bool {
  const at = take(offsetof<Transfer>());
  if (at == 0) return false;
  const t = changetype<Transfer>(at);
  t.state = State.Free;
  t.next = free;
  free = changetype<usize>(t);
  return true;
}

export function close(t: Transfer): void {
  step(t, Event.Closed);
  t.next = free;
  free = changetype<usize>(t);
}

// The bytes left, and their positions.

export function total(t: Transfer): i64 {
  return t.head + t.body + t.tail;
}

export function left(t: Transfer): i64 {
  return total(t) - t.done;
}

export function headLeft(t: Transfer): i64 {
  return max(t.head - t.done, 0);
}

/** Bytes of the body sent so far. */
export function sent(t: Transfer): i64 {
  return max(min(t.done - t.head, t.body), 0);
}

export function bodyLeft(t: Transfer): i64 {
  return t.body - sent(t);
}

/** The file offset of the next byte of the body. */
export function position(t: Transfer): i64 {
  return t.offset + sent(t);
}

/** When to call `transfer_tick`, in the clock of `now`; Infinity if no limit was set. */
export function due(t: Transfer): f64 {
  const stall = t.timeout > 0 ? t.progress + t.timeout : Infinity;
  return min(stall, t.deadline);
}

/** Bytes that went by `way`. */
export function tally(t: Transfer, way: i32): i64 {
  return load<i64>(cell(t, way));
}

function cell(t: Transfer, way: i32): usize {
  if (way < Way.Native || way > Way.Copied) unreachable();
  return changetype<usize>(t) + offsetof<Transfer>("native") + ((<usize>way) << 3);
}

// Inputs: the only callers of step().

/** `bytes` were sent, by `way`. */
export function moved(t: Transfer, bytes: i64, way: Way, now: f64): void {
  if (<u64>bytes > <u64>left(t)) unreachable();
  step(t, Event.Moved);
  if (bytes > 0) {
    t.done += bytes;
    t.corked = false;
    store<i64>(cell(t, way), tally(t, way) + bytes);
  }
  t.progress = now;
}

/** The host is to copy `bytes`, or as many of them as a count can say. */
export function wanted(t: Transfer, bytes: i64, way: Way): void {
  step(t, Event.Wanted);
  t.want = <i32>min(bytes, i32.MAX_VALUE);
  t.way = <u8>way;
}

/** The host has had the next `bytes` of the file read into the page cache. Nobody has stood still meanwhile. */
export function warmed(t: Transfer, bytes: i32, now: f64): void {
  t.warmUntil = position(t) + bytes;
  t.progress = now;
}

/** The host's copy is over. */
export function copied(t: Transfer): void {
  step(t, Event.Copied);
  t.want = 0;
}

/** Everything was sent. */
export function finished(t: Transfer): void {
  if (left(t) != 0) unreachable();
  step(t, Event.Finished);
}

/** The source is at its end: success if the count was a bound, else a truncation. */
export function ended(t: Transfer): void {
  if (t.flags & Flag.Eof) t.body = sent(t);
  else failed(t, Fault.Truncated);
}

export function failed(t: Transfer, fault: Fault): void {
  step(t, Event.Faulted);
  t.fault = fault;
}

/** Fails the transfer if `now` is past one of its limits. */
export function expired(t: Transfer, now: f64): bool {
  if (now < due(t)) return false;
  failed(t, now >= t.deadline ? Fault.Expired : Fault.Stalled);
  return true;
}
