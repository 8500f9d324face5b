// A host of the WASI command in this process: a few calls of preview 1 over files and a clock of its own, each of
// which a test may let fail. It waits for nothing: its clock moves where the command sleeps.

import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { type Suite, suite } from "./suite.js";

interface Instance {
  readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; _start(): void };
}

/** The part of it that we use: @types/node has no types of it. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (bytes: Uint8Array) => object;
    Instance: new (module: object, imports: object) => Instance;
  };
};

export interface Module {
  readonly name: "debug" | "release";
  readonly bytes: Uint8Array;
  readonly module: object;
}

function load(name: Module["name"], file: string): Module {
  const bytes = readFileSync(new URL(`../../${file}`, import.meta.url));
  return { name, bytes, module: new WebAssembly.Module(bytes) };
}

const MODULES = [load("debug", "core.wasi.debug.wasm"), load("release", "core.wasi.wasm")];

/** Writes a suite once and runs it for each of debug, release. */
export function each(name: string, write: (test: Suite, module: Module) => void): void {
  for (const module of MODULES) {
    const test = suite(`${name}, ${module.name}`);
    write(test, module);
    test.run();
  }
}

export const Errno = {
  EACCES: 2,
  EAGAIN: 6,
  EBADF: 8,
  ECONNRESET: 15,
  EINTR: 27,
  EINVAL: 28,
  EIO: 29,
  ENOENT: 44,
  ENOSYS: 52,
  ENOTSUP: 58,
  EPIPE: 64,
  ESPIPE: 70,
} as const;

/** Byte i of each file is i % 251: a prime, so that no shift by pages or words looks right. */
const PERIOD = 251;
const PATTERN = Buffer.from(Array.from({ length: PERIOD + (1 << 20) }, (_, i) => i % PERIOD));

function pattern(at: bigint, length: number): Buffer {
  const from = Number(at % BigInt(PERIOD));
  return PATTERN.subarray(from, from + length);
}

export interface File {
  /** Default: regular. A stream has no size, and can only be read in order. */
  type?: "regular" | "folder" | "stream";
  /** Bytes it says to have. */
  size: number;
  /** Bytes it has. Default: the same. */
  there?: number;
}

export interface Options {
  args?: string[];
  env?: Record<string, string>;
  /** Names of the folders that are opened, by descriptors from 3. Default: "/". */
  folders?: string[];
  /** By the descriptor of their folder and their path there: "3:file". */
  files?: { [place: string]: File };
  /** The errno that this call ends with; 0 for none. Writes to stderr are not asked about. */
  fault?: (name: string, call: number) => number;
  /** How many of the bytes a read or write moves. Default: all. */
  moves?: (count: number, name: string) => number;
  /** The behaviour of poll_oneoff. Default: correct. */
  poll?: "true" | "ready" | "fails" | "event fails" | "nothing" | "does not sleep";
}

export interface Ended {
  /** 0 if _start has returned. */
  code: number;
  sent: number;
  stderr: string;
  /** How many calls there were, by name. */
  calls: { [name: string]: number };
  total: number;
  /** By the host's clock. */
  ms: number;
  /** The opened files, as "3:file". */
  opened: string | null;
}

class Exit {
  constructor(readonly code: number) {}
}

/** Runs the command to its end. Every byte that leaves is compared with the file's; `offset` is that of the first. */
export function run({ module }: Module, offset: number, options: Options): Ended {
  const { args = [], env = {}, folders = ["/"], files = {}, fault = () => 0, moves = (count) => count } = options;
  const { poll = "true" } = options;
  const ended: Ended = { code: 0, sent: 0, stderr: "", calls: {}, total: 0, ms: 0, opened: null };
  let ns = 5_000_000_000n;
  let position = 0n;
  let file: File = { size: 0 };
  const FILE = 100;

  let memory: Instance["exports"]["memory"];
  const view = () => new DataView(memory.buffer);
  const bytes = (at: number, length: number) => Buffer.from(memory.buffer, at, length);
  const iovec = (at: number): [number, number] => [view().getUint32(at, true), view().getUint32(at + 4, true)];
  const texts = (list: string[]) => list.map((text) => Buffer.from(`${text}\0`));
  const sizes = (list: string[]) => (count: number, size: number) => {
    view().setUint32(count, list.length, true);
    view().setUint32(size, Buffer.concat(texts(list)).length, true);
    return 0;
  };
  const put = (list: string[]) => (pointers: number, at: number) => {
    for (const [i, text] of texts(list).entries()) {
      view().setUint32(pointers + 4 * i, at, true);
      bytes(at, text.length).set(text);
      at += text.length;
    }
    return 0;
  };
  const argv = ["sendoff", ...args];
  const environ = Object.entries(env).map(([name, value]) => `${name}=${value}`);

  function read(vector: number, from: bigint, size: number, name: string): number {
    const [ptr, count] = iovec(vector);
    const left = BigInt(file.there ?? file.size) - from;
    const most = left < 0n ? 0 : Number(left < BigInt(count) ? left : BigInt(count));
    const n = most === 0 ? 0 : moves(most, name);
    bytes(ptr, Math.min(n, most)).set(pattern(from, Math.min(n, most)));
    view().setUint32(size, n, true);
    return 0;
  }

  const calls = {
    args_sizes_get: sizes(argv),
    args_get: put(argv),
    environ_sizes_get: sizes(environ),
    environ_get: put(environ),
    clock_time_get(id: number, _precision: bigint, at: number) {
      assert.is(id, 1);
      view().setBigUint64(at, ns, true);
      return 0;
    },
    fd_prestat_get(fd: number, at: number) {
      const name = folders[fd - 3];
      if (name === undefined) return Errno.EBADF;
      view().setUint8(at, 0);
      view().setUint32(at + 4, Buffer.byteLength(name), true);
      return 0;
    },
    fd_prestat_dir_name(fd: number, at: number, length: number) {
      bytes(at, length).write(folders[fd - 3] as string);
      return 0;
    },
    path_open(folder: number, lookup: number, at: number, length: number, ...rest: (number | bigint)[]) {
      const [create, rights, , flags, fd] = rest;
      assert.equal([lookup, create, flags], [1, 0, 0]);
      assert.is(Number(rights) & ~((1 << 1) | (1 << 2) | (1 << 21)), 0, "no more rights than it needs");
      ended.opened = `${folder}:${bytes(at, length).toString()}`;
      const found = files[ended.opened];
      if (found === undefined) return Errno.ENOENT;
      file = found;
      view().setUint32(Number(fd), FILE, true);
      return 0;
    },
    fd_filestat_get(fd: number, at: number) {
      assert.is(fd, FILE);
      const { type = "regular", size } = file;
      bytes(at, 64).fill(0);
      view().setUint8(at + 16, { regular: 4, folder: 3, stream: 0 }[type]);
      if (type === "regular") view().setBigUint64(at + 32, BigInt(size), true);
      return 0;
    },
    fd_pread(fd: number, vector: number, _count: number, at: bigint, size: number) {
      assert.is(fd, FILE);
      return file.type === "stream" ? Errno.ESPIPE : read(vector, at, size, "fd_pread");
    },
    fd_read(fd: number, vector: number, _count: number, size: number) {
      assert.is(fd, FILE);
      const error = read(vector, position, size, "fd_read");
      position += BigInt(view().getUint32(size, true));
      return error;
    },
    fd_write(fd: number, vector: number, _count: number, size: number) {
      const [ptr, count] = iovec(vector);
      if (fd === 2) {
        ended.stderr += bytes(ptr, count).toString();
        view().setUint32(size, count, true);
        return 0;
      }
      if (fd !== 1) return Errno.EBADF;
      const n = moves(count, "fd_write");
      const first = BigInt(offset) + BigInt(ended.sent);
      const piece = bytes(ptr, Math.min(n, count));
      if (!piece.equals(pattern(first, piece.length))) assert.unreachable(`wrong bytes at ${first}`);
      ended.sent += piece.length;
      view().setUint32(size, n, true);
      return 0;
    },
    poll_oneoff(subscriptions: number, events: number, count: number, size: number) {
      if (poll === "fails" && count > 1) return Errno.ENOTSUP;
      if (poll === "does not sleep") return Errno.ENOSYS;
      let sleep: bigint | null = null;
      let come = 0;
      for (let i = 0; i < count; i++) {
        const at = subscriptions + 48 * i;
        const tag = view().getUint8(at + 8);
        if (tag === 0) {
          assert.is(view().getUint16(at + 40, true), 0, "a relative clock");
          sleep = view().getBigUint64(at + 24, true);
          continue;
        }
        assert.is(tag, 2);
        if (poll === "nothing") continue;
        bytes(events, 32).fill(0);
        view().setUint16(events + 8, poll === "event fails" ? Errno.EBADF : 0, true);
        view().setUint8(events + 10, 2);
        come++;
      }
      assert.ok(sleep !== null, "a clock beside it");
      if (come === 0) {
        ns += sleep as bigint;
        if (count === 1) come = 1;
        bytes(events, 32).fill(0);
      }
      view().setUint32(size, come, true);
      return 0;
    },
    proc_exit(code: number) {
      throw new Exit(code);
    },
  };

  const imports = Object.entries(calls).map(([name, call]) => {
    const answer = (...args: never[]) => {
      ended.calls[name] = (ended.calls[name] ?? 0) + 1;
      if (name === "proc_exit" || (name === "fd_write" && args[0] === 2)) return (call as CallableFunction)(...args);
      ended.total++;
      return fault(name, ended.total) || (call as CallableFunction)(...args);
    };
    return [name, answer];
  });
  const begin = ns;
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: Object.fromEntries(imports) });
  memory = instance.exports.memory;
  const { byteLength } = memory.buffer;
  try {
    instance.exports._start();
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    ended.code = error.code;
  }
  ended.ms = Number(ns - begin) / 1e6;
  assert.is(memory.buffer.byteLength, byteLength, "memory has not grown");
  return ended;
}
