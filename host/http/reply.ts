// Answers with a whole file that is open, and whose headers are known.

import type { Stats } from "node:fs";
import { warn } from "../close.js";
import type { Shared } from "../shared.js";
import { PathSource, releaseAlone } from "../source/fd.js";
import type { OpenFile } from "../source/files.js";
import type { Request, Response } from "./message.js";
import type { Representation } from "./representations.js";
import { Body, rangeOf } from "./respond.js";
import { CONDITIONS, typeOf } from "./send/headers.js";
import { failed } from "./send/send.js";
import type { SendStream } from "./send/stream.js";
import { setLength, setNew } from "./set-headers.js";
import { vary } from "./siblings.js";

/** Whether a request is answered with a whole file, if there is one. */
export function isPlain({ headers }: Request, res: Response): boolean {
  if (headers.range !== undefined || res.headersSent || res.statusCode !== 200) return false;
  for (let i = 0; i < CONDITIONS.length; i++) if (headers[CONDITIONS[i] as string] !== undefined) return false;
  return true;
}

export interface Ways {
  /** `send`'s, which is asked again in each turn of the event loop, because a program may define types later. */
  readonly type: SendStream["type"];
  readonly setHeaders: ((res: Response, path: string, stat: Stats) => void) | undefined;
  /** Siblings are tried, so each answer says that it varies. */
  readonly varies: boolean;
}

/** The headers in `send`'s order, then the body. `begin` makes the stream of `send` that is told of a failure. */
export function reply(
  shared: Shared,
  req: Request,
  res: Response,
  file: OpenFile,
  known: Representation,
  { type, setHeaders, varies }: Ways,
  begin: () => SendStream,
): void {
  const { path, stat } = file;
  const { coding } = known;
  const { turn } = shared.scheduler;
  try {
    if (known.typed !== turn) {
      known.type = typeOf(type, known.name);
      known.typed = turn;
    }
    if (varies) vary(res);
    if (coding !== null) {
      setNew(res, known.type);
      res.setHeader("Content-Encoding", coding);
    }
    setHeaders?.(res, path, stat);
    setNew(res, known.headers);
    setNew(res, known.type);
    setLength(res, stat.size);
  } catch (error) {
    releaseAlone(file);
    throw error;
  }
  const source = new PathSource(path, { file, stat });
  new Body(
    shared,
    req,
    res,
    source,
    rangeOf(0, stat.size, shared.auto, stat.size),
    () => {},
    (error, complete) => {
      if (complete) return warn(error); // the answer is
      const stream = begin();
      stream.res = res;
      stream.emit("file", path, stat);
      failed(stream, error);
    },
  ).open();
}
