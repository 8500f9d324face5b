// The numbers that cross the boundary: read by asc and by tsc, so enums and plain literals only.
// Their meaning, with every import and export, is promised in docs/internals/abi.md.

/** Raised whenever an import, an export or a number here changes its meaning. */
export const ABI_VERSION = 4;

/** The host's next action: the result of `transfer_run` and `transfer_tick`. */
export enum Action {
  /** Every byte has left. */
  Done,
  /** Copy `transfer_want` bytes from `transfer_at` through the runtime's own writer. */
  Copy,
  /** Run again in a later turn of the event loop. */
  Yield,
  /** It is over; `transfer_fault` says why. */
  Fail,
}

/** Why a call or a transfer failed. The host sorts errno values into these; the core knows no errno. */
export enum Fault {
  None,
  /** EAGAIN, EWOULDBLOCK; from `read`: the pages are not in the page cache. */
  WouldBlock,
  /** EINTR without progress. */
  Interrupted,
  /** This pair of descriptors can't: EINVAL, EOPNOTSUPP, ENOTSUP, ENOTSOCK, EXDEV, ESPIPE, EPERM, EOVERFLOW. */
  Unsupported,
  /** No descriptor can: ENOSYS. Holds for the process. */
  Missing,
  /** The connection or the socket is closed: EPIPE, ECONNRESET, ENOTCONN, EBADF. */
  Closed,
  /** Any other errno; the host keeps it. */
  System,
  /** The file ended before its count. */
  Truncated,
  /** `timeout` milliseconds without progress. */
  Stalled,
  /** The deadline has passed. */
  Expired,
  /** The caller gave up. */
  Aborted,
  /** `Flag.Only` was set, and native calls are unavailable. */
  NotAvailable,
}

/** A transfer's permissions: bits of the last argument of `transfer_open`. */
export enum Flag {
  /** Call the kernel's sendfile. Without it every byte is copied. */
  Native = 1,
  /** Fail rather than fall back to copying. */
  Only = 2,
  /** Ask the page cache before each chunk, so that a cold disk can't stop the loop. */
  Probe = 4,
  /** The count is an upper bound: the end of the source ends the body well. */
  Eof = 8,
}

/** How a byte went. */
export enum Way {
  /** sendfile(2), or send(2) of bytes that were in the page cache. */
  Native,
  /** Copied to learn when the socket is writable again. */
  Doorbell,
  /** Copied because it was not in the page cache. */
  Cold,
  /** Copied because native calls were unavailable, or not asked for. */
  Copied,
}

/** What a connection of the loop needs next: the result of the `connection_` calls; with Hold, its input has to be held. */
export enum Act {
  /** An event. */
  Wait,
  /** An answer to the head that was recognized: `connection_answer`, or later `connection_resume`. */
  Ask,
  /** To be handed over with its input: it is not answered here. */
  HandOver,
  /** To be closed. */
  Close,
  /** The bytes that its transfer wants, in the page cache: `connection_warm`. */
  Cold,
  /** `connection_again`, in another turn. */
  Again,
  /** The rest of its header at `scratch`: `connection_headed`. */
  Header,
  /** The input that is held: `connection_resume`. */
  Resume,
  /** Its sending side to be shut, then as Again. */
  Linger,
  /** A bit beside the others. */
  Hold = 256,
}

/** Why the exit functions are to run: the first argument of `exit_begin`. */
export enum Reason {
  /** A signal came; the value is its number. */
  Signal,
  /** The program requested it; the value is an exit code, or minus a signal number. */
  Asked,
  /** The event loop is empty; the value is the exit code. */
  Ended,
  /** The runtime is leaving already, with the value as its code: nothing can be waited for. */
  Leaving,
}

/** The result of `exit_begin`. */
export enum Begun {
  /** The way out has begun already, or is over. */
  Ignored,
  /** Pull: `exit_next`. */
  Begun,
  /** A second signal, later than `force_after`: the remaining functions are not awaited. */
  Forced,
}

/** The host's next action on the way out: the result of `exit_next`. */
export enum Next {
  /** Wait: for an answer, or until `exit_due`. */
  Wait,
  /** Call the function `exit_id`, and `exit_settle` it. */
  Call,
  /** The function `exit_id` was not over in time; it is no longer waited for. */
  Late,
  /** Call the listeners of others, and say `exit_heard`. */
  Others,
  /** Let pending output leave, and say `exit_flushed`. */
  Flush,
  /** Die by the signal `exit_value`. */
  Die,
  /** Exit with the code `exit_value`. */
  Exit,
}

/** How a process ends after a signal, unless a number is given: the first argument of `exit_configure`. */
export enum Status {
  /** By the same signal, so that a parent sees it. */
  Signal = -1,
  /** With 128 + its number. */
  Code = -2,
}

/** Why a request head is not recognized: the result of `request_odd`. */
export enum Odd {
  /** It is recognized. */
  None,
  /** The bytes end before the head does. */
  Partial,
  /** Neither GET nor HEAD. */
  Method,
  /** Not a path and a query of plain bytes. */
  Target,
  /** Not HTTP/1.1. */
  Version,
  /** The syntax of a field, bytes that are not plain, or more than 100 fields. */
  Field,
  /** No Host, two, or a value that is none. */
  Host,
  /** Neither `keep-alive` nor `close`; Upgrade; Proxy-Connection. */
  Connection,
  /** A body, or what only belongs to one. */
  Body,
  /** Not one plain range. */
  Range,
  /** Conditions in other than their plain forms. */
  Condition,
}

/** What a recognized request says: bits. */
export enum RequestFlag {
  Head = 1,
  /** `Connection: close`. */
  Last = 2,
}

/** The range of a recognized request. */
export enum RangeKind {
  None,
  /** `a-b` */
  Closed,
  /** `a-` */
  From,
  /** `-n` */
  Suffix,
}
