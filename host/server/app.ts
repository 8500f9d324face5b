// What answers where a loop does not; and what is sent for a target that leads to no file.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { CONDITIONS } from "../http/send/headers.js";
import type { Handler } from "../http/static.js";
import type { Field } from "./fields.js";

/**
 * Answers what the loop does not: files by `files`, whose `next` is called where there is none. The loop asks it once for
 * each target, as a client without cookies or the like, and keeps the head if it is that of a file.
 */
export type App = (req: IncomingMessage, res: ServerResponse, files: Handler) => void;

/** An error where there is no file. */
export const byFiles: App = (req, res, files) => files(req, res);

/** `pass` gets what no file answers, without the fields that a file's answer would have had. */
export function passTo(pass: RequestListener, headers: readonly Field[]): App {
  return (req, res, files) =>
    files(req, res, (error) => {
      if (error !== undefined) return files(req, res); // of a file that is there: answers it itself
      for (const [name] of headers) res.removeHeader(name);
      pass(req, res as ServerResponse & { req: IncomingMessage });
    });
}

/** Sent for what is missing: its target in the folder, and the status. */
export interface Page {
  readonly target: string;
  readonly status: 200 | 404;
}

/** If the page is missing itself, 404 is answered without it. */
export function pageFor(page: Page): App {
  return (req, res, files) =>
    files(req, res, (error) => {
      if ((error as { statusCode?: number }).statusCode === 404) turnTo(page, req, res);
      files(req, res); // answers an error itself
    });
}

/** Makes a request one of the page. */
export function turnTo({ target, status }: Page, req: IncomingMessage, res: ServerResponse): void {
  req.url = target;
  res.statusCode = status;
  if (status === 200) return;
  // The page may be a part, or the client's copy; but not of what was asked for, which may be there soon.
  unconditional(req);
  if (!res.hasHeader("Cache-Control")) res.setHeader("Cache-Control", "no-cache");
}

function unconditional({ headers }: IncomingMessage): void {
  for (const name of ["range", ...CONDITIONS]) delete headers[name];
}
