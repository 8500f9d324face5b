// How a connection ends behind its last answer: our side is shut, and what the client still sends is dropped for a while.
// Who closes over unread input resets the connection, and that cuts off what of the answer is still on its way (RFC 9112,
// section 9.6). The loop does the same.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { LINGER } from "../loop/messages.js";

/** Those that are ending: what still comes is no news. */
const ending = new WeakSet<Duplex>();

/** Those whose answer was over before their body. */
const answered = new WeakSet<IncomingMessage>();

export const isAnswered = (request: IncomingMessage): boolean => answered.has(request);

/** Marks it. False if it was ending already. */
export function begin(socket: Duplex): boolean {
  if (ending.has(socket)) return false;
  ending.add(socket);
  return true;
}

/** `lingers`: more input may come, and has to be read before the connection is closed. */
export function end(socket: Socket, text: string, lingers: boolean): void {
  if (socket.destroyed) return;
  if (text !== "") socket.write(text, "latin1");
  if (!lingers) return void socket.destroySoon();
  const timer = setTimeout(() => socket.destroy(), LINGER);
  socket.once("close", () => clearTimeout(timer));
  socket.once("end", () => socket.destroy());
  socket.end();
  socket.resume();
}

/** `_last` is undocumented: the connection ends behind this response. */
type Response = ServerResponse & { req: IncomingMessage; _last?: boolean };

/**
 * Has `answer` linger. Node closes behind the last answer at once: also where a body is still to come, and where the client could
 * not know that its next request is one too many.
 */
export function lingering(answer: RequestListener): RequestListener {
  return (req, res) => {
    if (ending.has(req.socket)) return; // one too many
    res.on("prefinish", res.shouldKeepAlive ? linger : lingerForBody);
    answer(req, res);
  };
}

/** Of a client that has said that it asks for nothing more. */
function lingerForBody(this: Response): void {
  if (!this.req.complete) linger.call(this);
}

function linger(this: Response): void {
  const { socket, complete } = this.req;
  if (!complete) answered.add(this.req);
  if (this._last !== true || !begin(socket)) return;
  this._last = false;
  this.prependOnceListener("close", () => end(socket, "", true));
}
