// Clients of a file server that know each byte that may come, and ask again when their connection is lost.

import * as net from "node:net";
import { same } from "./bytes.js";

/** How often a client asks: a fault happens once, but a thread that it has ended takes its time. */
const TRIES = 20;

export interface Question {
  readonly request: string;
  /** All that may come, with blanks for the times. */
  readonly wanted: Buffer;
  /** Written once the answer has begun. */
  readonly after?: string;
}

/** Blanks for each Date of the answers in `like`, which are as long. */
function undated(bytes: Buffer, like: Buffer): Buffer {
  for (let at = like.indexOf("\r\nDate: "); at >= 0; at = like.indexOf("\r\nDate: ", at + 1)) {
    if (at + 8 < bytes.length) bytes.fill(" ", at + 8, Math.min(at + 37, bytes.length));
  }
  return bytes;
}

/** What one connection gives: until `length` bytes have come, or its end. */
async function bytesOf(port: number, { request, after }: Question, length: number): Promise<Buffer> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  const chunks: Buffer[] = [];
  let left = length;
  socket.write(request);
  if (after !== undefined) {
    // Not read yet: so the answer is still on its way.
    socket.once("readable", () => {
      socket.write(after);
      setTimeout(() => socket.on("data", take), 5);
    });
  } else socket.on("data", take);
  socket.on("error", () => {}); // lost
  const over = new Promise((resolve) => socket.once("close", resolve));
  function take(chunk: Buffer): void {
    chunks.push(chunk);
    left -= chunk.length;
    if (left <= 0) socket.destroy();
  }
  await over;
  return Buffer.concat(chunks);
}

/** All that comes until the server closes, as it is wanted from then on. */
export async function learn(port: number, request: string, after?: string): Promise<Question> {
  const bytes = await bytesOf(port, { request, wanted: Buffer.alloc(0) }, Number.POSITIVE_INFINITY);
  return { request, wanted: undated(bytes, Buffer.from(bytes)), ...(after === undefined ? {} : { after }) };
}

/** Asks until the whole answer has come. Fails if any byte of any try is wrong. */
export async function answered(port: number, question: Question): Promise<void> {
  const { wanted } = question;
  for (let i = 0; i < TRIES; i++) {
    if (i > 0) await new Promise((next) => setTimeout(next, 5 * i));
    const got = undated(await bytesOf(port, question, wanted.length), wanted);
    same(got, wanted.subarray(0, got.length), `answer to ${question.request.split("\r\n")[0]}`);
    if (got.length === wanted.length) return;
  }
  throw new Error(`no whole answer to ${question.request.split("\r\n")[0]}, in ${TRIES} tries`);
}
