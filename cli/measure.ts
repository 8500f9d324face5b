// One transfer over one connection, and how long it took.

import type { Socket } from "node:net";
import { type Progress, SendfileError } from "sendoff";
import { meter, type Outcome } from "./report.js";

/** Sends the bytes, and tells of its progress; resolves with their count. */
export type Send = (socket: Socket, moved: (progress: Progress) => void) => Promise<number>;

/** In ms; 0 for ever. */
export interface Patience {
  readonly timeout: number;
  readonly deadline: number;
}

/** Sends, closes our side, and waits for the receiver to close its own, which confirms that it got all bytes. */
export async function measure(socket: Socket, send: Send, { timeout, deadline }: Patience): Promise<Outcome> {
  const begun = performance.now();
  let start = begun;
  let cpu = process.cpuUsage();
  let latest: Progress | undefined;
  let ended = false;
  const bar = meter();
  socket.once("connect", () => {
    start = performance.now();
    cpu = process.cpuUsage();
  });
  socket.once("end", () => {
    ended = true;
  });
  const closed = new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => resolve());
  });
  closed.catch(() => {});
  socket.resume(); // discards the receiver's data, to see its end
  try {
    const sent = await send(socket, (progress) => bar.moved((latest = progress)));
    const fail = (code: string, words: string, cause?: NodeJS.ErrnoException) => {
      const { errno, syscall } = cause ?? {};
      return new SendfileError(code, words, { sent, errno, syscall, cause });
    };
    if (ended) {
      const words = "the receiver closed its side before the last byte, so it is not known what arrived";
      throw fail("ERR_SENDFILE_CLOSED", words);
    }
    socket.end();
    const left = deadline > 0 ? Math.max(1, begun + deadline - performance.now()) : Number.POSITIVE_INFINITY;
    const wait = Math.min(timeout || Number.POSITIVE_INFINITY, left);
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_, reject) => {
      if (wait > 0x7fffffff) return;
      const code = wait === left ? "ERR_SENDFILE_DEADLINE" : "ERR_SENDFILE_TIMEOUT";
      timer = setTimeout(() => reject(fail(code, "the receiver did not close the connection")), wait);
    });
    try {
      await Promise.race([closed, expired]);
    } catch (error) {
      if (error instanceof SendfileError) throw error;
      const words = `the connection broke before the receiver had closed it (${(error as Error).message})`;
      throw fail("ERR_SENDFILE_CLOSED", words, error as Error);
    } finally {
      clearTimeout(timer);
    }
    if (!ended) throw fail("ERR_SENDFILE_CLOSED", "the connection broke before the receiver had closed it");
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const { native = 0, doorbell = 0, cold = 0, copied = 0 } = latest ?? {};
    return { sent, seconds, cpuSeconds: (user + system) / 1e6, ways: { native, doorbell, cold, copied } };
  } finally {
    bar.stop();
    socket.destroy();
  }
}
