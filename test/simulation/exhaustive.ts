// Every order of a few events, to a depth: what chance may never try.

import { Fault, Flag, Reason, Status } from "../../assembly/abi.js";
import type { Event, Schedule } from "./schedule.js";

/** Of `node build/test/simulation/run.js --exhaustive`. */
export const DEPTH = 6;

/** Two transfers on two sockets, of one file: a small one of header and body, and one with all three parts. */
const OPEN: Event[] = [
  {
    is: "open",
    socket: 0,
    file: 0,
    header: 10,
    offset: 1,
    count: 3000,
    trailer: 0,
    flags: Flag.Native | Flag.Probe,
    timeout: 3,
    deadline: Infinity,
  },
  {
    is: "open",
    socket: 1,
    file: 0,
    header: 5,
    offset: 4090,
    count: 20000,
    trailer: 3,
    flags: Flag.Native,
    timeout: 0,
    deadline: 4,
  },
];

/** The alphabet: a letter is a few events that belong together. */
export const LETTERS: { readonly [name: string]: Event[] } = {
  "a turn, 1 ms later": [{ is: "turn", ms: 1, times: 1 }],
  "both readers take 700 bytes": [
    { is: "drain", socket: 0, bytes: 700 },
    { is: "drain", socket: 1, bytes: 700 },
  ],
  "the next send and sendfile are interrupted": [
    { is: "fault", call: "send", on: 0, fault: Fault.Interrupted, times: 1 },
    { is: "fault", call: "sendfile", on: 1, fault: Fault.Interrupted, times: 1 },
  ],
  "the file is truncated to 6000 bytes": [{ is: "size", file: 0, bytes: 6000 }],
  "the first page drops out of the page cache": [{ is: "cold", file: 0, from: 0, to: 4096 }],
  "the oldest transfer is aborted": [{ is: "abort", transfer: 0 }],
  "SIGTERM, with a drain to wait for": [{ is: "begin", reason: Reason.Signal, value: 15 }],
};

export function* exhaustive(depth: number): Generator<Schedule> {
  const letters = Object.values(LETTERS);
  for (let n = 0; n < letters.length ** depth; n++) {
    const events: Event[] = [{ is: "add", signals: 1 << 14, timeout: 2, ms: Infinity, ok: true, drain: true }, ...OPEN];
    for (let i = 0, rest = n; i < depth; i++, rest = Math.floor(rest / letters.length)) {
      events.push(...letters[rest % letters.length]!);
    }
    yield {
      rooms: [600, 600],
      sizes: [30000],
      status: Status.Signal,
      forceAfter: 1,
      deadline: 5,
      others: 0,
      flush: 0,
      events,
    };
  }
}
