// A connection: `near` is the side that sends, `far` the side that takes in, and takes its time.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import * as net from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import { host } from "#process";
import { queueOf } from "../../host/queue/kinds.js";
import { certificate } from "./certificate.js";
import { WATCHDOG } from "./command.js";
import { connectDeno } from "./deno-connection.js";
import { tempFolder } from "./files.js";
import { type ConnectionKind, lacks } from "./runtime.js";
import type { Cleanup } from "./suite.js";

const LOWAT = "/proc/sys/net/ipv4/tcp_notsent_lowat";

/** Why no socket of its own is to be bound in what the kernel holds unsent; null if the administrator has bound none. */
export function boundEverywhere(): string | null {
  const value = readFileSync(LOWAT, "latin1").trim();
  return value === "4294967295" ? null : `${LOWAT} is ${value}`;
}

export type Over = "tcp" | "tcp6" | "unix" | "tls";

export interface ConnectionOptions {
  /** Whose connection the sending side is. Default: node:net. */
  kind?: ConnectionKind;
  over?: Over;
  /** The sending side: the one that connected, or the one that accepted. Default: server. */
  side?: "client" | "server";
  /** Of the side that sends. Default: false, as in Node. */
  allowHalfOpen?: boolean;
}

export interface Connection {
  near: net.Socket;
  /** Paused: it reads nothing until it is told to. */
  far: net.Socket;
}

export async function connect(cleanup: Cleanup, options: ConnectionOptions = {}): Promise<Connection> {
  const { kind = "node:net", over = "tcp", side = "server", allowHalfOpen = false } = options;
  if (kind === "Deno.Conn") return connectDeno(cleanup, options);
  const near = side === "server" ? { allowHalfOpen } : {};
  const server =
    over === "tls" ? tls.createServer(certificate()) : net.createServer({ ...near, pauseOnConnect: side === "client" });
  const address = await listen(cleanup, server, over);
  const accepted = once(server, over === "tls" ? "secureConnection" : "connection");
  const client =
    over === "tls"
      ? tls.connect({ ...address, rejectUnauthorized: false })
      : net.connect({ ...address, allowHalfOpen: side === "client" && allowHalfOpen });
  keep(cleanup, client);
  await once(client, over === "tls" ? "secureConnect" : "connect");
  const [other] = (await accepted) as [net.Socket];
  keep(cleanup, other);
  return side === "server" ? { near: other, far: client } : { near: client, far: other };
}

/** Listens on an address of its own, and returns the options for `net.connect`. */
export async function listen(cleanup: Cleanup, server: net.Server, over: Over = "tcp"): Promise<net.NetConnectOpts> {
  const host = over === "tcp6" ? "::1" : "127.0.0.1";
  if (over === "unix") server.listen(place(tempFolder(cleanup)));
  else server.listen(0, host);
  await once(server, "listening");
  cleanup.after(() => new Promise((done) => server.close(done)));
  const address = server.address();
  return typeof address === "string" ? { path: address } : { host, port: (address as net.AddressInfo).port };
}

/** A connection to a server of http or https, which listens for it. */
export async function client(cleanup: Cleanup, server: net.Server): Promise<net.Socket> {
  const address = (await listen(cleanup, server)) as net.TcpNetConnectOpts;
  const secure = server instanceof https.Server;
  const socket = secure ? tls.connect({ ...address, rejectUnauthorized: false }) : net.connect(address);
  keep(cleanup, socket);
  return socket;
}

/** A path to listen at: that of a socket, and on Windows, where sockets have none, the name of a pipe. */
export function place(folder: string): string {
  return process.platform === "win32" ? join("\\\\.\\pipe", folder) : join(folder, "socket");
}

/** Closed after the test; errors are ignored, because the transfer reports them. */
export function keep(cleanup: Cleanup, socket: net.Socket): void {
  socket.on("error", () => {});
  cleanup.after(() => socket.destroy());
}

/** Reads everything, to the end; rejects if the connection breaks before it. */
export function collect(far: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const all = (async () => {
    for await (const chunk of far) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  })();
  all.catch(() => {}); // a test that has failed before it looks here has said why
  return all;
}

/** Reads everything of a TLS connection, to the end if the runtime reports it, else the expected bytes. */
export function collectTls(far: net.Socket, size: number): Promise<Buffer> {
  return lacks("the end of a TLS connection") === null ? collect(far) : take(far, size);
}

/** Takes in at least `size` bytes, then is paused again. */
export function take(far: net.Socket, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    const over = () => reject(new Error(`the connection ended after ${length} of ${size} bytes`));
    const data = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length < size) return;
      far.pause();
      far.off("data", data).off("end", over).off("close", over);
      resolve(Buffer.concat(chunks));
    };
    if (size === 0) return resolve(Buffer.alloc(0));
    far.on("data", data).on("end", over).on("close", over);
    far.resume();
  });
}

/** The fd for native calls; -1 if there is none. */
export function fdOf(socket: net.Socket): number {
  return queueOf(socket, host().shared.fdOf).fd();
}

/** Turns of the event loop, until something is so. */
export async function until(so: () => boolean, told = () => "waited in vain"): Promise<void> {
  const end = Date.now() + WATCHDOG;
  while (!so()) {
    if (Date.now() > end) throw new Error(told());
    await new Promise((next) => setImmediate(next));
  }
}

/** Resolves once a stalled transfer's bytes stand still: the buffers on the way are full. */
export async function still(figure: () => number): Promise<void> {
  for (let before = -1, quiet = 0; quiet < 20; ) {
    await new Promise((next) => setTimeout(next, 5));
    const now = figure();
    quiet = now > 0 && now === before ? quiet + 1 : 0;
    before = now;
  }
}
