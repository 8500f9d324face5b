// The common part of exiting in Node, Deno and Bun: `process`, as Node defines it.

import * as fs from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import type { Writable } from "node:stream";
import { setTimeout } from "node:timers";
import { isMainThread } from "node:worker_threads";
import { Fault } from "../../assembly/abi.js";
import { boot } from "../core.js";
import { say } from "../say.js";
import { wasm } from "../wasm.js";
import { type Emitter, ForeignListeners, type Listener } from "./foreign.js";
import type { Runtime, Watcher } from "./runtime.js";

/** A self-kill that has had no effect by then never will. */
const KILL_MS = 100;
const KILLS = 5;

/** The most time an empty event loop needs to end. */
const LINGER_MS = 100;

const emitter = process as unknown as Emitter;

export const common: Runtime = {
  pid: process.pid,
  main: isMainThread,
  // The first process of a PID namespace can't kill itself by a signal; on Windows no process can.
  mortal: isMainThread && process.pid !== 1 && process.platform !== "win32",
  signals: constants.signals,

  boot() {
    // A core of its own: it makes no system calls.
    const none = () => -Fault.Missing;
    return boot(wasm(), { sendfile: none, read: none, send: none });
  },

  now: () => performance.now(),

  write: say,

  // Node itself has reset inherited dispositions; the others keep them.
  ignored(signal) {
    if (process.platform !== "linux") return false;
    try {
      const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(fs.readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
      return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
    } catch {
      return false;
    }
  },

  listen(signal, heard) {
    const others = new ForeignListeners(emitter, signal, (...args) => heard(args));
    return { others: () => others.list(), stop: () => others.stop() };
  },

  watch(watcher) {
    return watchProcess(watcher, () => {});
  },

  flush(done) {
    flushBy(done, (stream, flushed) => {
      if (stream.writableLength === 0) flushed();
      else stream.write("", flushed);
    });
  },

  kill(names) {
    for (const name of names) for (const listener of emitter.rawListeners(name)) emitter.removeListener(name, listener);
    try {
      // Repeatedly: Deno removes its handler in a thread of its own, and may still catch a signal.
      for (let i = 0; i < KILLS; i++) {
        process.kill(process.pid, names[0]);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, KILL_MS / KILLS);
      }
    } catch {
      // Forbidden, or unknown to this system: the process ends with a code.
    }
  },

  exit(code) {
    if (code !== undefined) process.exit(code);
    // The runtime ends by itself, with its own code: 13 for an unsettled top-level await, say. It is made to end
    // only if an exit function has left something behind that keeps the event loop alive.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  },
};

export function codeOf(code: unknown): number {
  return Number(code ?? 0) | 0;
}

/** Calls back once both streams are flushed; a stream that fails counts as flushed. */
export function flushBy(done: () => void, flush: (stream: Writable, flushed: () => void) => void): void {
  let left = 2;
  for (const stream of [process.stdout, process.stderr]) {
    let over = false;
    const flushed = () => {
      if (over) return;
      over = true;
      if (--left === 0) done();
    };
    stream.on("error", flushed);
    flush(stream, flushed);
  }
}

/** Calls `died` with an uncaught error, once the process is sure to die of it. */
export function watchProcess(watcher: Watcher, died: (error: unknown, origin: string) => void): () => void {
  let uncaught: unknown;

  const onMonitor = (error: unknown, origin: string) => {
    if (process.listenerCount("uncaughtException") > 0) return;
    if (process.hasUncaughtExceptionCaptureCallback?.()) return;
    uncaught = error;
    died(error, origin);
  };

  // Other listeners may revive the event loop: then only 'exit' is the end.
  const onBeforeExit = () => {
    if (process.listenerCount("beforeExit") === 1) watcher.ended(codeOf(process.exitCode));
  };

  const onExit = (code: number) => {
    const leave = watcher.leaving(codeOf(code), uncaught);
    if (leave !== code) process.exitCode = leave;
    return leave;
  };

  // First, because a foreign listener may call process.exit().
  const prepend = process.prependListener.bind(process) as (name: string, listener: Listener) => void;
  const remove = process.removeListener.bind(process) as (name: string, listener: Listener) => void;
  const listeners: [string, Listener][] = [
    ["uncaughtExceptionMonitor", onMonitor as Listener],
    ["beforeExit", onBeforeExit],
    ["exit", guarded(onExit) as Listener],
  ];
  const stop = () => {
    for (const [name, listener] of listeners) remove(name, listener);
  };
  try {
    for (const [name, listener] of listeners) prepend(name, listener);
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

/** A function that calls process.exit() while the process is leaving must not cost the remaining ones. */
function guarded(onExit: (code: number) => number): (code: number) => void {
  return (code) => {
    const { exit } = process;
    process.exit = ((next: unknown) => {
      exit.call(process, onExit(codeOf(next ?? code)));
    }) as typeof exit;
    try {
      onExit(code);
    } finally {
      process.exit = exit;
    }
  };
}
