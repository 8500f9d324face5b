// The runtime that runs the tests, and what it can't do: each known difference by its name, with its
// reason. A row that asks `lacks(name)` is skipped there, and says why.

import process from "node:process";

export type RuntimeName = "node" | "deno" | "bun";

const { bun, deno } = process.versions as Partial<Record<RuntimeName, string>>;

export const runtime: RuntimeName = deno !== undefined ? "deno" : bun !== undefined ? "bun" : "node";

/** What stands between the runtime's path and a program's. */
export const RUN: readonly string[] = runtime === "deno" ? ["run", "-A", "--no-lock"] : [];

/** What loads a module before the program. */
export const IMPORT = runtime === "deno" ? "--preload" : "--import";

/** Each by what is wanted. */
export type Difference =
  | "TLS end"
  | "TLS with a shared key"
  | "progress of a write"
  | "timeout of a stalled socket"
  | "a write that is over at once"
  | "workers that import what the primary does"
  | "live imports of node:fs"
  | "a Blob of a file is the file"
  | "stdout is a stream"
  | "fd of a response"
  | "keep-alive of HTTP/1.0";

const DIFFERENCES: Record<RuntimeName, Partial<Record<Difference, string>>> = {
  node: {},
  deno: {
    "TLS end": "node:tls under Deno: end() does not reach the other side",
    "TLS with a shared key": "node:tls under Deno has no PSK ciphers",
    "progress of a write": "node:net under Deno tells of a write only once it is over",
    "a write that is over at once": "no write of a net.Socket under Deno is over in the same turn",
    "workers that import what the primary does": "a cluster's workers under Deno are not told of --preload",
    "live imports of node:fs": "under Deno syncBuiltinESMExports() changes no import",
    "a Blob of a file is the file": "fs.openAsBlob() under Deno reads the file at once",
  },
  bun: {
    "progress of a write": "node:net under Bun tells of a write only once it is over",
    "timeout of a stalled socket": "a net.Socket under Bun emits no 'timeout' while a write is under way",
    "a Blob of a file is the file": "fs.openAsBlob() under Bun does not notice a change",
    "stdout is a stream": "process.stdout under Bun has a write() of its own, and no queue to wait in",
    "fd of a response": "a response of node:http under Bun has no socket with an fd",
    "keep-alive of HTTP/1.0": "node:http under Bun answers no pipelined HTTP/1.0",
    "TLS with a shared key": "node:tls under Bun has no PSK ciphers",
    "live imports of node:fs": "under Bun syncBuiltinESMExports() changes no import",
  },
};

/** Why this runtime has no such thing; null where it has. */
export function lacks(difference: Difference): string | null {
  return DIFFERENCES[runtime][difference] ?? null;
}
