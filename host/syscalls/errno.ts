// errno values differ by system (EAGAIN is 11, 35 or 6): here they are sorted into the core's Faults.

import { constants } from "node:os";
import { Fault } from "../../assembly/abi.js";

type Name = keyof typeof constants.errno;

const SORTED: readonly (readonly [Fault, readonly Name[]])[] = [
  [Fault.WouldBlock, ["EAGAIN", "EWOULDBLOCK"]],
  [Fault.Interrupted, ["EINTR"]],
  [Fault.Unsupported, ["EINVAL", "EOPNOTSUPP", "ENOTSUP", "ENOTSOCK", "EXDEV", "ESPIPE", "EPERM", "EOVERFLOW"]],
  [Fault.Missing, ["ENOSYS"]],
  [Fault.Closed, ["EPIPE", "ECONNRESET", "ENOTCONN", "EBADF"]],
];

const FAULT = new Map<number | undefined, Fault>();
const NAME = new Map<number, string>();
for (const [name, errno] of Object.entries(constants.errno)) if (!NAME.has(errno)) NAME.set(errno, name);
for (const [fault, names] of SORTED) for (const name of names) FAULT.set(constants.errno[name], fault);

/** The class of an errno; everything that is not in the list is System. */
export function sort(errno: number): Fault {
  return FAULT.get(errno) ?? Fault.System;
}

/** EAGAIN for 11 on Linux; "errno 9999" for what the system has no name for. */
export function nameOf(errno: number): string {
  return NAME.get(errno) ?? `errno ${errno}`;
}
