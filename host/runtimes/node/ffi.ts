// Finds the libc binding of this Node, or the reason why there is none.

import type { Memory } from "../../core.js";
import { bsd } from "../../libc/bsd.js";
import type { Libc } from "../../libc/libc.js";
import { linux } from "../../libc/linux.js";
import type { Syscalls } from "../../libc/syscalls.js";
import { systemOf } from "../../libc/system.js";
import { openKoffi } from "./koffi.js";
import { openNodeFFI } from "./node-ffi.js";

/** The system's calls over the core's memory, or why they are unavailable. Never throws. */
export function openSyscalls(
  memory: Memory,
  frame: number,
  env: NodeJS.ProcessEnv,
  system = systemOf(process.platform, process.arch),
): Syscalls | string {
  const libc = openLibc(memory, env, system);
  if (typeof libc === "string" || typeof system === "string") return libc as string;
  return system.name === "linux" ? linux(libc, memory, frame) : bsd(libc, memory, frame, system);
}

/**
 * koffi if it is installed, else node:ffi; SENDOFF_FFI=koffi|node|none chooses.
 * Returns a reason in place of a binding if native calls are unavailable. Never throws.
 */
export function openLibc(
  memory: Memory,
  env: NodeJS.ProcessEnv,
  system = systemOf(process.platform, process.arch),
): Libc | string {
  const choice = env.SENDOFF_FFI ?? "";
  if (!["", "koffi", "node", "none"].includes(choice)) return `SENDOFF_FFI=${choice}: koffi, node or none are known`;
  if (choice === "none") return "SENDOFF_FFI=none";
  if (typeof system === "string") return system;

  const reasons: string[] = [];
  if (choice !== "node") {
    try {
      return openKoffi(memory, system);
    } catch (error) {
      reasons.push(`koffi: ${firstLine(error)}`);
    }
  }
  if (choice !== "koffi") {
    try {
      // Checked first, because importing a forbidden node:ffi prints its warning for nothing.
      const forbidden = (process as { permission?: { has(scope: string): boolean } }).permission?.has("ffi") === false;
      if (forbidden) throw new Error("the permission model forbids it");
      return openNodeFFI(memory, system);
    } catch (error) {
      reasons.push(`node:ffi: ${firstLine(error)}`);
    }
  }
  return reasons.join("; ");
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] as string;
}
