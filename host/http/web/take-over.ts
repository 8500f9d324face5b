// Sends the rest of a file by the kernel, in place of the adapter that writes it to the response chunk by chunk.

import type { SendfileError } from "../../errors.js";
import { setImmediate } from "../../originals.js";
import type { Shared } from "../../shared.js";
import type { Source } from "../../source/source.js";
import { type Reject, Transfer } from "../../transfer/transfer.js";
import { claimResponse } from "../claim.js";
import type { Response } from "../message.js";
import { rangeOf } from "../respond.js";

/** Bytes that an adapter writes itself, so that its response is known. */
export const FIRST = 16 << 10;

const NOTHING = new Uint8Array(0);

/** What an adapter's response is to get of an open source. */
export interface Rest {
  readonly source: Source;
  readonly offset: number;
  readonly count: number;
  /** The whole body: `count`, and the bytes that were written before. The response must have announced them. */
  readonly total: number;
}

/**
 * Sends the rest, after all that was written to the response, which stays open; and closes the source. Or returns why
 * it can't. If the client has gone the response is destroyed, and the failure told once it has closed.
 */
export function takeOver(
  shared: Shared,
  res: Response,
  { source, offset, count, total }: Rest,
  resolve: (sent: number) => void,
  reject: Reject,
): Transfer | string {
  if (shared.auto === "copy") return "SENDOFF_MODE=copy";
  if (res.destroyed || res.writableEnded) return "the response is closed or ended";
  const queue = claimResponse(shared, res, total, false, false);
  if (typeof queue === "string") return queue;
  const range = rangeOf(offset, count, shared.auto, undefined);
  // Node hears of a failed write; of ours we tell it. The adapter, which listens for 'close', cancels first.
  const failed: Reject = (error, complete) => {
    const fail = () => void setImmediate(() => reject(error, complete));
    if ((error as SendfileError).code !== "ERR_SENDFILE_CLOSED") return reject(error, complete);
    if (res.closed) return fail();
    res.once("close", fail);
    res.destroy();
  };
  const transfer = new Transfer("sendoff.TakeOver", shared, source, range, resolve, failed);
  try {
    shared.transfers.add(transfer);
    transfer.attach(queue, NOTHING, NOTHING);
  } catch (error) {
    shared.transfers.remove(transfer); // the process is ending, or the core's memory is full
    return String(error);
  }
  transfer.open();
  return transfer;
}
