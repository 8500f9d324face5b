// The host of this Node process: one for all its entry points.

import { folder } from "../../home.js";
import { type Adapter, createHost, type Host } from "../../index.js";
import { now, setImmediate } from "../../originals.js";
import { wasm } from "../../wasm.js";
import { modeOf, openFilesOf } from "../environment.js";
import { socketOf } from "../socket.js";
import { checkEngine } from "./engine.js";
import { openSyscalls } from "./ffi.js";

checkEngine();

/** Node's adapter. Throws a TypeError for an invalid variable. */
export function adapter(): Adapter {
  return {
    now,
    defer: (next) => setImmediate(next),
    open: (memory, frame) => openSyscalls(memory, frame, process.env),
    libc,
    auto: modeOf(process.env.SENDOFF_MODE),
    ...openFilesOf(process.env.SENDOFF_OPEN_FILES),
  };
}

let made: Host | undefined;

/** Made at first use: an import alone loads no native code and prints no warning. */
export function host(): Host {
  made ??= createHost(wasm(), adapter());
  return made;
}

/** process.report has glibc's version; without one, a Linux libc is almost certainly musl. */
function libc(): string {
  if (process.platform === "darwin") return "libSystem";
  if (process.platform === "freebsd") return "FreeBSD libc";
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? "musl" : `glibc ${header.glibcVersionRuntime}`;
}

const thread = () => new URL("runtimes/node/thread.js", folder());

/** For a server of files. */
export const serverRuntime = {
  loop: thread,
  reader: thread,
  lacks: () => null,
  inherits: () => null,
  isLax: false,
  isBare: false,
  /** Without NODE_OPTIONS and flags: a module that they preload, such as `sendoff/register`, has no business there. */
  options() {
    const { NODE_OPTIONS: _, ...env } = process.env;
    return { trackUnmanagedFds: false, execArgv: [], env };
  },
  socketOf,
};
