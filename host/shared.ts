// What the transfers of one host share.

import type { Core } from "./core.js";
import type { Transfers } from "./drain.js";
import type { Opener } from "./open.js";
import type { FdOf, Queue } from "./queue.js";
import type { Scratch } from "./scratch.js";
import type { Source } from "./source.js";
import type { Syscalls } from "./syscalls/linux.js";
import type { Mode } from "./transfer/options.js";
import type { Turns } from "./turns.js";

export interface Shared {
  readonly core: Core;
  readonly turns: Turns;
  readonly scratch: Scratch;
  /** null where native calls can't be had. */
  readonly sys: Syscalls | null;
  readonly opener: Opener;
  /** Why they can't be had, or must not be made: SENDOFF_MODE=copy holds for mode 'native' too. */
  readonly reason: string | null;
  /** SENDOFF_MODE: what 'auto' means in this process. */
  readonly auto: Mode;
  readonly now: () => number;
  /** The queue of a socket, the source of a file, of a kind that only this runtime has; else null. */
  readonly queue: (socket: unknown) => Queue | null;
  readonly source: (file: unknown) => Source | null;
  /** The fd of a net.Socket's handle, where it is not as Node's. */
  readonly fdOf: FdOf | undefined;
  /** Those that run; none may start once the process is ending. */
  readonly transfers: Transfers;
}
