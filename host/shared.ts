// What the transfers of one host share.

import type { Core } from "./core.js";
import type { Syscalls } from "./libc/syscalls.js";
import type { FdOf, Queue } from "./queue/queue.js";
import type { Scheduler } from "./scheduler.js";
import type { Scratch } from "./scratch.js";
import type { Opener } from "./source/open.js";
import type { Lseek, Source } from "./source/source.js";
import type { ActiveTransfers } from "./transfer/active.js";
import type { Mode } from "./transfer/options.js";

export interface Shared {
  readonly core: Core;
  readonly scheduler: Scheduler;
  readonly scratch: Scratch;
  /** null where native calls can't be had, or must not be made: SENDOFF_MODE=copy holds for mode 'native' too. */
  readonly sys: Syscalls | null;
  /** Why that is so. */
  readonly reason: string | null;
  /** lseek(2), which moves no byte: null only where it can't be had. */
  readonly seek: Lseek | null;
  readonly opener: Opener;
  /** SENDOFF_MODE: what 'auto' means in this process. */
  readonly auto: Mode;
  readonly now: () => number;
  /** The queue of a socket, the source of a file, of a kind that only this runtime has; else null. */
  readonly queue: (socket: unknown) => Queue | null;
  readonly source: (file: unknown) => Source | null;
  /** The fd of a net.Socket's handle, where it is not as Node's. */
  readonly fdOf: FdOf | undefined;
  /** Those that run; none may start once the process is ending. */
  readonly transfers: ActiveTransfers;
}
