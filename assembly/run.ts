// One run of a transfer: the only file of the core that makes system calls. It never waits; a call that would wait is
// an Action for the host.

import { Action, Fault, Flag, Way } from "./abi";
import { ask, CHUNK, cold, copy, doorbellSize, FAR, SMALL, STRETCH } from "./chunk";
import { NATIVE, read, send, sendfile } from "./sys";
import * as transfer from "./transfer";
import { Transfer } from "./transfer";

/*
 * The scratch area, one for all transfers: nothing in it outlives a run.
 * ┌──────────────────────┬──────────────────────────────────┬─────────────────────────────┐
 * │ header, up to HEADER │ bytes read after it, up to SMALL │ FRAME: 64 bytes for the     │
 * │                      │                                  │ host's off_t, iovec, socklen │
 * └──────────────────────┴──────────────────────────────────┴─────────────────────────────┘
 */
export const HEADER: i64 = 16 << 10;
export const SCRATCH: usize = memory.data(<i32>(HEADER + SMALL) + 64, 16);
export const FRAME: usize = SCRATCH + <usize>(HEADER + SMALL);

/** System calls in one run, whatever they return: interrupted calls and tiny writes must end. */
const CALLS: i32 = 16;

/** How long all transfers together may hold one turn of the event loop, in ms. */
const TURN: f64 = 1;

let turn: f64 = 0;

/** A new turn of the event loop has begun. */
export function begin(now: f64): void {
  turn = now;
}

/** Whether this turn's share is used up. */
export function spent(now: f64): bool {
  return now - turn >= TURN;
}

// Known of the whole process: once a call is missing it is not made again.
let sendfileMissing = false;
let readMissing = false;

/**
 * Moves as much as it can now. While header bytes are left, the host has stored the rest of them, up to HEADER, at
 * SCRATCH.
 */
export function run(t: Transfer, out: i32, file: i32, now: f64): Action {
  if (t.state != transfer.State.Ready) unreachable();
  if (transfer.left(t) == 0) return done(t);
  if (transfer.expired(t, now)) return Action.Fail;
  if (spent(now)) return Action.Yield;
  if (!NATIVE || !(t.flags & Flag.Native) || sendfileMissing) return without(t);

  const start = t.done;
  for (let calls = 0; calls < CALLS; calls++) {
    const left = transfer.left(t);
    if (left == 0) return done(t);
    const body = transfer.bodyLeft(t);
    const head = transfer.headLeft(t);
    const budget = CHUNK - (t.done - start);
    if (body == 0) return want(t, min(left, CHUNK), Way.Copied);
    if (head > HEADER) return want(t, min(head, CHUNK), Way.Copied);
    if (budget <= 0) return Action.Yield;

    const position = transfer.position(t);
    const fresh = t.warmUntil - position;
    const header = SCRATCH + <usize>(head > 0 ? t.done - start : 0);

    if (t.flags & Flag.Probe && !readMissing) {
      if (fresh <= 0 && isCold(t, file, position, body)) return want(t, head + cold(position, body), Way.Cold);
      const small = body <= SMALL && t.tail == 0;
      const after = header + <usize>head;
      const n = read(file, after, <f64>position, small ? <i32>body : 1);
      if (n == 0) {
        transfer.ended(t);
        if (t.state == transfer.State.Failed) return Action.Fail;
        continue;
      }
      if (n < 0) {
        const fault = -n;
        if (fault == Fault.Interrupted) continue;
        if (fault == Fault.WouldBlock) {
          t.coldUntil = position + STRETCH;
          return want(t, head + cold(position, body), Way.Cold);
        }
        if (fault == Fault.Missing) readMissing = true;
        else if (fault == Fault.Unsupported) t.flags &= ~Flag.Probe;
        else return fail(t, fault);
      } else if (small) {
        const more = n < <i32>body;
        const r = send(out, header, <i32>head + n, more ? 1 : 0);
        if (r == -Fault.Interrupted) continue;
        if (r < 0) return refused(t, -r);
        transfer.moved(t, r, Way.Native, now);
        t.corked = more;
        continue;
      }
    }

    if (head > 0) {
      const r = send(out, header, <i32>head, 1);
      if (r == -Fault.Interrupted) continue;
      if (r < 0) return refused(t, -r);
      transfer.moved(t, r, Way.Native, now);
      t.corked = true;
      if (r < head) continue;
    }

    const r = sendfile(out, file, <f64>position, <i32>ask(body, fresh > 0 ? min(budget, fresh) : budget));
    if (r > 0) transfer.moved(t, r, Way.Native, now);
    else if (r == 0)
      return want(t, doorbellSize(position, body), Way.Copied); // only a read decides where the end is
    else if (r != -Fault.Interrupted) return refused(t, -r);
  }
  return transfer.left(t) == 0 ? done(t) : Action.Yield;
}

function done(t: Transfer): Action {
  transfer.finished(t);
  return Action.Done;
}

function fail(t: Transfer, fault: Fault): Action {
  transfer.failed(t, fault);
  return Action.Fail;
}

function want(t: Transfer, bytes: i64, way: Way): Action {
  transfer.wanted(t, bytes, way);
  return Action.Copy;
}

/** Whether the file is still taken to be cold here: since a cold byte was met, until one far ahead is warm. */
function isCold(t: Transfer, file: i32, position: i64, body: i64): bool {
  if (t.coldUntil == 0) return false;
  if (position < t.coldUntil) return true;
  const warm = body > FAR && read(file, SCRATCH, <f64>(position + FAR), 1) > 0;
  t.coldUntil = warm ? 0 : position + STRETCH;
  return !warm;
}

/** The socket's answer to a native call that moved nothing. */
function refused(t: Transfer, fault: Fault): Action {
  if (fault == Fault.WouldBlock) {
    const n = transfer.headLeft(t) + doorbellSize(transfer.position(t), transfer.bodyLeft(t));
    return want(t, n, Way.Doorbell);
  }
  if (fault == Fault.Missing) sendfileMissing = true;
  else if (fault != Fault.Unsupported) return fail(t, fault);
  t.flags &= ~Flag.Native;
  return without(t);
}

/** The copy path: native calls are unavailable, or not asked for. */
function without(t: Transfer): Action {
  if (t.flags & Flag.Only) return fail(t, Fault.NotAvailable);
  const rest = transfer.headLeft(t);
  const body = transfer.bodyLeft(t);
  const n = rest + copy(transfer.position(t), body);
  return want(t, n == rest + body ? transfer.left(t) : n, Way.Copied);
}
