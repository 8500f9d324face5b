// A socket of Bun.listen or Bun.connect as a connection to write to. Its handlers are the user's, and can't be shared:
// reload() replaces those of all sockets of a listener at once, and they can't be read. So users call `drained` from
// their own `drain` handler; without it, or if it is late, a full socket is retried after a while.

import { type Conn, connQueue } from "../../queue/promise.js";
import type { Queue } from "../../queue/queue.js";

/** The part of Bun's `Socket` that we use. */
export interface TCPSocket {
  /** "TCPSocket" or "TLSSocket"; not among Bun's types. */
  readonly [Symbol.toStringTag]?: string;
  /** 1 while bytes can be written. */
  readonly readyState: number;
  /** The fd, -1 once it was closed; undocumented. */
  readonly fd?: number;
  /** Writes as much as the kernel takes now, nothing if it is full, and returns the count. */
  write(bytes: Uint8Array): number;
}

const OPEN = 1;

/** The first and the longest wait for a full socket, in ms; it doubles each time the socket is still full. */
const FIRST_MS = 1;
const LONGEST_MS = 64;

/** Transfers that wait for their socket to drain. */
const waiting = new WeakMap<object, () => void>();

/** Call it from a socket's `drain` handler: a transfer that waits for the socket continues at once. */
export function drained(socket: object): void {
  waiting.get(socket)?.();
}

/** The fd of a socket, also of one behind a net.Socket; -1 if it is closed, TLS, or no such socket. */
export function fdOf(socket: object): number {
  const { [Symbol.toStringTag]: kind, fd } = socket as TCPSocket;
  return kind === "TCPSocket" && typeof fd === "number" ? fd : -1;
}

/** The queue of such a socket, including TLS; null for any other value. */
export function queueOf(value: unknown): Queue | null {
  if (typeof value !== "object" || value === null) return null;
  const socket = value as TCPSocket;
  const kind = socket[Symbol.toStringTag];
  if ((kind !== "TCPSocket" && kind !== "TLSSocket") || typeof socket.readyState !== "number") return null;
  return connQueue(socket, () => lend(socket));
}

function lend(socket: TCPSocket): Conn {
  const closed = () => socket.readyState !== OPEN;
  return {
    closed,
    fd: () => fdOf(socket),

    async write(bytes) {
      for (let wait = FIRST_MS; ; wait = Math.min(2 * wait, LONGEST_MS)) {
        const written = closed() ? -1 : socket.write(bytes);
        if (written > 0) return written;
        if (written < 0) throw Object.assign(new Error("the socket is closed"), { code: "ERR_SOCKET_CLOSED" });
        await room(socket, wait);
      }
    },
  };
}

/** Resolves when the socket drains, or after `wait` ms. */
function room(socket: TCPSocket, wait: number): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      waiting.delete(socket);
      resolve();
    };
    const timer = setTimeout(go, wait);
    waiting.set(socket, go);
  });
}
