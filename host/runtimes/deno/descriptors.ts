// Finds the fd behind a Deno connection or file: Deno exposes few of them. The others are found by asking the kernel
// about this process's fds; a socket's cookie identifies it from then on.

import type { Memory } from "../../core.js";
import type { Libc } from "../../libc/libc.js";
import type { Conn, FsFile, NetAddress } from "./globals.js";

/** Calls that only Deno needs, to find a connection's fd. */
export interface DenoLibc extends Libc {
  getsockname(fd: number, ptr: number, lengthPtr: number): number;
  getpeername(fd: number, ptr: number, lengthPtr: number): number;
  close(fd: number): number;
  /** "glibc 2.36", "musl". */
  version(): string;
}

/** Fds from here on are not checked, so that a process with very many does not wait for each connection. */
const MOST = 4096;

const SOL_SOCKET = 1;
const SO_COOKIE = 57;
const AF_INET = 2;
const AF_INET6 = 10;
const SEEK_SET = 0;
const SEEK_CUR = 1;

/** An fd, and the cookie of its socket when found: the number may have been reused since. */
export interface Descriptor {
  readonly fd: number;
  readonly cookie: number;
}

/** The part of a net.Socket's handle that we use: returns a new fd of the same socket, which we close. */
interface Handle {
  fdForIpc?(): number | undefined;
}

/** Offsets in the core's frame for a result and its length: behind those of linux.ts. */
const ANSWER = 32;
const LENGTH = 60;

export class Descriptors {
  readonly #libc: DenoLibc;
  readonly #memory: Memory;
  readonly #frame: number;
  #view: DataView;

  constructor(libc: DenoLibc, memory: Memory, frame: number) {
    this.#libc = libc;
    this.#memory = memory;
    this.#frame = frame;
    this.#view = new DataView(memory.buffer);
  }

  /** The fd while it is still that socket: -1 once it was closed, even if the number was reused. */
  check({ fd, cookie }: Descriptor): number {
    return this.#cookie(fd) === cookie ? fd : -1;
  }

  /**
   * Deno.Conn over TCP: an accepted one has a property with its fd; any can be found by its two addresses. The
   * addresses are always compared, because the number of a closed one may have been reused.
   */
  ofConn(conn: Conn): Descriptor | null {
    const local = plain(conn.localAddr);
    const remote = plain(conn.remoteAddr);
    if (local === null || remote === null) return null;
    const same = (fd: number) =>
      this.#address(fd, "getsockname") === local && this.#address(fd, "getpeername") === remote;
    const symbol = Object.getOwnPropertySymbols(conn).find((one) => one.description === "Deno.internal.fd");
    const told = symbol === undefined ? undefined : (conn as unknown as Record<symbol, unknown>)[symbol];
    return this.#found(typeof told === "number" && same(told) ? told : up(same));
  }

  /** A net.Socket under Deno gives only duplicates of its fd: one gives the cookie, and is closed. */
  ofHandle(handle: object): Descriptor | null {
    const copy = (handle as Handle).fdForIpc?.() ?? -1;
    if (copy < 0) return null;
    const cookie = this.#cookie(copy);
    this.#libc.close(copy);
    if (cookie === 0) return null;
    // A new fd gets the lowest free number, so the original is mostly just below.
    for (let fd = Math.min(copy, MOST) - 1; fd >= 0; fd--) if (this.#cookie(fd) === cookie) return { fd, cookie };
    return this.#found(up((fd) => fd > copy && this.#cookie(fd) === cookie));
  }

  /** Deno.FsFile: the fd whose position moves with the file's. Its own position is the same afterwards. */
  ofFile(file: FsFile): number {
    const before = file.seekSync(0, SEEK_CUR);
    try {
      const moves = (fd: number, position: number) => {
        file.seekSync(position, SEEK_SET);
        return this.#libc.lseek(fd, 0, SEEK_CUR) === position;
      };
      const place = file.seekSync(1 + Math.floor(Math.random() * 0x7fffff00), SEEK_SET);
      return up((fd) => this.#libc.lseek(fd, 0, SEEK_CUR) === place && moves(fd, place + 1) && moves(fd, place));
    } finally {
      file.seekSync(before, SEEK_SET);
    }
  }

  #found(fd: number): Descriptor | null {
    const cookie = fd < 0 ? 0 : this.#cookie(fd);
    return cookie === 0 ? null : { fd, cookie };
  }

  /** SO_COOKIE: a number unique to the socket while the system runs; 0 if it is no socket. */
  #cookie(fd: number): number {
    const view = this.#frameView();
    const at = this.#frame + ANSWER;
    view.setUint32(this.#frame + LENGTH, 8, true);
    if (this.#libc.getsockopt(fd, SOL_SOCKET, SO_COOKIE, at, this.#frame + LENGTH) < 0) return 0;
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  }

  /** "127.0.0.1 8000" of one end; null if it is no TCP socket. */
  #address(fd: number, end: "getsockname" | "getpeername"): string | null {
    const view = this.#frameView();
    const at = this.#frame + ANSWER;
    view.setUint32(this.#frame + LENGTH, LENGTH - ANSWER, true);
    if (this.#libc[end](fd, at, this.#frame + LENGTH) < 0) return null;
    const family = view.getUint16(at, true);
    const bytes = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => view.getUint8(at + from + i));
    const port = view.getUint16(at + 2);
    if (family === AF_INET) return `${bytes(4, 4).join(".")} ${port}`;
    if (family !== AF_INET6) return null;
    const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(at + 8 + 2 * i).toString(16));
    return `${canonical(groups.join(":"))} ${port}`;
  }

  #frameView(): DataView {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = new DataView(this.#memory.buffer);
    return this.#view;
  }
}

/** The lowest fd that matches, -1 if none does. */
function up(so: (fd: number) => boolean): number {
  for (let fd = 0; fd < MOST; fd++) if (so(fd)) return fd;
  return -1;
}

function plain(address: Conn["localAddr"]): string | null {
  if (address.transport !== "tcp") return null;
  const { hostname, port } = address as NetAddress;
  const host = hostname.includes(":") ? canonical(hostname) : hostname;
  return host === null ? null : `${host} ${port}`;
}

/** One spelling of an IPv6 address; null for one with a zone. */
function canonical(address: string): string | null {
  try {
    return new URL(`http://[${address}]`).hostname;
  } catch {
    return null;
  }
}
