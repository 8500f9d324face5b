// The `send` package, and how its bodies leave. All that comes before the body (ranges, ETag, conditional
// requests, dotfiles, traversal, directories, its events) is send's own work.

import type { EventEmitter } from "node:events";
import fs, { type Stats } from "node:fs";
import { argumentError } from "../errors.js";
import type { Opened } from "../open.js";
import { check, type Shared } from "../sendfile.js";
import { describe, PathSource, type Source, sourceOf } from "../source.js";
import { obstacle, onForgotten, type Request, type Response } from "./message.js";
import { answer } from "./respond.js";

/** What is used of send's SendStream. */
export interface SendStream extends EventEmitter {
  path: string;
  req: Request;
  res: Response;
  pipe(res: Response): Response;
  /** Headers for a file that was found, then `stream`. */
  send(path: string, stat: Stats): void;
  /** Looks what is at `path`, then `send`. */
  sendFile(path: string): void;
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

/** `sendFile`, `send` and `stream` as they are to be called instead of those of `proto`. */
export function bodies(shared: Shared, proto: Pick<SendStream, "sendFile" | "send" | "stream">) {
  const { sendFile, send, stream } = proto;
  const { opener } = shared;
  /** How large each file was when its headers were made. */
  const sizes = new WeakMap<SendStream, number>();
  /** What has been opened in place of being looked at, and is not yet a body. */
  const files = new WeakMap<SendStream, Opened>();
  /** Files that were opened before their headers were made, to be sent from there alone. */
  const kept = new WeakMap<SendStream, Source>();
  return {
    sendFile(this: SendStream, path: string): void {
      const opened = shared.auto === "copy" || obstacle(this.res) !== null ? null : opener.open(path);
      if (opened === null) return sendFile.call(this, path);
      // Who listens is told later, as by fs.stat().
      process.nextTick(() => {
        files.set(this, opened);
        try {
          this.emit("file", path, opened.stat);
          this.send(path, opened.stat);
        } finally {
          if (files.delete(this)) fs.closeSync(opened.fd);
        }
      });
    },

    send(this: SendStream, path: string, stat: Stats): void {
      sizes.set(this, stat.size);
      if (stat.isFile()) opener.met(path);
      send.call(this, path, stat);
    },

    stream(this: SendStream, path: string, options: ReadOptions): void {
      const { req, res } = this;
      const length = Number(res.getHeader("content-length"));
      const source = kept.get(this);
      kept.delete(this);
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
          this.listeners("stream").some((listener) => listener.length > 0) ||
          FOREIGN.some((name) => options[name] !== undefined) ||
          obstacle(res) !== null);
      if (old) {
        this.once("stream", (file: fs.ReadStream) => onForgotten(req, res, () => file.destroy()));
        return stream.call(this, path, options);
      }

      // Express listens, to know that a body has begun: it asks for no stream, and there is none.
      this.emit("stream");
      const opened = files.get(this);
      const ours = opened?.path === path;
      if (ours) files.delete(this);
      const checked = check({ offset: options.start, count: length }, shared.auto, true);
      answer(
        shared,
        req,
        res,
        source ?? (ours ? new PathSource(path, opened.fd) : sourceOf(path)),
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
      const source = new PathSource(path, fd);
      kept.set(stream, source);
      return () => {
        if (kept.delete(stream)) source.close();
      };
    },
  };
}

/** The class behind a copy of `send`, known by what it has. */
function protoOf(send: Send): SendStream {
  try {
    const proto = Object.getPrototypeOf(send({ method: "GET", url: "/", headers: {} }, "/")) as SendStream;
    const used = [proto.sendFile, proto.send, proto.stream];
    if (used.every((method) => typeof method === "function")) return proto;
  } catch {} // what it throws says less
  throw argumentError(TypeError, `send must be the export of the package 'send' (got ${describe(send)})`);
}

/** See the public docstring in http.ts. */
export function accelerate(shared: Shared, send: Send): () => void {
  const proto = protoOf(send);
  const before = { sendFile: proto.sendFile, send: proto.send, stream: proto.stream };
  const ours = bodies(shared, before);
  const after = { sendFile: ours.sendFile, send: ours.send, stream: ours.stream };
  Object.assign(proto, after);
  return () => {
    const last = proto.sendFile === after.sendFile && proto.send === after.send && proto.stream === after.stream;
    if (last) Object.assign(proto, before);
  };
}
