// The host of this Node process: one for all its front doors.

import { readFileSync } from "node:fs";
import { createHost, type Host } from "./index.js";
import type { Mode } from "./sendfile.js";
import { openSyscalls } from "./syscalls/index.js";

let host: Host | undefined;

/** Made at first use: an import alone loads no native code and prints no warning. */
export function node(): Host {
  host ??= createHost(readFileSync(new URL("../core.wasm", import.meta.url)), {
    now: () => performance.now(),
    defer: (next) => setImmediate(next),
    open: (memory, frame) => openSyscalls(memory, frame, process.env),
    libc,
    auto: mode(process.env.SENDOFF_MODE),
  });
  return host;
}

/** Node's report knows glibc's version; on Linux there is hardly another libc than musl besides. */
function libc(): string {
  if (process.platform === "darwin") return "libSystem";
  if (process.platform === "freebsd") return "FreeBSD libc";
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? "musl" : `glibc ${header.glibcVersionRuntime}`;
}

function mode(value: string | undefined): Mode {
  if (value === undefined || value === "" || value === "auto") return "auto";
  if (value === "copy" || value === "native") return value;
  throw new TypeError(`SENDOFF_MODE must be auto, native or copy (got '${value}')`);
}
