// Makes a host of the core and a runtime's adapter. Names no runtime.

import type { Writable } from "node:stream";
import { ABI_VERSION, Fault } from "../assembly/abi.js";
import { boot, hears, type Memory } from "./core.js";
import { SendfileError } from "./errors.js";
import { nameOf } from "./libc/errno.js";
import { Statx } from "./libc/statx.js";
import type { Syscalls } from "./libc/syscalls.js";
import type { FdOf, Queue } from "./queue/queue.js";
import { Scheduler } from "./scheduler.js";
import { Scratch } from "./scratch.js";
import type { Shared } from "./shared.js";
import { Files } from "./source/files.js";
import { Opener } from "./source/open.js";
import type { File, Source } from "./source/source.js";
import { ActiveTransfers, type DrainOptions } from "./transfer/active.js";
import { Chunks } from "./transfer/chunks.js";
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

/** The functions that a runtime provides: docs/internals/porting.md walks through one. */
export interface Adapter {
  /** Milliseconds of a monotonic clock, from any start. */
  now(): number;
  /** Calls `next` once, after the pending I/O of this turn of the event loop. */
  defer(next: () => void): void;
  /**
   * The system's calls over the core's memory, `linux(libc, memory, frame)`; or a reason why there are none, and then
   * everything is copied. Called once.
   */
  open(memory: Memory, frame: number): Syscalls | string;
  /** The C library's name and version. Default: not reported. */
  libc?(): string;
  /** The meaning of mode 'auto'. Default: 'auto'. */
  readonly auto?: Mode;
  /** The most files that stay open for their next use; 0 for none. Default: 128. */
  readonly openFiles?: number;
  /** The queue of a runtime-specific socket, the same one each time; null for any other value. */
  queue?(socket: unknown): Queue | null;
  /** A new source for a runtime-specific file; null for any other value. */
  source?(file: unknown): Source | null;
  /** The fd of a net.Socket's handle, if it is not found as in Node. */
  fdOf?: FdOf;
}

/** The capabilities of a host, and why native is off if it is. */
export interface Capabilities {
  /** Whether `sendfile` can call the kernel's sendfile in this process, at least in mode 'native'. */
  native: boolean;
  /** Why it can't, or why mode 'auto' does not; null if both do. */
  reason: string | null;
  /** How libc is called. */
  binding: string | null;
  /** The C library, and its version if known: "glibc 2.36", "musl". */
  libc: string | null;
  /** The meaning of `mode: 'auto'` here: SENDOFF_MODE, and 'copy' on macOS. */
  mode: Mode;
  /** Kernel calls that exist and are allowed: all false if libc can't be called. */
  kernel: {
    /** sendfile(2). */
    sendfile: boolean;
    /** preadv2(2) with RWF_NOWAIT, which keeps disk reads from blocking the event loop. */
    nowait: boolean;
    /** openat2(2) with RESOLVE_CACHED, which opens cached paths without the thread pool. Only on Linux. */
    openat2: boolean;
  };
  /** The version of the core's interface: docs/internals/abi.md. */
  abi: number;
}

/** `S` and `F` are the sockets and files that only this runtime has, beside those of node:net and node:fs. */
export interface Host<S = never, F = never> {
  /** State shared by its transfers. */
  readonly shared: Shared;
  /** Sends a file; order, count and errors as docs/guide/transfer.md promises them. */
  sendfile(socket: Writable | S, file: File | F, options?: SendfileOptions): Promise<number>;
  /** One sendfile(2) of at most `count` bytes; `offset` null is the file's own position. Returns the bytes moved. */
  sendfileSync(out: number, file: number, offset: number | null, count: number): number;
  /** The capabilities of this host, and why native is off if it is. */
  capabilities(): Capabilities;
  /** Stops new transfers; resolves once none runs. */
  drain(options: DrainOptions): Promise<void>;
}

/** Why native is off if the core misreads negative results. */
const MISREADS =
  "this engine's Wasm misreads negative numbers returned by JavaScript (V8's baseline compiler on loong64 does: node --no-liftoff helps)";

/**
 * Makes a host of your own: the core with a runtime's adapter.
 *
 * @param bytes the module `sendoff/core.wasm`.
 * @throws Error if its version is another one.
 */
export function createHost<S = never, F = never>(bytes: Uint8Array, adapter: Adapter): Host<S, F> {
  const { auto: asked = "auto" } = adapter;
  // The imports must exist before the memory that the calls need. Until then each returns WouldBlock, as `hears` needs.
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
  const opener = new Opener(sys);
  const scheduler = new Scheduler(core, adapter.now, adapter.defer);
  const shared: Shared = {
    core,
    scheduler,
    scratch: new Scratch(core),
    chunks: new Chunks(),
    sys: reason === null ? sys : null,
    seek: sys?.seek ?? null,
    opener,
    files: new Files(opener, scheduler, adapter.openFiles, sys && Statx.quick(sys.libc, core)),
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

/** The meaning of an error that sendfile(2) gives for any arguments. */
function unable(name: string): string {
  if (name === "ENOSYS") return "this kernel has no sendfile (ENOSYS)";
  if (name === "EPERM" || name === "EACCES")
    return `sendfile is forbidden here (${name}): in a container its seccomp profile has to allow it`;
  return `sendfile fails here (${name})`;
}
