// What answers where a loop does not; and what is sent for a target that leads to no file.

import type { IncomingMessage, ServerResponse } from "node:http";
import { CONDITIONS } from "../http/send/headers.js";
import type { Handler } from "../http/static.js";

/**
 * Answers what the loop does not: files by `files`, whose `next` is called where there is none. The loop asks it once for
 * each target, as a client without cookies or the like, and keeps the head if it is that of a file.
 */
export type App = (req: IncomingMessage, res: ServerResponse, files: Handler) => void;

/** An error where there is no file. */
export const byFiles: App = (req, res, files) => files(req, res);

/** `target` is that of a page in the folder, sent with `status`; if it is missing itself, 404 is answered without it. */
export function pageFor(target: string, status: 200 | 404): App {
  return (req, res, files) =>
    files(req, res, (error) => {
      if ((error as { statusCode?: number }).statusCode === 404) {
        req.url = target;
        res.statusCode = status;
        // The page may be a part, or the client's copy; but not of what was asked for.
        if (status === 404) unconditional(req);
      }
      files(req, res); // answers an error itself
    });
}

function unconditional({ headers }: IncomingMessage): void {
  for (const name of ["range", ...CONDITIONS]) delete headers[name];
}
