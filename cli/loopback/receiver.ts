// The embedded receiver, a child process: reads one connection to its end, closes it, and reports the byte count and
// the SHA-256, if it is wanted. It never outlives its parent.

import { connect } from "node:net";
import { Backlog, Counted } from "./backlog.js";

/** From the parent. */
export interface Order {
  port: number;
  /** Bytes that may wait to be hashed; null if none are hashed. */
  backlog: number | null;
}

/** To the parent, in this order. */
export type Report = { localPort: number } | { bytes: number; digest: string | null } | { error: string };

const report = (message: Report, then?: () => void) => process.send?.(message, then ?? (() => {}));

// A terminal's Ctrl-C goes to the whole process group, but the parent decides when to end.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.once("disconnect", () => process.exit());

process.once("message", ({ port, backlog: capacity }: Order) => {
  const backlog = capacity === null ? new Counted() : new Backlog(capacity);
  const socket = connect({
    host: "127.0.0.1",
    port,
    allowHalfOpen: true,
    onread: {
      buffer: () => backlog.room(),
      callback: (bytes) => {
        backlog.took(bytes);
        return true;
      },
    },
  });
  socket.once("connect", () => report({ localPort: socket.localPort as number }));
  socket.once("error", (error) => report({ error: error.message }, () => process.exit(1)));
  // Closed before hashing, because the sender's clock waits for the close.
  socket.once("end", () => socket.end());
  socket.once("close", (failed) => {
    if (!failed) report({ bytes: backlog.bytes, digest: backlog.digest() });
  });
});
