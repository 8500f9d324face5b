// The file: found under the folders that the host has opened for us, opened, and statted.

import { fd_filestat_get, fd_prestat_dir_name, fd_prestat_get, path_open } from "./preview1";
import { Errno } from "./syscalls";
import { length } from "./words";

const FOLLOW: i32 = 1; // symbolic links
const FD_READ: i64 = 1 << 1;
const FD_SEEK: i64 = 1 << 2; // without it there is no fd_pread
const FD_FILESTAT_GET: i64 = 1 << 21;

enum FileType {
  BlockDevice = 1,
  Folder = 3,
  Regular = 4,
}

/** The folders have the first descriptors behind stdin, stdout and stderr. */
const FIRST: i32 = 3;
const FOLDERS: i32 = 1024;

/** The longest name of such a folder, in bytes. */
const LONGEST: u32 = 4096;
const NAME: usize = memory.data(<i32>LONGEST, 1);
const PRESTAT: usize = memory.data(8, 4);
const STAT: usize = memory.data(64, 8);
const RESULT: usize = memory.data(4, 4);

const SLASH: u8 = 0x2f;
const DOT: u8 = 0x2e;
const HERE: usize = memory.data<u8>([DOT]);

/** Of the file that was opened. */
export let fd: i32 = -1;
/** Whether it can be read at an offset. */
export let seekable: bool = false;
/** Its bytes; −1 if only a read tells: a FIFO, a device, and files that claim 0, as in /proc. */
export let size: i64 = -1;

/** The folder of the longest name that the path begins with. */
let folder: i32 = -1;
/** The rest of the path there. */
let rest: usize = 0;

/** Opens a path. Returns: an errno; −1 if it is in none of the folders. */
export function open(path: usize): i32 {
  find(path);
  if (folder < 0) return -1;
  let count = length(rest);
  if (count == 0) {
    rest = HERE;
    count = 1;
  }
  const rights = FD_READ | FD_SEEK | FD_FILESTAT_GET;
  const error = path_open(folder, FOLLOW, rest, count, 0, rights, 0, 0, RESULT);
  if (error != 0) return error;
  fd = load<i32>(RESULT);
  return look();
}

function look(): i32 {
  const error = fd_filestat_get(fd, STAT);
  if (error != 0) return error;
  const type = load<u8>(STAT, 16);
  if (type == FileType.Folder) return Errno.IsDirectory;
  seekable = type == FileType.Regular || type == FileType.BlockDevice;
  const bytes = load<i64>(STAT, 32);
  if (type == FileType.Regular && bytes > 0) size = bytes;
  return 0;
}

/** Relative paths are searched in relative folders; if there is none for them, in the first of all. */
function find(path: usize): void {
  const absolute = load<u8>(path) == SLASH;
  path = plain(path);
  let longest = -1;
  for (let at = FIRST; at < FIRST + FOLDERS; at++) {
    const error = fd_prestat_get(at, PRESTAT);
    if (error == Errno.BadFd) break;
    const size = load<u32>(PRESTAT, 4);
    if (error != 0 || load<u8>(PRESTAT) != 0 || size >= LONGEST) continue;
    if (fd_prestat_dir_name(at, NAME, size) != 0) continue;
    store<u8>(NAME + size, 0);
    if (!absolute && longest < 0 && folder < 0) {
      folder = at;
      rest = path;
    }
    if ((load<u8>(NAME) == SLASH) != absolute) continue;
    const name = plain(NAME);
    let count = length(name);
    while (count > 0 && load<u8>(name + count - 1) == SLASH) count--;
    if (count <= longest || !begins(path, name, count)) continue;
    const next = load<u8>(path + count);
    if (count > 0 && next != SLASH && next != 0) continue;
    longest = count;
    folder = at;
    rest = path + count;
    while (load<u8>(rest) == SLASH) rest++;
  }
}

/** Strips leading "./" and slashes; check the first byte for an absolute path before. */
function plain(path: usize): usize {
  while (true) {
    const next = load<u8>(path, 1);
    if (load<u8>(path) == SLASH) path++;
    else if (load<u8>(path) == DOT && (next == SLASH || next == 0)) path++;
    else return path;
  }
}

function begins(text: usize, words: usize, count: i32): bool {
  for (let i = 0; i < count; i++) {
    if (load<u8>(text + i) != load<u8>(words + i)) return false;
  }
  return true;
}
