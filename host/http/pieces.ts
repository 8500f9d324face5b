// Pieces of several files as one body, with texts between them. Each piece is a transfer of its own; the next one is asked for
// when it is complete.

import { SendfileError } from "../errors.js";
import type { Queue } from "../queue/queue.js";
import type { Shared } from "../shared.js";
import type { Source } from "../source/source.js";
import type { Reject } from "../transfer/transfer.js";
import type { Request, Response } from "./message.js";
import { Body, rangeOf } from "./respond.js";
import { ResponseTransfer } from "./response-transfer.js";

const NOTHING = new Uint8Array(0);

export interface Piece {
  /** Sent before it, in latin1. */
  readonly header: string;
  readonly source: Source;
  readonly offset: number;
  /** Bytes of the source, at least one. */
  readonly count: number;
  readonly trailer?: Uint8Array;
}

export interface Pieces {
  /** Bytes of the whole body. */
  readonly length: number;
  readonly first: Piece;
  /** Those after the first. */
  readonly rest: Iterator<Piece, void>;
  /** The size of the first one's source when the headers were made: a smaller one is refused. */
  readonly size?: number | undefined;
  /** Called once: all are sent, or it has failed. */
  over?(): void;
}

export class PiecesBody extends Body {
  readonly #pieces: Pieces;
  /** Set by the first one. */
  #queue!: Queue;
  /** Bytes of the sources in the pieces that are complete. */
  #sent = 0;
  /** Of the piece under way. */
  #count: number;

  constructor(
    shared: Shared,
    req: Request,
    res: Response,
    pieces: Pieces,
    resolve: (sent: number) => void,
    reject: Reject,
  ) {
    const { source, offset, count } = pieces.first;
    super(shared, req, res, source, rangeOf(offset, count, shared.auto, pieces.size), resolve, reject);
    this.#pieces = pieces;
    this.#count = count;
  }

  protected override get length(): number {
    return this.#pieces.length;
  }

  protected override get prefix(): string {
    return this.#pieces.first.header;
  }

  override attach(queue: Queue, header: Uint8Array | string, trailer: Uint8Array): void {
    this.#queue = queue;
    super.attach(queue, header, this.#pieces.first.trailer ?? trailer);
  }

  /** A piece is complete: sends the next one, or ends the response. */
  protected override done(sent: number): void {
    this.#sent += sent;
    if (sent !== this.#count) return this.failed(shorter(), 0, false);
    const { value: piece } = this.#pieces.rest.next();
    if (piece === undefined) {
      this.#pieces.over?.();
      return super.done(this.#sent);
    }
    this.#count = piece.count;
    const done = (sent: number) => this.done(sent);
    const reject: Reject = (error) => this.failed(error, 0, false);
    const bytes = rangeOf(piece.offset, piece.count, this.options.mode, undefined);
    const part = new Part("sendoff.Part", this.shared, this.req, this.res, piece.source, bytes, done, reject);
    try {
      this.shared.transfers.follow(part);
      part.attach(this.#queue, piece.header, piece.trailer ?? NOTHING);
    } catch (error) {
      return part.abort(error); // the process is ending, or the core's memory is full
    }
    part.open();
  }

  protected override failed(failure: unknown, sent: number, complete: boolean): void {
    this.#pieces.over?.();
    super.failed(failure, this.#sent + sent, complete);
  }
}

/** One after the first. */
class Part extends ResponseTransfer {
  protected override ready(): void {
    if (this.count === this.options.count) return this.run();
    this.abort(shorter());
  }
}

function shorter(): SendfileError {
  return new SendfileError("ERR_SENDFILE_TRUNCATED", "the file has got shorter since its headers were made");
}
