// The access log: a line for each response, in the NCSA common log format.

import type { IncomingMessage, ServerResponse } from "node:http";
import { Lines } from "./lines.js";

/** A longer request line is cut. */
const REQUEST = 3000;

export class AccessLog {
  readonly #lines = new Lines();
  /** Unfinished responses, and functions that log them as they are. */
  readonly #open = new Set<() => void>();

  /** Logs the response when it is over, finished or not. Call before any of it is sent, and after all earlier ones. */
  follow(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const host = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, "") ?? "-";
    const at = timestamp(new Date());
    const line = escaped(`${req.method} ${req.url} HTTP/${req.httpVersion}`);
    const before = socket.bytesWritten ?? 0;
    const log = () => {
      if (!this.#open.delete(log)) return;
      const bytes = Math.max(0, (socket.bytesWritten ?? 0) - before - headerLength(res));
      this.#lines.write(`${host} - - [${at}] "${line}" ${res.statusCode} ${bytes === 0 ? "-" : bytes}\n`);
    };
    this.#open.add(log);
    // Before Node's own listener, which passes the socket to the next response in the pipeline.
    res.prependListener("finish", log);
    res.once("close", log);
  }

  /** The process ends: logs unfinished responses as they are. */
  async end(): Promise<void> {
    for (const log of [...this.#open]) log();
    await this.#lines.end();
  }
}

/** Escapes as Apache does: nothing in a request can end the line, or the quotes. Cut if too long. */
export function escaped(text: string): string {
  const cut = text.length > REQUEST ? `${text.slice(0, REQUEST)}...` : text;
  const safe = cut.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, (c) =>
    c === '"' || c === "\\" ? `\\${c}` : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return safe.length > REQUEST ? `${safe.slice(0, REQUEST)}...` : safe;
}

/**
 * Bytes of the header, if it was sent. `_header` is undocumented. Under Bun it is a blank, and the socket counts only
 * the bytes of the body.
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
