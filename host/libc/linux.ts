// The core's imports, and the few other calls a host needs, over Linux's libc.

import * as fs from "node:fs";
import { constants } from "node:os";
import { Fault } from "../../assembly/abi.js";
import { closeFd } from "../close.js";
import type { Memory } from "../core.js";
import { here } from "../home.js";
import { bufferFrom, bufferWrite, call, floor, min } from "../originals.js";
import { sort } from "./errno.js";
import type { Libc } from "./libc.js";
import type { Syscalls } from "./syscalls.js";

const RWF_NOWAIT = 8;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const MSG_MORE = 0x8000;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_MEMINFO = 55;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_INFO = 11;
const TCP_NOTSENT_LOWAT = 25;
/** Indices of 32-bit words: of SO_MEMINFO (linux/sock_diag.h), and of struct tcp_info (linux/tcp.h). */
const SNDBUF = 3;
const WMEM_QUEUED = 5;
const SND_MSS = 4;
const NOTSENT_BYTES = 36;
/** More than what the kernel counts for its own structures, beside the bytes of a segment. */
const OVERHEAD = 1448;
export const AT_FDCWD = -100;
const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;
const O_PATH = 0x200000;
const RESOLVE_CACHED = 0x20;
export const PATH_MAX = 4096;
/** As io_uring does before it hands an open to a thread. */
export const READ = O_NONBLOCK | O_CLOEXEC;
export const LOOK = O_PATH | O_CLOEXEC;

/*
 * The frame: arguments of one call at a time, in linear memory.
 * ┌────────────┬───────────────────────┬────────────┬─────────────┐
 * │ 0: off_t   │ 8: iovec (base, len)  │ 24: optval │ 28: optlen  │ 32: open_how (flags, mode, resolve), 24 bytes
 * └────────────┴───────────────────────┴────────────┴─────────────┘
 * A path, or the answer of an option that has many words, lies before it, in the scratch area, which is free between
 * two runs. Offsets below count 32-bit words.
 */
const OFFSET = 0;
const IOVEC = 2;
const OPTVAL = 6;
const OPTLEN = 7;
const HOW = 8;
const FRAME_WORDS = 14;

/** The setting that {@link limited} reads. */
export const LIMIT = "/proc/sys/net/ipv4/tcp_notsent_lowat";

/** Whether the administrator has set TCP_NOTSENT_LOWAT for all sockets, which getsockopt(2) does not show. */
export function limited(): boolean {
  try {
    return fs.readFileSync(LIMIT, "latin1") !== "4294967295\n";
  } catch {
    return true; // no such option, or no permission to read it
  }
}

/**
 * The system's calls by a Linux libc; `frame` is the address of 64 bytes for their arguments in the core's memory. If
 * `isLimited` returns true no socket's TCP_NOTSENT_LOWAT is touched.
 */
export function linux(libc: Libc, memory: Memory, frame: number, isLimited: () => boolean = limited): Syscalls {
  // Memory may grow when a transfer is opened: old views are empty then.
  let words = new Uint32Array();
  const frameWords = () => (words.length > 0 ? words : (words = new Uint32Array(memory.buffer, frame, FRAME_WORDS)));
  /** The address of a word in the frame. */
  const at = (word: number) => frame + 4 * word;
  /** Stores a 64-bit number in two words, the lower one first: all supported systems are little-endian. */
  const put = (word: number, value: number) => {
    words[word] = value; // modulo 2^32
    words[word + 1] = value / 2 ** 32;
  };

  const answer = (n: number, syscall: string): number => {
    if (n >= 0) return n;
    sys.errno = libc.errno();
    sys.syscall = syscall;
    return -sort(sys.errno);
  };

  const option = (fd: number, level: number, name: number): number => {
    frameWords()[OPTLEN] = 4;
    if (libc.getsockopt(fd, level, name, at(OPTVAL), at(OPTLEN)) < 0) return -1;
    return words[OPTVAL] as number;
  };

  /** The first `count` words of an option; null if it has fewer, or there is none. */
  const option32s = (fd: number, level: number, name: number, count: number): Uint32Array | null => {
    frameWords()[OPTLEN] = 4 * count;
    const answer = frame - 4 * count;
    if (libc.getsockopt(fd, level, name, answer, at(OPTLEN)) < 0 || words[OPTLEN] !== 4 * count) return null;
    return new Uint32Array(memory.buffer, answer, count);
  };

  /** The result of `isLimited`; null until it is called. */
  let everywhere: boolean | null = null;

  /** Whether the unsent bytes of a socket are limited; true if it is no TCP socket. */
  const hasLimit = (fd: number): boolean =>
    (everywhere ??= isLimited()) || option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) !== 0;

  const open = (path: string, look: boolean): number => {
    if (libc.openat2 === undefined) return -1;
    const room = bufferFrom(memory.buffer, frame - PATH_MAX, PATH_MAX);
    const length = call(bufferWrite, room, path, "utf8") as number;
    if (length >= PATH_MAX - 4) return -1; // it may have been cut
    room[length] = 0;
    frameWords();
    put(HOW, look ? LOOK : READ);
    put(HOW + 2, 0);
    put(HOW + 4, RESOLVE_CACHED);
    return libc.openat2(AT_FDCWD, frame - PATH_MAX, at(HOW), 24);
  };

  const sys: Syscalls = {
    libc,
    errno: 0,
    syscall: "",

    sendfile(out, file, offset, count) {
      frameWords();
      put(OFFSET, offset);
      const n = answer(libc.sendfile(out, file, frame, count), "sendfile");
      if (n !== -Fault.Closed || sys.errno !== constants.errno.EBADF) return n;
      return option(out, SOL_SOCKET, SO_TYPE) < 0 ? n : -Fault.System; // the file's, which may not be read
    },

    read(file, ptr, offset, count) {
      frameWords();
      put(IOVEC, libc.base + ptr);
      put(IOVEC + 2, count);
      const n = answer(libc.preadv2(file, at(IOVEC), 1, offset, RWF_NOWAIT), "preadv2");
      return n === -Fault.Closed ? -Fault.System : n; // EBADF of a file says nothing about the peer
    },

    send(out, ptr, count, more) {
      const flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more === 0 ? 0 : MSG_MORE);
      return answer(libc.send(out, ptr, count, flags), "send");
    },

    isStream: (fd) => option(fd, SOL_SOCKET, SO_TYPE) === SOCK_STREAM,

    seek(fd, position) {
      libc.lseek(fd, position, 0);
    },

    uncork(fd) {
      const before = option(fd, IPPROTO_TCP, TCP_NODELAY);
      if (before < 0) return; // a Unix socket holds nothing back
      words[OPTVAL] = 1;
      libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, at(OPTVAL), 4);
      if (before !== 0) return;
      words[OPTVAL] = 0;
      libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, at(OPTVAL), 4);
    },

    limit(fd, bytes) {
      if (bytes > 0 && hasLimit(fd)) return false;
      frameWords()[OPTVAL] = bytes;
      return libc.setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, at(OPTVAL), 4) === 0;
    },

    room(fd, unsent) {
      if (unsent === null && hasLimit(fd)) return 0;
      const buffer = option32s(fd, SOL_SOCKET, SO_MEMINFO, WMEM_QUEUED + 1);
      const free = buffer === null ? 0 : (buffer[SNDBUF] as number) - (buffer[WMEM_QUEUED] as number);
      const tcp = free > 0 ? option32s(fd, IPPROTO_TCP, TCP_INFO, NOTSENT_BYTES + 1) : null;
      if (tcp === null) return 0;
      const segment = tcp[SND_MSS] as number;
      const most = floor((free * segment) / (segment + OVERHEAD));
      return unsent === null ? most : min(most, unsent - (tcp[NOTSENT_BYTES] as number));
    },

    probe() {
      // Any regular file will do, and this one exists.
      const fd = fs.openSync(new URL(here), "r");
      try {
        // With an invalid fd: a kernel that has the call returns EBADF.
        const errno = libc.sendfile(-1, fd, null, 1) < 0 ? libc.errno() : 0;
        const nowait = sys.read(fd, at(OPTVAL), 0, 1);
        const root = open("/", true);
        if (root >= 0) (libc.close ?? fs.closeSync)(root); // a worker of Node's would warn of an fd that it has not opened
        return {
          sendfile: errno === constants.errno.EBADF ? 0 : errno,
          nowait: nowait >= 0 || nowait === -Fault.WouldBlock,
          openat2: root >= 0,
        };
      } finally {
        closeFd(fd);
      }
    },

    open,

    sendfileOnce(out, file, offset, count) {
      if (offset !== null) {
        frameWords();
        put(OFFSET, offset);
      }
      const n = libc.sendfile(out, file, offset === null ? null : frame, count);
      if (n < 0) sys.errno = libc.errno();
      return n;
    },
  };
  return sys;
}
