// Collects the bytes of a copy: header, file and trailer, as the core asks.

import { Way } from "../../assembly/abi.js";
import type { Queue } from "../queue/queue.js";
import type { Shared } from "../shared.js";
import { readWarm } from "../source/read.js";
import type { Source } from "../source/source.js";
import { MAX } from "../validate.js";
import type { Account } from "./account.js";
import { CHUNK, HEADER } from "./chunks.js";
import type { Driver } from "./driver.js";
import type { Checked } from "./options.js";

const EMPTY = new Uint8Array(0);

/** Bytes read ahead: no less than the next copy, or each one after it would be as short. */
const AHEAD = 512 << 10;

/** An error; or the pieces to write, none at the end of the file. `buffer` is one of the chunks, and holds them. */
type Done = (error: unknown, pieces: Uint8Array[], buffer: Buffer | null) => void;

/** Reads the bytes that the core wants: from the page cache if they are there, else by the source. */
export function readCopy(
  shared: Shared,
  driver: Driver,
  queue: Queue,
  source: Source,
  { offset }: Checked,
  account: Account,
  done: Done,
): void {
  const { chunks, sys } = shared;
  const { headerLength, trailer, total } = account;
  // A header that was sent may have been detached.
  if (typeof account.header === "string") account.header = Buffer.from(account.header, "latin1");
  const { header } = account;
  const { at, want, way } = driver;
  const bodyAt = Math.max(at - headerLength, 0);
  const head = at < headerLength ? header.subarray(at, Math.min(at + want, headerLength)) : EMPTY;
  const body = Math.max(0, Math.min(want - head.length, Math.min(total, MAX) - bodyAt));
  const tailAt = Math.max(0, at - headerLength - total);
  const tail = trailer.subarray(tailAt, tailAt + Math.max(0, want - head.length - body));
  const read = (first: Uint8Array, bytes: Uint8Array, length: number, buffer: Buffer | null) => {
    // After a short read the trailer has to wait.
    const pieces = length === body ? [first, bytes, tail] : [first, bytes];
    done(
      null,
      pieces.filter(({ length }) => length > 0),
      buffer,
    );
  };
  if (body === 0) return read(head, EMPTY, 0, null);
  if (way === Way.Doorbell) source.dropBuffers?.();
  const reuse = way !== Way.Doorbell && !queue.retainsChunks;

  if (way !== Way.Cold && sys !== null && source.native && !driver.cold) {
    const joins = head.length <= HEADER;
    const before = joins ? head.length : 0;
    const most = Math.min(body, CHUNK);
    const buffer = reuse ? chunks.take(most) : Buffer.allocUnsafe(before + most);
    const n = readWarm(shared, source.fd(), driver.position, buffer, before, most);
    if (n > 0) {
      if (joins) buffer.set(head);
      return read(joins ? EMPTY : head, buffer.subarray(0, before + n), n, reuse ? buffer : null);
    }
    if (reuse) chunks.give(buffer);
    driver.cold = way === Way.Copied;
  }

  // For cold bytes the kernel itself reads ahead.
  const ahead = way === Way.Copied && reuse ? Math.min(total - bodyAt - body, AHEAD) : 0;
  source.read(offset + bodyAt, body, reuse, ahead, (error, bytes) => {
    if (error) done(error, [], null);
    else if (bytes.length === 0) done(null, [], null);
    else read(head, bytes, bytes.length, null);
  });
}
