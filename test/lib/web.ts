// Servers and raw clients for the HTTP tests: the bytes on the wire.

import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import http, { type RequestListener, type ServerOptions } from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { host } from "#process";

/** A folder of its own; `remove` takes it away. */
export function folder(files: Record<string, number | string | Uint8Array>): { root: string; remove(): void } {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "sendoff-web-"));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, typeof content === "number" ? randomFillSync(Buffer.alloc(content)) : content);
  }
  return { root, remove: () => fs.rmSync(root, { recursive: true, force: true }) };
}

export interface Site {
  port: number;
  server: http.Server;
  close(): Promise<void>;
}

export async function site(listener: RequestListener, options: ServerOptions = {}): Promise<Site> {
  const server = http.createServer(options, listener);
  server.on("clientError", (_error, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { port, server, close };
}

/** Sends `text` and reads until the other side ends; `half` ends ours at once. */
export async function exchange(port: number, text: string, half = false): Promise<Buffer> {
  const socket = net.connect(port, "127.0.0.1");
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.on("error", () => {});
  if (half) socket.end(text);
  else socket.write(text);
  await once(socket, "close");
  return Buffer.concat(parts);
}

/** GET by default; headers as lines. The connection is closed after it. */
export function request(url: string, lines: string[] = [], method = "GET"): string {
  return [`${method} ${url} HTTP/1.1`, "Host: x", "Connection: close", ...lines, "", ""].join("\r\n");
}

/** One response taken apart; Date, which moves, left out. */
export function parse(bytes: Buffer): { status: string; headers: string[]; body: Buffer } {
  const end = bytes.indexOf("\r\n\r\n");
  const [status = "", ...headers] = bytes.subarray(0, Math.max(0, end)).toString("latin1").split("\r\n");
  return {
    status,
    headers: headers.filter((line) => !/^date:/i.test(line)),
    body: bytes.subarray(end < 0 ? bytes.length : end + 4),
  };
}

/** The same bytes, with every Date line the same. */
export function undated(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString("latin1").replace(/^Date: [^\r]*/gm, "Date: -"), "latin1");
}

export function header(headers: string[], name: string): string | undefined {
  const line = headers.find((one) => one.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  return line?.slice(name.length + 1).trim();
}

/** Fails a test that hangs. */
export function within<T>(promise: Promise<T>, what: string, ms = 30_000): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Open descriptors of this process, without the files that only stay open for their next use. */
export function descriptors(): number {
  host().shared.files.clear();
  return fs.readdirSync("/proc/self/fd").length;
}

/** Whether nobody listens on a port. */
export const refused = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => resolve(true));
    socket.on("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });
