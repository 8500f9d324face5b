// A schedule: what happens to the core in one life of a process, as data. Nothing in it depends on an
// answer of the core, so that any part of it is a schedule too, and a failing one can be shrunk.

import { Fault, Flag, Reason, Status } from "../../assembly/abi.js";
import { Random } from "./random.js";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Sockets, files, transfers and functions are told by any number: the world takes the remainder. Times are ms. */
export type Event =
  /** A transfer joins the queue of its socket. */
  | {
      is: "open";
      socket: number;
      file: number;
      header: number;
      offset: number;
      count: number;
      trailer: number;
      flags: number;
      timeout: number;
      /** From now on; Infinity for none. */
      deadline: number;
    }
  /** Time goes by, then the event loop turns; `times` times. */
  | { is: "turn"; ms: number; times: number }
  /** The reader at the other end takes bytes. */
  | { is: "drain"; socket: number; bytes: number }
  /** The next calls on this socket, or file for `read`, fail. */
  | { is: "fault"; call: Call; on: number; fault: Fault; times: number }
  /** The next calls on this socket take no more than this. */
  | { is: "short"; socket: number; bytes: number; times: number }
  /** The file is truncated, or grows. */
  | { is: "size"; file: number; bytes: number }
  /** These bytes drop out of the page cache. */
  | { is: "cold"; file: number; from: number; to: number }
  /** The peer goes away, for good. */
  | { is: "reset"; socket: number }
  | { is: "abort"; transfer: number }
  /** New limits; and whether a copy that is under way says that it is alive. */
  | { is: "limit"; transfer: number; timeout: number; deadline: number; alive: boolean }
  /** An exit function, that takes so long; a drain is over with the last transfer. */
  | { is: "add"; signals: number; timeout: number; ms: number; ok: boolean; drain: boolean }
  | { is: "remove"; entry: number }
  /** A signal, or another reason to end. */
  | { is: "begin"; reason: Reason; value: number };

export type Call = "sendfile" | "read" | "send";

export interface Schedule {
  /** Bytes that the buffer of each socket has room for. */
  rooms: number[];
  /** The size of each file. */
  sizes: number[];
  /** Of exit_configure. */
  status: number;
  forceAfter: number;
  deadline: number;
  /** How long the listeners of others, and the output, take at the end. */
  others: number;
  flush: number;
  events: Event[];
}

const TERM = 15;
const INT = 2;
const SIGNALS = [1 << (TERM - 1), 1 << (INT - 1), (1 << (TERM - 1)) | (1 << (INT - 1)), 0] as const;

/** The schedule of a seed. */
export function schedule(seed: number): Schedule {
  const random = new Random(seed);
  const near = (n: number) => Math.max(0, n - 2 + random.below(5));
  const eighths = (most: number) => random.below(most * 8) / 8;
  const rooms = Array.from({ length: 1 + random.below(4) }, () =>
    random.pick([0, 1, random.below(600), random.below(64 * KiB), 2 * MiB, 2 ** 40, 2 ** 40]),
  );
  const sizes = Array.from({ length: 1 + random.below(3) }, () =>
    random.pick([
      0,
      random.below(100),
      near(4 * KiB),
      near(16 * KiB),
      random.below(128 * KiB),
      near(512 * KiB),
      near(MiB),
      random.below(3 * MiB),
      random.chance(0.1) ? 45 * MiB : 5 * MiB,
      random.pick([2 ** 31, 2 ** 32, 2 ** 53 - 1]) - random.below(2 * MiB),
    ]),
  );
  const ends = random.chance(0.4);

  const open = (): Event => {
    const file = random.below(sizes.length);
    const size = sizes[file] as number;
    const header = random.pick([
      0,
      0,
      1,
      random.below(500),
      near(16 * KiB),
      near(40000),
      random.chance(0.05) ? 2 ** 31 - 1 : 7,
    ]);
    const anywhere = [0, 0, 0, random.below(size + 1), Math.min(size, 4 * KiB * random.below(1000)), near(size)];
    const offset = Math.min(Number.MAX_SAFE_INTEGER, random.pick(anywhere));
    const rest = Math.max(0, size - offset);
    const count = Math.min(
      Number.MAX_SAFE_INTEGER - offset,
      random.pick([
        rest,
        rest,
        rest,
        random.below(rest + 1),
        rest + random.below(1000),
        near(16 * KiB - Math.min(header, 16 * KiB)),
        near(MiB),
      ]),
    );
    const trailer = random.pick([
      0,
      0,
      0,
      0,
      1,
      random.below(500),
      random.chance(0.1) ? random.pick([MiB + 5, 2 ** 31 - 1]) : 9,
    ]);
    let flags = 0;
    if (random.chance(0.9)) flags |= Flag.Native;
    if (random.chance(0.7)) flags |= Flag.Probe;
    if (random.chance(0.1)) flags |= Flag.Only;
    if (random.chance(0.2)) flags |= Flag.Eof;
    const limits = random.chance(0.3);
    return {
      is: "open",
      socket: random.below(rooms.length),
      file,
      header,
      offset,
      count,
      trailer,
      flags,
      timeout: limits && random.chance(0.7) ? 1 + random.below(40) : 0,
      deadline: limits && random.chance(0.7) ? eighths(100) : Number.POSITIVE_INFINITY,
    };
  };

  const add = (): Event => ({
    is: "add",
    signals: random.pick(SIGNALS),
    timeout: random.below(200),
    ms: random.pick([0, 0, eighths(20), eighths(300), Number.POSITIVE_INFINITY]),
    ok: random.chance(0.9),
    drain: random.chance(0.4),
  });

  const event = (): Event => {
    const socket = random.below(rooms.length);
    const file = random.below(sizes.length);
    const size = sizes[file] as number;
    const transfer = random.below(8);
    switch (random.weighed(WEIGHTS)) {
      case "open":
        return open();
      case "turn":
        return { is: "turn", ms: random.pick([0, 0.125, 0.5, 1, 1, 5, eighths(50)]), times: random.pick([1, 1, 2, 5]) };
      case "drain":
        return { is: "drain", socket, bytes: random.pick([1, random.below(1000), random.below(100 * KiB), 4 * MiB]) };
      case "fault": {
        const call = random.pick(["sendfile", "read", "send"] as const);
        const fault = random.pick(FAULTS);
        return { is: "fault", call, on: random.below(4), fault, times: random.pick([1, 1, 2, 17, 40]) };
      }
      case "short":
        return {
          is: "short",
          socket,
          bytes: random.pick([1, random.below(600) + 1, near(MiB - 5)]),
          times: 1 + random.below(20),
        };
      case "size":
        return {
          is: "size",
          file,
          bytes: Math.min(
            Number.MAX_SAFE_INTEGER,
            random.pick([0, random.below(size + 1), random.below(size + 1), size + random.below(1000)]),
          ),
        };
      case "cold": {
        const from = random.pick([0, 0, random.below(size + 1)]);
        return { is: "cold", file, from, to: from + random.pick([1, 4 * KiB, 300 * KiB, 5 * MiB, 2 ** 53]) };
      }
      case "reset":
        return { is: "reset", socket };
      case "abort":
        return { is: "abort", transfer };
      case "limit":
        return {
          is: "limit",
          transfer,
          timeout: random.pick([0, 1 + random.below(40)]),
          deadline: random.pick([eighths(100), Number.POSITIVE_INFINITY]),
          alive: random.chance(0.5),
        };
      case "add":
        return add();
      case "remove":
        return { is: "remove", entry: random.below(8) };
    }
  };

  const events: Event[] = [open()];
  for (let i = 8 + random.below(24); i > 0; i--) events.push(event());
  if (ends) {
    const begins = 1 + random.below(3);
    for (let i = 0; i < begins; i++) {
      const reason = random.pick([
        Reason.Signal,
        Reason.Signal,
        Reason.Signal,
        Reason.Asked,
        Reason.Ended,
        Reason.Leaving,
      ]);
      const signal = random.pick([TERM, INT]);
      const value =
        reason === Reason.Signal ? signal : random.pick(reason === Reason.Asked ? [0, 3, -signal] : [0, 0, 5]);
      events.splice(1 + Math.floor(events.length * (1 - random.next() / 2)), 0, { is: "begin", reason, value });
    }
    for (let i = random.below(4); i > 0; i--) events.unshift(add());
    for (let i = random.below(8); i > 0; i--) events.push(event());
  }
  return {
    rooms,
    sizes,
    status: random.pick([Status.Signal, Status.Signal, Status.Code, 7]),
    forceAfter: random.pick([0, 5, 500]),
    deadline: random.pick([10, 100, 1000, Number.POSITIVE_INFINITY]),
    others: random.pick([0, 1, Number.POSITIVE_INFINITY]),
    flush: random.pick([0, 1, Number.POSITIVE_INFINITY]),
    events,
  };
}

const WEIGHTS = {
  open: 8,
  turn: 24,
  drain: 10,
  fault: 5,
  short: 3,
  size: 1.5,
  cold: 3,
  reset: 0.5,
  abort: 0.7,
  limit: 1.5,
  add: 2,
  remove: 1,
};

/** What an import may answer besides a count; the rare ones end a transfer, or the native way. */
const FAULTS = [
  ...Array<Fault>(8).fill(Fault.WouldBlock),
  ...Array<Fault>(8).fill(Fault.Interrupted),
  Fault.Unsupported,
  Fault.Unsupported,
  Fault.Missing,
  Fault.Closed,
  Fault.System,
];
