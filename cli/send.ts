// `sendoff send`: one file over one connection, measured, and verified if the receiver is our own.

import { createHash } from "node:crypto";
import { close, createReadStream, existsSync, fstatSync, open } from "node:fs";
import { connect } from "node:net";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { drainOnExit, SendfileError, sendfile } from "sendoff";
import { choice, duration, parse, size, type Target, target, UsageError } from "./arguments.js";
import { known } from "./info.js";
import { loopback } from "./loopback/loopback.js";
import { sample } from "./loopback/sample.js";
import { measure, type Patience, type Send } from "./measure.js";
import { print } from "./print.js";
import { comparison, type Outcome, summary } from "./report.js";

const SAMPLE = 256 << 20;
/** Bytes that the embedded receiver keeps before it has to hash while receiving. */
const BACKLOG = 256 << 20;

export const help = `sendoff send: send a file, and measure it

Usage:
  sendoff send [OPTION]... [FILE] [TARGET]

FILE      the file to send. Without it, 256 MiB of pseudo-random bytes (less if
          --count needs less) in an unlinked temporary file, so that nothing is
          left behind.
TARGET    HOST:PORT, [IPV6]:PORT or unix:PATH: the receiver there gets the bytes
          and nothing else; then the connection is closed. A single argument that
          reads like this and is not an existing file is a TARGET. On Windows PATH
          is the name of a pipe: unix:\\\\.\\pipe\\receiver.
          Without it, a receiver in a child process takes the bytes over loopback
          TCP, and the result is compared with the file by SHA-256.

Options:
      --offset BYTES    where to start in the file (default: 0)
      --count BYTES     how many bytes at most (default: to the end of the file)
      --timeout TIME    give up after so long without progress (default: never)
      --deadline TIME   give up after so long altogether (default: never)
      --compare         the same bytes a second time, as programs without sendoff
                        send them: by createReadStream(FILE).pipe(socket)
      --no-verify       leave out the SHA-256: of more than 256 MiB it is the limit
      --mode MODE       auto (default): the kernel's sendfile if it is available,
                        else copies; native: fail if it isn't; copy: copies only
  -h, --help            this text

BYTES is a number with an optional k, M, G or T (powers of 1024): 4096, 64k, 1G.
TIME is in milliseconds, or with a unit: 500, 500ms, 10s, 2m.

On a terminal a bar shows the progress. At the end one line goes to stdout:
  bytes      of the file
  seconds    from the connection until the receiver has closed it: all bytes
             were received by then, not only handed to the kernel
  MB/s       10^6 bytes per second
  CPU s      user and system time of the sending process in those seconds
  native     bytes moved by the kernel, without passing through this process
  doorbell   copied to learn when the socket is writable again
  cold       copied because they were not in the page cache
  copied     copied because native calls were not available, or not wanted
  sha256     of the bytes that were to be sent, read again after the measurement:
             "verified" if the embedded receiver computed the same one
With --compare a second line has the same of pipe(), and how sendfile compares.
Both need the embedded receiver; FILE is read once before, so that both find it in
the page cache if it fits there.

The embedded receiver keeps the bytes (up to 256 MiB) and hashes them when the
connection is closed, so that hashing does not hold up the sender. A longer
transfer is hashed as it goes: its rate is then at most that of SHA-256.

Environment:
  SENDOFF_MODE    auto (default), native or copy: what --mode auto means
  SENDOFF_FFI     koffi, node or none: how the C library is called

Exit status:
  0  every byte arrived: the embedded receiver's digest is right, or the TARGET took
     all bytes and closed the connection after the last one, without a reset
  1  it failed: stderr has the error's code, and how many bytes had been sent
  2  the arguments are wrong
  Ctrl-C, SIGTERM and SIGHUP leave nothing behind; the process dies by the signal.

Examples:
  sendoff send                                  how fast is this machine?
  sendoff send --compare                        and how fast without sendoff?
  sendoff send --mode copy                      and without the kernel's sendfile?
  sendoff send disk.img
  sendoff send disk.img 192.0.2.7:9000          there: nc -l 9000 > disk.img
  sendoff send --offset 1G --count 64M disk.img '[::1]:9000'
  sendoff send disk.img unix:/run/receiver.sock
`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv, {
    offset: { type: "string" },
    count: { type: "string" },
    timeout: { type: "string" },
    deadline: { type: "string" },
    mode: { type: "string" },
    compare: { type: "boolean", default: false },
    "no-verify": { type: "boolean", default: false },
  });
  const options: Options = {
    offset: size("--offset", values.offset, 0) ?? 0,
    count: size("--count", values.count, 1),
    timeout: duration("--timeout", values.timeout) ?? 0,
    deadline: duration("--deadline", values.deadline) ?? 0,
    mode: choice("--mode", values.mode, ["auto", "native", "copy"]),
    compare: values.compare,
    verify: !values["no-verify"],
  };
  const { path, to } = operands(positionals);
  if (to !== null && options.compare) {
    throw new UsageError("--compare needs the embedded receiver: a TARGET would get the bytes twice");
  }
  drainOnExit({ timeout: 0, log: null }); // so that a signal still reports the bytes sent
  known(); // loads the library before the measurement

  const needed = options.offset + (options.count ?? SAMPLE);
  const fd = path === undefined ? await sample(Math.min(SAMPLE, needed)) : await promisify(open)(path, "r");
  try {
    return to === null ? await toChild(fd, options) : await toTarget(fd, to, options);
  } finally {
    await promisify(close)(fd);
  }
}

interface Options extends Patience {
  offset: number;
  count: number | undefined;
  mode: "auto" | "native" | "copy" | undefined;
  compare: boolean;
  verify: boolean;
}

function operands([first, second, ...more]: string[]): { path: string | undefined; to: Target | null } {
  if (more.length > 0) throw new UsageError(`send takes a FILE and a TARGET (got '${more[0]}' too)`);
  if (first === "") throw new UsageError("FILE must be a path (got '')");
  if (second !== undefined) {
    const to = target(second);
    if (to === null) throw new UsageError(`TARGET must be HOST:PORT, [IPV6]:PORT or unix:PATH (got '${second}')`);
    return { path: first, to };
  }
  const to = first === undefined || existsSync(first) ? null : target(first);
  return { path: to === null ? first : undefined, to };
}

async function toTarget(fd: number, to: Target, options: Options): Promise<number> {
  const { offset, verify } = options;
  const outcome = await measure(connect({ ...to, allowHalfOpen: true }), bySendfile(fd, options), options);
  const { sent } = outcome;
  const digest = verify && rereadable(fd, offset, sent) ? `${await digestOf(fd, offset, sent)} of the file, ` : "";
  const unknown = verify ? "unknown: FILE can't be read twice" : "not verified";
  await print(summary(outcome, digest === "" ? unknown : `${digest}not verified`));
  return 0;
}

async function toChild(fd: number, options: Options): Promise<number> {
  const { offset, count, compare } = options;
  const stat = fstatSync(fd);
  const size = stat.isFile() && stat.size > 0 ? Math.max(0, stat.size - offset) : BACKLOG;
  const bytes = Math.min(size, count ?? size);
  if (!compare) {
    const { outcome, words } = await toReceiver(fd, options, bytes, bySendfile(fd, options));
    await print(summary(outcome, words));
    return 0;
  }
  if (!rereadable(fd, offset, bytes)) throw new UsageError("--compare needs a FILE that can be read twice");
  await digestOf(fd, offset, bytes); // both find it in the page cache
  const ours = await toReceiver(fd, options, bytes, bySendfile(fd, options));
  await print(summary(ours.outcome, ours.words));
  const theirs = await toReceiver(fd, options, bytes, byPipe(fd, offset, bytes));
  await print(comparison(ours.outcome, theirs.outcome));
  return 0;
}

/** One transfer to a receiver of its own, which may keep `bytes` before it hashes them. */
async function toReceiver(
  fd: number,
  options: Options,
  bytes: number,
  send: Send,
): Promise<{ outcome: Outcome; words: string }> {
  const { offset, verify } = options;
  const way = await loopback(verify ? Math.min(bytes, BACKLOG) : null);
  try {
    const outcome = await measure(way.socket, send, options);
    const { sent } = outcome;
    const again = verify && rereadable(fd, offset, sent);
    const [received, expected] = await Promise.all([way.received, again ? digestOf(fd, offset, sent) : null]);
    if (received.bytes !== sent) {
      throw new SendfileError("ERR_SENDFILE_TRUNCATED", `the receiver got ${received.bytes} bytes`, { sent });
    }
    if (expected !== null && expected !== received.digest) {
      const words = `the file's SHA-256 is ${expected}, the receiver's ${received.digest}`;
      throw new SendfileError("ERR_DIGEST", words, { sent });
    }
    const digest = `${received.digest} ${again ? "verified" : "received: FILE can't be read twice"}`;
    return { outcome, words: verify ? digest : "not verified" };
  } finally {
    way.close();
  }
}

const bySendfile =
  (fd: number, { offset, count, timeout, deadline, mode }: Options): Send =>
  (socket, onProgress) =>
    sendfile(socket, fd, { offset, count, timeout, deadline, mode, onProgress });

/** As programs have it. */
const byPipe =
  (fd: number, offset: number, total: number): Send =>
  async (socket, moved) => {
    if (total === 0) return 0;
    const stream = createReadStream("", { fd, autoClose: false, start: offset, end: offset + total - 1 });
    const ways = { native: 0, doorbell: 0, cold: 0 };
    let sent = 0;
    stream.on("data", ({ length }) => {
      sent += length;
      moved({ sent, total, copied: sent, ...ways });
    });
    await pipeline(stream, socket, { end: false });
    return sent;
  };

/** Whether the same bytes can be read a second time: not from a FIFO, and hardly from /proc. */
function rereadable(fd: number, offset: number, count: number): boolean {
  const stat = fstatSync(fd);
  return stat.isFile() && (count === 0 || offset + count <= stat.size);
}

/** The SHA-256 of a range of the file, in hex. */
async function digestOf(fd: number, offset: number, count: number): Promise<string> {
  const hash = createHash("sha256");
  if (count > 0) {
    const range = { fd, autoClose: false, start: offset, end: offset + count - 1, highWaterMark: 1 << 20 };
    for await (const chunk of createReadStream("", range)) hash.update(chunk);
  }
  return hash.digest("hex");
}
