// A host whose system calls can fail: SQLite's way, a wrapper around the real ones.

import * as fs from "node:fs";
import { constants } from "node:os";
import { adapter } from "#process";
import type { Memory } from "../../host/core.js";
import { createHost, type Host } from "../../host/index.js";
import { sort } from "../../host/libc/errno.js";
import type { Syscalls } from "../../host/libc/syscalls.js";
import type { Mode } from "../../host/transfer/options.js";

export type Errno = keyof typeof constants.errno;

/** A call of the core, before it is made. */
export interface Call {
  name: "sendfile" | "read" | "send";
  /** Counted from 1 over all calls of this host. */
  nth: number;
  fd: number;
  offset: number;
  count: number;
}

/** The fate of a call: make it, fail it, or make it with fewer bytes than the core asked for. */
export type Verdict = null | Errno | { atMost: number };

export interface FaultyHost extends Host {
  /** Every call, in order. */
  readonly calls: Call[];
  readonly sys: Syscalls;
  readonly memory: Memory;
  /** An address in memory with 2 KiB behind it that are unused between two runs. */
  readonly room: number;
}

export interface FaultyOptions {
  judge?: (call: Call) => Verdict;
  now?: () => number;
  auto?: Mode;
  /** How many files stay open. Default: none. */
  openFiles?: number;
}

/** Null if libc can't be called in this process. */
export function faultyHost({ judge = () => null, now, auto = "auto", openFiles = 0 }: FaultyOptions = {}): FaultyHost {
  const calls: Call[] = [];
  let sys: Syscalls | undefined;
  let memory: Memory | undefined;
  let room = 0;

  const lends = adapter();
  const host = createHost(fs.readFileSync(new URL("../../core.wasm", import.meta.url)), {
    ...lends,
    now: now ?? lends.now,
    auto,
    openFiles,
    open(lent, frame) {
      const real = lends.open(lent, frame);
      if (typeof real === "string") return real;
      memory = lent;
      room = frame - 2048; // the end of the core's scratch area
      sys = real;
      const { sendfile, read, send } = real;
      const judged = (call: Omit<Call, "nth">, make: (count: number) => number): number => {
        const numbered = { ...call, nth: calls.length + 1 };
        calls.push(numbered);
        const verdict = judge(numbered);
        if (verdict === null) return make(call.count);
        if (typeof verdict === "object") return make(Math.min(call.count, verdict.atMost));
        real.errno = constants.errno[verdict];
        real.syscall = call.name === "read" ? "preadv2" : call.name;
        return -sort(real.errno);
      };
      real.sendfile = (out, file, offset, count) =>
        judged({ name: "sendfile", fd: out, offset, count }, (n) => sendfile(out, file, offset, n));
      real.read = (file, ptr, offset, count) =>
        judged({ name: "read", fd: file, offset, count }, (n) => read(file, ptr, offset, n));
      real.send = (out, ptr, count, more) =>
        judged({ name: "send", fd: out, offset: 0, count }, (n) => send(out, ptr, n, n < count ? 0 : more));
      return real;
    },
  });
  return {
    ...host,
    calls,
    get sys() {
      return sys as Syscalls;
    },
    get room() {
      return room;
    },
    get memory() {
      return memory as Memory;
    },
  };
}
