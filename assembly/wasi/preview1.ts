// Every import of the command: all that comes into it is in this file. WASI preview 1, as
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md has it. Each answers an errno, 0
// for success, and writes its results to linear memory. Nothing of `sock_*`: Bun does not link it.

/** To `count`: how many arguments, the program's name among them. To `size`: their bytes, with a NUL after each. */
@external("wasi_snapshot_preview1", "args_sizes_get")
export declare function args_sizes_get(count: usize, size: usize): i32;

/** To `pointers`: an address for each argument. To `text`: their bytes. */
@external("wasi_snapshot_preview1", "args_get")
export declare function args_get(pointers: usize, text: usize): i32;

/** As `args_sizes_get`, of the variables of the environment. */
@external("wasi_snapshot_preview1", "environ_sizes_get")
export declare function environ_sizes_get(count: usize, size: usize): i32;

/** As `args_get`: each variable is `NAME=value`. */
@external("wasi_snapshot_preview1", "environ_get")
export declare function environ_get(pointers: usize, text: usize): i32;

/** The time of a clock, in ns, to `time` (u64). */
@external("wasi_snapshot_preview1", "clock_time_get")
export declare function clock_time_get(clock: i32, precision: i64, time: usize): i32;

/** To `stat`: whether `fd` is a folder that the host has opened for us, and the length of its name. */
@external("wasi_snapshot_preview1", "fd_prestat_get")
export declare function fd_prestat_get(fd: i32, stat: usize): i32;

/** The name of that folder, without a NUL. */
@external("wasi_snapshot_preview1", "fd_prestat_dir_name")
export declare function fd_prestat_dir_name(fd: i32, name: usize, length: i32): i32;

/** openat(2): a descriptor to `fd`. */
@external("wasi_snapshot_preview1", "path_open")
export declare function path_open(
  folder: i32,
  lookup: i32,
  path: usize,
  length: i32,
  create: i32,
  rights: i64,
  inheriting: i64,
  flags: i32,
  fd: usize,
): i32;

/** fstat(2), to 64 bytes at `stat`. */
@external("wasi_snapshot_preview1", "fd_filestat_get")
export declare function fd_filestat_get(fd: i32, stat: usize): i32;

/** preadv(2): bytes read to `size` (u32). */
@external("wasi_snapshot_preview1", "fd_pread")
export declare function fd_pread(fd: i32, iovecs: usize, count: i32, offset: i64, size: usize): i32;

/** readv(2): bytes read to `size` (u32). */
@external("wasi_snapshot_preview1", "fd_read")
export declare function fd_read(fd: i32, iovecs: usize, count: i32, size: usize): i32;

/** writev(2): bytes written to `size` (u32). */
@external("wasi_snapshot_preview1", "fd_write")
export declare function fd_write(fd: i32, iovecs: usize, count: i32, size: usize): i32;

/** poll(2): waits for one of `count` subscriptions; what has come to `events`, how many of it to `size` (u32). */
@external("wasi_snapshot_preview1", "poll_oneoff")
export declare function poll_oneoff(subscriptions: usize, events: usize, count: i32, size: usize): i32;

/** _exit(2). Never returns. */
@external("wasi_snapshot_preview1", "proc_exit")
export declare function proc_exit(code: i32): void;
