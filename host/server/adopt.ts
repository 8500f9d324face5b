// Takes over a connection from a loop: as if the http.Server had accepted it, with what was read of it already.

import type { Server } from "node:http";
import { Socket } from "node:net";
import type { Handed } from "../loop/messages.js";

/** The socket; null if the fd is no good any more. */
export function adopt(server: Server, { fd, bytes }: Handed): Socket | null {
  let socket: Socket;
  try {
    socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  } catch {
    return null;
  }
  if (bytes.length > 0) socket.unshift(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  server.emit("connection", socket);
  return socket;
}
