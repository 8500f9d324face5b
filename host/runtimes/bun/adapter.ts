// The host of this Bun process: one for all its entry points.

import { Socket, type TcpNetConnectOpts } from "node:net";
import { folder } from "../../home.js";
import { type Adapter, createHost, type Host } from "../../index.js";
import { linux } from "../../libc/linux.js";
import { now, setImmediate } from "../../originals.js";
import { wasm } from "../../wasm.js";
import { modeOf, openFilesOf } from "../environment.js";
import { openBunFFI } from "./ffi.js";
import { sourceOf } from "./file.js";
import { fdOf, queueOf, type TCPSocket } from "./socket.js";

/** Bun's architectures: 64-bit and little-endian, as calls into libc need. */
const ARCHS = ["x64", "arm64"];

/** Bun's adapter. Throws a TypeError for an invalid variable. */
export function adapter(): Adapter {
  return {
    now,
    defer: (next) => setImmediate(next),
    open(memory, frame) {
      const reason = obstacle();
      if (reason !== null) return reason;
      try {
        return linux(openBunFFI(memory), memory, frame);
      } catch (error) {
        return `bun:ffi: ${(error as Error).message}`;
      }
    },
    libc,
    auto: modeOf(process.env.SENDOFF_MODE),
    ...openFilesOf(process.env.SENDOFF_OPEN_FILES),
    queue: queueOf,
    source: sourceOf,
    fdOf,
  };
}

let made: Host<TCPSocket> | undefined;

/** Made at first use: an import alone loads no native code. */
export function host(): Host<TCPSocket> {
  made ??= createHost<TCPSocket>(wasm(), adapter());
  return made;
}

/** Why native calls are unavailable. */
function obstacle(): string | null {
  const choice = process.env.SENDOFF_FFI ?? "";
  if (choice === "none") return "SENDOFF_FFI=none";
  if (!["", "bun"].includes(choice)) return `SENDOFF_FFI=${choice}: bun or none are known`;
  if (process.platform !== "linux") return `no native sendfile on ${process.platform}`;
  if (!ARCHS.includes(process.arch)) return `no native sendfile on ${process.arch}`;
  return null;
}

/** Bun's process.report has it, as Node's. */
function libc(): string {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? "musl" : `glibc ${header.glibcVersionRuntime}`;
}

const thread = () => new URL("runtimes/bun/thread.js", folder());

/** For a server of files. */
export const serverRuntime = {
  loop: thread,
  reader: thread,
  lacks: () => null,
  inherits: (engine: "loop" | "node") =>
    engine === "node" ? "Bun's http.Server can't listen on an fd, nor does it tell its own" : null,
  isLax: true,
  isBare: true,
  options: () => ({}),
  /** The constructor takes no fd; connect() does, at once, and undocumented. */
  socketOf: (fd: number) => new Socket({ allowHalfOpen: true }).connect({ fd } as unknown as TcpNetConnectOpts),
};
