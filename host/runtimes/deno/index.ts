// The entry point for Deno >= 2.

import type { Writable } from "node:stream";
import type { File } from "../../source/source.js";
import type { SendfileOptions } from "../../transfer/options.js";
import { host } from "./adapter.js";
import type { Conn, FsFile } from "./globals.js";

export * from "../../common.js";
export type { Address, Conn, FileInfo, FsFile, NetAddress } from "./globals.js";

/**
 * Sends a file over a connection: by the kernel's sendfile(2) if it is available, else by copies.
 *
 * Earlier writes go out before it, and a second transfer waits for the first. On a `net.Socket` later writes go
 * out after it; on a `Deno.Conn` only those made once the transfer is over. The connection is left open.
 *
 * A path is opened and closed by the call. A `Deno.FsFile` stays open, with its position at `offset` + the
 * bytes sent, on success and on failure; so do a `FileHandle` and an fd if native calls are available. A
 * stream is read from its current position, and used up.
 *
 * Native calls need `--allow-ffi`: if it is not granted already everything is copied, without a prompt.
 * `--allow-read` is needed for paths, and by `capabilities()`.
 *
 * @param socket a `Deno.Conn` (TCP, Unix or TLS), a `net.Socket`, a `tls.TLSSocket` or any other `Writable`.
 * @param file path, file URL, `Deno.FsFile`, `FileHandle`, fd of node:fs, `Blob`, bytes, readable stream or
 *   async iterable of bytes.
 * @returns the bytes of the file that were sent, header and trailer not counted. As CPython's
 *   socket.sendfile(), but a file that is shorter than it was at the start is an error, not a short count.
 * @throws TypeError or RangeError for a bad argument, before anything is opened or sent;
 *   {@link SendfileError} for everything else, with the bytes `sent`. If all were sent and then close(2) fails on
 *   a path (EIO, EDQUOT), that is the error, with `syscall` "close", as at the end of CPython's `with open()` and of
 *   Node's `pipeline()`.
 */
export function sendfile(socket: Writable | Conn, file: File | FsFile, options?: SendfileOptions): Promise<number> {
  return host().sendfile(socket, file, options);
}
