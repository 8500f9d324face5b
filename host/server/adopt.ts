// Takes over a connection from a loop: as if the http.Server had accepted it, with what was read of it already.

import type { Server } from "node:http";
import type { Handed } from "../loop/messages.js";
import { countIn } from "./listens.js";
import type { ServerRuntime } from "./runtime.js";

/** Closes the fd by `close` if it is no good any more. Calls `done` once the server has the connection, or it is closed. */
export function adopt(
  server: Server,
  { fd, bytes }: Handed,
  { open }: ServerRuntime,
  close: (fd: number) => void,
  done: () => void,
): void {
  let isOpen = false;
  try {
    open(fd, (socket) => {
      isOpen = true;
      if (bytes.length > 0) socket.unshift(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      countIn(server, socket);
      server.emit("connection", socket);
      done();
    });
  } catch (error) {
    if (isOpen) throw error;
    close(fd);
    done();
  }
}
