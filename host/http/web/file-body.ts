// The body of a web Response: a part of a file, as a ReadableStream. The file is opened by the first read, and closed at the
// end, by cancel(), and by an error; so a Response that nobody reads has nothing open.

import type { Stats } from "node:fs";
import type { UnderlyingDefaultSource } from "node:stream/web";
import { warn } from "../../close.js";
import { SendfileError } from "../../errors.js";
import { setImmediate } from "../../originals.js";
import type { Shared } from "../../shared.js";
import { PathSource } from "../../source/fd.js";
import { readCached } from "../../source/read.js";
import { closeAlone } from "../../source/source.js";
import { fstat } from "../../source/stat.js";
import type { Transfer } from "../../transfer/transfer.js";
import type { Response } from "../message.js";
import { Consumer } from "./consumer.js";
import { FIRST, takeOver } from "./take-over.js";

/** Bytes of a read. */
const CHUNK = 256 << 10;
/** The most bytes of a file that an adapter gets whole. */
const SMALL = 64 << 10;

export class FileBody implements UnderlyingDefaultSource<Uint8Array> {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #shared: Shared;
  readonly #path: string;
  readonly #stat: Stats;
  readonly #start: number;
  readonly #count: number;
  readonly #exact: boolean;
  readonly #consumer: Consumer;
  /** Bytes that were read, or sent. */
  #bytes = 0;
  /** null before it is open, and once it is somebody else's, or closed. */
  #source: PathSource | null = null;
  #transfer: Transfer | null = null;
  #canceled = false;
  /** The kernel can't send the rest. */
  #copies = false;

  /** `count` bytes from `start` on, of the file that `stat` is of; if `exact`, it must not have changed since. */
  constructor(shared: Shared, path: string, stat: Stats, start: number, count: number, exact: boolean) {
    this.#shared = shared;
    this.#path = path;
    this.#stat = stat;
    this.#start = start;
    this.#count = count;
    this.#exact = exact;
    this.stream = new ReadableStream(this, { highWaterMark: 0 });
    this.#consumer = new Consumer(this.stream);
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      await null; // `then` of the read that pulls comes after this
      if (!this.#canceled) this.#source ??= await this.#open();
      // Node's response holds the socket corked until the next turn.
      if (this.#target() !== null) await turn();
      if (this.#canceled) return this.#close();
      const sent = this.#sendRest();
      if (sent !== null) await sent;
      else controller.enqueue(await this.#read());
    } catch (error) {
      this.#close();
      if (!this.#canceled) throw error;
    }
    if (this.#bytes < this.#count || this.#canceled) return;
    this.#close();
    controller.close();
  }

  cancel(): void {
    this.#canceled = true;
    this.#transfer?.abort(new SendfileError("ERR_SENDFILE_ABORTED", "the stream was canceled"));
    this.#close();
  }

  async #open(): Promise<PathSource> {
    const source = new PathSource(this.#path, { files: this.#shared.files });
    try {
      await new Promise<void>((resolve, reject) => source.open((error) => (error ? reject(error) : resolve())));
      const stat = fstat(source.fd());
      if (stat === null || stat.dev !== this.#stat.dev || stat.ino !== this.#stat.ino) {
        throw new SendfileError("ERR_SENDFILE_TRUNCATED", "the file was replaced since its headers were made");
      }
      if (this.#exact && (stat.ctimeMs !== this.#stat.ctimeMs || stat.mtimeMs !== this.#stat.mtimeMs)) {
        throw new SendfileError("ERR_SENDFILE_TRUNCATED", "the file was changed since its headers were made");
      }
      if (stat.size < this.#start + this.#count) {
        throw new SendfileError("ERR_SENDFILE_TRUNCATED", "the file has got shorter since its headers were made");
      }
    } catch (error) {
      closeAlone(source);
      throw error;
    }
    return source;
  }

  #target(): Response | null {
    return this.#copies ? null : this.#consumer.target(this.#bytes);
  }

  /** Sends the rest by the kernel, which closes the source; null if it can't be sent so. */
  #sendRest(): Promise<void> | null {
    const res = this.#target();
    const source = this.#source;
    if (res === null || source === null) return null;
    const rest = { source, offset: this.#start + this.#bytes, count: this.#count - this.#bytes, total: this.#count };
    let transfer: Transfer | string = "";
    const sent = new Promise<void>((resolve, reject) => {
      const done = (bytes: number) => {
        this.#bytes += bytes;
        if (this.#bytes < this.#count) reject(ended());
        else resolve();
      };
      transfer = takeOver(this.#shared, res, rest, done, (error, complete) => {
        if (!complete) return reject(error);
        warn(error); // of close(2)
        done(rest.count);
      });
    });
    if (typeof transfer === "string") {
      this.#copies = true;
      return null;
    }
    this.#transfer = transfer;
    this.#source = null;
    return sent;
  }

  async #read(): Promise<Uint8Array> {
    const left = this.#count - this.#bytes;
    const first = left > SMALL && this.#bytes === 0 && this.#consumer.isLoop;
    const most = first ? FIRST : Math.min(left, CHUNK);
    const source = this.#source as PathSource;
    const cached = first ? readCached(this.#shared, source.fd(), this.#start, most) : null;
    if (cached !== null) {
      this.#bytes += cached.length;
      return cached;
    }
    const bytes = await new Promise<Uint8Array>((resolve, reject) =>
      source.read(this.#start + this.#bytes, most, false, 0, (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      ),
    );
    if (bytes.length === 0) throw ended();
    this.#bytes += bytes.length;
    return bytes;
  }

  #close(): void {
    const source = this.#source;
    this.#source = null;
    if (source !== null) closeAlone(source);
  }
}

const turn = (): Promise<void> => new Promise((next) => setImmediate(next));

function ended(): SendfileError {
  return new SendfileError("ERR_SENDFILE_TRUNCATED", "the file ended before its Content-Length");
}
