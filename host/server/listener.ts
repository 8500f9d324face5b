// A listening socket that nobody accepts from yet: bound as net.Server binds, with its errors.

import { linkSync } from "node:fs";
import { type AddressInfo, createServer, type ListenOptions, type Server } from "node:net";
import { dirname, join } from "node:path";
import { SendfileError } from "../errors.js";
import { duplicate, type LoopLibc } from "../libc/epoll.js";
import type { FdOf } from "../queue/queue.js";

export interface Listening {
  readonly fd: number;
  readonly address: AddressInfo | string;
  /** Others may listen on it, too: they go on when this server ends. */
  readonly isInherited: boolean;
  /** The name of a Unix socket is another server's now. */
  readonly isLeft?: boolean;
}

/** Of the names that were made. */
let last = 0;

/** The caller closes the fd, and removes the name of a Unix socket. `fdOf`: of a handle that does not tell its fd. */
export async function listen(libc: LoopLibc, options: ListenOptions, fdOf: FdOf = () => -1): Promise<Listening> {
  const server = createServer((socket) => socket.destroy());
  // Closing a net.Server removes the name of its socket, so that is another one, as short as may be. An abstract socket
  // has none.
  const { path } = options;
  const isInherited = (options as { fd?: number }).fd !== undefined;
  const isNamed = path !== undefined && !path.startsWith("\0") && !isInherited;
  const place = isNamed ? { ...options, path: join(dirname(path), `.${process.pid.toString(36)}.${++last}`) } : options;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(place, () => resolve());
    });
    const fd = fdOfServer(server, fdOf);
    const address = path ?? (server.address() as AddressInfo | string);
    if (isNamed) name(place.path as string, path);
    const own = duplicate(libc, fd);
    if (own < 0) throw new Error(`fcntl: errno ${libc.errno()}`);
    return { fd: own, address, isInherited };
  } finally {
    if (server.listening) await new Promise((done) => server.close(done));
  }
}

/** @throws SendfileError with the reason, if `options` have an fd that `lacks` forbids to listen on. */
export function checkFd(options: ListenOptions, lacks: string | null): void {
  const { fd } = options as { fd?: number };
  if (fd !== undefined && lacks !== null) throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", lacks);
}

/** The fd of a server that listens; -1 if its runtime does not tell. */
export function fdOfServer(server: Server, fdOf: FdOf = () => -1): number {
  const handle = (server as unknown as { _handle?: { fd?: number } | null })._handle ?? null;
  return handle === null ? -1 : (handle.fd ?? fdOf(handle));
}

/** Gives a socket its name, unless something has it. */
function name(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const text = `listen EADDRINUSE: address already in use ${to}`;
    throw Object.assign(new Error(text), { code: "EADDRINUSE", syscall: "listen", address: to });
  }
}
