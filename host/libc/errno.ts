// Maps errno values, which differ by system (EAGAIN is 11, 35 or 6), to the core's Faults.

import { constants } from "node:os";
import { Fault } from "../../assembly/abi.js";
import { SafeMap } from "../originals.js";

const SORTED: readonly (readonly [Fault, readonly string[]])[] = [
  [Fault.WouldBlock, ["EAGAIN", "EWOULDBLOCK"]],
  [Fault.Interrupted, ["EINTR"]],
  [Fault.Unsupported, ["EINVAL", "EOPNOTSUPP", "ENOTSUP", "ENOTSOCK", "EXDEV", "ESPIPE", "EPERM", "EOVERFLOW"]],
  [Fault.Missing, ["ENOSYS"]],
  // macOS gives EPROTOTYPE for a socket that is being torn down.
  [Fault.Closed, ["EPIPE", "ECONNRESET", "ENOTCONN", "EBADF", "EPROTOTYPE"]],
];

export interface Errnos {
  /** The class of an errno; everything that is not in the list is System. */
  sort(errno: number): Fault;
  /** EAGAIN for 11 on Linux; "errno 9999" for a number without a name. */
  nameOf(errno: number): string;
}

/** By the names and numbers of a system. */
export function errnos(numbers: Readonly<Record<string, number>>): Errnos {
  const faults = new SafeMap<number | undefined, Fault>();
  const found = new SafeMap<number, string>();
  for (const [name, errno] of Object.entries(numbers)) if (!found.has(errno)) found.set(errno, name);
  for (const [fault, names] of SORTED) for (const name of names) faults.set(numbers[name], fault);
  faults.delete(undefined);
  return {
    sort: (errno) => faults.get(errno) ?? Fault.System,
    nameOf: (errno) => found.get(errno) ?? `errno ${errno}`,
  };
}

/** The errors of the system this process runs on. */
export const { sort, nameOf } = errnos(constants.errno);

const NO_ROOM = new Set(["ENOMEM", "ENFILE", "EMFILE", "ENOBUFS"]);

/** Whether there was no fd or memory for another file or connection. */
export const isNoRoom = (errno: number): boolean => NO_ROOM.has(nameOf(errno));
