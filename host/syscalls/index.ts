// Which libc is to be had on this Node, and why not where none is.

import { endianness } from "node:os";
import type { Memory } from "../core.js";
import { openKoffi } from "./koffi.js";
import type { Libc } from "./libc.js";
import { openNodeFFI } from "./node-ffi.js";

/** Calls into libc cross as 64-bit little-endian numbers; these have been thought through. */
const ARCHS = ["x64", "arm64", "riscv64", "loong64"];

/**
 * koffi where it is installed, else node:ffi; SENDOFF_FFI=koffi|node|none chooses.
 * Returns a reason in place of a binding where native calls can't be had. Never throws.
 */
export function openLibc(memory: Memory, env: NodeJS.ProcessEnv): Libc | string {
  const choice = env.SENDOFF_FFI ?? "";
  if (!["", "koffi", "node", "none"].includes(choice)) return `SENDOFF_FFI=${choice}: koffi, node or none are known`;
  if (choice === "none") return "SENDOFF_FFI=none";
  if (process.platform !== "linux") return `no native sendfile on ${process.platform}`;
  if (!ARCHS.includes(process.arch) || endianness() !== "LE") return `no native sendfile on ${process.arch}`;

  const reasons: string[] = [];
  if (choice !== "node") {
    try {
      return openKoffi(memory);
    } catch (error) {
      reasons.push(`koffi: ${firstLine(error)}`);
    }
  }
  if (choice !== "koffi") {
    try {
      // Asked first, because importing node:ffi where it is forbidden prints its warning for nothing.
      const forbidden = (process as { permission?: { has(scope: string): boolean } }).permission?.has("ffi") === false;
      if (forbidden) throw new Error("the permission model forbids it");
      return openNodeFFI(memory);
    } catch (error) {
      reasons.push(`node:ffi: ${firstLine(error)}`);
    }
  }
  return reasons.join("; ");
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] as string;
}
