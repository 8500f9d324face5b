// Learns what the `node:http` server behind a loop answers for a target: by asking it, over a connection in memory. So the
// loop's answers are that server's, byte by byte but for the time.

import type { IncomingMessage, Server } from "node:http";
import { Duplex } from "node:stream";
import type { FoundFile, Handler, StaticFiles } from "../http/static.js";
import { fieldOf } from "../loop/heads.js";
import type { Answer, FromLoop } from "../loop/messages.js";

/** A longer head is not the loop's, in bytes. */
const LONGEST = 8192;

/** A target, as a client has asked for it. */
export type Asked = Pick<Extract<FromLoop, { type: "ask" }>, "target" | "encodings" | "rest">;

/** The answer for a target; null if the server behind is to give it each time. */
export async function ask(
  server: Server,
  files: StaticFiles,
  { target, encodings, rest }: Asked,
): Promise<Answer | null> {
  const line = new Line();
  server.emit("connection", line);
  try {
    const accepts = encodings === "" ? [] : [`Accept-Encoding: ${encodings}`];
    const whole = await line.head(target, accepts);
    if (!line.isOfFiles || !whole.startsWith("HTTP/1.1 200 ") || whole.length > LONGEST) return null;
    let found = files.find(target, encodings);
    if (found === null) {
      // Of a file system that is met for the first time it is known only now whether it is local.
      await line.head(target, accepts);
      found = files.find(target, encodings);
    }
    if (found === null || !isOf(whole, found)) return null;
    const { path, absent, name, stat } = found;
    const { dev, ino, size, mtimeMs, ctimeMs } = stat;
    const answer = { path, absent, name, dev, ino, size, mtimeMs, ctimeMs, whole, rest: null };
    if (!rest) return answer;
    const unmodified = await line.head(target, [...accepts, ...condition(whole)]);
    // HEAD has no ranges. A byte of a body comes behind this head, so it is the last one.
    const part = await line.head(target, [...accepts, "Range: bytes=0-0"], "GET");
    const heads = {
      part: isPart(part, size) ? part : null,
      unmodified: unmodified.startsWith("HTTP/1.1 304 ") ? unmodified : null,
    };
    return { ...answer, rest: heads };
  } catch {
    return null; // the server has closed the connection: it is asked again with the next request
  } finally {
    line.destroy();
  }
}

/** Whether a connection is one of `ask`. */
export const isAsking = (socket: unknown): boolean => socket instanceof Line;

/** What answers a request with a file: if `ask` has sent it, then with nothing but a file. */
export function filesFor({ socket }: IncomingMessage, handler: Handler): Handler {
  const line: unknown = socket;
  if (!(line instanceof Line)) return handler;
  return (req, res) => {
    line.isOfFiles = true;
    handler(req, res, () => line.destroy());
  };
}

/** Whether the head is that of the file, as it is now. */
function isOf(head: string, { stat, tag }: FoundFile): boolean {
  const modified = fieldOf(head, "Last-Modified");
  if (fieldOf(head, "Content-Length") !== String(stat.size)) return false;
  if (tag !== null && fieldOf(head, "ETag") !== tag) return false; // it was a weak one until now
  return modified === null || modified === stat.mtime.toUTCString();
}

function isPart(head: string, size: number): boolean {
  return (
    head.startsWith("HTTP/1.1 206 ") &&
    fieldOf(head, "Content-Range") === `bytes 0-0/${size}` &&
    fieldOf(head, "Content-Length") === "1"
  );
}

function condition(head: string): string[] {
  const etag = fieldOf(head, "ETag");
  const modified = fieldOf(head, "Last-Modified");
  if (etag !== null) return [`If-None-Match: ${etag}`];
  return modified === null ? [] : [`If-Modified-Since: ${modified}`];
}

/** A client's side, and its server's. */
class Line extends Duplex {
  /** `filesFor` has answered. */
  isOfFiles = false;
  #text = "";
  #done: ((head: string) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  /** The head of an answer. */
  head(target: string, fields: readonly string[], method = "HEAD"): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.push([`${method} ${target} HTTP/1.1`, "Host: localhost", ...fields, "", ""].join("\r\n"), "latin1");
    });
  }

  /** Deno's server needs it of a connection. */
  setTimeout(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#text += chunk.toString("latin1");
    const end = this.#text.indexOf("\r\n\r\n");
    if (end >= 0) {
      const head = this.#text.slice(0, end + 4);
      this.#text = "";
      // The server has its own to do first, with this answer.
      setImmediate(() => this.#done?.(head));
    }
    done();
  }

  override _destroy(_error: Error | null, done: () => void): void {
    this.#failed?.(new Error("the connection was closed"));
    done();
  }
}
