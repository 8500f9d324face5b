// Collects the bytes of a copy: header, file and trailer, as the core asks.

import { Way } from "../../assembly/abi.js";
import type { Queue } from "../queue/queue.js";
import type { Source } from "../source/source.js";
import { MAX } from "../validate.js";
import type { Account } from "./account.js";
import type { Driver } from "./driver.js";
import type { Checked } from "./options.js";

const EMPTY = new Uint8Array(0);

/** An error; or the pieces to write, none at the end of the file. */
type Done = (error: unknown, pieces: Uint8Array[]) => void;

/** Reads the bytes that the core wants: from the page cache if they are there, else by the source. */
export function readCopy(
  driver: Driver,
  queue: Queue,
  source: Source,
  { offset }: Checked,
  account: Account,
  done: Done,
): void {
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
  const read = (bytes: Uint8Array) => {
    if (bytes.length === 0 && body > 0) return done(null, []);
    // After a short read the trailer has to wait.
    const pieces = bytes.length === body ? [head, bytes, tail] : [head, bytes];
    done(
      null,
      pieces.filter(({ length }) => length > 0),
    );
  };
  if (body === 0) return read(EMPTY);
  if (way === Way.Doorbell) {
    source.dropBuffers?.();
    const warm = driver.doorbell(source.fd(), body);
    if (warm !== null) return read(warm);
  }
  // For cold bytes the kernel itself reads ahead.
  const reuse = way !== Way.Doorbell && !queue.retainsChunks;
  const ahead = way === Way.Copied && reuse ? Math.min(total - bodyAt - body, body) : 0;
  source.read(offset + bodyAt, body, reuse, ahead, (error, bytes) => {
    if (error) done(error, []);
    else read(bytes);
  });
}
