// createFileServer() on the wire: a folder of files, raw requests, and all that comes for them, from one engine or from
// both, which have to agree.

import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import { createFileServer, type FileServer, type FileServerOptions } from "sendoff/server";
import * as assert from "uvu/assert";
import { pattern } from "./bytes.js";
import { tempFolder } from "./files.js";
import { lacks, runtime } from "./runtime.js";
import type { Cleanup } from "./suite.js";

export const SMALL = pattern(4096);
export const LARGE = pattern(3 * 1024 * 1024);
export const LAST_MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT";

/** Why no loop can run here; null if one can. */
export const noLoop: string | null = (({ reason }) => (reason === null ? null : `no loop here: ${reason}`))(
  createFileServer("."),
);

export type Engine = "loop" | "node";
export const ENGINES: readonly Engine[] = noLoop === null ? ["loop", "node"] : ["node"];

export const onDeno = runtime === "deno";
export const noHalfClosed = lacks("an answer to one who has half-closed");
/** For clients that are a process of their own: Deno takes no program on its command line. */
export const NODE = onDeno ? "node" : process.execPath;
/** Bun's http.Server reads what it has accepted itself in a way of its own, so that there is nothing to compare with. */
export const onBun = runtime === "bun";
const COMPARED = onBun ? (["loop"] as const) : ENGINES;

/** The files that are asked for; all but one are as old as LAST_MODIFIED. */
export function folder(t: Cleanup): string {
  const root = tempFolder(t);
  fs.writeFileSync(join(root, "small.bin"), SMALL);
  fs.writeFileSync(join(root, "large.bin"), LARGE);
  fs.writeFileSync(join(root, "empty.txt"), "");
  fs.writeFileSync(join(root, "a b.txt"), "a space\n");
  fs.writeFileSync(join(root, ".hidden"), "hidden\n");
  fs.mkdirSync(join(root, "sub"));
  fs.writeFileSync(join(root, "sub", "index.html"), "<p>sub</p>\n");
  fs.writeFileSync(join(root, "page.html"), "<p>page</p>\n".repeat(200));
  fs.writeFileSync(join(root, "page.html.gz"), "not really gzip\n");
  const old = new Date(LAST_MODIFIED);
  for (const name of ["small.bin", "large.bin", "empty.txt", "a b.txt", "page.html"])
    fs.utimesSync(join(root, name), old, old);
  return root;
}

export interface Serving {
  readonly server: FileServer;
  readonly port: number;
}

export async function serve(t: Cleanup, root: string, options: FileServerOptions = {}): Promise<Serving> {
  const server = createFileServer(root, options);
  t.after(() => server.close({ timeout: 0 }));
  const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
  return { server, port };
}

/** A request, the last one of its connection. */
export const get = (target: string, ...fields: string[]) =>
  [`GET ${target} HTTP/1.1`, "Host: localhost", ...fields, "Connection: close", "", ""].join("\r\n");
export const head = (target: string, ...fields: string[]) => get(target, ...fields).replace("GET", "HEAD");
/** One that others follow. */
export const first = (target: string, ...fields: string[]) =>
  [`GET ${target} HTTP/1.1`, "Host: localhost", ...fields, "", ""].join("\r\n");

type Piece = string | Uint8Array;

/** All bytes that come for these, until the server closes. Text is latin1. */
export async function talk(
  port: number,
  pieces: readonly Piece[],
  settle = async () => {},
  halfCloses = false,
): Promise<Buffer> {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const over = new Promise<void>((resolve) => {
    socket.once("error", () => resolve()); // an RST is an end, too
    socket.once("close", () => resolve());
    socket.once("end", () => socket.end());
  });
  await once(socket, "connect");
  socket.setNoDelay(true);
  for (const piece of pieces) {
    const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
    await new Promise((done) => socket.write(bytes, done));
    await settle();
  }
  if (halfCloses) socket.end();
  await over;
  return Buffer.concat(chunks);
}

/** As text, without what differs from time to time. */
export const undated = (bytes: Buffer) =>
  bytes
    .toString("latin1")
    .replace(/^Date: .*\r\n/gm, "")
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "boundary");

export interface Answered {
  readonly status: number;
  /** By names in small letters. */
  readonly fields: { readonly [name: string]: string };
  readonly body: string;
}

/** The answers in what has come, in order; `heads` are the numbers of those to HEAD. */
export function answersOf(text: string, heads: readonly number[] = []): Answered[] {
  const answers: Answered[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\r\n\r\n", at) + 4;
    const [line = "", ...rest] = text.slice(at, end - 4).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(line)?.[1] ?? assert.unreachable(`no status line: ${line}`));
    const fields = Object.fromEntries(
      rest.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 2)]),
    );
    let length = Number(fields["content-length"] ?? text.length);
    if (status < 200 || status === 304 || heads.includes(answers.length)) length = 0;
    else if (fields["transfer-encoding"] === "chunked") length = text.indexOf("0\r\n\r\n", end) + 5 - end;
    answers.push({ status, fields, body: text.slice(end, end + length) });
    at = end + length;
  }
  return answers;
}

/** Serves by each engine. What is returned sends the same to all, twice, and gives what came, which has to be the same. */
export async function both(t: Cleanup, root: string, options: FileServerOptions = {}) {
  const all = await Promise.all(COMPARED.map((engine) => serve(t, root, { ...options, engine })));
  const ask = async (...pieces: Piece[]): Promise<string> => {
    const texts: string[] = [];
    // The first time a loop asks for what it does not know; then it knows.
    for (const _ of ["first", "then"]) {
      const got = await Promise.all(all.map(({ port }) => talk(port, pieces)));
      texts.push(...got.map(undated));
    }
    for (const text of texts) {
      if (text === texts[0]) continue;
      assert.unreachable(
        `${String(pieces[0]).slice(0, 300)}: ${[...new Set(texts)].map((one) => one.slice(0, 300)).join("\n")}`,
      );
    }
    return texts[0] as string;
  };
  return { all, ask };
}
