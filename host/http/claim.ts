// Whether a body can bypass the stream that it is written to, and go straight to the socket.

import { OutgoingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { getPrototypeOf, hasOwn, isArray } from "../originals.js";
import { queueOf } from "../queue/kinds.js";
import type { Queue } from "../queue/queue.js";
import type { Shared } from "../shared.js";
import { announces, type Inner, letsFollow, type Response, renderHeader } from "./message.js";

// As they were when this was loaded: later replacements must see the bytes.
const { write, _send, _writeRaw } = OutgoingMessage.prototype as unknown as Inner & OutgoingMessage;
const socketWrite = Socket.prototype.write;
const REPLACED = "socket.write was replaced";

/** Why the body can't bypass the response to its socket; null if it can. Renders no header. */
export function bypassBlocker(res: Response): string | null {
  const inner = res as Response & Inner;
  if (!(res instanceof ServerResponse)) return "not a node:http response";
  if (inner.write !== write || inner._send !== _send || inner._writeRaw !== _writeRaw) return "res.write was replaced";
  if (inner._header !== null && typeof inner._header !== "string") return "res._header is not there";
  if (typeof inner._headerSent !== "boolean" || typeof inner._implicitHeader !== "function") return "no _headerSent";
  // Node compares the bytes given to write() with Content-Length at end(), and throws.
  if (inner.strictContentLength !== false) return "strictContentLength";
  const { socket } = res;
  if (!(socket instanceof Socket)) return "the response has no socket yet: others in its pipeline come first";
  if ((socket as Socket & { _httpMessage?: unknown })._httpMessage !== res) return "the socket is another's";
  if (socket.write !== socketWrite) return REPLACED;
  if (socket.writableCorked > 0) return "the socket is corked";
  // Node has paused it, and reads the next request after a 'drain' of its own bytes.
  if (socket.writableHighWaterMark === 0) return "highWaterMark is 0";
  if (!isArray(inner.outputData) || inner.outputData.length > 0) return "the response holds data back";
  return null;
}

/**
 * Why the body must not be written to the response in place of a stream piped to it: a wrapper might notice. Null for a
 * response of node:http2 as it was made, of which nothing can be bypassed.
 */
export function pipeBlocker(res: Response): string | null {
  const http2 = getPrototypeOf(res)?.constructor?.name === "Http2ServerResponse";
  return http2 && !hasOwn(res, "write") && !hasOwn(res, "end") ? null : bypassBlocker(res);
}

/** The queue of a socket that native calls can write to, or with `copies` an encrypted one; else why there is none. */
export function claimSocket(shared: Shared, socket: Socket, copies = false): Queue | string {
  if (shared.reason !== null) return shared.reason;
  if (socket.write !== socketWrite) return REPLACED;
  const queue = queueOf(socket, shared.fdOf);
  if (queue.retainsChunks) return "a write method of the socket or its handle was replaced";
  const encrypted = copies && (socket as Socket & { encrypted?: boolean }).encrypted === true;
  return socket.connecting || encrypted || queue.fd() >= 0 ? queue : "not a plain socket";
}

/**
 * The same for a response's body of `count` bytes; of any length, and in any framing, if the header announces none and
 * `framed` allows it. Renders the header, if nothing before rules it out.
 */
export function claimResponse(
  shared: Shared,
  res: Response,
  count: number,
  framed: boolean,
  copies: boolean,
): Queue | string {
  const blocker = bypassBlocker(res);
  if (blocker !== null) return blocker;
  const queue = claimSocket(shared, res.socket as Socket, copies);
  if (typeof queue === "string") return queue;
  renderHeader(res);
  if (announces(res, count) || (framed && letsFollow(res))) return queue;
  return "a response without a body, or another one";
}
