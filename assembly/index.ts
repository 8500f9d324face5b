// Every export: all that goes out of the core, a line or two each. docs/internals/abi.md is the promise.

import { ABI_VERSION, Action, Begun, Fault, Next, Reason } from "./abi";
import * as exit from "./exit";
import { Entry } from "./exit";
import * as runner from "./run";
import * as transfer from "./transfer";
import { Transfer } from "./transfer";

export function abi(): i32 {
  return ABI_VERSION;
}

/** Where the host puts the header before a run. */
export function scratch(): usize {
  return runner.SCRATCH;
}

/** 64 bytes for the arguments of the host's system calls. */
export function frame(): usize {
  return runner.FRAME;
}

/** How much of a header fits there. */
export function header_max(): i32 {
  return <i32>runner.HEADER;
}

/** A turn of the event loop begins: its share of time, for all transfers together, starts now (ms). */
export function turn_begin(now: f64): void {
  runner.begin(now);
}

/** 1 where the turn's share is used up: every run answers Yield. */
export function turn_spent(now: f64): i32 {
  return runner.spent(now) ? 1 : 0;
}

/** Returns: a handle, or 0 where the memory's maximum is reached. */
export function transfer_open(now: f64): Transfer | null {
  return transfer.open(now);
}

/** What is to be sent, in bytes, offset + count at most 2^53 - 1; before anything was. */
export function transfer_extent(t: Transfer, header: i32, offset: f64, count: f64, trailer: i32, flags: i32): void {
  transfer.extent(t, header, offset, count, trailer, flags);
}

/** Milliseconds without progress, 0 for no limit, counted from `now`; and a last moment, Infinity for none. */
export function transfer_limit(t: Transfer, timeout: f64, deadline: f64, now: f64): void {
  transfer.limit(t, timeout, deadline, now);
}

/** Moves what can be moved now; the first `header_max` bytes of what is left of the header lie at `scratch`. */
export function transfer_run(t: Transfer, out: i32, file: i32, now: f64): Action {
  return runner.run(t, out, file, now);
}

/** Bytes to copy, once the answer was Copy. */
export function transfer_want(t: Transfer): i32 {
  return t.want;
}

/** Where the next byte stands, counted from the first byte of the header. */
export function transfer_at(t: Transfer): f64 {
  return <f64>t.done;
}

/** The Way of the copy that is wanted. */
export function transfer_way(t: Transfer): i32 {
  return t.way;
}

/** `bytes` of the copy have left; more of it is to come. */
export function transfer_moved(t: Transfer, bytes: i32, now: f64): void {
  if (t.state != transfer.State.Copying) unreachable();
  transfer.moved(t, bytes, t.way, now);
}

/** The copy is over, and these were the last `bytes` of it. */
export function transfer_copied(t: Transfer, bytes: i32, now: f64): void {
  transfer_moved(t, bytes, now);
  transfer.copied(t);
}

/** The source has no more bytes; the wanted copy is over. */
export function transfer_ended(t: Transfer): void {
  transfer.copied(t);
  transfer.ended(t);
}

export function transfer_failed(t: Transfer, fault: Fault): void {
  transfer.failed(t, fault);
}

/** Looks at the limits while the host waits: 1 where the transfer has just failed by one. */
export function transfer_tick(t: Transfer, now: f64): i32 {
  return transfer.expired(t, now) ? 1 : 0;
}

/** When to tick, in the clock of `now`; Infinity for never. */
export function transfer_due(t: Transfer): f64 {
  return transfer.due(t);
}

/** Bytes of the file that have left. */
export function transfer_sent(t: Transfer): f64 {
  return <f64>transfer.sent(t);
}

/** Bytes of header, file and trailer that went one Way. */
export function transfer_tally(t: Transfer, way: i32): f64 {
  return <f64>transfer.tally(t, way);
}

export function transfer_fault(t: Transfer): i32 {
  return t.fault;
}

/** 1 where the last bytes were sent with MSG_MORE and nothing has followed. */
export function transfer_corked(t: Transfer): i32 {
  return t.corked ? 1 : 0;
}

/** Gives the record back; legal at any time, once. */
export function transfer_close(t: Transfer): void {
  transfer.close(t);
}

/** The Status of a process that got a signal, or an exit code; both times in ms. For the process as a whole. */
export function exit_configure(status: i32, force_after: f64, deadline: f64): void {
  exit.configure(status, force_after, deadline);
}

/** Bit n - 1 of `signals` stands for signal n; `timeout` in ms. Returns: an id, or 0 where memory is out. */
export function exit_add(signals: i32, timeout: f64): Entry | null {
  return exit.add(signals, timeout);
}

/** Takes a function back. Returns: 1, or 0 where it has been claimed. The id is void either way. */
export function exit_remove(id: Entry): i32 {
  return exit.remove(id) ? 1 : 0;
}

/** The signals that some waiting function wants, as `exit_add` has them. */
export function exit_signals(): i32 {
  return exit.signals();
}

/** How many functions wait. */
export function exit_count(): i32 {
  return exit.count();
}

/** Something says that the process is to end. Legal at any time. */
export function exit_begin(reason: Reason, value: i32, now: f64): Begun {
  return exit.begin(reason, value, now);
}

/** What to do next; only once `exit_begin` has begun. */
export function exit_next(now: f64): Next {
  return exit.next(now);
}

/** The function that Call or Late was about. */
export function exit_id(): Entry | null {
  return exit.current();
}

/** The claimed function is over, well or not; the id is void then. Illegal for one that was Late. */
export function exit_settle(id: Entry, ok: i32): void {
  exit.settle(id, ok != 0);
}

/** The listeners of others are over, well or not. */
export function exit_heard(ok: i32): void {
  exit.heard(ok != 0);
}

/** Pending output has left. */
export function exit_flushed(): void {
  exit.flushed();
}

/** When to call `exit_next` again, in the clock of `now`; Infinity where nothing is waited for. */
export function exit_due(): f64 {
  return exit.due();
}

/** The signal number or exit code of Die or Exit. */
export function exit_value(): i32 {
  return exit.value();
}
