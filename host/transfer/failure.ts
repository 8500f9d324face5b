// The error that a transfer fails with: from its stream, or from a Fault of the core.

import { Fault } from "../../assembly/abi.js";
import { codeOf, SendfileError, type SendfileErrorCode, WORDS } from "../errors.js";
import { nameOf } from "../libc/errno.js";
import type { Syscalls } from "../libc/syscalls.js";
import type { Queue } from "../queue/queue.js";
import type { Driver } from "./driver.js";

export function aborted(signal: AbortSignal, sent: number): SendfileError {
  const [code, why] = WORDS[Fault.Aborted] as (typeof WORDS)[number];
  return new SendfileError(code, why, { sent, cause: signal.reason });
}

/** The error codes of a stream that was closed, by its peer or locally. */
const GONE = new Set<string | undefined>([
  "EPIPE",
  "ECONNRESET",
  "ECONNABORTED",
  "ENOTCONN",
  "EBADF",
  "ECANCELED",
  "ERR_SOCKET_CLOSED",
  "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** The stream was closed; `failed` is its writer's error. */
export function closed(queue: Queue, sent: number, failed?: unknown): SendfileError {
  // ECANCELED says only that the stream was closed; the stream knows the reason.
  const cause = failed && codeOf(failed) !== "ECANCELED" ? failed : queue.errored;
  const [code, why] = WORDS[Fault.Closed] as (typeof WORDS)[number];
  if (!cause) return new SendfileError(code, why, { sent });
  const told = SendfileError.after(sent, cause);
  if (codeOf(cause) !== undefined && !GONE.has(told.code)) return told;
  const { errno, syscall, message } = told;
  return new SendfileError(code, `${why} (${message})`, { sent, errno, syscall, cause });
}

/** The core reports a failure; `blocker` is why native calls could not be tried, if that is the reason. */
export function faulted(sys: Syscalls | null, queue: Queue, driver: Driver, sent: number, blocker: string | null) {
  const { fault, native } = driver;
  const { errno, syscall } = sys ?? { errno: 0, syscall: "" };
  const words = WORDS[fault];
  if (errno !== 0 && (words === undefined || fault === Fault.Closed || (fault === Fault.NotAvailable && native))) {
    const name = (sys?.nameOf ?? nameOf)(errno);
    const [code, why] = words ?? [name as SendfileErrorCode, "the system call failed"];
    return new SendfileError(code, `${name}: ${why}, ${syscall}`, { sent, errno: -errno, syscall });
  }
  if (words === undefined || fault === Fault.Closed) return closed(queue, sent);
  const [code, why] = words;
  return new SendfileError(code, blocker === null ? why : `${why}: ${blocker}`, { sent });
}
