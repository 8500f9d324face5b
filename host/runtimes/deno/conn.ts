// Deno.Conn as a queue: its write() is the doorbell.

import { connQueue, type Conn as Lent } from "../../queue/promise.js";
import type { Queue } from "../../queue/queue.js";
import type { Descriptor, Descriptors } from "./descriptors.js";
import type { Conn } from "./globals.js";

const NOTHING = new Uint8Array(0);

/** The queue of a Deno.Conn; null for any other value. */
export function queueOfConn(value: unknown, descriptors: Descriptors | null): Queue | null {
  return isConn(value) ? connQueue(value, () => lend(value, descriptors)) : null;
}

/** Deno does not export the classes, so a connection is recognised by its members. */
function isConn(value: unknown): value is Conn {
  if (typeof value !== "object" || value === null) return false;
  const { localAddr, remoteAddr, write, closeWrite, close } = value as Partial<Conn>;
  return (
    typeof localAddr === "object" &&
    typeof remoteAddr === "object" &&
    [write, closeWrite, close].every((method) => typeof method === "function")
  );
}

/** Errors of operations that our own close() has interrupted: EINTR, or a bad resource id. */
function closed(error: Error): never {
  if (error.name !== "Interrupted" && error.name !== "BadResource") throw error;
  throw Object.assign(new Error("closed by this side", { cause: error }), { code: "EBADF" });
}

function lend(conn: Conn, descriptors: Descriptors | null): Lent {
  // A TLS connection has the addresses of a socket that must not get plain bytes.
  const plain = !("handshake" in conn);
  let found: Descriptor | null | undefined;
  return {
    // Deno makes writes on a connection one by one: an empty one resolves when those before it are out.
    flush: () => conn.write(NOTHING).catch(closed),
    write: (bytes) => conn.write(bytes).catch(closed),
    fd() {
      if (descriptors === null || !plain) return -1;
      if (found === undefined) found = descriptors.ofConn(conn);
      return found === null ? -1 : descriptors.check(found);
    },
    // A close shows only when the next write fails.
    closed: () => false,
  };
}
