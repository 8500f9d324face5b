// Which fd is behind a connection or file of Deno's: it tells few of them. The others are found by what
// the kernel says of this process's fds, and each is known again by its socket's cookie.

import type { Memory } from "../../core.js";
import type { Libc } from "../../libc/libc.js";
import type { Conn, FsFile, NetAddress } from "./globals.js";

/** The calls that only this runtime needs: to find out which fd is a connection's. */
export interface DenoLibc extends Libc {
  getsockname(fd: number, ptr: number, lengthPtr: number): number;
  getpeername(fd: number, ptr: number, lengthPtr: number): number;
  close(fd: number): number;
  /** "glibc 2.36", "musl". */
  version(): string;
}

/** Fds beyond are not looked at: a process with so many is not made wait for each connection. */
const MOST = 4096;

const SOL_SOCKET = 1;
const SO_COOKIE = 57;
const AF_INET = 2;
const AF_INET6 = 10;
const SEEK_SET = 0;
const SEEK_CUR = 1;

/** An fd, and which socket it was when it was found: the number may be another's by now. */
export interface Descriptor {
  readonly fd: number;
  readonly cookie: number;
}

/** What is used of a net.Socket's handle: a new fd of the same socket, to be closed by us. */
interface Handle {
  fdForIpc?(): number | undefined;
}

/** The place in the core's frame of one answer, and of its length: behind those of linux.ts. */
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

  /** The fd, as long as it is still that socket: -1 once it was closed, whoever has the number now. */
  check({ fd, cookie }: Descriptor): number {
    return this.#cookie(fd) === cookie ? fd : -1;
  }

  /**
   * Deno.Conn over TCP: one that was accepted has a property that tells; of any, its two addresses do. They
   * are asked for always, because of a closed one the number may be another's.
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

  /** A net.Socket under Deno gives duplicates only: one tells the cookie, and is closed. */
  ofHandle(handle: object): Descriptor | null {
    const copy = (handle as Handle).fdForIpc?.() ?? -1;
    if (copy < 0) return null;
    const cookie = this.#cookie(copy);
    this.#libc.close(copy);
    if (cookie === 0) return null;
    // A new fd has the lowest number that is free, so the one it was made of is mostly just below.
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

  /** SO_COOKIE: the number of a socket that no other gets as long as the system runs; 0 for what is no socket. */
  #cookie(fd: number): number {
    const view = this.#frameView();
    const at = this.#frame + ANSWER;
    view.setUint32(this.#frame + LENGTH, 8, true);
    if (this.#libc.getsockopt(fd, SOL_SOCKET, SO_COOKIE, at, this.#frame + LENGTH) < 0) return 0;
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  }

  /** "127.0.0.1 8000" of one end; null for what is no TCP socket. */
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

/** The lowest fd that is so, -1 where none is. */
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
