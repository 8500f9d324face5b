// What a client gets whose request node:http can't parse. Node answers 400 at once, instead of a response that has not
// begun, and cuts off one that has. Here what was asked for before comes whole, as from a loop and from nginx; and the
// connection is closed without a reset.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { begin, end } from "./lingering.js";

/** As Node answers. */
const STATUSES: { readonly [code: string]: string } = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};
const BAD = "400 Bad Request";

/** Of node:http's, undocumented. */
interface Inner {
  /** The response whose turn it is; `_last`: the connection ends behind it. */
  readonly _httpMessage?: (ServerResponse & { _last: boolean; _headerSent: boolean }) | null;
  /** The request that is being read. */
  readonly parser?: { readonly incoming?: IncomingMessage | null } | null;
}

/** A listener of http.Server's "clientError". */
export function endClient(error: Error & { code?: string }, socket: Socket): void {
  if (!begin(socket)) return;
  const { code = "" } = error;
  const isParsed = code.startsWith("HPE_");
  const { parser, _httpMessage: current } = socket as Socket & Inner;
  const text = `HTTP/1.1 ${STATUSES[code] ?? BAD}\r\nConnection: close\r\n\r\n`;
  // In its own body: there is no answer but this one.
  const isOwn = parser?.incoming?.complete === false;
  if (!socket.writable || !(isParsed || code in STATUSES) || (isOwn && current?._headerSent)) {
    return void socket.destroy();
  }
  if (isOwn) end(socket, text, isParsed);
  else answered(socket, text, isParsed);
}

/** A listener of http.Server's "connect": closes the connection as Node does, but behind what was asked for before. */
export function endConnect(_request: unknown, socket: Duplex): void {
  if (!begin(socket)) return;
  answered(socket as Socket, "", true);
}

/** Waits for the answers that are on their way, then says `text`. */
function answered(socket: Socket, text: string, lingers: boolean): void {
  const response = (socket as Socket & Inner)._httpMessage;
  if (!response) return end(socket, text, lingers);
  const { _last: isLast } = response;
  response._last = false; // Node would close over what is unread
  response.once("close", () => setImmediate(() => answered(socket, isLast ? "" : text, lingers)));
}
