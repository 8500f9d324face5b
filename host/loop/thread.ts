// What a thread of a server does, by how it was started: it turns a loop, or reads from disks.

import { workerData } from "node:worker_threads";
import { boot, type Core, type Memory, memoryOf } from "../core.js";
import { type LoopLibc, receive } from "../libc/epoll.js";
import type { Libc } from "../libc/libc.js";
import { linux } from "../libc/linux.js";
import type { Syscalls } from "../libc/syscalls.js";
import { wasm } from "../wasm.js";
import { unlessLeaving } from "./binding.js";
import { Loop } from "./loop.js";
import type { ReaderStart, Start } from "./messages.js";
import { READER_ROOM, read } from "./reader.js";

/** `open`: this runtime's libc, over a memory. `isLimited`: as of linux(). */
export function run(open: (memory: Memory) => Libc, isLimited?: () => boolean): void {
  const start = workerData as Start | ReaderStart;
  if ("listener" in start) return turn(open, start, isLimited);
  const memory = memoryOf(READER_ROOM);
  const libc = unlessLeaving(start.bindings, () => open(memory));
  if (libc !== null) read(libc as Libc & LoopLibc, memory);
}

function turn(open: (memory: Memory) => Libc, start: Start, isLimited?: () => boolean): void {
  const calls: { sys?: Syscalls; recv?: ReturnType<typeof receive> } = {};
  const core: Core = boot(wasm(), {
    sendfile: (out, file, offset, count) => (calls.sys as Syscalls).sendfile(out, file, offset, count),
    read: (file, ptr, offset, count) => (calls.sys as Syscalls).read(file, ptr, offset, count),
    send: (out, ptr, count, more) => (calls.sys as Syscalls).send(out, ptr, count, more),
    recv: (from, ptr, count) => (calls.recv as ReturnType<typeof receive>)(from, ptr, count),
  });
  const libc = unlessLeaving(start.bindings, () => open(core.memory)) as (Libc & LoopLibc) | null;
  if (libc === null) return;
  calls.sys = linux(libc, core.memory, core.frame(), isLimited);
  calls.recv = receive(libc);
  const loop = new Loop(core, libc, calls.sys, start);
  try {
    loop.run();
  } finally {
    loop.end();
    start.port.close();
  }
}
