// macOS and FreeBSD on Linux: the library of test/fixtures/bsd.c, compiled, the numbers of those systems, and
// a host over both.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHost, type Host } from "../../host/index.js";
import type { Syscalls } from "../../host/libc/syscalls.js";
import { type System, systemOf } from "../../host/libc/system.js";
import { openSyscalls } from "../../host/runtimes/node/ffi.js";
import type { Mode } from "../../host/transfer/options.js";

export type Name = "darwin" | "freebsd";

/** sys/errno.h of both systems, as far as it matters here. */
const ERRNO = {
  EPERM: 1,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  ENOMEM: 12,
  EBUSY: 16,
  EXDEV: 18,
  EINVAL: 22,
  ESPIPE: 29,
  EPIPE: 32,
  EDEADLK: 11,
  EAGAIN: 35,
  EWOULDBLOCK: 35,
  ENOTSOCK: 38,
  EPROTOTYPE: 41,
  ENOPROTOOPT: 42,
  ECONNRESET: 54,
  ENOBUFS: 55,
  ENOTCONN: 57,
  ENOSYS: 78,
  EOVERFLOW: 84,
};
export const NUMBERS: Readonly<Record<Name, Readonly<Record<string, number>>>> = {
  darwin: { ...ERRNO, ENOTSUP: 45, EOPNOTSUPP: 102 },
  freebsd: { ...ERRNO, EOPNOTSUPP: 45, ENOTSUP: 45, ENOTCAPABLE: 93 },
};

/** How often a call is to fail: see `plan` in the fixture. */
export type How = "once" | "every" | "always" | "lasting";

export interface Plan {
  nth: number;
  how: How;
  error: string | null;
  /** Bytes that the call moves at most all the same; -1: none, and macOS's length is not touched. */
  most: number;
}

export interface Fixture {
  readonly name: Name;
  readonly system: System;
  plan(call: "sendfile" | "send", plan: Plan | null): void;
  /** Calls since the plan, and how many of them went by it. */
  calls(call: "sendfile" | "send"): number;
  met(call: "sendfile" | "send"): number;
  /** A host of its own: nothing that another one has learnt is known to it. */
  host(binding: string, auto?: Mode): Host & { sys: Syscalls };
}

const SOURCE = fileURLToPath(new URL("../../../test/fixtures/bsd.c", import.meta.url));

/** Compiles the library for this process; or says why not. */
export function fixture(name: Name): Fixture | string {
  if (process.platform !== "linux") return "the fixture stands on Linux's calls";
  let koffi: typeof import("koffi");
  try {
    koffi = createRequire(import.meta.url)("koffi");
  } catch {
    return "koffi is not installed";
  }
  const folder = fs.mkdtempSync(join(tmpdir(), "sendoff-"));
  const path = join(folder, `${name}.so`);
  const { error, status, stderr } = spawnSync(
    "cc",
    ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", `-D${name.toUpperCase()}`, "-o", path, SOURCE],
    { encoding: "utf8" },
  );
  if (error) {
    fs.rmSync(folder, { recursive: true, force: true });
    return "there is no cc";
  }
  if (status !== 0) throw new Error(`cc failed: ${stderr}`);
  const lib = koffi.load(path);
  const plan = lib.func("plan", "void", ["int", "int", "int", "int", "int64"]);
  const calls = lib.func("calls", "int", ["int"]);
  const met = lib.func("met", "int", ["int"]);
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true })); // node:ffi still loads it
  const number = { sendfile: 0, send: 1 };
  const errno = NUMBERS[name];
  const system: System = { ...(systemOf(name, "x64") as System), libraries: [path], errno };

  return {
    name,
    system,
    plan(call, wanted) {
      const { nth, how, error, most } = wanted ?? { nth: 0, how: "once", error: null, most: 0 };
      const code = error === null ? 0 : errno[error];
      if (code === undefined) throw new Error(`${name} has no ${error} here`);
      plan(number[call], nth, ["once", "every", "always", "lasting"].indexOf(how), code, most);
    },
    calls: (call) => calls(number[call]),
    met: (call) => met(number[call]),
    host(binding, auto = "auto") {
      let sys: Syscalls | undefined;
      const host = createHost(fs.readFileSync(new URL("../../core.wasm", import.meta.url)), {
        libc: () => `${name} fixture`,
        now: () => performance.now(),
        defer: (next) => setImmediate(next),
        auto,
        open(memory, frame) {
          const found = openSyscalls(memory, frame, { SENDOFF_FFI: binding }, system);
          if (typeof found === "string") throw new Error(found);
          sys = found;
          return found;
        },
      });
      return { ...host, sys: sys as unknown as Syscalls };
    },
  };
}
