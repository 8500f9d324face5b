// @bjorn3/browser_wasi_shim, with files and stdout of this process: node shim.js MODULE FOLDER ARGUMENTS…
// The shim has files in memory only: what follows are the few of its methods that the command needs.

import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Fd, WASI, wasi as wasi1 } from "@bjorn3/browser_wasi_shim";

const { ERRNO_AGAIN, ERRNO_IO, ERRNO_ISDIR, ERRNO_NOENT, ERRNO_PIPE, ERRNO_SUCCESS } = wasi1;
const ERRNO = { EAGAIN: ERRNO_AGAIN, ENOENT: ERRNO_NOENT, EPIPE: ERRNO_PIPE, EISDIR: ERRNO_ISDIR };
const errno = (error) => ERRNO[error.code] ?? ERRNO_IO;

class Output extends Fd {
  constructor(fd) {
    super();
    this.fd = fd;
  }
  fd_write(data) {
    try {
      return { ret: ERRNO_SUCCESS, nwritten: fs.writeSync(this.fd, data) };
    } catch (error) {
      return { ret: errno(error), nwritten: 0 };
    }
  }
}

class Input extends Fd {
  constructor(fd) {
    super();
    this.fd = fd;
  }
  fd_pread(size, offset) {
    try {
      const data = new Uint8Array(size);
      return { ret: ERRNO_SUCCESS, data: data.subarray(0, fs.readSync(this.fd, data, 0, size, offset)) };
    } catch (error) {
      return { ret: errno(error), data: new Uint8Array() };
    }
  }
  fd_filestat_get() {
    const stat = fs.fstatSync(this.fd, { bigint: true });
    const type = stat.isDirectory() ? wasi1.FILETYPE_DIRECTORY : wasi1.FILETYPE_REGULAR_FILE;
    return { ret: ERRNO_SUCCESS, filestat: new wasi1.Filestat(stat.ino, type, stat.size) };
  }
}

class Folder extends Fd {
  constructor(name) {
    super();
    this.name = name;
  }
  fd_prestat_get() {
    return { ret: ERRNO_SUCCESS, prestat: wasi1.Prestat.dir(this.name) };
  }
  path_open(_lookup, path) {
    try {
      return { ret: ERRNO_SUCCESS, fd_obj: new Input(fs.openSync(join(this.name, path))) };
    } catch (error) {
      return { ret: errno(error), fd_obj: null };
    }
  }
}

const [path, folder, ...args] = process.argv.slice(2);
const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
const wasi = new WASI(["sendoff", ...args], env, [new Fd(), new Output(1), new Output(2), new Folder(folder)], {
  debug: false,
});
const { instance } = await WebAssembly.instantiate(fs.readFileSync(path), { wasi_snapshot_preview1: wasi.wasiImport });
process.exitCode = wasi.start(instance);
