// The way out: the exit functions, the order in which they run, and how the process ends. Pull-style: the host asks
// `next`, does it, reports. No function is called from here.

import { Begun, Next, Reason, Status } from "./abi";
import { take } from "./records";

/** Zero is no state: in the table below it marks an illegal event. */
export enum State {
  /** Nothing has begun. */
  Idle = 1,
  /** The next function may be pulled. */
  Ready,
  /** One is running. */
  Running,
  /** Other listeners are running. */
  Others,
  /** Pending output is leaving. */
  Flushing,
  /** The runtime is leaving: the remaining functions are called, and not awaited. */
  Last,
  /** The verdict stands. */
  Over,
}

export enum Event {
  Begun,
  /** A function was pulled: from here on it can't be pulled again. */
  Claimed,
  Settled,
  /** A function's deadline has passed, or the whole one. */
  Late,
  /** No function is left; there may be others to call. */
  Emptied,
  /** The others are over. */
  Heard,
  /** Nothing is left to call. */
  Drained,
  Flushed,
  /** The runtime says that it is leaving. */
  Leaving,
  /** A second signal, later. */
  Forced,
}

/*
 *             Begun  Claimed  Settled  Late  Emptied  Heard  Drained  Flushed  Leaving  Forced
 *   Idle        2       .        .       .       .       .       .        .       6        .
 *   Ready       .       3        .       .       4       .       5        .       6        7
 *   Running     .       .        2       2       .       .       .        .       6        7
 *   Others      .       .        .       2       .       2       .        .       6        7
 *   Flushing    .       .        .       .       .       .       .        7       6        7
 *   Last        .       6        6       .       .       .       7        .       6        .
 *   Over        .       .        .       .       .       .       .        .       .        .
 *
 * A dot is an illegal event: it traps, and changes nothing.
 */
const EVENTS: i32 = 10;
// biome-ignore format: the lines of the table above
const TABLE: usize = memory.data<u8>([
  2, 0, 0, 0, 0, 0, 0, 0, 6, 0,
  0, 3, 0, 0, 4, 0, 5, 0, 6, 7,
  0, 0, 2, 2, 0, 0, 0, 0, 6, 7,
  0, 0, 0, 2, 0, 2, 0, 0, 6, 7,
  0, 0, 0, 0, 0, 0, 0, 7, 6, 7,
  0, 6, 6, 0, 0, 0, 7, 0, 6, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

let state: State = State.Idle;

/** The only place where the state changes. */
function step(event: Event): void {
  const next = load<u8>(TABLE + (state - 1) * EVENTS + event);
  if (next == 0) unreachable();
  state = next;
}

/** The place of a record; zero is no place. */
enum Place {
  /** In the stack. */
  Waiting = 1,
  /** Pulled, and not settled. */
  Claimed,
  Free,
}

/*
 * A function, as far as the core knows it. The waiting ones are a stack that can lose any of its members.
 * ┌────────┬─────────────────────────────────────────────────────────┐
 * │  0     │ below: the one added before it, or the next free record │
 * │  4     │ above: the one added after it                           │
 * │  8..12 │ place, signals (bit n - 1 is signal n)                  │
 * │ 16..   │ timeout (f64 ms)                                        │
 * └────────┴─────────────────────────────────────────────────────────┘
 */
@unmanaged
export class Entry {
  below: usize;
  above: usize;
  place: i32;
  signals: i32;
  timeout: f64;
}

/** Minimum time to flush output, in ms, even past the deadline. */
const FLUSH: f64 = 1000;

// The stack.
let top: usize = 0;
let free: usize = 0;
let waiting: i32 = 0;
/** How many waiting functions want signal n; and the signals that any of them wants. */
const WANTED: usize = memory.data(32 << 2, 4);
let wanted: i32 = 0;

// The settings.
let status: i32 = Status.Signal;
let forceAfter: f64 = 500;
let deadline: f64 = Infinity;

// The way out.
let began: f64 = 0;
/** The signal that began it, or 0. */
let signal: i32 = 0;
let code: i32 = 0;
let failed = false;
/** The others have had their turn. */
let called = false;
/** The claimed function that is waited for. */
let running: usize = 0;
let until: f64 = Infinity;

export function configure(newStatus: i32, newForceAfter: f64, newDeadline: f64): void {
  if (newStatus < Status.Code) unreachable();
  status = newStatus;
  forceAfter = newForceAfter;
  deadline = newDeadline;
}

// The registry.

/** Puts a function on top; null if the memory's maximum is reached. */
export function add(signals: i32, timeout: f64): Entry | null {
  if (signals < 0) unreachable(); // there is no signal 32 here
  if (free == 0) {
    free = take(offsetof<Entry>());
    if (free == 0) return null;
    changetype<Entry>(free).place = Place.Free;
    changetype<Entry>(free).below = 0;
  }
  const entry = changetype<Entry>(free);
  free = entry.below;
  entry.place = Place.Waiting;
  entry.signals = signals;
  entry.timeout = timeout;
  entry.above = 0;
  entry.below = top;
  if (top != 0) changetype<Entry>(top).above = changetype<usize>(entry);
  top = changetype<usize>(entry);
  tally(entry, 1);
  return entry;
}

/** False if it has been claimed: then it runs, or has run. */
export function remove(entry: Entry): bool {
  if (entry.place == Place.Claimed) return false;
  unlink(entry);
  release(entry);
  return true;
}

function unlink(entry: Entry): void {
  if (entry.place != Place.Waiting) unreachable();
  if (entry.above == 0) top = entry.below;
  else changetype<Entry>(entry.above).below = entry.below;
  if (entry.below != 0) changetype<Entry>(entry.below).above = entry.above;
  entry.place = Place.Claimed;
  tally(entry, -1);
}

function release(entry: Entry): void {
  if (entry.place != Place.Claimed) unreachable();
  entry.place = Place.Free;
  entry.below = free;
  free = changetype<usize>(entry);
}

function tally(entry: Entry, by: i32): void {
  waiting += by;
  for (let n = 1, bits = entry.signals; n < 32 && bits != 0; n++, bits >>>= 1) {
    if (!(bits & 1)) continue;
    const at = WANTED + ((<usize>n) << 2);
    const sum = load<i32>(at) + by;
    store<i32>(at, sum);
    if (sum == 0) wanted &= ~(1 << (n - 1));
    else wanted |= 1 << (n - 1);
  }
}

export function signals(): i32 {
  return wanted;
}

export function count(): i32 {
  return waiting;
}

// Inputs.

export function begin(reason: Reason, value: i32, now: f64): Begun {
  if (reason == Reason.Leaving) {
    if (state == State.Over) return Begun.Ignored;
    step(Event.Leaving);
    signal = 0; // from now on it ends with a code, and every function is meant
    code = value;
    running = 0;
    return Begun.Begun;
  }
  if (state == State.Idle) {
    if (reason == Reason.Signal || (reason == Reason.Asked && value < 0)) {
      signal = reason == Reason.Signal ? value : -value;
      if (signal < 1 || signal > 31) unreachable();
    } else code = value;
    began = now;
    step(Event.Begun);
    return Begun.Begun;
  }
  if (reason != Reason.Signal || state >= State.Last || now - began <= forceAfter) return Begun.Ignored;
  if (signal == 0) signal = value; // a requested exit, cut short
  step(Event.Forced);
  return Begun.Forced;
}

export function settle(entry: Entry, ok: bool): void {
  if (state != State.Last && changetype<usize>(entry) != running) unreachable();
  step(Event.Settled);
  finish(entry);
  if (!ok) failed = true;
}

function finish(entry: Entry): void {
  release(entry);
  running = 0;
}

export function heard(ok: bool): void {
  step(Event.Heard);
  if (!ok) failed = true;
}

export function flushed(): void {
  step(Event.Flushed);
}

// Outputs.

/** The function of the last Call or Late. */
let told: usize = 0;

export function current(): Entry | null {
  return changetype<Entry | null>(told);
}

export function due(): f64 {
  return state == State.Running || state == State.Others || state == State.Flushing ? until : Infinity;
}

/** The next action. */
export function next(now: f64): Next {
  if (state == State.Idle) unreachable();
  if (state == State.Over) return verdict();
  if (state == State.Ready || state == State.Last) return pull(now);
  if (now < until) return Next.Wait;
  if (state == State.Flushing) {
    step(Event.Flushed);
    return verdict();
  }
  const others = state == State.Others;
  step(Event.Late);
  if (others) return pull(now);
  told = running;
  finish(changetype<Entry>(told));
  return Next.Late;
}

function pull(now: f64): Next {
  const entry = topmost();
  if (entry != 0) {
    step(Event.Claimed);
    unlink(changetype<Entry>(entry));
    told = entry;
    if (state == State.Running) {
      running = entry;
      until = min(now + changetype<Entry>(entry).timeout, began + deadline);
    }
    return Next.Call;
  }
  if (state == State.Last) {
    step(Event.Drained);
    return verdict();
  }
  if (signal != 0 && !called) {
    step(Event.Emptied);
    called = true;
    until = began + deadline;
    return Next.Others;
  }
  step(Event.Drained);
  until = max(began + deadline, now + FLUSH);
  return Next.Flush;
}

/** The function added last among those that apply: to the signal, or all. */
function topmost(): usize {
  let at = top;
  for (let i = 0; i < waiting; i++) {
    const entry = changetype<Entry>(at);
    if (signal == 0 || entry.signals & (1 << (signal - 1))) return at;
    at = entry.below;
  }
  return 0;
}

function verdict(): Next {
  if (signal == 0 || status != Status.Signal || failed) return Next.Exit;
  return Next.Die;
}

export function value(): i32 {
  if (signal == 0) return code == 0 && failed ? 1 : code;
  if (failed) return 1;
  if (status == Status.Signal) return signal;
  return status == Status.Code ? 128 + signal : status;
}
