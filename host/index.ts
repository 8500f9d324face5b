// A host: the core, and what a runtime lends it. Names no runtime.

import type { Writable } from "node:stream";
import { ABI_VERSION, Fault } from "../assembly/abi.js";
import { boot, hears, type Memory } from "./core.js";
import { SendfileError } from "./errors.js";
import { nameOf } from "./libc/errno.js";
import type { Syscalls } from "./libc/syscalls.js";
import type { FdOf, Queue } from "./queue/queue.js";
import { Scheduler } from "./scheduler.js";
import { Scratch } from "./scratch.js";
import type { Shared } from "./shared.js";
import { Opener } from "./source/open.js";
import type { File, Source } from "./source/source.js";
import { ActiveTransfers, type DrainOptions } from "./transfer/active.js";
import type { Mode, SendfileOptions } from "./transfer/options.js";
import { sendfile } from "./transfer/sendfile.js";
import { descriptor, integer } from "./validate.js";

export type { Memory } from "./core.js";
export { SendfileError, type SendfileErrorCode, type SendfileErrorDetails } from "./errors.js";
export type { Libc } from "./libc/libc.js";
export { linux } from "./libc/linux.js";
export type { Syscalls } from "./libc/syscalls.js";
export { type Conn, connQueue } from "./queue/promise.js";
export type { Done, FdOf, Job, Queue } from "./queue/queue.js";
export { type Reader, readerSource } from "./source/reader.js";
export type { File, Lseek, Read, Source } from "./source/source.js";
export type { DrainOptions, Listener } from "./transfer/active.js";
export type { Mode, Progress, SendfileOptions } from "./transfer/options.js";

/** What a runtime lends: docs/internals/porting.md leads through one. */
export interface Adapter {
  /** Milliseconds, from any start, that only grow. */
  now(): number;
  /** Calls `next` once, after the pending I/O of this turn of the event loop. */
  defer(next: () => void): void;
  /**
   * The system's calls over the core's memory, or why they can't be had: `linux(libc, memory, frame)`, or
   * a reason, and everything is copied. Called once.
   */
  open(memory: Memory, frame: number): Syscalls | string;
  /** The C library's name and version. Default: it is not told. */
  libc?(): string;
  /** What mode 'auto' means. Default: 'auto'. */
  readonly auto?: Mode;
  /** The queue of a socket of the runtime's own kind, the same one each time; null for any other value. */
  queue?(socket: unknown): Queue | null;
  /** A new source for a file of the runtime's own kind; null for any other value. */
  source?(file: unknown): Source | null;
  /** The fd of a net.Socket's handle, where it is not as Node's. */
  fdOf?: FdOf;
}

/** What was found, and why native is off where it is. */
export interface Capabilities {
  /** Whether `sendfile` can call the kernel's sendfile in this process: by mode 'native' at the least. */
  native: boolean;
  /** Why it can't, or why mode 'auto' does not; null where both do. */
  reason: string | null;
  /** How libc is called. */
  binding: string | null;
  /** Which C library that is, and its version where it can be told: "glibc 2.36", "musl". */
  libc: string | null;
  /** What `mode: 'auto'` means here: SENDOFF_MODE, and 'copy' on macOS. */
  mode: Mode;
  /** Which calls of the kernel are there, and not forbidden: all false where libc can't be called. */
  kernel: {
    /** sendfile(2). */
    sendfile: boolean;
    /** preadv2(2) with RWF_NOWAIT: whether a cold disk can be kept from the event loop. */
    nowait: boolean;
    /** openat2(2) with RESOLVE_CACHED: whether a path can be opened without the thread pool. Only by Node on Linux. */
    openat2: boolean;
  };
  /** The version of the core's interface: docs/internals/abi.md. */
  abi: number;
}

/** `S` and `F` are the sockets and files that only this runtime has, beside those of node:net and node:fs. */
export interface Host<S = never, F = never> {
  /** What its transfers share. */
  readonly shared: Shared;
  /** Sends a file; order, count and errors as docs/guide/transfer.md promises them. */
  sendfile(socket: Writable | S, file: File | F, options?: SendfileOptions): Promise<number>;
  /** One sendfile(2) of at most `count` bytes; `offset` null is the file's own position. Returns the bytes moved. */
  sendfileSync(out: number, file: number, offset: number | null, count: number): number;
  /** What was found, and why native is off where it is. */
  capabilities(): Capabilities;
  /** No transfer starts any more; resolves once none runs. */
  drain(options: DrainOptions): Promise<void>;
}

/** Why nothing goes natively where the core can't hear a refusal. */
const MISREADS =
  "this engine's Wasm misreads a negative number that JavaScript returns (V8's baseline compiler on loong64 does: node --no-liftoff mends it)";

/**
 * A host of one's own: the core, over what a runtime lends.
 *
 * @param bytes the module `sendoff/core.wasm`.
 * @throws Error where that is of another version.
 */
export function createHost<S = never, F = never>(bytes: Uint8Array, adapter: Adapter): Host<S, F> {
  const { auto: asked = "auto" } = adapter;
  // The imports are there before the memory that the calls need. Until these are there each would block, as `hears` has it.
  let sys: Syscalls | null = null;
  const blocked = -Fault.WouldBlock;
  const core = boot(bytes, {
    sendfile: (out, file, offset, count) => (sys === null ? blocked : sys.sendfile(out, file, offset, count)),
    read: (file, ptr, offset, count) => (sys === null ? blocked : sys.read(file, ptr, offset, count)),
    send: (out, ptr, count, more) => (sys === null ? blocked : sys.send(out, ptr, count, more)),
  });
  const found = adapter.open(core.memory, core.frame());
  const reason =
    typeof found === "string" ? found : asked === "copy" ? "SENDOFF_MODE=copy" : hears(core) ? null : MISREADS;
  if (typeof found !== "string") sys = found;
  const autoDisabledReason = asked === "auto" ? (sys?.autoDisabledReason ?? null) : null;
  const auto = autoDisabledReason === null ? asked : "copy";
  const shared: Shared = {
    core,
    scheduler: new Scheduler(core, adapter.now, adapter.defer),
    scratch: new Scratch(core),
    sys: reason === null ? sys : null,
    seek: sys?.seek ?? null,
    opener: new Opener(sys),
    reason,
    auto,
    now: adapter.now,
    queue: (socket) => adapter.queue?.(socket) ?? null,
    source: (file) => adapter.source?.(file) ?? null,
    fdOf: adapter.fdOf,
    transfers: new ActiveTransfers(),
  };

  return {
    shared,

    sendfile: (socket, file, options) => sendfile(shared, socket, file, options),

    drain: (options) => shared.transfers.drain(options),

    sendfileSync(out, file, offset, count) {
      descriptor("out", out);
      descriptor("file", file);
      if (offset !== null) integer("offset", "non-negative", offset, 0);
      integer("count", "non-negative", count, 0);
      if (sys === null) throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", `no native sendfile: ${found}`);
      const n = sys.sendfileOnce(out, file, offset, count);
      if (n >= 0) return n;
      const name = (sys.nameOf ?? nameOf)(sys.errno);
      throw new SendfileError(name, `${name}: sendfile`, { syscall: "sendfile", errno: -sys.errno });
    },

    capabilities() {
      const { sendfile: errno, ...calls } = sys?.probe() ?? { sendfile: -1, nowait: false, openat2: false };
      const off = reason ?? (errno === 0 ? null : unable((sys?.nameOf ?? nameOf)(errno)));
      return {
        native: off === null,
        reason: off ?? autoDisabledReason,
        binding: sys?.libc.name ?? null,
        libc: sys === null ? null : (adapter.libc?.() ?? null),
        mode: auto,
        kernel: { sendfile: errno === 0, ...calls },
        abi: ABI_VERSION,
      };
    },
  };
}

/** What an error of sendfile(2) means that comes whatever it is asked. */
function unable(name: string): string {
  if (name === "ENOSYS") return "this kernel has no sendfile (ENOSYS)";
  if (name === "EPERM" || name === "EACCES")
    return `sendfile is forbidden here (${name}): in a container its seccomp profile has to allow it`;
  return `sendfile fails here (${name})`;
}
