// Compressed siblings of a file, `file.br` beside `file`: which one a client is sent.

import fs from "node:fs";
import { type CODINGS, orderOf } from "../negotiate.js";
import type { Response } from "./message.js";
import type { SendStream } from "./send/stream.js";

/** By content coding. */
const SIBLINGS: Readonly<Record<string, string>> = { br: ".br", zstd: ".zst", gzip: ".gz" } satisfies Record<
  (typeof CODINGS)[number],
  string
>;

/** Called with each sibling that was looked for: `coding` if it is there, null if not. */
export type Tried = (stream: SendStream, sibling: string, coding: string | null) => void;

/** `send` for the sibling that the client prefers; type and name stay those of the requested file. */
export function sendSibling(send: SendStream["send"], tried: Tried): SendStream["send"] {
  return function (this: SendStream, path, stat) {
    const { req, res } = this;
    if (res.headersSent) return send.call(this, path, stat);
    vary(res);
    const order = orderOf(req.headers["accept-encoding"]);
    const next = (i: number): void => {
      const coding = order[i];
      if (coding === undefined || coding === "identity") return send.call(this, path, stat);
      const sibling = path + SIBLINGS[coding];
      fs.stat(sibling, (error, found) => {
        if (error || !found.isFile()) {
          tried(this, sibling, null);
          return next(i + 1);
        }
        tried(this, sibling, coding);
        this.type(path);
        res.setHeader("Content-Encoding", coding);
        const { onStatError } = this;
        this.onStatError = (error) => {
          this.onStatError = onStatError;
          // Removed before it was opened; with headers of its own, it is too late for another one.
          const isGone = (error as NodeJS.ErrnoException).code === "ENOENT" && !res.hasHeader("Content-Length");
          if (!isGone) return onStatError.call(this, error);
          tried(this, sibling, null);
          res.removeHeader("Content-Encoding");
          next(i + 1);
        };
        send.call(this, sibling, found);
      });
    };
    next(0);
  };
}

/** The answer depends on what the client accepts. */
export function vary(res: Response): void {
  const before = String(res.getHeader("Vary") ?? "");
  if (/(^|,)\s*(\*|accept-encoding)\s*(,|$)/i.test(before)) return;
  res.setHeader("Vary", before === "" ? "Accept-Encoding" : `${before}, Accept-Encoding`);
}
