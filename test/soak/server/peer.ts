// A client's connection, and what comes on it: heads and bodies, read no faster than they are asked for.

import { once } from "node:events";
import * as net from "node:net";

/** A connection that says nothing for this long, in ms, hangs. */
const HANGS = 60_000;

/** The server has ended the connection before all was there. */
export class Cut extends Error {}

export interface Head {
  readonly status: number;
  /** By names in small letters. */
  readonly fields: { readonly [name: string]: string };
}

export interface Pace {
  /** Waits so many ms before each read. */
  readonly pause?: number;
  /** Goes away after so many bytes. */
  readonly leaveAt?: number;
}

/** We have gone away ourselves. */
export class Left extends Error {}

export class Peer {
  readonly opened = performance.now();
  readonly #socket: net.Socket;
  #rest: Buffer = Buffer.alloc(0);
  #error = "an end";
  #wake = () => {};

  private constructor(port: number) {
    this.#socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const wake = () => this.#wake();
    for (const event of ["readable", "end", "close"]) this.#socket.on(event, wake);
    this.#socket.on("error", (error) => {
      this.#error = error.message;
    });
  }

  static async connect(port: number): Promise<Peer> {
    const peer = new Peer(port);
    await once(peer.#socket, "connect");
    peer.#socket.setNoDelay(true);
    return peer;
  }

  /** Perhaps in pieces that begin anywhere; a failure is seen by what is read. */
  async write(text: string, dice: (below: number) => number, splits = true): Promise<void> {
    for (let at = 0; at < text.length; ) {
      const end = !splits || dice(4) > 0 ? text.length : at + 1 + dice(text.length - at);
      this.#socket.write(text.slice(at, end), "latin1");
      at = end;
      if (at < text.length) await new Promise((next) => setTimeout(next, dice(3)));
    }
  }

  /** Says that nothing more is asked for. */
  end(): void {
    this.#socket.end();
  }

  close(resets: boolean): void {
    if (resets) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** The next head; null if the server has ended the connection before. */
  async head(): Promise<Head | null> {
    let end = this.#rest.indexOf("\r\n\r\n");
    while (end < 0) {
      const chunk = await this.#read();
      if (chunk === null && this.#rest.length === 0) return null;
      if (chunk === null) throw new Cut(`${this.#error} within a head`);
      this.#rest = Buffer.concat([this.#rest, chunk]);
      end = this.#rest.indexOf("\r\n\r\n");
    }
    const [line = "", ...rest] = this.#rest.toString("latin1", 0, end).split("\r\n");
    this.#rest = this.#rest.subarray(end + 4);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(line.slice(0, 200))}`);
    const fields = rest.map((field) => [field.split(":", 1)[0]?.toLowerCase(), field.slice(field.indexOf(":") + 2)]);
    return { status, fields: Object.fromEntries(fields) };
  }

  /** Calls `each` with every piece of a body of so many bytes, and where it begins. */
  async body(
    length: number,
    each: (chunk: Buffer, at: number) => void,
    { pause = 0, leaveAt }: Pace = {},
  ): Promise<void> {
    for (let at = 0; at < length; ) {
      if (leaveAt !== undefined && at >= leaveAt) throw new Left();
      if (pause > 0) await new Promise((next) => setTimeout(next, pause));
      const chunk = this.#rest.length > 0 ? this.#rest : await this.#read();
      if (chunk === null) throw new Cut(`${this.#error} after ${at} of ${length} bytes`);
      const mine = chunk.subarray(0, length - at);
      this.#rest = chunk.subarray(mine.length);
      each(mine, at);
      at += mine.length;
    }
  }

  /** Reads on to the end; returns what came. */
  async drain(): Promise<Buffer> {
    const all = [this.#rest];
    this.#rest = Buffer.alloc(0);
    for (let chunk = await this.#read(); chunk !== null; chunk = await this.#read()) all.push(chunk);
    return Buffer.concat(all);
  }

  /** null at the end. */
  async #read(): Promise<Buffer | null> {
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      this.#wake();
    }, HANGS);
    try {
      for (;;) {
        const chunk: Buffer | null = this.#socket.read();
        if (chunk !== null) return chunk;
        if (this.#socket.readableEnded || this.#socket.destroyed) return null;
        if (hangs) throw new Error(`nothing came for ${HANGS / 1000} s`);
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
