// A transfer to the client of a response: it ends when that client goes away.

import { SendfileError } from "../errors.js";
import { type Reject, Transfer } from "../transfer/transfer.js";
import type { Request, Response } from "./message.js";
import { watch } from "./pipelining.js";

export class ResponseTransfer extends Transfer {
  protected readonly req: Request;
  protected readonly res: Response;
  #unwatch: (() => void) | null = null;

  constructor(
    name: string,
    shared: Transfer["shared"],
    req: Request,
    res: Response,
    source: Transfer["source"],
    options: Transfer["options"],
    resolve: (sent: number) => void,
    reject: Reject,
  ) {
    super(name, shared, source, options, resolve, reject);
    this.req = req;
    this.res = res;
  }

  /** Called when it has to wait: for the socket, or to be copied. */
  protected override enter(): void {
    this.#unwatch = watch(this.req, this.res, () => this.abort(gone()));
    super.enter();
  }

  protected override end(error: unknown): void {
    this.#unwatch?.();
    super.end(error);
  }
}

export function gone(): SendfileError {
  return new SendfileError("ERR_SENDFILE_CLOSED", "the response is closed or ended");
}
