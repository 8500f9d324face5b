// The entry point for HTTP servers on Node: responses and static files, their bodies by sendfile.

import { host } from "#process";
import type { File } from "../source/source.js";
import type { Request, Response } from "./message.js";
import * as http from "./respond.js";
import { accelerate as patch } from "./send/send.js";
import type { Send } from "./send/stream.js";
import { type Handler, type StaticOptions, serveStatic as serve } from "./static.js";
import { type FileResponseOptions, fileResponse as respondWeb, type WebRequest } from "./web/file-response.js";

export { SendfileError, type SendfileErrorCode, type SendfileErrorDetails } from "../errors.js";
export type { File } from "../source/source.js";
export type { Mode, Progress } from "../transfer/options.js";
export type { Request, Response } from "./message.js";
export type { RespondOptions } from "./respond.js";
export type { Send } from "./send/stream.js";
export type { Handler, StaticOptions } from "./static.js";
export type { FileResponseOptions, WebRequest } from "./web/file-response.js";

/**
 * Sends a file as the body of a response, and ends it. Status and headers are yours, set before; `Content-Length`
 * is set if it is not. A request of method HEAD and the statuses 204 and 304 get no body.
 *
 * The kernel moves the bytes if the response is a plain node:http one on a TCP or Unix socket, with a known length or
 * with `chunked`. Over HTTPS they are copied to the TLS socket; compressed and other wrapped responses, those of HTTP/2,
 * and those whose `Transfer-Encoding` you have set without that option, are written to, with 'drain' awaited, as by pipe().
 *
 * A failure before the header is rendered (`res.headersSent`; no such file, say) leaves the response to
 * you; any later one, such as a truncated file or a closed connection, destroys the connection. A response has one
 * body: if `res.write()` or another `respond()` has begun it, this one fails with ERR_SENDFILE_STARTED, and the
 * response goes on as it was.
 *
 * @param options `offset`, `count`, `timeout`, `deadline`, `signal`, `onProgress`, `mode`: as for `sendfile`.
 *   The position of a `FileHandle` or fd is not moved. `chunked`: no length is announced; trailers may follow.
 * @returns the bytes of the file that were sent; 0 where there is no body.
 * @throws TypeError or RangeError for a bad argument, or a `Content-Length` that is not the count in decimal digits,
 *   or is set although `chunked` is true;
 *   SendfileError for everything else, with the bytes `sent`. If only close(2) fails, after all bytes were sent
 *   (`syscall` is "close"), the response is complete, and its connection is kept.
 */
export function respond(req: Request, res: Response, file: File, options?: http.RespondOptions): Promise<number> {
  return http.respond(host().shared, req, res, file, options);
}

/**
 * A handler for the files below `root`, for node:http, Connect and Express. The `send` package handles ranges,
 * conditional requests, dotfiles, traversal and directories; {@link respond} sends the bodies. A target that was found
 * before is answered without `send`, from a file that stays open for a second or two: `openFileCache`.
 *
 * With `next`, a missing file is passed on (`fallthrough`), as serve-static does; without it, answered with an error.
 * A file that can't be closed after its response is a warning of the process.
 *
 * @param root a folder, absolute or from the working directory.
 * @throws TypeError for a bad argument, at once.
 */
export function serveStatic(root: string, options?: StaticOptions): Handler {
  return serve(host().shared, root, options);
}

/**
 * Makes a given copy of the package `send` use sendfile for its bodies, and with it all that is built
 * on that copy: `express.static`, `serve-static`, `res.sendFile`. Unchanged: callers that take the stream from
 * the event 'stream' or pass fs options of their own, and responses that are wrapped or encrypted.
 * A listener of 'stream' that declares no parameter is called without one.
 *
 * @param send the result of `require('send')`.
 * @returns an undo; it does nothing if the copy was patched again since.
 * @throws TypeError if this is not `send`.
 */
export function accelerate(send: Send): () => void {
  return patch(host().shared, send);
}

/**
 * A web Response for a file, for the servers of Deno and Bun, and for Hono, srvx and the like: 200, or 206 for one range,
 * 304, 412 and 416, with Content-Type by its extension, Content-Length, Last-Modified and an ETag, weak by default. The package `send`
 * decides, as for {@link serveStatic}. Conditions are for GET and HEAD, ranges for GET; other methods get the whole file.
 *
 * A missing file, a folder, and anything else that is no regular file resolve with a Response of status 404, whose
 * body is text: return your own in its place. The path is yours to check: nothing is hidden, and links are followed.
 *
 * The file is opened when the body is first read, and closed at its end, by `cancel()`, or by an error: a Response that
 * is not read has nothing open, nor has one for HEAD, 304, 412 or 416. If it is another file by then, or a shorter one,
 * the body fails with ERR_SENDFILE_TRUNCATED, also in its middle.
 *
 * With the adapters of Hono and srvx for node:http the kernel sends the body, but for its first 16 KiB, if it could send
 * that of {@link respond}; any other reader gets chunks of 256 KiB.
 *
 * @param request only `method` and `headers` are used.
 * @param path a path, absolute or from the working directory, or a file URL.
 * @throws TypeError for a bad argument; the system's error for a file that can't be looked at (EACCES, say).
 */
export function fileResponse(
  request: WebRequest,
  path: string | URL,
  options?: FileResponseOptions,
): Promise<globalThis.Response> {
  return respondWeb(host().shared, request, path, options);
}
