// What Node, Deno and Bun have in common on the way out: `process`, as Node defines it.

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
import { type Emitter, type Listener, Others } from "./foreign.js";
import type { Runtime, Watcher } from "./runtime.js";

/** A self-kill that has done nothing by then never will. */
const KILL_MS = 100;
const KILLS = 5;

/** What an empty event loop needs at most to come to its end. */
const LINGER_MS = 100;

const emitter = process as unknown as Emitter;

export const common: Runtime = {
  pid: process.pid,
  main: isMainThread,
  // The first process of a PID namespace is not killed by a signal of its own; on Windows none is.
  mortal: isMainThread && process.pid !== 1 && process.platform !== "win32",
  signals: constants.signals,

  boot() {
    // A core of its own: it makes no system calls.
    const none = () => -Fault.Missing;
    return boot(wasm(), { sendfile: none, read: none, send: none });
  },

  now: () => performance.now(),

  write: say,

  // Node itself has reset what it inherited; the others leave it.
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
    const others = new Others(emitter, signal, (...args) => heard(args));
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
      // Again and again: Deno's handler goes in a thread of its own, and may still take one in.
      for (let i = 0; i < KILLS; i++) {
        process.kill(process.pid, names[0]);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, KILL_MS / KILLS);
      }
    } catch {
      // Forbidden, or unknown to this system: it ends with a code.
    }
  },

  exit(code) {
    if (code !== undefined) process.exit(code);
    // The runtime ends by itself, with what it makes of it: 13 for an unsettled top-level await, say. Only
    // where a function has left something behind that keeps it, it has to be told.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  },
};

export function codeOf(code: unknown): number {
  return Number(code ?? 0) | 0;
}

/** Calls back once both streams are through; a stream that fails is through. */
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

/** `died` is told of an error that nobody handles, once the process is sure to die of it. */
export function watchProcess(watcher: Watcher, died: (error: unknown, origin: string) => void): () => void {
  let uncaught: unknown;

  const onMonitor = (error: unknown, origin: string) => {
    if (process.listenerCount("uncaughtException") > 0) return;
    if (process.hasUncaughtExceptionCaptureCallback?.()) return;
    uncaught = error;
    died(error, origin);
  };

  // Where others listen too, they may bring the loop back to life: then only 'exit' is the end.
  const onBeforeExit = () => {
    if (process.listenerCount("beforeExit") === 1) watcher.ended(codeOf(process.exitCode));
  };

  const onExit = (code: number) => {
    const leave = watcher.leaving(codeOf(code), uncaught);
    if (leave !== code) process.exitCode = leave;
    return leave;
  };

  // First, because one of theirs may call process.exit().
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

/** A function that calls process.exit() while the process is leaving must not cost those that are left. */
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
