// Every export: all that goes out of the core, a line or two each. docs/internals/abi.md is the promise.

import { ABI_VERSION, Act, Action, Begun, Fault, Next, Odd, Reason } from "./abi";
import * as connection from "./connection";
import { Connection } from "./connection";
import * as exit from "./exit";
import { Entry } from "./exit";
import * as request from "./request";
import * as runner from "./run";
import * as serve from "./serve";
import * as transfer from "./transfer";
import { Transfer } from "./transfer";

export function abi(): i32 {
  return ABI_VERSION;
}

/** The address of the header, stored by the host before a run. */
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

/** 1 if the turn's share is used up: every run returns Yield. */
export function turn_spent(now: f64): i32 {
  return runner.spent(now) ? 1 : 0;
}

/** Returns: a handle, or 0 if the memory's maximum is reached. */
export function transfer_open(now: f64): Transfer | null {
  return transfer.open(now);
}

/** Sets the bytes to send, offset + count at most 2^53 - 1: at first, or once a former extent is over. */
export function transfer_extent(t: Transfer, header: i32, offset: f64, count: f64, trailer: i32, flags: i32): void {
  transfer.extent(t, header, offset, count, trailer, flags);
}

/** Milliseconds without progress, 0 for no limit, counted from `now`; and a last moment, Infinity for none. */
export function transfer_limit(t: Transfer, timeout: f64, deadline: f64, now: f64): void {
  transfer.limit(t, timeout, deadline, now);
}

/** Moves as much as it can now; the first `header_max` bytes of the rest of the header are at `scratch`. */
export function transfer_run(t: Transfer, out: i32, file: i32, now: f64): Action {
  return runner.run(t, out, file, now);
}

/** Bytes to copy, once the answer was Copy. */
export function transfer_want(t: Transfer): i32 {
  return t.want;
}

/** The position of the next byte, counted from the first byte of the header. */
export function transfer_at(t: Transfer): f64 {
  return <f64>t.done;
}

/** The Way of the copy that is wanted. */
export function transfer_way(t: Transfer): i32 {
  return t.way;
}

/** `bytes` of the copy were sent; more of it follows. */
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

/** Checks the limits while the host waits: 1 if the transfer has just failed by one. */
export function transfer_tick(t: Transfer, now: f64): i32 {
  return transfer.expired(t, now) ? 1 : 0;
}

/** When to tick, in the clock of `now`; Infinity for never. */
export function transfer_due(t: Transfer): f64 {
  return transfer.due(t);
}

/** Bytes of the file sent so far. */
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

/** 1 if the last bytes were sent with MSG_MORE and nothing has followed. */
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

/** Bit n - 1 of `signals` is signal n; `timeout` in ms. Returns: an id, or 0 if the memory's maximum is reached. */
export function exit_add(signals: i32, timeout: f64): Entry | null {
  return exit.add(signals, timeout);
}

/** Unregisters a function. Returns: 1, or 0 if it has been claimed. The id is void either way. */
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

/** The process has to end. Legal at any time. */
export function exit_begin(reason: Reason, value: i32, now: f64): Begun {
  return exit.begin(reason, value, now);
}

/** The next action; only once `exit_begin` has begun. */
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

/** The other listeners are over, successful or not. */
export function exit_heard(ok: i32): void {
  exit.heard(ok != 0);
}

/** Pending output is flushed. */
export function exit_flushed(): void {
  exit.flushed();
}

/** When to call `exit_next` again, in the clock of `now`; Infinity if nothing is pending. */
export function exit_due(): f64 {
  return exit.due();
}

/** The signal number or exit code of Die or Exit. */
export function exit_value(): i32 {
  return exit.value();
}

/** Where the bytes of a head can be put: 8192, and 64 to spare. */
export function request_input(): usize {
  return request.INPUT;
}

/** Returns: the address behind the head that begins the bytes from `at` to `end`, or 0 if it is not recognized. */
export function request_recognize(at: usize, end: usize): usize {
  return request.recognize(at, end);
}

/** The address of the facts of the head that was recognized last. */
export function request_facts(): usize {
  return request.FACTS;
}

/** Why it was not. */
export function request_odd(): Odd {
  return request.odd;
}

/** ms: for the first head, for the next one, without progress of an answer (0 for no limit), and of a lingering close. */
export function connection_limits(head: f64, idle: f64, stall: f64, linger: f64): void {
  connection.limits(head, idle, stall, linger);
}

/** The address of 2064 bytes for the host's struct epoll_event. */
export function connection_events(): usize {
  return serve.EPOLL;
}

/** Returns: a handle, or 0 if the memory's maximum is reached. */
export function connection_open(fd: i32, now: f64): Connection | null {
  return connection.open(fd, now);
}

/** Gives the record back; legal at any time, once. */
export function connection_close(c: Connection): void {
  connection.close(c);
}

/** The one after `c` of those that are open, the first after 0; 0 after the last. */
export function connection_after(c: Connection | null): usize {
  return connection.after(c);
}

export function connection_fd(c: Connection): i32 {
  return c.fd;
}

/** Tells a connection from those that have had its record before. */
export function connection_generation(c: Connection): i32 {
  return c.generation;
}

/** 1 if no request of it is being answered. */
export function connection_idle(c: Connection): i32 {
  return c.state == connection.State.Reading ? 1 : 0;
}

/** 1 if an answer is on its way. */
export function connection_sending(c: Connection): i32 {
  return c.answer == null ? 0 : 1;
}

/** Bytes of the answer that were sent: the position of the next one, counted from the first byte of the header. */
export function connection_at(c: Connection): i32 {
  return serve.progress(c);
}

/** An event of epoll(7), of an fd that is watched by edges for EPOLLIN, EPOLLPRI, EPOLLOUT and EPOLLRDHUP. */
export function connection_event(c: Connection, generation: i32, events: i32, now: f64): Act {
  return serve.event(c, generation, events, now);
}

/** Answers a head: with `header` bytes at `scratch`, then `count` bytes of `file` from `offset`; `last`: the client gets no more. */
export function connection_answer(
  c: Connection,
  header: i32,
  file: i32,
  offset: f64,
  count: f64,
  last: i32,
  now: f64,
): Act {
  return serve.answer(c, header, file, offset, count, last != 0, now);
}

/** The rest of the header is at `scratch`. */
export function connection_headed(c: Connection, now: f64): Act {
  return serve.headed(c, now);
}

/** Where bytes are to be read from a disk, after Cold. */
export function connection_position(c: Connection): f64 {
  return <f64>serve.position(c);
}

/** How many. */
export function connection_want(c: Connection): i32 {
  return serve.want(c);
}

/** The next `bytes` of the file have been read into the page cache. */
export function connection_warm(c: Connection, bytes: i32, now: f64): Act {
  return serve.warm(c, bytes, now);
}

/** Another turn, after Again or Linger. */
export function connection_again(c: Connection, now: f64): Act {
  return serve.again(c, now);
}

/** The address of the input that the host has to hold, or to hand over. */
export function connection_hold(c: Connection): usize {
  return serve.hold(c);
}

/** Its length, after `connection_hold`. */
export function connection_held(): i32 {
  return serve.held();
}

/** The host has put the first `bytes` of what it holds at `request_input`. */
export function connection_resume(c: Connection, bytes: i32): Act {
  return serve.resume(c, bytes);
}

/** 1 if a limit has passed: the connection is to be closed. */
export function connection_expired(c: Connection, now: f64): i32 {
  return connection.expired(c, now) ? 1 : 0;
}

/** Bytes of all answers that are over, by Way. */
export function connection_tally(way: i32): f64 {
  return <f64>connection.tally(way);
}
