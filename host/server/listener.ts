// A listening socket that nobody accepts from yet: bound as net.Server binds, with its errors.

import { linkSync, renameSync } from "node:fs";
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

/** Bytes of a Unix socket's path: one more than that, and libuv before 1.46 has cut it. */
const PATH_MOST = 107;

/** Of node:net, undocumented. */
interface Holder {
  _handle?: { fd?: number; close(): void } | null;
}

/** Of the names that were made. */
let last = 0;

/** Another name in the folder of a socket, as short as may be. */
const aside = (path: string): string => join(dirname(path), `.${process.pid.toString(36)}.${++last}`);

/** An abstract socket has no name in a folder. */
const isNamed = (address: unknown): address is string => typeof address === "string" && !address.startsWith("\0");

/** The caller closes the fd, and removes the name of a Unix socket. `fdOf`: of a handle that does not tell its fd. */
export async function listen(libc: LoopLibc, options: ListenOptions, fdOf: FdOf = () => -1): Promise<Listening> {
  const server = createServer((socket) => socket.destroy());
  const { path } = options;
  const isInherited = (options as { fd?: number }).fd !== undefined;
  // Closing a net.Server removes the name of its socket, so that is another one.
  const isNew = isNamed(path) && !isInherited;
  const place = isNew ? { ...options, path: aside(path) } : options;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(place, () => resolve());
    });
    const address = path ?? (server.address() as AddressInfo | string);
    if (isNew) name(place.path as string, path);
    return { fd: duplicateOf(libc, server, fdOf), address, isInherited };
  } finally {
    if (server.listening) await new Promise((done) => server.close(done));
  }
}

/** @throws ENAMETOOLONG if a Unix socket's path is too long. */
export function checkPath({ path = "" }: ListenOptions): void {
  if (Buffer.byteLength(path) <= PATH_MOST) return;
  const text = `listen ENAMETOOLONG: a socket's path has ${PATH_MOST} bytes at the most ${path}`;
  throw Object.assign(new Error(text), { code: "ENAMETOOLONG", syscall: "listen", address: path });
}

/** @throws SendfileError with the reason, if `options` have an fd that `lacks` forbids to listen on. */
export function checkFd(options: ListenOptions, lacks: string | null): void {
  const { fd } = options as { fd?: number };
  if (fd !== undefined && lacks !== null) throw new SendfileError("ERR_SENDFILE_NOT_AVAILABLE", lacks);
}

/** The fd of a server that listens; -1 if its runtime does not tell. */
export function fdOfServer(server: Server, fdOf: FdOf = () => -1): number {
  const { _handle: handle } = server as Holder;
  return handle == null ? -1 : (handle.fd ?? fdOf(handle));
}

/** Another fd of its listening socket. */
function duplicateOf(libc: LoopLibc, server: Server, fdOf: FdOf | undefined): number {
  const own = duplicate(libc, fdOfServer(server, fdOf));
  if (own < 0) throw new Error(`fcntl: errno ${libc.errno()}`);
  return own;
}

/** That of a server that listens: it stops without a word, and a Unix socket keeps its name. */
export function take(libc: LoopLibc, server: Server, fdOf: FdOf | undefined): Omit<Listening, "isInherited"> {
  const address = server.address() as AddressInfo | string;
  const fd = duplicateOf(libc, server, fdOf);
  const holder = server as Holder;
  const name = isNamed(address) ? aside(address) : "";
  if (name !== "") renameSync(address as string, name);
  holder._handle?.close();
  holder._handle = null;
  if (name !== "") renameSync(name, address as string);
  return { fd, address };
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
