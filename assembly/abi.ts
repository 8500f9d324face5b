// The numbers that cross the boundary: read by asc and by tsc, so enums and plain literals only.
// Their meaning, with every import and export, is promised in docs/abi.md.

/** Raised whenever an import, an export or a number here changes its meaning. */
export const ABI_VERSION = 1;

/** What the host has to do next: the answer of `transfer_run` and `transfer_tick`. */
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
  /** The peer or the socket has gone: EPIPE, ECONNRESET, ENOTCONN, EBADF. */
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
  /** `Flag.Only` was asked for, and the kernel's way is not to be had. */
  NotAvailable,
}

/** What a transfer may do: bits of the last argument of `transfer_open`. */
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
  /** Copied because the kernel's way was not to be had, or not asked for. */
  Copied,
}
