// The host of this Deno process: one for all its entry points.

import { openSync } from "node:fs";
import process from "node:process";
import { folder } from "../../home.js";
import { type Adapter, createHost, type Host } from "../../index.js";
import { LOOK, linux, READ } from "../../libc/linux.js";
import type { Syscalls } from "../../libc/syscalls.js";
import { now, setImmediate } from "../../originals.js";
import { wasm } from "../../wasm.js";
import { modeOf, openFilesOf } from "../environment.js";
import { socketOf } from "../socket.js";
import { queueOfConn } from "./conn.js";
import { type DenoLibc, type Descriptor, Descriptors } from "./descriptors.js";
import { openDeno } from "./ffi.js";
import { FsFileSource } from "./fsfile.js";
import { type Conn, Deno, type FsFile } from "./globals.js";
import { isLimited } from "./limited.js";
import { granted } from "./permissions.js";

/** Deno's architectures: 64-bit and little-endian, as calls into libc need. */
const ARCHS = ["x86_64", "aarch64"];

/** Deno's adapter. Throws a TypeError for an invalid variable. */
export function adapter(): Adapter {
  let libc: DenoLibc | null = null;
  let descriptors: Descriptors | null = null;
  const handles = new WeakMap<object, Descriptor>();
  return {
    now,
    // A macrotask after the pending I/O; not a timer, because Deno's take at least a millisecond.
    defer: (next) => setImmediate(next),
    open(memory, frame) {
      const reason = obstacle();
      if (reason !== null) return reason;
      try {
        libc = openDeno(memory);
      } catch (error) {
        return `Deno.dlopen: ${(error as Error).message.split("\n")[0]}`;
      }
      descriptors = new Descriptors(libc, memory, frame);
      return opening(linux(libc, memory, frame, isLimited), libc);
    },
    libc: () => libc?.version() ?? "none",
    auto: modeOf(env("SENDOFF_MODE")),
    ...openFilesOf(env("SENDOFF_OPEN_FILES")),
    queue: (socket) => queueOfConn(socket, descriptors),
    source: (file) => (file instanceof Deno.FsFile ? new FsFileSource(file, descriptors) : null),
    fdOf(handle) {
      if (descriptors === null) return -1;
      const found = handles.get(handle) ?? descriptors.ofHandle(handle);
      if (found === null) return -1;
      handles.set(handle, found);
      return descriptors.check(found);
    },
  };
}

let made: Host<Conn, FsFile> | undefined;

/** Made at first use: an import alone asks for no permission. */
export function host(): Host<Conn, FsFile> {
  made ??= createHost<Conn, FsFile>(wasm(), adapter());
  return made;
}

/** Why native calls are unavailable; never prompts. */
function obstacle(): string | null {
  const choice = env("SENDOFF_FFI") ?? "";
  if (choice === "none") return "SENDOFF_FFI=none";
  if (!["", "deno"].includes(choice)) return `SENDOFF_FFI=${choice}: deno or none are known`;
  const { os, arch } = Deno.build;
  if (os !== "linux") return `no native sendfile on ${os}`;
  if (!ARCHS.includes(arch)) return `no native sendfile on ${arch}`;
  if (!granted({ name: "ffi" })) return "Deno.dlopen: no permission (--allow-ffi)";
  return null;
}

/** An environment variable, if the program may read it already: a prompt would be a surprise. */
function env(variable: string): string | undefined {
  return granted({ name: "env", variable }) ? process.env[variable] : undefined;
}

/** node:fs takes no fd but its own, so what has opened at once is opened again, which does not wait either. */
function opening(sys: Syscalls, { close }: DenoLibc): Syscalls {
  const { open } = sys;
  sys.open = (path, look) => {
    const fd = open(path, look);
    if (fd < 0) return -1;
    close(fd);
    try {
      return openSync(path, look ? LOOK : READ);
    } catch {
      return -1;
    }
  };
  return sys;
}

const thread = () => new URL("runtimes/deno/thread.js", folder());

/** For a server of files. */
export const serverRuntime = {
  loop: thread,
  reader: thread,
  inherits: () => "Deno's net.Server can't listen on an fd",
  isLax: true,
  isBare: false,
  /** Whether a file system is local is asked by statfs(2): files of others are not kept open. */
  lacks: () =>
    granted({ name: "sys", kind: "statfs" }) ? null : "no permission to ask about file systems (--allow-sys=statfs)",
  options: () => ({}),
  socketOf,
};
