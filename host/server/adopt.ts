// Takes over a connection from a loop: as if the http.Server had accepted it, with what was read of it already.

import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Handed } from "../loop/messages.js";
import { countIn } from "./listens.js";
import type { ServerRuntime } from "./runtime.js";

/** The socket; null if the fd is no good any more. */
export function adopt(server: Server, { fd, bytes }: Handed, { socketOf }: ServerRuntime): Socket | null {
  let socket: Socket;
  try {
    socket = socketOf(fd);
  } catch {
    return null;
  }
  if (bytes.length > 0) socket.unshift(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  countIn(server, socket);
  server.emit("connection", socket);
  return socket;
}
