// The access log: a line for each response, in the NCSA common log format.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Writable } from "node:stream";

/** As much as a pipe takes in one piece (PIPE_BUF): the lines of several processes stay whole. */
const PIECE = 4096;
/** Bytes that wait for a reader who is too slow; what comes then is lost, and counted. */
const WAITING = 4 << 20;
/** A longer request line is cut. */
const REQUEST = 3000;

export class AccessLog {
  readonly #out: Writable;
  /** Responses that are not over, and how to log them as they are. */
  readonly #open = new Set<() => void>();
  #lines: string[] = [];
  #waiting = 0;
  #lost = 0;
  #writing = false;
  #broken = false;

  constructor(out: Writable) {
    this.#out = out;
    // Its reader has gone: no reason to stop serving.
    out.on("error", () => {
      this.#broken = true;
    });
  }

  /** Logs the response when it is over, finished or not. Nothing of it has gone, and all of those before it has. */
  follow(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const host = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, "") ?? "-";
    const at = timestamp(new Date());
    const line = escaped(`${req.method} ${req.url} HTTP/${req.httpVersion}`);
    const before = socket.bytesWritten ?? 0;
    const log = () => {
      if (!this.#open.delete(log)) return;
      const bytes = Math.max(0, (socket.bytesWritten ?? 0) - before - headerLength(res));
      this.#write(`${host} - - [${at}] "${line}" ${res.statusCode} ${bytes === 0 ? "-" : bytes}\n`);
    };
    this.#open.add(log);
    // Before Node's own listener, which hands the socket to the next response in the pipeline.
    res.prependListener("finish", log);
    res.once("close", log);
  }

  /** The process ends: what is not over now is logged as it is. */
  end(): void {
    for (const log of [...this.#open]) log();
  }

  #write(line: string): void {
    if (this.#broken) return;
    if (this.#waiting > WAITING) {
      this.#lost++;
      return;
    }
    this.#lines.push(line);
    this.#waiting += line.length;
    if (!this.#writing) this.#next();
  }

  /** One write at a time: the stream would join two that wait. */
  readonly #next = (): void => {
    this.#writing = this.#lines.length > 0 && !this.#broken;
    if (!this.#writing) return;
    let piece = "";
    let i = 0;
    for (const line of this.#lines) {
      if (i > 0 && piece.length + line.length > PIECE) break;
      piece += line;
      i++;
    }
    this.#lines.splice(0, i);
    this.#waiting -= piece.length;
    if (this.#lost > 0)
      process.stderr.write(`sendoff: ${this.#lost} lines of the log are lost: its reader is too slow\n`);
    this.#lost = 0;
    this.#out.write(piece, this.#next);
  };
}

/** As Apache does it: nothing in a request can end the line, or the quotes. Cut where it is too long. */
export function escaped(text: string): string {
  const cut = text.length > REQUEST ? `${text.slice(0, REQUEST)}...` : text;
  const safe = cut.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, (c) =>
    c === '"' || c === "\\" ? `\\${c}` : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return safe.length > REQUEST ? `${safe.slice(0, REQUEST)}...` : safe;
}

/**
 * Bytes of the header that have gone, where any have. `_header` is no documented property. Under Bun it is a blank, and
 * the socket counts the bytes of the body alone.
 */
function headerLength(res: ServerResponse): number {
  const { _header: header } = res as ServerResponse & { _header?: unknown };
  return res.headersSent && typeof header === "string" && header.startsWith("HTTP/") ? header.length : 0;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

let second = 0;
let stamp = "";

/** 10/Oct/2000:13:55:36 -0700, made once a second. */
function timestamp(date: Date): string {
  const now = Math.floor(date.getTime() / 1000);
  if (now === second) return stamp;
  second = now;
  const two = (n: number) => String(n).padStart(2, "0");
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  stamp = `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`;
  return stamp;
}
