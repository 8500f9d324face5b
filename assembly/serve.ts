// Serves a connection: reads heads, has each answered by one transfer, and never waits. What would wait is an Act for the
// host.

import { Act, Action, Fault, Flag, Odd, RequestFlag, Way } from "./abi";
import {
  Connection,
  ENDED,
  Event,
  HELD,
  LAST,
  State,
  settle,
  step,
  UNREAD,
  URGENT,
  USED,
  untilMoved,
} from "./connection";
import { FACTS, INPUT, recognize, refuse } from "./request";
import * as runner from "./run";
import { read, recv, send } from "./sys";
import * as transfer from "./transfer";
import { Transfer } from "./transfer";

/** epoll(7)'s bits. Each fd is watched for all of them by edges, once for its life. */
const EPOLLIN: i32 = 1;
const EPOLLPRI: i32 = 2;
const EPOLLOUT: i32 = 4;
const EPOLLERR: i32 = 8;
const EPOLLHUP: i32 = 16;
const EPOLLRDHUP: i32 = 0x2000;

/** Bytes of one recv(2): the longest head that is recognized. */
const INPUT_SIZE: i32 = 8192;

/** Room for the host's struct epoll_event: 129 of 16 bytes. */
export const EPOLL: usize = memory.data(129 * 16, 16);

/** What a lingering connection may still send before it is cut, in bytes. */
const LINGER_MOST: i32 = 1 << 20;

// The part of INPUT that is unread, of the connection that the host works on now, and where its last head began.
let start: usize = 0;
let at: usize = 0;
let end: usize = 0;

/** An event of epoll(7). One that was meant for a connection before this one does nothing. */
export function event(c: Connection, generation: i32, events: i32, now: f64): Act {
  if (c.generation != generation) return Act.Wait;
  at = end = 0;
  if (events & (EPOLLERR | EPOLLHUP)) return Act.Close;
  if (events & EPOLLPRI) c.flags |= UNREAD | URGENT;
  if (events & EPOLLIN) c.flags |= UNREAD;
  if (events & EPOLLRDHUP) c.flags |= UNREAD | ENDED;
  if (c.state == State.Reading) return c.flags & HELD ? Act.Wait : receive(c);
  if (c.state == State.Sending && events & EPOLLOUT) return go(c, now);
  if (c.state == State.Lingering) return drop(c);
  return Act.Wait;
}

/** Reads what has come, while nothing else is to be done for this connection. */
function receive(c: Connection): Act {
  if (!(c.flags & UNREAD)) return Act.Wait;
  const n = recv(c.fd, INPUT, INPUT_SIZE);
  if (n == -Fault.Interrupted) return Act.Again;
  if (n == -Fault.WouldBlock) {
    c.flags &= ~UNREAD;
    return Act.Wait;
  }
  if (n <= 0) return Act.Close;
  if (n < INPUT_SIZE && !(c.flags & (ENDED | URGENT))) c.flags &= ~UNREAD; // the next bytes are another edge
  at = INPUT;
  end = at + <usize>n;
  return look(c);
}

/** Looks for a head in what has been read. */
function look(c: Connection): Act {
  start = at;
  const behind = recognize(at, end);
  if (behind == 0) return Act.HandOver;
  // llhttp takes what follows behind the last request for an error.
  if (behind < end && load<i32>(FACTS) & RequestFlag.Last) {
    refuse(Odd.Connection);
    return Act.HandOver;
  }
  at = behind;
  c.flags |= USED;
  step(c, Event.Recognized);
  return Act.Ask;
}

/** Where the input begins that the host has to hold until `resume`, if it does not answer now or hands over. */
export function hold(c: Connection): usize {
  if (c.state == State.Asked) at = start;
  c.flags |= HELD;
  return at;
}

/** How much that is, in bytes. */
export function held(): i32 {
  return <i32>(end - at);
}

/** The host has put `bytes` of held input at INPUT. */
export function resume(c: Connection, bytes: i32): Act {
  if (<u32>bytes > <u32>INPUT_SIZE) unreachable();
  step(c, Event.Resumed);
  c.flags &= ~HELD;
  at = INPUT;
  end = at + <usize>bytes;
  return look(c);
}

/**
 * Answers the head: `header` bytes at SCRATCH, and `count` bytes of `file` from `offset`. With `last` the connection ends
 * behind them.
 */
export function answer(c: Connection, header: i32, file: i32, offset: f64, count: f64, last: bool, now: f64): Act {
  const t = transfer.open(now);
  if (t == null) return Act.Close;
  step(c, Event.Answered);
  transfer.extent(t, header, offset, count, 0, Flag.Native | Flag.Probe);
  transfer.limit(t, untilMoved, Infinity, now);
  c.answer = t;
  c.file = file;
  if (last) c.flags |= LAST;
  return advance(c, t, now);
}

/** Goes on with the answer. The rest of its header has to be at SCRATCH: else that is asked for. */
export function go(c: Connection, now: f64): Act {
  const t = c.answer;
  if (t == null) return c.state == State.Reading ? receive(c) : Act.Wait;
  if (c.state != State.Sending) return Act.Wait; // for a disk
  return transfer.headLeft(t) > 0 ? Act.Header : advance(c, t, now);
}

/** The rest of the header is at SCRATCH. */
export function headed(c: Connection, now: f64): Act {
  const t = c.answer;
  if (t == null) return unreachable();
  return advance(c, t, now);
}

/** Bytes of the answer that were sent, header first; of those of a header there are few. */
export function progress(c: Connection): i32 {
  const t = c.answer;
  return t == null ? 0 : <i32>min(t.done, i32.MAX_VALUE);
}

/** Bytes of the file that are to be read from a disk, once the answer was Cold. */
export function want(c: Connection): i32 {
  const t = c.answer;
  return t == null ? 0 : t.want - <i32>transfer.headLeft(t);
}

/** Where they begin. */
export function position(c: Connection): i64 {
  const t = c.answer;
  return t == null ? 0 : transfer.position(t);
}

/** The disk has been read: the next `bytes` of the file are in the page cache; 0 at its end. */
export function warm(c: Connection, bytes: i32, now: f64): Act {
  const t = c.answer;
  step(c, Event.Warmed);
  if (t == null) return unreachable();
  if (bytes <= 0) return Act.Close; // shorter than was announced
  at = end = 0;
  transfer.warmed(t, bytes, now);
  transfer.copied(t);
  return go(c, now);
}

function advance(c: Connection, t: Transfer, now: f64): Act {
  if (c.state != State.Sending) unreachable();
  const action = runner.run(t, c.fd, c.file, now);
  if (action == Action.Done) return sent(c, t, now);
  if (action == Action.Yield) return waits(Act.Again);
  if (action == Action.Fail) return Act.Close;
  if (t.way == Way.Doorbell) {
    transfer.copied(t);
    return waits(Act.Wait);
  }
  if (t.way == Way.Cold) {
    step(c, Event.Chilled);
    return waits(Act.Cold);
  }
  return copy(c, t, now);
}

/** Sends a header without a body; or reads and sends a piece of a file, where sendfile can't or wants to know the end. */
function copy(c: Connection, t: Transfer, now: f64): Act {
  let n = <i32>min(transfer.headLeft(t), runner.HEADER);
  if (n == 0) {
    n = read(c.file, runner.SCRATCH, <f64>transfer.position(t), <i32>min(<i64>t.want, runner.HEADER));
    if (n == 0) {
      transfer.copied(t);
      transfer.ended(t);
      return Act.Close; // shorter than was announced
    }
    if (n == -Fault.WouldBlock) {
      t.way = <u8>Way.Cold;
      step(c, Event.Chilled);
      return waits(Act.Cold);
    }
    if (n < 0 && n != -Fault.Interrupted) return Act.Close;
  }
  const r = n < 0 ? 0 : send(c.fd, runner.SCRATCH, n, 0);
  if (r < 0 && r != -Fault.WouldBlock && r != -Fault.Interrupted) return Act.Close;
  if (r > 0) transfer.moved(t, r, Way.Copied, now);
  transfer.copied(t);
  if (r == n && transfer.left(t) == 0) return advance(c, t, now);
  return waits(r == -Fault.WouldBlock ? Act.Wait : Act.Again);
}

/** The connection waits: input that was read has to be held. */
function waits(act: Act): Act {
  return at < end ? act | Act.Hold : act;
}

/** The answer is sent. */
function sent(c: Connection, t: Transfer, now: f64): Act {
  settle(c, t);
  c.since = now;
  if (c.flags & LAST) {
    // As nginx: who closes over unread input cuts off the answer that is still on its way.
    const n = at < end || c.flags & HELD ? 1 : recv(c.fd, INPUT, INPUT_SIZE);
    if (n <= 0) return Act.Close;
    step(c, Event.Lingers);
    return Act.Linger;
  }
  step(c, Event.Sent);
  if (at < end) return look(c);
  if (c.flags & HELD) return Act.Resume;
  return receive(c);
}

/** Drops what a lingering client sends. */
function drop(c: Connection): Act {
  const n = recv(c.fd, INPUT, INPUT_SIZE);
  if (n == -Fault.WouldBlock) return Act.Wait;
  if (n == 0 || (n < 0 && n != -Fault.Interrupted)) return Act.Close;
  c.dropped += max(n, 1);
  return c.dropped > LINGER_MOST ? Act.Close : Act.Again;
}

/** Goes on in another turn of the loop, after Again or Linger. */
export function again(c: Connection, now: f64): Act {
  at = end = 0;
  return c.state == State.Lingering ? drop(c) : go(c, now);
}
