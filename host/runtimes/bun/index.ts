// The entry point for Bun >= 1.2.

import type { Writable } from "node:stream";
import type { File } from "../../source/source.js";
import type { SendfileOptions } from "../../transfer/options.js";
import { host } from "./adapter.js";
import type { TCPSocket } from "./socket.js";

export * from "../../common.js";
export { drained, type TCPSocket } from "./socket.js";

/**
 * Sends a file over a socket: by the kernel's sendfile(2) if it is available, else by copies.
 *
 * The transfer is queued among the socket's writes: earlier writes go out before it, later ones after it, and
 * a second transfer waits for the first. A socket of `Bun.listen` or `Bun.connect` has no queue: a write or end
 * before the transfer is over gets in between. The socket is left open.
 *
 * A path is opened and closed by the call. A `FileHandle` and an fd stay open, with their position
 * at `offset` + the bytes sent, on success and on failure, if native calls are available. A stream is
 * read from its current position, and used up.
 *
 * @param socket a `net.Socket` (TCP or Unix), a socket of `Bun.listen` or `Bun.connect`, a `tls.TLSSocket` or any
 *   other `Writable`.
 * @param file path, file URL, `Bun.file`, a slice of one, `FileHandle`, fd, `Blob`, bytes, readable stream or async
 *   iterable of bytes.
 * @returns the bytes of the file that were sent, header and trailer not counted. As CPython's
 *   socket.sendfile(), but a file that is shorter than it was at the start is an error, not a short count.
 * @throws TypeError or RangeError for a bad argument, before anything is opened or sent;
 *   {@link SendfileError} for everything else, with the bytes `sent`. If all were sent and then close(2) fails on
 *   a path (EIO, EDQUOT), that is the error, with `syscall` "close", as at the end of CPython's `with open()` and of
 *   Node's `pipeline()`.
 */
export function sendfile(socket: Writable | TCPSocket, file: File, options?: SendfileOptions): Promise<number> {
  return host().sendfile(socket, file, options);
}
