// The access log: a line for each response when it is over, whoever has answered.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { serverRuntime } from "#process";
import { type Answered, type Format, hasFields, logLine } from "../../host/loop/log-line.js";
import { Proxies, type Trust } from "../../host/loop/proxies.js";
import { statusInstead } from "../../host/server/client-error.js";
import { Lines } from "./lines.js";
import { type Look, shown } from "./terminal.js";

export class AccessLog {
  readonly format: Format;
  readonly trust: Trust | null;
  readonly #proxies: Proxies | null;
  readonly #look: Look | null;
  readonly #lines = new Lines();
  /** Unfinished responses, and functions that log them as they are. */
  readonly #open = new Set<() => void>();
  /** Writes the lines of others that come before the next one. */
  earlier: () => void = () => {};

  /** With a `look`, for a terminal, the format is "json". */
  constructor(format: Format, trust: Trust | null = null, look: Look | null = null) {
    this.format = format;
    this.#look = look;
    this.trust = trust;
    this.#proxies = trust === null ? null : new Proxies(trust);
  }

  /** Lines of others. */
  readonly write = (lines: Buffer): void => this.#lines.write(this.#look === null ? lines : shown(lines, this.#look));

  /** Lines of others that are lost. */
  readonly lost = (lines: number): void => this.#lines.lose(lines, "the process was too busy to write them");

  /** Lines that are lost so far, whosever they were. */
  readonly total = (): number => this.#lines.total;

  /** Logs the response when it is over, finished or not; `user` as {@link Answered} has it. Call before any of it is sent, and after all earlier ones. */
  follow(req: IncomingMessage, res: ServerResponse, user?: string | null): void {
    const { socket } = req;
    const { referer = null, "user-agent": userAgent = null } = hasFields(this.format) ? req.headers : {};
    const peer = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)|%.*/, "") ?? "-"; // a loop knows no %zone
    const answered: Answered = {
      host: this.#proxies?.clientOf(peer, String(req.headers["x-forwarded-for"] ?? "")) ?? peer,
      ...(user === undefined ? {} : { user }),
      time: Date.now(),
      ms: 0,
      method: req.method as string,
      target: req.url as string,
      version: req.httpVersion,
      status: 0,
      bytes: 0,
      referer,
      userAgent,
    };
    const began = performance.now();
    const before = socket.bytesWritten ?? 0;
    const head = serverRuntime.isBare ? firstWrite(socket) : () => headerLength(res);
    const log = () => {
      if (!this.#open.delete(log)) return;
      const instead = statusInstead(res);
      answered.status = instead ?? res.statusCode;
      answered.bytes = instead === undefined ? Math.max(0, (socket.bytesWritten ?? 0) - before - head()) : 0;
      answered.ms = performance.now() - began;
      this.earlier();
      this.write(Buffer.from(logLine(this.format, answered), "latin1"));
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

/** Bytes of the header, if it was sent. `_header` is undocumented. */
function headerLength(res: ServerResponse): number {
  const { _header: header } = res as ServerResponse & { _header?: unknown };
  return res.headersSent && typeof header === "string" && header.startsWith("HTTP/") ? header.length : 0;
}

/**
 * The same where a header is not told: it is the next write of its own. A socket that Bun has accepted itself writes no header,
 * and counts none.
 */
function firstWrite(socket: Socket): () => number {
  let bytes = 0;
  const { write } = socket;
  socket.write = ((...args: [string, BufferEncoding]) => {
    Reflect.deleteProperty(socket, "write");
    bytes = Buffer.byteLength(...args);
    return write.apply(socket, args);
  }) as typeof write;
  return () => bytes;
}
