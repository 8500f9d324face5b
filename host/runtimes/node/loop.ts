// A thread of a server: its loop, on a core of its own.

import { type MessagePort, workerData } from "node:worker_threads";
import { boot, type Core } from "../../core.js";
import { hasLoop, type LoopLibc, receive } from "../../libc/epoll.js";
import type { Syscalls } from "../../libc/syscalls.js";
import { Loop } from "../../loop/loop.js";
import type { Start } from "../../loop/messages.js";
import { wasm } from "../../wasm.js";
import { openSyscalls } from "./ffi.js";

const start = workerData as Start;
const calls: { sys?: Syscalls; recv?: ReturnType<typeof receive> } = {};
const core: Core = boot(wasm(), {
  sendfile: (out, file, offset, count) => (calls.sys as Syscalls).sendfile(out, file, offset, count),
  read: (file, ptr, offset, count) => (calls.sys as Syscalls).read(file, ptr, offset, count),
  send: (out, ptr, count, more) => (calls.sys as Syscalls).send(out, ptr, count, more),
  recv: (from, ptr, count) => (calls.recv as ReturnType<typeof receive>)(from, ptr, count),
});
const sys = openSyscalls(core.memory, core.frame(), process.env);
if (typeof sys === "string" || !hasLoop(sys.libc as Partial<LoopLibc>)) throw new Error(`no loop: ${sys}`);
const libc = sys.libc as unknown as LoopLibc;
calls.sys = sys;
calls.recv = receive(libc);
const loop = new Loop(core, libc, sys, start);
try {
  loop.run();
} finally {
  loop.end();
  (start.port as MessagePort).close();
}
