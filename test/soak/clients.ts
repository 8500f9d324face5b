// Who asks: whole files, ranges, slowly, over HTTP and over bare sockets, and some go away in the middle. Each
// body that came whole is compared with the version that its header names.

import { createHash } from "node:crypto";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import type { Files, Stock } from "./files.js";

export type Dice = (below: number) => number;

export interface Tally {
  /** Bodies that came whole, and whose digest is right. */
  whole: number;
  ranges: number;
  slow: number;
  bare: number;
  bytes: number;
  notModified: number;
  pages: number;
  /** We went away. */
  aborted: number;
  /** The other side did, which a restart explains. */
  cut: number;
  /** Whole, but of a version that is no longer kept. */
  unknown: number;
}

/** The other side went away before the body was whole. */
export class Cut extends Error {}

/** What is done with the bytes as they come. */
interface Taste {
  /** Pauses of so many ms, after each so many bytes. */
  pause: number;
  /** Goes away after so many bytes. */
  abortAt: number;
}

const READ = 256 << 10;
/** Slow ones ask for this much at most, or the soak would end with them. */
const SLOW_BYTES = 4 << 20;

export class Clients {
  readonly #files: Files;
  readonly #http: number;
  readonly #bare: number;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly tally: Tally = {
    whole: 0,
    ranges: 0,
    slow: 0,
    bare: 0,
    bytes: 0,
    notModified: 0,
    pages: 0,
    aborted: 0,
    cut: 0,
    unknown: 0,
  };

  constructor(files: Files, httpPort: number, barePort: number) {
    this.#files = files;
    this.#http = httpPort;
    this.#bare = barePort;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** One request of any kind. */
  async one(dice: Dice): Promise<void> {
    const { all } = this.#files;
    // Small ones are asked for more often: the largest would leave no time for anything else.
    const stock = all[Math.min(dice(all.length), dice(all.length + 3))] as Stock;
    const kind = dice(20);
    if (kind === 0) return this.#page();
    if (kind === 1) return this.#conditional(stock);
    const slow = kind < 4;
    const ranged = stock.size > 0 && (dice(3) === 0 || (slow && stock.size > SLOW_BYTES));
    const from = ranged ? dice(stock.size) : 0;
    const most = slow ? SLOW_BYTES : stock.size;
    const to = ranged ? Math.min(stock.size, from + 1 + dice(most)) : stock.size;
    const length = to - from;
    const taste = { pause: slow ? 20 + dice(50) : 0, abortAt: dice(10) === 0 ? dice(length + 1) : -1 };
    if (dice(3) === 0) await this.#overBare(stock, from, to, taste, dice);
    else await this.#overHttp(stock, from, to, taste);
  }

  /** A small file, whole, over HTTP and over a bare socket. */
  async small(dice: Dice): Promise<void> {
    const stock = this.#files.all[3] as Stock;
    const taste = { pause: 0, abortAt: -1 };
    await this.#overHttp(stock, 0, stock.size, taste);
    await this.#overBare(stock, 0, stock.size, taste, dice);
  }

  #get(path: string, headers: Record<string, string>): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const req = http.get({ port: this.#http, host: "127.0.0.1", path, headers, agent: this.#agent }, resolve);
      req.on("error", (error) => reject(new Cut(error.message)));
    });
  }

  async #page(): Promise<void> {
    const res = await this.#get("/", {});
    const bytes = await taken(res, { pause: 0, abortAt: -1 });
    if (res.statusCode !== 200 || bytes === null) throw new Error(`the page of the folder: ${res.statusCode}`);
    this.tally.pages++;
  }

  async #conditional(stock: Stock): Promise<void> {
    const first = await this.#get(`/${stock.name}`, { Range: "bytes=0-0" });
    await taken(first, { pause: 0, abortAt: -1 });
    const again = await this.#get(`/${stock.name}`, { "If-None-Match": String(first.headers.etag) });
    // It may have been replaced in between.
    if (again.statusCode === 304) this.tally.notModified++;
    const got = await taken(again, { pause: 0, abortAt: -1 });
    if (again.statusCode === 200)
      await this.#compare(stock, Date.parse(String(again.headers["last-modified"])), 0, got);
    else if (again.statusCode !== 304) throw new Error(`If-None-Match: ${again.statusCode}`);
  }

  async #overHttp(stock: Stock, from: number, to: number, taste: Taste): Promise<void> {
    const ranged = to - from < stock.size;
    const headers: Record<string, string> = ranged ? { Range: `bytes=${from}-${to - 1}` } : {};
    const res = await this.#get(`/${stock.name}`, headers);
    const wanted = ranged ? 206 : 200;
    if (res.statusCode !== wanted) throw new Error(`${stock.name}: ${res.statusCode} in place of ${wanted}`);
    if (Number(res.headers["content-length"]) !== to - from) throw new Error(`${stock.name}: not the length asked for`);
    const got = await taken(res, taste);
    if (got === null) return void this.tally.aborted++;
    if (ranged) this.tally.ranges++;
    if (taste.pause > 0) this.tally.slow++;
    await this.#compare(stock, Date.parse(String(res.headers["last-modified"])), from, got);
  }

  async #overBare(stock: Stock, from: number, to: number, taste: Taste, dice: Dice): Promise<void> {
    const socket = net.connect(this.#bare, "127.0.0.1");
    const count = to > from ? to - from : undefined;
    const mode = dice(4) === 0 ? "copy" : "auto";
    socket.write(JSON.stringify({ file: join(this.#files.root, stock.name), offset: from, count, mode }));
    const got = await taken(socket, taste, true);
    if (got === null) return void this.tally.aborted++;
    if (got.bytes < to - from) throw new Cut(`${got.bytes} of ${to - from} bytes`);
    this.tally.bare++;
    if (taste.pause > 0) this.tally.slow++;
    await this.#compare(stock, got.modified, from, got);
  }

  async #compare(stock: Stock, modified: number, from: number, got: Taken | null): Promise<void> {
    const { bytes, digest } = got as Taken;
    const wanted = await this.#files.digest(stock, modified, from, from + bytes);
    if (wanted === null) return void this.tally.unknown++;
    if (wanted !== digest) {
      const words = `${stock.name} from ${from}, ${bytes} bytes, version of ${new Date(modified).toISOString()}`;
      throw new Error(`a body that is not what its header says: ${words}`);
    }
    this.tally.whole++;
    this.tally.bytes += bytes;
  }
}

interface Taken {
  bytes: number;
  digest: string;
  /** What the first line says, where there is one. */
  modified: number;
}

/** Takes a body in; null where we went away on the way. */
async function taken(from: http.IncomingMessage | net.Socket, taste: Taste, line = false): Promise<Taken | null> {
  const hash = createHash("sha256");
  let bytes = 0;
  let modified = Number.NaN;
  let paused = 0;
  let head = line ? "" : null;
  try {
    for await (let chunk of from as AsyncIterable<Buffer>) {
      if (head !== null) {
        const end = chunk.indexOf("\n");
        head += chunk.subarray(0, end < 0 ? chunk.length : end).toString();
        if (end < 0) continue;
        modified = Number(head);
        head = null;
        chunk = chunk.subarray(end + 1);
      }
      hash.update(chunk);
      bytes += chunk.length;
      if (taste.abortAt >= 0 && bytes > taste.abortAt) {
        from.destroy();
        return null;
      }
      if (taste.pause > 0 && bytes - paused > READ) {
        paused = bytes;
        await new Promise((resolve) => setTimeout(resolve, taste.pause));
      }
    }
  } catch (error) {
    throw new Cut((error as Error).message);
  }
  if (head !== null) throw new Cut("no first line");
  return { bytes, digest: hash.digest("hex"), modified };
}
