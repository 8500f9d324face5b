// The entry point for HTTP servers on Node: responses and static files, their bodies by sendfile.

import { host } from "#process";
import type { File } from "../source/source.js";
import type { Request, Response } from "./message.js";
import * as http from "./respond.js";
import { accelerate as patch } from "./send/send.js";
import type { Send } from "./send/stream.js";
import { type Handler, type StaticOptions, serveStatic as serve } from "./static.js";

export { SendfileError, type SendfileErrorCode, type SendfileErrorDetails } from "../errors.js";
export type { File } from "../source/source.js";
export type { Mode, Progress } from "../transfer/options.js";
export type { Request, Response } from "./message.js";
export type { RespondOptions } from "./respond.js";
export type { Send } from "./send/stream.js";
export type { Handler, StaticOptions } from "./static.js";

/**
 * Sends a file as the body of a response, and ends it. Status and headers are yours, set before; `Content-Length`
 * is set where it is not. A request of method HEAD and the statuses 204 and 304 get no body.
 *
 * The kernel moves the bytes where the response is a plain node:http one on a TCP or Unix socket with a
 * known length; chunked, compressed, encrypted and other wrapped responses are written to, with 'drain'
 * awaited, as by pipe().
 *
 * A failure before the header was rendered (`res.headersSent`; no such file, say) leaves the response to
 * you; any later one, a file that got shorter or a peer that has gone, destroys the connection. A response has one
 * body: where `res.write()` or another `respond()` has begun it, this one fails with ERR_SENDFILE_STARTED, and the
 * response goes on as it was.
 *
 * @param options `offset`, `count`, `timeout`, `deadline`, `signal`, `onProgress`, `mode`: as for `sendfile`.
 *   The position of a `FileHandle` or fd is not moved.
 * @returns the bytes of the file that were sent; 0 where there is no body.
 * @throws TypeError or RangeError for a bad argument, or a `Content-Length` that is not the count in decimal digits;
 *   SendfileError for everything else, with the bytes `sent`. Where close(2) fails on a path whose bytes were all
 *   sent (`syscall` is "close"), the response is complete, and its connection is kept.
 */
export function respond(req: Request, res: Response, file: File, options?: http.RespondOptions): Promise<number> {
  return http.respond(host().shared, req, res, file, options);
}

/**
 * A handler for the files below `root`, for node:http, Connect and Express. Ranges, conditional requests,
 * dotfiles, traversal and directories are the `send` package's business; bodies go as by {@link respond}.
 *
 * With `next`, what is not there is passed on (`fallthrough`), as serve-static does; without it, answered.
 * A file that can't be closed after its response is a warning of the process.
 *
 * @param root a folder, absolute or from the working directory.
 * @throws TypeError for a bad argument, at once.
 */
export function serveStatic(root: string, options?: StaticOptions): Handler {
  return serve(host().shared, root, options);
}

/**
 * Makes a given copy of the package `send` hand its bodies to the kernel, and with it all that is built
 * on that copy: `express.static`, `serve-static`, `res.sendFile`. A use that takes the stream of its event
 * 'stream', or that gives fs options of its own, and a response that is wrapped or encrypted, stay as they were.
 * A listener of 'stream' that declares no parameter is called without one.
 *
 * @param send what `require('send')` gave.
 * @returns an undo; it does nothing once somebody else has patched the copy after us.
 * @throws TypeError where this is not `send`.
 */
export function accelerate(send: Send): () => void {
  return patch(host().shared, send);
}
