// The phases of a transfer, by what it waits for, and the table of their transitions.

export enum Phase {
  /** The source, which is being opened. */
  Opening,
  /** Source open: waits for its place in the queue, a turn of the event loop, or the connection. */
  Waiting,
  /** The next step of the core, in this turn of the event loop or a later one. */
  Running,
  /** A copy, which is being read. */
  Reading,
  /** A copy, which is being written. */
  Writing,
  /** It is over for the caller, but a copy is still being written. */
  Leaving,
  Over,
}

export enum Event {
  /** The source is open. */
  Opened,
  /** The core knows the bytes to send. */
  Began,
  /** The core wants a copy. */
  Wanted,
  /** The copy has been read. */
  Read,
  /** The copy is over. */
  Copied,
  /** The transfer is over, successful or not. */
  Ended,
}

/*
 *             Opened   Began    Wanted   Read     Copied   Ended
 *   Opening   Waiting  .        .        .        .        Over
 *   Waiting   .        Running  .        .        .        Over
 *   Running   .        .        Reading  .        .        Over
 *   Reading   .        .        .        Writing  Running  Over
 *   Writing   .        .        .        .        Running  Leaving
 *   Leaving   .        .        .        .        Over     .
 *   Over      .        .        .        .        .        .
 *
 * A dot is an illegal event: it throws, and changes nothing.
 */
const { Waiting, Running, Reading, Writing, Leaving, Over } = Phase;
const NONE = -1;
const EVENTS = 6;
// biome-ignore format: the lines of the table above
const TABLE = [
  Waiting, NONE, NONE, NONE, NONE, Over,
  NONE, Running, NONE, NONE, NONE, Over,
  NONE, NONE, Reading, NONE, NONE, Over,
  NONE, NONE, NONE, Writing, Running, Over,
  NONE, NONE, NONE, NONE, Running, Leaving,
  NONE, NONE, NONE, NONE, Over, NONE,
  NONE, NONE, NONE, NONE, NONE, NONE,
];

/** The phase after an event. */
export function after(phase: Phase, event: Event): Phase {
  const next = TABLE[phase * EVENTS + event] as Phase;
  if (next < 0) throw new Error(`a transfer met ${Event[event]} in its phase ${Phase[phase]}`);
  return next;
}

/** A transfer's position in its queue: from one to the next, and never back. */
export enum Place {
  /** None: a transfer that is sent at once needs no place. */
  None,
  /** A place behind others. */
  Queued,
  /** Its turn, until it lets the queue go on. */
  Held,
  Left,
}
