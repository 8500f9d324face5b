// A host: the core, and what a runtime lends it. Names no runtime.

import type { Writable } from "node:stream";
import { ABI_VERSION } from "../assembly/abi.js";
import { boot, type Memory } from "./core.js";
import { type DrainOptions, Transfers } from "./drain.js";
import { argumentError, SendfileError } from "./errors.js";
import { Opener } from "./open.js";
import type { FdOf, Queue } from "./queue.js";
import { Scratch } from "./scratch.js";
import { integer, sendfile } from "./sendfile.js";
import type { Shared } from "./shared.js";
import { describe, type File, type Source } from "./source.js";
import { nameOf } from "./syscalls/errno.js";
import type { Syscalls } from "./syscalls/linux.js";
import type { Mode, SendfileOptions } from "./transfer/options.js";
import { Turns } from "./turns.js";

export { type Conn, connQueue } from "./conn.js";
export type { Memory } from "./core.js";
export type { DrainOptions, Listener } from "./drain.js";
export { SendfileError, type SendfileErrorCode, type SendfileErrorDetails } from "./errors.js";
export type { Done, FdOf, Job, Queue } from "./queue.js";
export { type Reader, readerSource } from "./reader.js";
export type { File, Lseek, Read, Source } from "./source.js";
export type { Libc } from "./syscalls/libc.js";
export { linux, type Syscalls } from "./syscalls/linux.js";
export type { Mode, Progress, SendfileOptions } from "./transfer/options.js";

/** What a runtime lends: docs/porting.md leads through one. */
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
  /** Which calls of the kernel are there. */
  kernel: {
    /** sendfile(2). */
    sendfile: boolean;
    /** preadv2(2) with RWF_NOWAIT: whether a cold disk can be kept from the event loop. */
    nowait: boolean;
  };
  /** The version of the core's interface: docs/abi.md. */
  abi: number;
}

/** `S` and `F` are the sockets and files that only this runtime has, beside those of node:net and node:fs. */
export interface Host<S = never, F = never> {
  /** What its transfers share. */
  readonly shared: Shared;
  /** Sends a file; order, count and errors as docs/transfer.md promises them. */
  sendfile(socket: Writable | S, file: File | F, options?: SendfileOptions): Promise<number>;
  /** One sendfile(2) of at most `count` bytes; `offset` null is the file's own position. Returns the bytes moved. */
  sendfileSync(out: number, file: number, offset: number | null, count: number): number;
  /** What was found, and why native is off where it is. */
  capabilities(): Capabilities;
  /** No transfer starts any more; resolves once none runs. */
  drain(options: DrainOptions): Promise<void>;
}

/**
 * A host of one's own: the core, over what a runtime lends.
 *
 * @param bytes the module `sendoff/core.wasm`.
 * @throws Error where that is of another version.
 */
export function createHost<S = never, F = never>(bytes: Uint8Array, adapter: Adapter): Host<S, F> {
  const { auto: asked = "auto" } = adapter;
  // The imports are there before the memory that the calls need.
  let sys: Syscalls | null = null;
  const core = boot(bytes, {
    sendfile: (out, file, offset, count) => (sys as Syscalls).sendfile(out, file, offset, count),
    read: (file, ptr, offset, count) => (sys as Syscalls).read(file, ptr, offset, count),
    send: (out, ptr, count, more) => (sys as Syscalls).send(out, ptr, count, more),
  });
  const found = adapter.open(core.memory, core.frame());
  if (typeof found !== "string") sys = found;
  const wary = asked === "auto" && typeof found !== "string" ? (found.wary ?? null) : null;
  const auto = wary === null ? asked : "copy";
  const shared: Shared = {
    core,
    turns: new Turns(core, adapter.now, adapter.defer),
    scratch: new Scratch(core),
    sys,
    opener: new Opener(sys),
    reason: typeof found === "string" ? found : asked === "copy" ? "SENDOFF_MODE=copy" : null,
    auto,
    now: adapter.now,
    queue: (socket) => adapter.queue?.(socket) ?? null,
    source: (file) => adapter.source?.(file) ?? null,
    fdOf: adapter.fdOf,
    transfers: new Transfers(),
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
      const n = sys.bare(out, file, offset, count);
      if (n >= 0) return n;
      const name = (sys.nameOf ?? nameOf)(sys.errno);
      throw new SendfileError(name, `${name}: sendfile`, { syscall: "sendfile", errno: -sys.errno });
    },

    capabilities() {
      const kernel = sys === null ? { sendfile: false, nowait: false } : sys.probe();
      const reason = shared.reason ?? (kernel.sendfile ? null : "this kernel has no sendfile");
      return {
        native: reason === null,
        reason: reason ?? wary,
        binding: sys?.libc.name ?? null,
        libc: sys === null ? null : (adapter.libc?.() ?? null),
        mode: auto,
        kernel,
        abi: ABI_VERSION,
      };
    },
  };
}

function descriptor(name: string, value: unknown): void {
  const message = `${name} must be a file descriptor (got ${describe(value)})`;
  if (typeof value !== "number" || !Number.isInteger(value)) throw argumentError(TypeError, message);
  if (value < 0 || value > 0x7fffffff) throw argumentError(RangeError, message);
}
