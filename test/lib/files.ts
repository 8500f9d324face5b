// Files that are gone after the test.

import * as fs from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host } from "#process";
import type { Cleanup } from "./suite.js";

export function tempFolder(cleanup: Cleanup): string {
  const folder = fs.mkdtempSync(join(tmpdir(), "sendoff-"));
  cleanup.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function tempFile(cleanup: Cleanup, bytes: Uint8Array): string {
  const path = join(tempFolder(cleanup), "file");
  fs.writeFileSync(path, bytes);
  return path;
}

export function openFd(cleanup: Cleanup, path: string, flags = "r"): number {
  const fd = fs.openSync(path, flags);
  cleanup.after(() => closed(fd));
  return fd;
}

function closed(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {} // the test closed it
}

export async function openHandle(cleanup: Cleanup, path: string, flags = "r"): Promise<FileHandle> {
  const handle = await open(path, flags);
  cleanup.after(() => handle.close().catch(() => {}));
  return handle;
}

/**
 * Counts this process's open fds: all (a socket of an earlier test may still be closing), or those of a file. Files
 * that only stay open for their next use do not count.
 */
export function fdCount(path?: string): number {
  host().shared.files.clear();
  const fds = fs.readdirSync("/proc/self/fd");
  return path === undefined ? fds.length : fds.filter((fd) => target(fd) === path).length;
}

/** This process's open fds, for the message of a leak. */
export function fdTargets(): string {
  return fs
    .readdirSync("/proc/self/fd")
    .map((fd) => `${fd}: ${target(fd)}`)
    .join(", ");
}

function target(fd: string): string | null {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null; // that of readdir itself
  }
}

/** The file's own position, as lseek(2) would tell it. */
export function position(fd: number): number {
  const line = fs.readFileSync(`/proc/self/fdinfo/${fd}`, "latin1").match(/^pos:\s*(\d+)/);
  return Number(line?.[1]);
}

/** How many fds this process may have. */
export function fdLimit(): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(fs.readFileSync("/proc/self/limits", "latin1"))?.[1] ?? 1024);
  } catch {
    return 1024; // no /proc
  }
}
