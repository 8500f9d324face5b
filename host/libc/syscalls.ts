// What a system's calls are, whichever system it is: the core's imports, and what else a host asks of a kernel.

import type { Imports } from "../core.js";
import type { Libc } from "./libc.js";

/** The system's calls over the core's memory: linux.ts and bsd.ts make them of a {@link Libc}. */
export interface Syscalls extends Imports {
  /** What they are made of. */
  readonly libc: Libc;
  /** errno of the last call that failed. */
  errno: number;
  /** Its name in the man pages. */
  syscall: string;
  /** The name of an errno, where the numbers are not those of the process: a test lends them. */
  nameOf?(errno: number): string;
  /** Why mode 'auto' copies on this system although it can be called; not there where it doesn't. */
  readonly autoDisabledReason?: string | undefined;
  /** Whether `fd` is a socket of type SOCK_STREAM. */
  isStream(fd: number): boolean;
  /** lseek(2) from the start; a file that can't seek stays where it is. */
  seek(fd: number, position: number): void;
  /** Sends what MSG_MORE held back: setting TCP_NODELAY does so; the option is left as it was. */
  uncork(fd: number): void;
  /**
   * Has a TCP socket take no more than `bytes` that it can't send yet (TCP_NOTSENT_LOWAT): so does write(2), and poll(2)
   * says it is writable once half of that has gone. Not where it, or the system, has a limit already. 0 takes it back.
   * Whether it was done; on some systems it can't be.
   */
  limit?(fd: number, bytes: number): boolean;
  /** Which calls this kernel has, and lets this process make. */
  probe(): {
    /** errno of sendfile(2) where it can't be called: ENOSYS, or EPERM by seccomp. 0 where it can. */
    sendfile: number;
    /** preadv2(2) with RWF_NOWAIT. */
    nowait: boolean;
    /** openat2(2) with RESOLVE_CACHED. */
    openat2: boolean;
  };
  /**
   * Opens a file for reading where the kernel has all of its path at hand: to get there it waits for no disk and
   * no network (what the file system itself does then is another matter). With `look` not even that is done
   * (O_PATH): the fd can be asked what is there, and nothing else. Returns -1 where it would have to wait, and
   * for any other failure.
   */
  open(path: string, look: boolean): number;
  /** One sendfile(2) as it is; `null` reads at the file's own position. Returns the count, or -1 and `errno`. */
  sendfileOnce(out: number, file: number, offset: number | null, count: number): number;
}
