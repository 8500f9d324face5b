// boot(): the one place where the core is instantiated, and checked.

import { instantiateSync } from "@assemblyscript/loader";
import { ABI_VERSION, Action, Fault, Flag, Way } from "../assembly/abi.js";

/** The core's linear memory; `buffer` is replaced when it grows. */
export interface Memory {
  /** Must be read anew for each use. */
  readonly buffer: ArrayBuffer;
}

/** The exports of the core: docs/internals/abi.md. Handles and addresses are numbers. */
export interface Core {
  readonly memory: Memory;
  abi(): number;
  scratch(): number;
  frame(): number;
  header_max(): number;
  turn_begin(now: number): void;
  turn_spent(now: number): number;
  transfer_open(now: number): number;
  transfer_extent(handle: number, header: number, offset: number, count: number, trailer: number, flags: number): void;
  transfer_limit(handle: number, timeout: number, deadline: number, now: number): void;
  transfer_run(handle: number, out: number, file: number, now: number): number;
  transfer_want(handle: number): number;
  transfer_at(handle: number): number;
  transfer_way(handle: number): number;
  transfer_moved(handle: number, bytes: number, now: number): void;
  transfer_copied(handle: number, bytes: number, now: number): void;
  transfer_ended(handle: number): void;
  transfer_failed(handle: number, fault: number): void;
  transfer_tick(handle: number, now: number): number;
  transfer_due(handle: number): number;
  transfer_sent(handle: number): number;
  transfer_tally(handle: number, way: number): number;
  transfer_fault(handle: number): number;
  transfer_corked(handle: number): number;
  transfer_close(handle: number): void;
  connection_limits(head: number, idle: number, stall: number, linger: number): void;
  connection_events(): number;
  connection_open(fd: number, now: number): number;
  connection_close(handle: number): void;
  connection_after(handle: number): number;
  connection_fd(handle: number): number;
  connection_generation(handle: number): number;
  connection_idle(handle: number): number;
  connection_sending(handle: number): number;
  connection_at(handle: number): number;
  connection_event(handle: number, generation: number, events: number, now: number): number;
  connection_answer(
    handle: number,
    header: number,
    file: number,
    offset: number,
    count: number,
    last: number,
    now: number,
  ): number;
  connection_headed(handle: number, now: number): number;
  connection_position(handle: number): number;
  connection_want(handle: number): number;
  connection_warm(handle: number, bytes: number, now: number): number;
  connection_again(handle: number, now: number): number;
  connection_hold(handle: number): number;
  connection_held(): number;
  connection_resume(handle: number, bytes: number): number;
  connection_expired(handle: number, now: number): number;
  connection_tally(way: number): number;
  exit_configure(status: number, forceAfter: number, deadline: number): void;
  exit_add(signals: number, timeout: number): number;
  exit_remove(id: number): number;
  exit_signals(): number;
  exit_count(): number;
  exit_begin(reason: number, value: number, now: number): number;
  exit_next(now: number): number;
  exit_id(): number;
  exit_settle(id: number, ok: number): void;
  exit_heard(ok: number): void;
  exit_flushed(): void;
  exit_due(): number;
  exit_value(): number;
  request_input(): number;
  request_recognize(at: number, end: number): number;
  request_facts(): number;
  request_odd(): number;
}

/** The imports of the core: each returns a count, or minus a Fault, and none throws. */
export interface Imports {
  /** sendfile(2): at most `count` bytes of `file`, from `offset`, to the socket `out`. 0 at the end of the file. */
  sendfile(out: number, file: number, offset: number, count: number): number;
  /** preadv2(2) with RWF_NOWAIT: at most `count` bytes that are in the page cache, to `ptr` in the core's memory. */
  read(file: number, ptr: number, offset: number, count: number): number;
  /** send(2) of `count` bytes from `ptr` in the core's memory; with MSG_MORE if `more` is 1. */
  send(out: number, ptr: number, count: number, more: number): number;
  /** recv(2) of at most `count` bytes to `ptr` in the core's memory; 0 once the peer sends no more. Of a server's loop alone. */
  recv?(from: number, ptr: number, count: number): number;
}

/** Instantiates the core. Throws if its numbers differ from those this host was compiled with. */
export function boot(bytes: Uint8Array, imports: Imports): Core {
  // The loader's types know only its own helpers in `env`, and it wraps each export: ours are taken
  // from the instance itself.
  const memory = (): Memory => core.memory;
  const env = { recv: () => -Fault.WouldBlock, ...imports, ...guarded(imports, memory) } as unknown as Record<
    string,
    never
  >;
  const { instance } = instantiateSync(bytes as Uint8Array<ArrayBuffer>, { env });
  const core = instance.exports as unknown as Core;
  if (core.abi() !== ABI_VERSION) {
    throw new Error(`core.wasm has ABI version ${core.abi()}, this host needs ${ABI_VERSION}`);
  }
  return core;
}

/** The imports that are given an address, none of which goes to native code unless it is in the core's memory. */
export function guarded(imports: Imports, memory: () => Memory): Partial<Imports> {
  const { read, send, recv } = imports;
  const check = (ptr: number, count: number): void => {
    if (ptr < 0 || count < 0 || ptr + count > memory().buffer.byteLength) {
      throw new RangeError(`the core has passed ${count} bytes at ${ptr}, outside its memory`);
    }
  };
  return {
    read(file, ptr, offset, count) {
      check(ptr, count);
      return read(file, ptr, offset, count);
    },
    send(out, ptr, count, more) {
      check(ptr, count);
      return send(out, ptr, count, more);
    },
    ...(recv && {
      recv(from: number, ptr: number, count: number) {
        check(ptr, count);
        return recv(from, ptr, count);
      },
    }),
  };
}

/** For each import a transfer that calls it first, and the Way of the copy that follows a refusal. */
const REFUSALS: readonly (readonly [header: number, flags: number, way: Way])[] = [
  [0, Flag.Native, Way.Doorbell], // sendfile
  [0, Flag.Native | Flag.Probe, Way.Cold], // read
  [1, Flag.Native, Way.Doorbell], // send
];

/**
 * Whether the core reads negative results correctly; call it while every import returns minus WouldBlock. V8's baseline
 * compiler on loong64 passes a -1 that is greater than 0, so bytes would be counted that were never sent.
 */
export function hears(core: Core): boolean {
  core.turn_begin(0);
  return REFUSALS.every(([header, flags, way]) => {
    const handle = core.transfer_open(0);
    core.transfer_extent(handle, header, 0, 1 << 20, 0, flags);
    try {
      const copies = core.transfer_run(handle, -1, -1, 0) === Action.Copy;
      return copies && core.transfer_way(handle) === way && core.transfer_at(handle) === 0;
    } catch {
      return false; // a trap: the result was impossible
    } finally {
      core.transfer_close(handle);
    }
  });
}

/** Not among the types of Node's globals. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => Memory };
};
const PAGE = 65_536;

/** Memory without a core, for native code: it is given addresses in Wasm's memory alone, because the collector moves others. */
export const memoryOf = (bytes: number): Memory =>
  new WebAssembly.Memory({ initial: bytes / PAGE, maximum: bytes / PAGE });
