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

/** Their classes are not to be had by name: a connection is known by what it has. */
function isConn(value: unknown): value is Conn {
  if (typeof value !== "object" || value === null) return false;
  const { localAddr, remoteAddr, write, closeWrite, close } = value as Partial<Conn>;
  return (
    typeof localAddr === "object" &&
    typeof remoteAddr === "object" &&
    [write, closeWrite, close].every((method) => typeof method === "function")
  );
}

/** Deno tells of a close() of ours by what it stopped: an EINTR, or a number that is no resource. */
function closed(error: Error): never {
  if (error.name !== "Interrupted" && error.name !== "BadResource") throw error;
  throw Object.assign(new Error("closed by this side", { cause: error }), { code: "EBADF" });
}

function lend(conn: Conn, descriptors: Descriptors | null): Lent {
  // Over TLS the addresses are those of a socket that takes no plain bytes.
  const plain = !("handshake" in conn);
  let found: Descriptor | null | undefined;
  return {
    // Writes on one connection are made one by one: an empty one comes back when those before it are out.
    flush: () => conn.write(NOTHING).catch(closed),
    write: (bytes) => conn.write(bytes).catch(closed),
    fd() {
      if (descriptors === null || !plain) return -1;
      if (found === undefined) found = descriptors.ofConn(conn);
      return found === null ? -1 : descriptors.check(found);
    },
    // Nothing tells of a close but the next write, which fails.
    closed: () => false,
  };
}
