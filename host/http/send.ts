// The `send` package, and how its bodies leave. All that comes before the body (ranges, ETag, conditional
// requests, dotfiles, traversal, directories, its events) is send's own work.

import type { EventEmitter } from "node:events";
import type { ReadStream, Stats } from "node:fs";
import { argumentError } from "../errors.js";
import { check, type Shared } from "../sendfile.js";
import { describe, PathSource, type Source, sourceOf } from "../source.js";
import { obstacle, type Request, type Response } from "./message.js";
import { watch } from "./pipeline.js";
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

interface Held {
  readonly path: string;
  readonly source: Source;
  /** To be sent from there alone; else `send` may as well open it anew. */
  readonly only: boolean;
}

/** `sendFile`, `send` and `stream` as they are to be called instead of those of `proto`. */
export function bodies(shared: Shared, proto: Pick<SendStream, "sendFile" | "send" | "stream">) {
  const { sendFile, send, stream } = proto;
  const { opener } = shared;
  /** How large each file was when its headers were made. */
  const sizes = new WeakMap<SendStream, number>();
  /** Files that were opened before their headers were made, and are not bodies yet. */
  const held = new WeakMap<SendStream, Held>();
  const hold = (stream: SendStream, path: string, fd: number, only: boolean): (() => void) => {
    const file = { path, source: new PathSource(path, { fd }), only };
    held.set(stream, file);
    return () => {
      if (held.delete(stream)) file.source.close();
    };
  };
  return {
    sendFile(this: SendStream, path: string): void {
      const opened = shared.auto === "copy" || obstacle(this.res) !== null ? null : opener.open(path);
      if (opened === null) return sendFile.call(this, path);
      // Who listens is told later, as by fs.stat().
      process.nextTick(() => {
        const close = hold(this, path, opened.fd, false);
        try {
          this.emit("file", path, opened.stat);
          this.send(path, opened.stat);
        } finally {
          close(); // HEAD, 304, 404, 412, 416
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
      const known = held.get(this);
      const file = known?.path === path ? known : undefined; // not where this is a sibling of it
      if (file?.only && length === 0) return void res.end();
      const old =
        !file?.only &&
        (shared.sys === null ||
          shared.auto === "copy" ||
          !(length > 0) ||
          this.listeners("stream").some((listener) => listener.length > 0) ||
          FOREIGN.some((name) => options[name] !== undefined) ||
          // Behind others in its pipeline `send` would never close the file of a client that goes away.
          (res.socket !== null && obstacle(res) !== null));
      if (old) {
        this.once("stream", (body: ReadStream) =>
          body.once(
            "close",
            watch(req, res, () => body.destroy()),
          ),
        );
        return stream.call(this, path, options);
      }

      // Express listens, to know that a body has begun: it asks for no stream, and there is none.
      this.emit("stream");
      if (file !== undefined) held.delete(this);
      const checked = check({ offset: options.start, count: length }, shared.auto, true);
      answer(
        shared,
        req,
        res,
        file?.source ?? sourceOf(path),
        { ...checked, size: sizes.get(this) },
        () => apart(() => this.emit("end")),
        (error) => {
          // A peer that has gone is no news; and there is nobody to tell what the header can't say any more.
          if (!res.headersSent) apart(() => this.onStatError(error));
          else if (res.destroyed && (error as NodeJS.ErrnoException).code === "ERR_SENDFILE_CLOSED") return;
          else if (this.listenerCount("error") > 0) apart(() => this.onStatError(error));
        },
      );
    },

    /** Has the body come from a file that is open already; returns how to close it where nothing became of that. */
    from: (stream: SendStream, path: string, fd: number) => hold(stream, path, fd, true),
  };
}

/** What a listener throws is uncaught, as that of any event: it is no failure of the transfer that it was told of. */
function apart(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
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
