// The interface to the calls of any system: the core's imports, and the other calls that a host makes.

import type { Imports } from "../core.js";
import type { Libc } from "./libc.js";

/** The system's calls over the core's memory: linux.ts and bsd.ts make them of a {@link Libc}. */
export interface Syscalls extends Imports {
  /** The library they call. */
  readonly libc: Libc;
  /** errno of the last call that failed. */
  errno: number;
  /** Its name in the man pages. */
  syscall: string;
  /** The name of an errno, if its numbers are not those of the process, as in tests. */
  nameOf?(errno: number): string;
  /** Why mode 'auto' copies on this system although sendfile can be called; undefined if it doesn't. */
  readonly autoDisabledReason?: string | undefined;
  /** Whether `fd` is a socket of type SOCK_STREAM. */
  isStream(fd: number): boolean;
  /** lseek(2) from the start; a file that can't seek stays where it is. */
  seek(fd: number, position: number): void;
  /** Sends what MSG_MORE held back: setting TCP_NODELAY does so; the option is left as it was. */
  uncork(fd: number): void;
  /**
   * Limits the unsent bytes of a TCP socket to `bytes` (TCP_NOTSENT_LOWAT): write(2) takes no more, and poll(2) reports
   * it writable once half of them are sent. Does nothing if the socket or the system has a limit already. 0 removes
   * the limit. Returns whether it was done; some systems can't.
   */
  limit?(fd: number, bytes: number): boolean;
  /**
   * How many bytes a TCP socket takes at once that was limited to `unsent` unsent bytes; null: that was not, and may have
   * a limit of its own. 0 or less if it is full, or can't tell. Only a system that is short of memory takes fewer.
   */
  room?(fd: number, unsent: number | null): number;
  /** The calls that this kernel has, and allows this process to make. */
  probe(): {
    /** errno of sendfile(2) if it can't be called: ENOSYS, or EPERM by seccomp. 0 if it can. */
    sendfile: number;
    /** preadv2(2) with RWF_NOWAIT. */
    nowait: boolean;
    /** openat2(2) with RESOLVE_CACHED. */
    openat2: boolean;
  };
  /**
   * Opens a file for reading if its whole path is in the kernel's cache: path lookup waits for no disk or network
   * (the file system's own open may still wait). With `look` the file itself is not opened (O_PATH): the fd is good
   * for fstat only. Returns -1 if it would have to wait, and for any other failure.
   */
  open(path: string, look: boolean): number;
  /** One sendfile(2) as it is; `null` reads at the file's own position. Returns the count, or -1 and `errno`. */
  sendfileOnce(out: number, file: number, offset: number | null, count: number): number;
}
