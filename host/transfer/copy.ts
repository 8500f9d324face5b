// What a copy carries: bytes of the header, of the file and of the trailer, as the core wants them.

import { Way } from "../../assembly/abi.js";
import type { Queue } from "../queue/queue.js";
import type { Source } from "../source/source.js";
import { MAX } from "../validate.js";
import type { Account } from "./account.js";
import type { Driver } from "./driver.js";
import type { Checked } from "./options.js";

const EMPTY = new Uint8Array(0);

/** An error; or the pieces to write, none where the file is at its end. */
type Done = (error: unknown, pieces: Uint8Array[]) => void;

/** Reads what the core wants: of the file from the page cache where it is there, else by the source. */
export function readCopy(
  driver: Driver,
  queue: Queue,
  source: Source,
  { offset, trailer }: Checked,
  account: Account,
  done: Done,
): void {
  const { headerLength, total } = account;
  // A header that was sent may be gone.
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
    // Where the read was short the trailer's turn is later.
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
  // Cold bytes are read ahead by the kernel itself.
  const reuse = way !== Way.Doorbell && !queue.retainsChunks;
  const ahead = way === Way.Copied && reuse ? Math.min(total - bodyAt - body, body) : 0;
  source.read(offset + bodyAt, body, reuse, ahead, (error, bytes) => {
    if (error) done(error, []);
    else read(bytes);
  });
}
