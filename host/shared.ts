// State shared by the transfers of one host.

import type { Core } from "./core.js";
import type { Syscalls } from "./libc/syscalls.js";
import type { FdOf, Queue } from "./queue/queue.js";
import type { Scheduler } from "./scheduler.js";
import type { Scratch } from "./scratch.js";
import type { Files } from "./source/files.js";
import type { Opener } from "./source/open.js";
import type { Lseek, Source } from "./source/source.js";
import type { ActiveTransfers } from "./transfer/active.js";
import type { Chunks } from "./transfer/chunks.js";
import type { Mode } from "./transfer/options.js";

export interface Shared {
  readonly core: Core;
  readonly scheduler: Scheduler;
  readonly scratch: Scratch;
  readonly chunks: Chunks;
  /** null if native calls are unavailable or forbidden: SENDOFF_MODE=copy applies to mode 'native' too. */
  readonly sys: Syscalls | null;
  /** Why that is so. */
  readonly reason: string | null;
  /** lseek(2), which moves no byte: null only if it is unavailable. */
  readonly seek: Lseek | null;
  readonly opener: Opener;
  /** The files that stay open. */
  readonly files: Files;
  /** SENDOFF_MODE: what 'auto' means in this process. */
  readonly auto: Mode;
  readonly now: () => number;
  /** The queue of a runtime-specific socket, the source of a runtime-specific file; null for other values. */
  readonly queue: (socket: unknown) => Queue | null;
  readonly source: (file: unknown) => Source | null;
  /** The fd of a net.Socket's handle, if it is not found as in Node. */
  readonly fdOf: FdOf | undefined;
  /** The running transfers; none may start once the process is ending. */
  readonly transfers: ActiveTransfers;
}
