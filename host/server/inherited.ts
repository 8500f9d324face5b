// Listening sockets that this process was started with: by systemd (sd_listen_fds(3)), or by the process whose place it takes.

import { closeSync, writeSync } from "node:fs";
import type { Shared } from "../shared.js";

/** The first of them: SD_LISTEN_FDS_START. */
export const FIRST = 3;
/** fds that a process is given: more is no count of them. */
const MOST = 1 << 16;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** What sd_listen_fds(3) has. The last one is ours: see `handOver`. */
const NAMES = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES", "SENDOFF_HANDED_OVER"] as const;

/** A listening socket, as `listen()` takes it. */
export interface ListenFd {
  /** Its descriptor. */
  readonly fd: number;
  /** Of systemd's FileDescriptorName=; "unknown" if it has none. */
  readonly name: string;
  /** Of a Unix socket that was handed over: its name goes with this server. */
  readonly path?: string;
}

/** Where the process before is told that this one serves; -1 if there is none. */
let told = -1;

/** Takes them, out of the environment, too: called again there are none. */
export function inherited({ sys }: Shared): ListenFd[] {
  const env: { [name: string]: string | undefined } = {};
  for (const name of NAMES) {
    env[name] = process.env[name];
    delete process.env[name];
  }
  const count = Number(env.LISTEN_FDS ?? 0);
  const [parent, tell, ...path] = env.SENDOFF_HANDED_OVER?.split(" ") ?? [];
  const isHanded = Number(parent) === process.ppid;
  // A child of the process that they are for has the variables, too, but not the sockets.
  if (!(isHanded || Number(env.LISTEN_PID) === process.pid) || !(Number.isInteger(count) && count > 0 && count <= MOST))
    return [];
  const libc: Partial<Pick<NonNullable<Shared["sys"]>["libc"], "fcntl">> = sys?.libc ?? {};
  const names = env.LISTEN_FDNAMES?.split(":") ?? [];
  const close = (fd: number) => libc.fcntl?.(fd, F_SETFD, FD_CLOEXEC);
  const fds = Array.from({ length: count }, (_, i): ListenFd => ({ fd: FIRST + i, name: names[i] || "unknown" }));
  for (const { fd } of fds) close(fd);
  if (!isHanded) return fds;
  told = Number(tell);
  close(told);
  const [first, ...others] = fds;
  return path.length === 0 ? fds : [{ ...(first as ListenFd), path: path.join(" ") }, ...others];
}

/** Tells the process before, if there is one, that this one serves. */
export function tellServing(): void {
  if (told < 0) return;
  const fd = told;
  told = -1;
  try {
    writeSync(fd, "serving\n");
  } catch {} // it has gone
  closeSync(fd);
}
