// A connection of the server's loop: its record, and the one function that changes its state.

import { Way } from "./abi";
import { take } from "./records";
import * as transfer from "./transfer";
import { Transfer } from "./transfer";

/** Zero is no state: in the table below it marks an illegal event. */
export enum State {
  /** Waits for a head. */
  Reading = 1,
  /** A head was recognized; the host looks for the answer. */
  Asked,
  /** The answer is on its way. */
  Sending,
  /** It waits for a disk. */
  Cold,
  /** The last answer was sent and our side shut; what the client still sends is dropped. */
  Lingering,
  /** In the free list. */
  Free,
}

export enum Event {
  Recognized,
  /** The host gives the input again, from the head on. */
  Resumed,
  Answered,
  /** The next bytes are not in the page cache. */
  Chilled,
  Warmed,
  /** The answer was sent, and another request may follow. */
  Sent,
  /** It was the last one, and the client has sent more. */
  Lingers,
  Closed,
}

/*
 *              Recognized Resumed Answered Chilled Warmed Sent Lingers Closed
 *   Reading        2         1       .        .      .     .      .      6
 *   Asked          .         1       3        .      .     .      .      6
 *   Sending        .         .       .        4      .     1      5      6
 *   Cold           .         .       .        .      3     .      .      6
 *   Lingering      .         .       .        .      .     .      .      6
 *   Free           .         .       .        .      .     .      .      .
 *
 * A dot is an illegal event: it traps, and changes nothing.
 */
const EVENTS: i32 = 8;
// biome-ignore format: the lines of the table above
const TABLE: usize = memory.data<u8>([
  2, 1, 0, 0, 0, 0, 0, 6,
  0, 1, 3, 0, 0, 0, 0, 6,
  0, 0, 0, 4, 0, 1, 5, 6,
  0, 0, 0, 0, 3, 0, 0, 6,
  0, 0, 0, 0, 0, 0, 0, 6,
  0, 0, 0, 0, 0, 0, 0, 0,
]);

/** Bytes that the kernel may still have for us: since the last edge not all were read. */
export const UNREAD: i32 = 1;
/** The client sends no more than what is unread. */
export const ENDED: i32 = 2;
/** The host holds input of this connection. */
export const HELD: i32 = 4;
/** The answer on its way is the last. */
export const LAST: i32 = 8;
/** A request has been read. */
export const USED: i32 = 16;
/** Urgent data has come (MSG_OOB): recv(2) stops before it, and what is behind it is no other edge. */
export const URGENT: i32 = 32;

@unmanaged
export class Connection {
  /** Of all that are open; in the free list the one after it. */
  next: usize;
  previous: usize;
  state: i32;
  flags: i32;
  fd: i32;
  /** The file of the answer. */
  file: i32;
  /** Raised when the record is given back: what was meant for a connection before does nothing. */
  generation: i32;
  /** Bytes dropped while it lingers. */
  dropped: i32;
  answer: Transfer | null;
  /** When it was accepted, or its last answer was sent, or it began to linger, in ms. */
  since: f64;
}

/** The only place where a state changes. */
export function step(c: Connection, event: Event): void {
  if (c.state < State.Reading || c.state > State.Free) unreachable(); // not a record
  const next = load<u8>(TABLE + (c.state - 1) * EVENTS + event);
  if (next == 0) unreachable();
  c.state = next;
}

let free: usize = 0;
let first: usize = 0;

// Limits in ms.
let untilFirst: f64 = Infinity;
let untilNext: f64 = Infinity;
export let untilMoved: f64 = 0;
let untilEnd: f64 = Infinity;

// Bytes by Way, of all answers that are over.
const TALLY: usize = memory.data(32, 8);

/** ms: for the first head, for the next one, without progress of an answer (0 for no limit), for lingering. */
export function limits(head: f64, idle: f64, stall: f64, linger: f64): void {
  untilFirst = head;
  untilNext = idle;
  untilMoved = stall;
  untilEnd = linger;
}

/** A new connection; null if the memory's maximum is reached. */
export function open(fd: i32, now: f64): Connection | null {
  if (free == 0) {
    const record = take(offsetof<Connection>());
    if (record == 0) return null;
    changetype<Connection>(record).generation = 1;
    changetype<Connection>(record).next = 0;
    free = record;
  }
  const c = changetype<Connection>(free);
  free = c.next;
  c.state = State.Reading;
  c.flags = 0;
  c.fd = fd;
  c.file = -1;
  c.dropped = 0;
  c.answer = null;
  c.since = now;
  c.previous = 0;
  c.next = first;
  if (first != 0) changetype<Connection>(first).previous = changetype<usize>(c);
  first = changetype<usize>(c);
  return c;
}

/** Gives the record back; the host closes the fd, or has handed it over. */
export function close(c: Connection): void {
  step(c, Event.Closed);
  c.generation++;
  const answer = c.answer;
  if (answer != null) settle(c, answer);
  if (c.next != 0) changetype<Connection>(c.next).previous = c.previous;
  if (c.previous != 0) changetype<Connection>(c.previous).next = c.next;
  else first = c.next;
  c.next = free;
  free = changetype<usize>(c);
}

/** The one after `c` of those that are open; the first after null. */
export function after(c: Connection | null): usize {
  return c == null ? first : c.next;
}

/** Counts the answer's bytes, and gives its record back. */
export function settle(c: Connection, answer: Transfer): void {
  for (let way = 0; way < 4; way++) {
    const cell = TALLY + ((<usize>way) << 3);
    store<i64>(cell, load<i64>(cell) + transfer.tally(answer, way));
  }
  transfer.close(answer);
  c.answer = null;
}

/** Bytes of all answers that are over, that went by `way`. */
export function tally(way: i32): i64 {
  if (way < Way.Native || way > Way.Copied) unreachable();
  return load<i64>(TALLY + ((<usize>way) << 3));
}

/** Whether its time is up. A disk's time is not the client's. */
export function expired(c: Connection, now: f64): bool {
  if (c.state == State.Cold) return false;
  if (c.state == State.Reading) return now - c.since >= (c.flags & USED ? untilNext : untilFirst);
  if (c.state == State.Lingering) return now - c.since >= untilEnd;
  const t = c.answer;
  return t != null && now >= transfer.due(t);
}
