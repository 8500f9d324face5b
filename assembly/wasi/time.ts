// Time, and waiting: for a moment, or until a descriptor is writable. No host is trusted: waits are measured, and we give
// up on a host that can't wait at all.

import { clock_time_get, poll_oneoff } from "./preview1";
import { Errno } from "./syscalls";

const MONOTONIC = 1;

enum Tag {
  Clock = 0,
  Write = 2,
}

/*
 * Two subscriptions, the clock's behind, so that it can be had alone; and the events that may come of them.
 * ┌────────────────────────────────────────────────┬──────────────────────────────────────┐
 * │ 48 bytes each: userdata, tag at 8; the fd at   │ 32 bytes each: userdata, error at 8  │
 * │ 16, or the clock's id there and its ns at 24   │                                      │
 * └────────────────────────────────────────────────┴──────────────────────────────────────┘
 */
const SUBSCRIPTIONS: usize = memory.data(2 * 48, 8);
const CLOCK: usize = SUBSCRIPTIONS + 48;
const EVENTS: usize = memory.data(2 * 32, 8);
const RESULT: usize = memory.data(8, 8);

/** The longest wait without a look at the limits, in ms. */
const LONGEST: f64 = 1000;

/** How many waits in a row may not have waited, before the host is taken to be unable to. */
const SLEEPLESS: i32 = 1000;

/** Polls end with errors, Bun's after all of their time: there will be no other. */
let deaf: bool = false;

/** Waits in a row without a result. */
let tries: i32 = 0;
let sleepless: i32 = 0;

let time: f64 = 0;

/** The monotonic clock, in ms. It stands still if the host has none. */
export function now(): f64 {
  if (clock_time_get(MONOTONIC, 1000, RESULT) == 0) time = <f64>load<u64>(RESULT) / 1e6;
  return time;
}

/** Something has moved: the next wait is a first one. */
export function moved(): void {
  tries = 0;
  sleepless = 0;
}

/**
 * Waits until `out` is writable, until `due` at the latest: by a poll first; and by sleeping, if that had no result.
 * Returns: false if the host can do neither.
 */
export function wait(out: i32, due: f64): bool {
  if (deaf || tries > 0) return rest(due);
  tries = 1;
  const start = now();
  const ms = max(min(due - start, LONGEST), 0);
  clock(ms);
  store<u8>(SUBSCRIPTIONS, Tag.Write, 8);
  store<u32>(SUBSCRIPTIONS, out, 16);
  store<u32>(RESULT, 0);
  const error = poll_oneoff(SUBSCRIPTIONS, EVENTS, 2, RESULT);
  if (error == Errno.Interrupted) return true;
  // The first of the events is enough to look at; and Bun packs them otherwise than the others.
  if (error != 0 || load<u32>(RESULT) == 0 || load<u16>(EVENTS, 8) != 0) {
    deaf = true;
    return rest(due);
  }
  // The whole time has passed, and there is nothing yet: the next poll is a first one too.
  if (now() - start >= ms) tries = 0;
  return true;
}

/** Sleeps, until `due` at the latest: 1 ms, then twice as long, up to 64 ms. Returns: false if the host can't. */
export function rest(due: f64): bool {
  const start = now();
  const ms = max(min(<f64>(1 << min(tries++, 6)), due - start), 0);
  clock(ms);
  poll_oneoff(CLOCK, EVENTS, 1, RESULT);
  sleepless = now() - start >= ms / 2 ? 0 : sleepless + 1;
  return sleepless < SLEEPLESS;
}

function clock(ms: f64): void {
  store<u8>(CLOCK, Tag.Clock, 8);
  store<u32>(CLOCK, MONOTONIC, 16);
  store<u64>(CLOCK, <u64>(ms * 1e6), 24); // relative: its flags, at 40, are 0
}
