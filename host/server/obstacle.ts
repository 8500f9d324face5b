// Whether a loop can run in this process.

import cluster from "node:cluster";
import { isMainThread } from "node:worker_threads";
import { folder } from "../home.js";
import { hasLoop } from "../libc/epoll.js";
import type { Shared } from "../shared.js";
import type { ServerRuntime } from "./runtime.js";

/** Why a loop can't run here; null if it can. */
export function obstacle({ sys, reason }: Shared, { lacks }: ServerRuntime): string | null {
  if (sys === null) return reason;
  if (!hasLoop(sys.libc)) return `no epoll by ${sys.libc.name} on ${process.platform}`;
  if (!isMainThread) return "a worker thread may be terminated, and nobody would close its listener";
  const { sendfile, nowait, openat2 } = sys.probe();
  if (sendfile !== 0 || !nowait || !openat2) return "this kernel lacks sendfile, preadv2 with RWF_NOWAIT or openat2";
  if (cluster.isWorker) return "a worker of node:cluster has no listening socket of its own";
  const { permission } = process as { permission?: { has(scope: string): boolean } };
  if (permission !== undefined && !permission.has("worker")) return "the permission model forbids threads";
  const host = folder();
  return typeof host === "string" ? host : lacks();
}
