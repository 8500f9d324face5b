// Sends the bodies of the `send` package. Everything before the body (ranges, ETag, conditional requests, dotfiles,
// traversal, directories, events) is send's own work.

import type { ReadStream, Stats } from "node:fs";
import { warn } from "../../close.js";
import { argumentError } from "../../errors.js";
import { setImmediate } from "../../originals.js";
import type { Shared } from "../../shared.js";
import { type Lent, PathSource, releaseAlone } from "../../source/fd.js";
import { unchanged } from "../../source/unchanged.js";
import type { Reject } from "../../transfer/transfer.js";
import { describe } from "../../validate.js";
import { pipeBlocker } from "../claim.js";
import { lengthOf } from "../message.js";
import { announceParts, multipartBody, PartsFile } from "../multipart.js";
import { watch } from "../pipelining.js";
import { type Range, severalOf } from "../ranges.js";
import { Body, rangeOf } from "../respond.js";
import { CONDITIONS, HeaderCache, type Own, plain } from "./headers.js";
import type { ReadOptions, Send, SendStream } from "./stream.js";

/** Options that change fs.createReadStream's behaviour; `send` passes its own options to it. */
const FOREIGN = ["fd", "fs", "encoding", "signal", "flags", "autoClose", "emitClose"];

const STATE = Symbol("sendoff.state");

/** What we know of a stream's file. */
interface State {
  /** Its size when its headers were made. */
  size: number | undefined;
  /** The file, opened before its headers were made; not a body yet. */
  held: Held | null;
  /** The headers being made are the same for every client. */
  stat: Stats | null;
}

interface Held {
  readonly path: string;
  readonly file: Lent;
  /** Only this file may be sent; else `send` may open the path again. */
  readonly only: boolean;
}

function stateOf(stream: SendStream & { [STATE]?: State }): State {
  return (stream[STATE] ??= { size: undefined, held: null, stat: null });
}

/** The file that was opened for this path, if it is not for a sibling of it. */
const heldFor = ({ held }: State, path: string): Held | null => (held?.path === path ? held : null);

/** Our `sendFile`, `send` and `stream`, which replace those of `proto`. */
export function sendMethods(shared: Shared, proto: Pick<SendStream, "sendFile" | "send" | "stream"> & Own) {
  const { sendFile, send, stream } = proto;
  const { files, opener } = shared;
  const cache = new HeaderCache();

  const hold = (stream: SendStream, path: string, file: Lent, only: boolean): (() => void) => {
    const state = stateOf(stream);
    const held = { path, file, only };
    if (state.held !== null) releaseAlone(state.held.file);
    state.held = held;
    return () => {
      if (state.held !== held) return;
      state.held = null;
      releaseAlone(file);
    };
  };

  /**
   * The body: `count` bytes from `start`; `options` are the stream's own, or `send`'s copy of them. With `stat`, no
   * code of this process can have run since fstat.
   */
  const leave = (
    self: SendStream,
    path: string,
    options: SendStream["options"],
    start: number,
    count: number,
    stat?: Stats,
  ): void => {
    const { req, res } = self;
    const state = stateOf(self);
    const held = heldFor(state, path);
    if (held?.only && count === 0) return void res.end();
    const blocked = (): boolean =>
      shared.sys === null ||
      shared.auto === "copy" ||
      // For a pipelined response `send` would never close the file if the client disconnects.
      (res.socket !== null && pipeBlocker(res) !== null);
    // `send` reads at least one byte: one too many of an empty file that was written to since its headers were made.
    const old =
      !held?.only &&
      ((count > 0 && blocked()) ||
        !unchanged() ||
        (self.listenerCount("stream") > 0 && !self.listeners("stream").every(takesNothing)) ||
        FOREIGN.some((name) => options[name] !== undefined));
    if (old) {
      self.once("stream", (body: ReadStream) =>
        body.once(
          "close",
          watch(req, res, () => body.destroy()),
        ),
      );
      return stream.call(self, path, { ...options, start, end: Math.max(start, start + count - 1) });
    }

    // Express listens to learn that a body has begun; it takes no stream, and gets none.
    self.emit("stream");
    if (held !== null) state.held = null;
    const source = new PathSource(path, { file: held?.file, stat, files });
    const { ended, reject } = tell(self);
    new Body(shared, req, res, source, rangeOf(start, count, shared.auto, state.size), ended, reject).open();
  };

  /** The same for several ranges of `size` bytes from `start`; false if the whole file is to be sent. */
  const leaveParts = (
    self: SendStream,
    path: string,
    { start, end: _, ...options }: ReadOptions,
    size: number,
    ranges: readonly Range[],
  ): boolean => {
    const { req, res } = self;
    const state = stateOf(self);
    // The coding is that of the whole body, and the parts would have to have it each.
    const whole = res.statusCode !== 200 || res.hasHeader("Content-Encoding") || !self.isRangeFresh();
    if (whole || !unchanged() || FOREIGN.some((name) => options[name] !== undefined)) return false;
    const held = heldFor(state, path);
    if (held !== null) state.held = null;
    const source = new PartsFile(path, { file: held?.file, files });
    const parts = announceParts(res, ranges, size);
    const { ended, reject } = tell(self);
    multipartBody(shared, req, res, source, { offset: start, size: state.size, parts }, ended, reject).open();
    return true;
  };

  const ours = {
    sendFile(this: SendStream, path: string): void {
      const able = shared.auto !== "copy" && unchanged() && pipeBlocker(this.res) === null;
      // Like `send`, we don't open a file for a request that may need no body.
      const file = able ? files.get(path, true, !bodiless(this.req)) : null;
      const stat = file?.stat ?? (able ? opener.stat(path) : null);
      if (stat === null || !stat.isFile()) return sendFile.call(this, path);
      // Events are emitted in a later turn, as after fs.stat().
      setImmediate(() => {
        const close = file === null ? () => {} : hold(this, path, file, false);
        try {
          this.emit("file", path, stat);
          this.send(path, stat);
        } finally {
          close(); // 404, 416
        }
      });
    },

    send(this: SendStream, path: string, stat: Stats): void {
      const state = stateOf(this);
      state.size = stat.size;
      if (stat.isFile()) opener.met(path, stat);
      const alike = this.stream === ours.stream && plain(this, proto);
      if (!alike || !cache.say(this, path, stat)) {
        state.stat = alike ? stat : null;
        return send.call(this, path, stat);
      }
      if (this.req.method === "HEAD") this.res.end();
      else leave(this, path, this.options, 0, stat.size, stat);
    },

    stream(this: SendStream, path: string, options: ReadOptions): void {
      const state = stateOf(this);
      if (state.stat !== null) cache.keep(this, path, state.stat);
      state.stat = null;
      const count = lengthOf(this.res);
      if (count === null || Number.isNaN(count)) return stream.call(this, path, options); // removed, or invalid
      const ranges = severalOf(this);
      if (ranges !== null && leaveParts(this, path, options, count, ranges)) return;
      leave(this, path, options, options.start, count);
    },

    /** Has the body sent from an open file; returns a function that releases it if it was not used. */
    from: (stream: SendStream, path: string, file: Lent) => hold(stream, path, file, true),
  };
  return ours;
}

/** What a body settles with: `send`'s stream tells its listeners. */
function tell(stream: SendStream): { ended: () => void; reject: Reject } {
  const ended = () => apart(() => stream.emit("end"));
  const reject: Reject = (error, complete) => {
    if (!complete) return failed(stream, error);
    // The answer is complete; an 'error' listener would end its connection.
    warn(error);
    ended();
  };
  return { ended, reject };
}

/** Answers with the failure of a body, or tells the listeners of its stream. */
export function failed(stream: SendStream, error: Error): void {
  const { res } = stream;
  // A disconnected client is no error; and once the header is sent, only an 'error' listener can be told.
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_SENDFILE_CLOSED" && (res.destroyed || !res.headersSent)) return;
  if (res.headersSent && stream.listenerCount("error") === 0) return;
  // If this process is ending, another one may answer.
  const ending = !res.headersSent && code === "ERR_SENDFILE_ABORTED";
  apart(() => (ending ? stream.error(503, error) : stream.onStatError(error)));
}

/** Whether a request is, or may be, answered without a body. */
function bodiless({ method, headers }: SendStream["req"]): boolean {
  return method === "HEAD" || CONDITIONS.some((name) => headers[name] !== undefined);
}

/** Whether a listener ignores its arguments. Checks its text: `length` misses rest parameters and `arguments`. */
function takesNothing(listener: (...args: never[]) => unknown): boolean {
  const text = Function.prototype.toString.call(listener);
  return listener.length === 0 && NOTHING.test(text) && !text.includes("arguments");
}
const NOTHING = /^(async\s+)?(function\b[^(]*|[\w$]+\s*)?\(\s*\)/;

/** An error thrown by a listener is uncaught, as with any event: it does not fail the transfer. */
function apart(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/** The prototype of a copy of `send`, recognised by its methods. */
function protoOf(send: Send): SendStream {
  try {
    const proto = Object.getPrototypeOf(send({ method: "GET", url: "/", headers: {} }, "/")) as SendStream;
    const used = [proto.sendFile, proto.send, proto.stream];
    if (used.every((method) => typeof method === "function")) return proto;
  } catch {} // its own error is less clear than ours
  throw argumentError(TypeError, `send must be the export of the package 'send' (got ${describe(send)})`);
}

/** See the public docstring in http/index.ts. */
export function accelerate(shared: Shared, send: Send): () => void {
  const proto = protoOf(send);
  const before = { sendFile: proto.sendFile, send: proto.send, stream: proto.stream };
  const { setHeader, type, isConditionalGET } = proto;
  const ours = sendMethods(shared, { ...before, setHeader, type, isConditionalGET });
  const after = { sendFile: ours.sendFile, send: ours.send, stream: ours.stream };
  Object.assign(proto, after);
  return () => {
    const last = proto.sendFile === after.sendFile && proto.send === after.send && proto.stream === after.stream;
    if (last) Object.assign(proto, before);
  };
}
