// What a client gets whose request node:http can't parse. Node answers 400 at once, instead of a response that has not
// begun, and cuts off one that has. Here what was asked for before comes whole, as from a loop and from nginx; and the
// connection is closed without a reset.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { begin, end, isAnswered } from "./lingering.js";

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

/** Responses, and the status of the answer in their place. */
const instead = new WeakMap<ServerResponse, number>();

/** The status that was sent in the place of this response, which goes nowhere, whatever becomes of it; undefined if none was. */
export const statusInstead = (response: ServerResponse): number | undefined => instead.get(response);

/** A listener of http.Server's "clientError". */
export function endClient(error: Error & { code?: string }, socket: Socket): void {
  if (!begin(socket)) return;
  const { code = "" } = error;
  const isParsed = code.startsWith("HPE_");
  if (!socket.writable || !(isParsed || code in STATUSES)) return void socket.destroy();
  const { incoming } = (socket as Socket & Inner).parser ?? {};
  const broken = incoming?.complete === false ? incoming : null;
  answered(socket, STATUSES[code] ?? BAD, isParsed, broken);
}

/** A listener of http.Server's "connect": closes the connection as Node does, but behind what was asked for before. */
export function endConnect(_request: unknown, socket: Duplex): void {
  if (!begin(socket)) return;
  answered(socket as Socket, null, true);
}

/** Waits for the answers that are on their way, then says `status`: instead of the answer to `broken`, whose body is none. */
function answered(
  socket: Socket,
  status: string | null,
  lingers: boolean,
  broken: IncomingMessage | null = null,
): void {
  const response = (socket as Socket & Inner)._httpMessage;
  const text = status === null ? "" : `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`;
  if (!response) return end(socket, broken !== null && isAnswered(broken) ? "" : text, lingers);
  if (response.req === broken && !response._headerSent) {
    if (status !== null) instead.set(response, Number.parseInt(status, 10));
    return end(socket, text, lingers);
  }
  if (response.req === broken && !response.writableEnded) return void socket.destroy();
  const { _last: isLast } = response;
  response._last = false; // Node would close over what is unread
  response.once("close", () => setImmediate(() => answered(socket, isLast ? null : status, lingers, broken)));
}
