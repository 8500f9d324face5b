// The `send` package, and how its bodies leave. All that comes before the body (ranges, ETag, conditional
// requests, dotfiles, traversal, directories, its events) is send's own work.

import type { EventEmitter } from "node:events";
import type { Stats } from "node:fs";
import { check, type Shared } from "../sendfile.js";
import { openedSource, type Source, sourceOf } from "../source.js";
import { obstacle, type Request, type Response } from "./message.js";
import { answer } from "./respond.js";

/** What is used of send's SendStream. */
export interface SendStream extends EventEmitter {
  path: string;
  req: Request;
  res: Response;
  pipe(res: Response): Response;
  /** Headers for a file that was found, then `stream`. */
  send(path: string, stat: Stats): void;
  /** The body: bytes `start` to `end` of the file, both included. */
  stream(path: string, options: ReadOptions): void;
  type(path: string): void;
  error(status: number, error?: Error): void;
  onStatError(error: Error): void;
}

export interface ReadOptions {
  start: number;
  end: number;
  [option: string]: unknown;
}

/** The package's export. */
export type Send = (req: Request, path: string, options?: object) => SendStream;

/** What fs.createReadStream, which `send` hands its own options to, would do something else for. */
const FOREIGN = ["fd", "fs", "encoding", "signal", "flags", "autoClose", "emitClose"];

/** `send` and `stream` as they are to be called instead of those of `proto`. */
export function bodies(shared: Shared, proto: Pick<SendStream, "send" | "stream">) {
  const { send, stream } = proto;
  /** How large each file was when its headers were made. */
  const sizes = new WeakMap<SendStream, number>();
  /** Files that were opened before their headers were made. */
  const opened = new WeakMap<SendStream, Source>();
  return {
    send(this: SendStream, path: string, stat: Stats): void {
      sizes.set(this, stat.size);
      send.call(this, path, stat);
    },

    stream(this: SendStream, path: string, options: ReadOptions): void {
      const { req, res } = this;
      const length = Number(res.getHeader("content-length"));
      const source = opened.get(this);
      opened.delete(this);
      if (source !== undefined && length === 0) {
        source.close();
        res.end();
        return;
      }
      const old =
        source === undefined &&
        (shared.sys === null ||
          shared.auto === "copy" ||
          !(length > 0) ||
          this.listenerCount("stream") > 0 ||
          FOREIGN.some((name) => options[name] !== undefined) ||
          obstacle(res) !== null);
      if (old) return stream.call(this, path, options);

      const checked = { ...check({ offset: options.start, count: length }, shared.auto), seek: false };
      answer(
        shared,
        req,
        res,
        source ?? sourceOf(path),
        { ...checked, size: sizes.get(this) },
        () => this.emit("end"),
        (error) => {
          // A peer that has gone is no news; and there is nobody to tell what the header can't say any more.
          if (!res.headersSent) this.onStatError(error);
          else if (res.destroyed && (error as NodeJS.ErrnoException).code === "ERR_SENDFILE_CLOSED") return;
          else if (this.listenerCount("error") > 0) this.onStatError(error);
        },
      );
    },

    /** Has the body come from a file that is open already; returns how to close it where nothing became of that. */
    from(stream: SendStream, path: string, fd: number): () => void {
      const source = openedSource(path, fd);
      opened.set(stream, source);
      return () => {
        if (opened.delete(stream)) source.close();
      };
    },
  };
}

/** See the public docstring in http.ts. */
export function accelerate(shared: Shared, send: Send): () => void {
  const proto = Object.getPrototypeOf(send({ method: "GET", url: "/", headers: {} }, "/")) as SendStream;
  if (typeof proto?.send !== "function" || typeof proto.stream !== "function") {
    throw new TypeError("send must be the export of the package 'send'");
  }
  const before = { send: proto.send, stream: proto.stream };
  const { send: sendSized, stream } = bodies(shared, before);
  const after = { send: sendSized, stream };
  Object.assign(proto, after);
  return () => {
    if (proto.send === after.send && proto.stream === after.stream) Object.assign(proto, before);
  };
}
