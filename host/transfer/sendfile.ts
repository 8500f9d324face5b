// sendfile(): checks the arguments, and starts a transfer.

import type { Writable } from "node:stream";
import { SendfileError } from "../errors.js";
import { queueOf } from "../queue/kinds.js";
import type { Shared } from "../shared.js";
import { sourceOf } from "../source/kinds.js";
import { closeAlone, type File } from "../source/source.js";
import { checkSocket } from "../validate.js";
import { aborted } from "./failure.js";
import { check, type SendfileOptions } from "./options.js";
import { Transfer } from "./transfer.js";

/** See the public docstring in index.ts. */
export function sendfile(
  shared: Shared,
  socket: unknown,
  file: unknown,
  options: SendfileOptions = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const own = shared.queue(socket);
    if (own === null) checkSocket(socket as Writable);
    const source = shared.source(file) ?? sourceOf(file as File, shared.files);
    const checked = check(options, shared.auto);
    const queue = own ?? queueOf(socket as Writable, shared.fdOf);
    const transfer = new Transfer("sendoff.Transfer", shared, source, checked, resolve, reject);
    try {
      if (queue.closed || queue.ended) throw new SendfileError("ERR_SENDFILE_CLOSED", "the socket is closed or ended");
      if (checked.signal?.aborted) throw aborted(checked.signal, 0);
      shared.transfers.add(transfer);
      transfer.attach(queue, checked.header, checked.trailer);
    } catch (refusal) {
      shared.transfers.remove(transfer);
      closeAlone(source);
      throw refusal;
    }
    transfer.open();
  });
}
