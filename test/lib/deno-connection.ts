// A line whose near end is a Deno.Conn. The rows are written for net.Socket, so it is dressed as one, as far as
// they go; what sendfile() is given is the connection itself.

import { once } from "node:events";
import * as net from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import { host } from "#process";
import type { Conn } from "../../host/runtimes/deno/globals.js";
import { certificate } from "./certificate.js";
import type { Connection, ConnectionOptions } from "./connection.js";
import { tempFolder } from "./files.js";
import type { Cleanup } from "./suite.js";

type Address = { hostname?: string; port?: number; transport?: string; path?: string };
interface DenoNet {
  listen(address: Address): { readonly addr: Address; accept(): Promise<Conn>; close(): void };
  listenTls(address: Address & { key: string; cert: string }): ReturnType<DenoNet["listen"]>;
  connect(address: Address): Promise<Conn>;
}

const conns = new WeakMap<object, Conn>();

/** The argument of sendfile() for the near end of a connection. */
export function outOf(near: net.Socket): net.Socket {
  return (conns.get(near) ?? near) as net.Socket;
}

class Near {
  readonly #conn: Conn;
  #last: Promise<unknown> = Promise.resolve();

  constructor(conn: Conn) {
    this.#conn = conn;
    conns.set(this, conn);
  }

  /** Bytes sent by transfers; rows wait for these. */
  get bytesWritten(): number {
    return host().shared.queue(this.#conn)?.activity() ?? 0;
  }

  write(bytes: string | Uint8Array, done: () => void = () => {}): void {
    const all = async () => {
      const rest = Buffer.from(bytes as Uint8Array);
      for (let at = 0; at < rest.length; ) at += await this.#conn.write(rest.subarray(at));
    };
    this.#last = this.#last.then(all).then(done, () => {});
  }

  end(): void {
    this.#last = this.#last.then(() => this.#conn.closeWrite()).catch(() => {});
  }

  destroy(): void {
    try {
      this.#conn.close();
    } catch {} // the test closed it
  }

  pause(): void {}
}

export async function connectDeno(cleanup: Cleanup, options: ConnectionOptions): Promise<Connection> {
  const { Deno } = globalThis as unknown as { Deno: DenoNet };
  const { over = "tcp", side = "server" } = options;
  const hostname = over === "tcp6" ? "::1" : "127.0.0.1";
  const path = join(tempFolder(cleanup), "socket");
  let conn: Conn;
  let far: net.Socket;
  if (side === "client") {
    const server = net.createServer({ pauseOnConnect: true });
    if (over === "unix") server.listen(path);
    else server.listen(0, hostname);
    await once(server, "listening");
    cleanup.after(() => server.close());
    const accepted = once(server, "connection");
    const { port } = server.address() as net.AddressInfo;
    conn = await Deno.connect(over === "unix" ? { transport: "unix", path } : { hostname, port });
    [far] = (await accepted) as [net.Socket];
  } else {
    const address = over === "unix" ? { transport: "unix", path } : { hostname, port: 0 };
    const listener = over === "tls" ? Deno.listenTls({ ...address, ...certificate() }) : Deno.listen(address);
    cleanup.after(() => listener.close());
    const { port = 0 } = listener.addr;
    const accepting = listener.accept();
    if (over === "tls") far = tls.connect({ host: hostname, port, rejectUnauthorized: false });
    else far = over === "unix" ? net.connect(path) : net.connect(port, hostname);
    far.on("error", () => {});
    const connected = once(far, over === "tls" ? "secureConnect" : "connect");
    conn = await accepting;
    if ("handshake" in conn) await (conn as Conn & { handshake(): Promise<unknown> }).handshake();
    await connected;
  }
  far.on("error", () => {});
  const near = new Near(conn);
  cleanup.after(() => {
    near.destroy();
    far.destroy();
  });
  return { near: near as unknown as net.Socket, far };
}
