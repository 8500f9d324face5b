// Time, and waiting: for a moment, or until a descriptor can be written to. No host is believed: what was
// waited is measured, and a host that can't wait at all is given up.

import { clock_time_get, poll_oneoff } from "../preview1";

const MONOTONIC = 1;

enum Tag {
  Clock = 0,
  Write = 2,
}

/*
 * Two subscriptions, and the events that may come of them.
 * ┌──────────────────────────────────────────────┬───────────────────────────────────────┐
 * │ 48 bytes each: userdata, tag at 8, at 16 the │ 32 bytes each: userdata, error at 8,  │
 * │ clock's id, at 24 its ns; or at 16 the fd    │ tag at 10                             │
 * └──────────────────────────────────────────────┴───────────────────────────────────────┘
 */
const SUBSCRIPTIONS: usize = memory.data(2 * 48, 8);
const EVENTS: usize = memory.data(2 * 32, 8);
const RESULT: usize = memory.data(8, 8);

/** The longest wait without a look at the limits, in ms. */
const LONGEST: f64 = 1000;

/** How many waits in a row may not have waited, before the host is taken to be unable to. */
const SLEEPLESS: i32 = 1000;

/** Waits in a row that nothing came of. */
let tries: i32 = 0;
let sleepless: i32 = 0;

let time: f64 = 0;

/** The monotonic clock, in ms. It stands still where the host has none. */
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
 * Waits until `out` can be written to, until `due` at the latest: by a poll first; and by sleeping, where
 * nothing came of that. Returns: false where the host can do neither.
 */
export function wait(out: i32, due: f64): bool {
  if (tries > 0) return rest(due);
  tries = 1;
  const start = now();
  const ms = max(min(due - start, LONGEST), 0);
  clock(ms);
  store<u8>(SUBSCRIPTIONS, Tag.Write, 48 + 8);
  store<u32>(SUBSCRIPTIONS, out, 48 + 16);
  store<u32>(RESULT, 0);
  if (poll_oneoff(SUBSCRIPTIONS, EVENTS, 2, RESULT) != 0 || load<u32>(RESULT) == 0 || erred()) return rest(due);
  // The whole time has passed, and there is nothing yet: the next poll is a first one too.
  if (now() - start >= ms) tries = 0;
  return true;
}

/** Sleeps, until `due` at the latest: 1 ms, and twice as long each time, up to 64 ms. Returns: false where the host can't. */
export function rest(due: f64): bool {
  const start = now();
  const ms = max(min(<f64>(1 << min(tries++, 6)), due - start), 0);
  clock(ms);
  poll_oneoff(SUBSCRIPTIONS, EVENTS, 1, RESULT);
  sleepless = now() - start >= ms / 2 ? 0 : sleepless + 1;
  return sleepless < SLEEPLESS;
}

function clock(ms: f64): void {
  store<u8>(SUBSCRIPTIONS, Tag.Clock, 8);
  store<u32>(SUBSCRIPTIONS, MONOTONIC, 16);
  store<u64>(SUBSCRIPTIONS, <u64>(ms * 1e6), 24); // relative: its flags, at 40, are 0
}

/** Whether one of the events that came is an error. */
function erred(): bool {
  const events = min(load<u32>(RESULT), 2);
  for (let i: usize = 0; i < events; i++) {
    if (load<u16>(EVENTS + i * 32, 8) != 0) return true;
  }
  return false;
}
