// The runtime that runs the tests, and what it can't do: each known difference by its name, with its
// reason. A row that asks `lacks(name)` is skipped there, and says why.

import process from "node:process";

export type RuntimeName = "node" | "deno" | "bun";

const { bun, deno } = process.versions as Partial<Record<RuntimeName, string>>;

export const runtime: RuntimeName = deno !== undefined ? "deno" : bun !== undefined ? "bun" : "node";

/** Where what is lacking is wanted. */
export type Difference = "http fd" | "write queue" | "socket timeout" | "blob snapshot";

const DIFFERENCES: Record<RuntimeName, Partial<Record<Difference, string>>> = {
  node: {},
  deno: {
    "http fd": "node:http has no fd under Deno",
  },
  bun: {
    "http fd": "node:http has no fd under Bun",
    "write queue": "Bun does not tell how much of a write is left: its progress shows when it is over",
    "socket timeout": "Bun's net.Socket emits no 'timeout' while a write is under way",
    "blob snapshot": "Bun's fs.openAsBlob does not notice that its file was changed",
  },
};

/** Why this runtime has no such thing; null where it has. */
export function lacks(difference: Difference): string | null {
  const reason = DIFFERENCES[runtime][difference];
  return reason ?? null;
}
