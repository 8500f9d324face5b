// The core's imports over the libc of macOS and of FreeBSD: sendfile(2) takes the file first, and reports
// its progress through a pointer, even with an error. There is no MSG_MORE, and no way to query the page cache.

import * as fs from "node:fs";
import { Fault } from "../../assembly/abi.js";
import { closeFd } from "../close.js";
import type { Memory } from "../core.js";
import { errnos } from "./errno.js";
import type { Libc } from "./libc.js";
import type { Syscalls } from "./syscalls.js";
import type { System } from "./system.js";

const MSG_DONTWAIT = 0x80;
const SOL_SOCKET = 0xffff;
const SO_TYPE = 0x1008;
const SOCK_STREAM = 1;
const SEEK_SET = 0;
const SEEK_CUR = 1;

/** FreeBSD: fails with EBUSY rather than wait for a busy page. */
const SF_NODISKIO = 1;
/** FreeBSD's. macOS has none before version 15; the runtimes ignore SIGPIPE, or libuv sets SO_NOSIGPIPE. */
const MSG_NOSIGNAL = 0x20000;

/** T21: bugs that nginx, libuv and CPython found there. */
const AUTO_DISABLED =
  "macOS's sendfile can leave data behind and wait for a disk, so mode 'auto' copies there; mode 'native' and SENDOFF_MODE=native call it";

/*
 * The frame: arguments of one call at a time, in linear memory.
 * ┌───────────────────────────┬───────┬────────────┬─────────────┐
 * │ 0: off_t of bytes sent    │       │ 24: optval │ 28: optlen  │
 * └───────────────────────────┴───────┴────────────┴─────────────┘
 */
export function bsd(libc: Libc, memory: Memory, frame: number, system: System): Syscalls {
  const darwin = system.name === "darwin";
  const { sort, nameOf } = errnos(system.errno);
  const { EAGAIN, EINTR, EBUSY, EBADF } = system.errno;
  const call: NonNullable<Libc["sendfileFreeBSD"]> = darwin
    ? (file, out, offset, _count, ptr) => libc.sendfileDarwin!(file, out, offset, ptr)
    : (...args) => libc.sendfileFreeBSD!(...args);
  if ((darwin ? libc.sendfileDarwin : libc.sendfileFreeBSD) === undefined) {
    throw new Error(`${libc.name} has no sendfile of ${system.name}`);
  }

  // Memory may grow when a transfer is opened: old views are dead then.
  let view = new DataView(memory.buffer);
  const frameView = () => (view.buffer === memory.buffer ? view : (view = new DataView(memory.buffer)));

  const failed = (syscall: string, errno: number): -1 => {
    sys.errno = errno;
    sys.syscall = syscall;
    return -1;
  };

  /** One sendfile(2): bytes moved, or -1 if none; then `sys` has the error. A count of 0 would mean "to the end". */
  const move = (out: number, file: number, offset: number, count: number, flags: number): number => {
    if (count === 0) return 0;
    const asked = darwin ? count : 0;
    frameView().setUint32(frame, asked >>> 0, true);
    view.setUint32(frame + 4, asked / 2 ** 32, true);
    const r = call(file, out, offset, count, frame, flags);
    const errno = r < 0 ? libc.errno() : 0;
    const sent = view.getUint32(frame, true) + view.getUint32(frame + 4, true) * 2 ** 32;
    if (r >= 0) return sent;
    // FreeBSD reports the bytes with every error. macOS promises it for EAGAIN and EINTR; with any other error, an
    // unchanged length means nothing.
    const told = !darwin || errno === EAGAIN || errno === EINTR || sent < count;
    return told && sent > 0 ? sent : failed("sendfile", errno);
  };

  const sys: Syscalls = {
    libc,
    errno: 0,
    syscall: "",
    nameOf,
    autoDisabledReason: darwin ? AUTO_DISABLED : undefined,

    sendfile(out, file, offset, count) {
      const n = move(out, file, offset, count, SF_NODISKIO);
      if (n >= 0) return n;
      // A doorbell's read waits for the page, in the thread pool.
      return sys.errno === EBUSY && !darwin ? -Fault.WouldBlock : -sort(sys.errno);
    },

    read: () => -Fault.Missing,

    send(out, ptr, count) {
      const n = libc.send(out, ptr, count, MSG_DONTWAIT | (darwin ? 0 : MSG_NOSIGNAL));
      if (n >= 0) return n;
      failed("send", libc.errno());
      return -sort(sys.errno);
    },

    isStream(fd) {
      frameView().setUint32(frame + 28, 4, true);
      if (libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, frame + 24, frame + 28) < 0) return false;
      return view.getInt32(frame + 24, true) === SOCK_STREAM;
    },

    seek(fd, position) {
      libc.lseek(fd, position, SEEK_SET);
    },

    // Nothing is held back without MSG_MORE.
    uncork() {},

    probe() {
      const fd = fs.openSync(process.execPath, "r");
      try {
        // With an invalid fd: a kernel that has the call returns EBADF.
        const errno = move(-1, fd, 0, 1, 0) < 0 ? sys.errno : 0;
        return { sendfile: errno === EBADF ? 0 : errno, nowait: false, openat2: false };
      } finally {
        closeFd(fd);
      }
    },

    open: () => -1, // openat2 is Linux's

    sendfileOnce(out, file, offset, count) {
      if (offset !== null) return move(out, file, offset, count, 0);
      // These systems' sendfile does not use the file's own position.
      const position = libc.lseek(file, 0, SEEK_CUR);
      if (position < 0) return failed("lseek", libc.errno());
      const n = move(out, file, position, count, 0);
      if (n > 0) libc.lseek(file, position + n, SEEK_SET);
      return n;
    },
  };
  return sys;
}
