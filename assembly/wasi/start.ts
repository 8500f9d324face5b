// The command: one transfer, as its arguments say, to stdout or to an inherited descriptor. It is a host of
// the core: it makes the core's copies, and does the waiting.

import { Action, Fault, Flag, Way } from "../abi";
import { begin, run } from "../run";
import { read, send } from "../sys";
import * as transfer from "../transfer";
import { Transfer } from "../transfer";
import * as options from "./options";
import { Option } from "./options";
import * as place from "./place";
import { proc_exit } from "./preview1";
import { Errno, errno, stream } from "./syscalls";
import { moved, now, rest, wait } from "./time";
import { count, end, explain, quote, say } from "./words";

enum Exit {
  Failure = 1,
  Usage = 2,
}

const LARGEST: i64 = <i64>f64.MAX_SAFE_INTEGER;

/** Bytes of one read: a pipe's capacity. More is slower, by `npm run bench -- wasi`. */
const CAPACITY: i32 = 64 << 10;
const BUFFER: usize = memory.data(CAPACITY, 16);

let out: i32 = 1;
/** Whether the last call was of the file. */
let reading: bool = false;

/** Success returns: proc_exit(0) loses queued bytes in some hosts, and counts as a failure in others. */
export function _start(): void {
  const start = now();
  if (!options.read()) return proc_exit(Exit.Usage);
  const offset = options.number(Option.Offset, 0, 0, LARGEST);
  const most = offset < 0 ? -1 : options.number(Option.Count, LARGEST, 1, LARGEST);
  out = most < 0 ? -1 : <i32>options.number(Option.Fd, 1, 0, i32.MAX_VALUE);
  const timeout = out < 0 ? -1 : options.number(Option.Timeout, 0, 0, LARGEST);
  const deadline = timeout < 0 ? -1 : options.number(Option.Deadline, 0, 0, LARGEST);
  if (deadline < 0) return proc_exit(Exit.Usage);

  const path = options.text(Option.Path);
  const error = place.open(path);
  if (error != 0) return refused(path, error);
  if (!place.seekable) {
    if (offset > 0) return refused(path, Errno.IllegalSeek);
    stream();
  }
  const known = place.size >= 0; // else the count is an upper bound
  const there = max((known ? min(place.size, LARGEST) : LARGEST) - offset, 0);

  const t = transfer.open(start)!; // the memory has room for one
  transfer.extent(t, 0, <f64>offset, <f64>min(there, most), 0, known ? 0 : Flag.Eof);
  transfer.limit(t, <f64>timeout, deadline > 0 ? start + <f64>deadline : Infinity, now());
  if (!drive(t)) failed(t, path);
}

/** The loop: run, act, run again. Returns: whether every byte was sent. */
function drive(t: Transfer): bool {
  while (true) {
    const time = now();
    begin(time);
    const action = run(t, out, place.fd, time);
    if (action == Action.Done) return true;
    if (action == Action.Copy) copy(t);
    if (t.fault != Fault.None) return false;
  }
}

/** Makes the copy that the core wants, in pieces. */
function copy(t: Transfer): void {
  for (let left = t.want; left > 0; ) {
    const size = take(t, min(left, CAPACITY));
    if (size == 0) {
      transfer.copied(t);
      return transfer.ended(t);
    }
    if (size < 0 || !give(t, size)) return;
    left -= size;
  }
  transfer.copied(t);
}

/** Reads into the buffer. Returns: bytes, 0 at the end of the file, −1 if the transfer has failed. */
function take(t: Transfer, most: i32): i32 {
  while (true) {
    reading = true;
    const n = read(place.fd, BUFFER, <f64>transfer.position(t), most);
    if (n > 0) moved();
    if (n >= 0) return n;
    if (!held(t, -n)) return -1;
  }
}

/** Writes all of the buffer. Returns: false if the transfer has failed. */
function give(t: Transfer, size: i32): bool {
  for (let at = 0; at < size; ) {
    reading = false;
    const n = send(out, BUFFER + at, size - at, 0);
    if (n < 0) {
      if (!held(t, -n)) return false;
      continue;
    }
    at += n;
    moved();
    const time = now();
    transfer.moved(t, n, Way.Copied, time);
    if (transfer.left(t) > 0 && transfer.expired(t, time)) return false;
  }
  return true;
}

/** A call moved nothing. Returns: whether to make it again, after a wait; else the transfer has failed. */
function held(t: Transfer, fault: Fault): bool {
  const due = transfer.due(t);
  if (fault == Fault.WouldBlock ? wait(out, due) : fault == Fault.Interrupted && rest(due)) {
    return !transfer.expired(t, now());
  }
  // The error may be temporary, but this host can't wait for that.
  transfer.failed(t, fault == Fault.Closed ? fault : Fault.System);
  return false;
}

// Failures.

function refused(path: usize, error: i32): void {
  say("sendoff: ");
  quote(path);
  say(": ");
  if (error < 0) say("in no folder that the host has opened");
  else explain(error);
  end();
  proc_exit(Exit.Failure);
}

function failed(t: Transfer, path: usize): void {
  const fault = t.fault;
  say("sendoff: ");
  if (fault == Fault.Truncated || (reading && fault != Fault.Stalled)) quote(path);
  else {
    say("fd ");
    count(out);
  }
  say(": ");
  if (fault == Fault.Truncated) say("the file ended before its count");
  else if (fault == Fault.Stalled) say("timed out: no progress");
  else if (fault == Fault.Expired) say("the deadline has passed");
  else explain(errno);
  say(", ");
  count(transfer.sent(t));
  say(" bytes sent");
  end();
  proc_exit(Exit.Failure);
}
