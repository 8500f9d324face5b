// What clients do with a connection: ask for much on it, read slowly, vanish, say nothing, send odd things.

import type { Book } from "./book.js";
import type { Kills } from "./kills.js";
import { ODD, type Odd } from "./odd.js";
import { Cut, Left, type Pace, Peer } from "./peer.js";
import { type Dice, type Drawn, FileRequest, type Learned } from "./request.js";
import type { Stock, Versions } from "./versions.js";

/** Longer than the server's patience, in ms. */
const STUCK = 15_000;

export class Visits {
  readonly #port: number;
  readonly #versions: Versions;
  readonly #book: Book;
  readonly #kills: Kills;
  readonly #learned: Learned = new Map();
  readonly tally = {
    ...{ connections: 0, bytes: 0, pipelined: 0, slow: 0, vanished: 0, odd: 0, ended: 0, stuck: 0 },
    /** Cut off: since a thread was killed, or a file was truncated. */
    ...{ killed: 0, truncated: 0, numberless: 0 },
  };

  constructor(port: number, versions: Versions, book: Book, kills: Kills) {
    this.#port = port;
    this.#versions = versions;
    this.#book = book;
    this.#kills = kills;
  }

  /** A connection of any kind, from its beginning to its end. */
  async any(dice: Dice): Promise<void> {
    const kind = dice(20);
    if (kind < 10) return this.#visit((peer) => this.#browse(peer, dice));
    if (kind < 14) return this.#visit((peer) => this.#vanish(peer, dice));
    if (kind < 15) return this.#visit((peer) => this.#halfHead(peer, dice));
    return this.#visit((peer) => this.#strange(peer, dice));
  }

  /** One that takes its time, and no CPU. */
  async slow(dice: Dice): Promise<void> {
    const kind = dice(10);
    if (kind === 0) return this.#visit((peer) => this.#silent(peer, dice));
    if (kind === 1) return this.#visit((peer) => this.#stuck(peer, dice));
    return this.#visit((peer) => this.#slowly(peer, dice));
  }

  /** A few files that stay, one request a connection. */
  async plain(dice: Dice): Promise<void> {
    return this.#visit(async (peer) => {
      const request = this.#request(dice, { isLast: true, kind: "tame", stock: this.#named("page.bin") });
      await peer.write(request.text, dice);
      await this.#answer(peer, request);
      await this.#isEnd(peer);
    });
  }

  async #visit(visit: (peer: Peer) => Promise<void>): Promise<void> {
    const peer = await Peer.connect(this.#port);
    this.tally.connections++;
    try {
      await visit(peer);
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      if (!this.#kills.explain(peer)) {
        const age = Math.round(performance.now() - peer.opened);
        throw new Error(`cut off, ${age} ms old: ${error.message}; ${this.#kills}`, { cause: error });
      }
      this.tally.killed++;
    } finally {
      peer.close(false);
    }
  }

  #request(dice: Dice, drawn: Partial<Drawn> = {}): FileRequest {
    const { kind = "any", isLast = false, stock = this.#stock(dice, kind) } = drawn;
    return new FileRequest(this.#versions, this.#book, this.#learned, dice, { stock, isLast, kind });
  }

  #named(name: string): Stock {
    return this.#versions.named(name) as Stock;
  }

  #stock(dice: Dice, kind: Drawn["kind"]): Stock {
    const { all, lasting } = this.#versions;
    const some = kind === "tame" ? lasting : all;
    // Small ones are asked for more often.
    return some[Math.min(dice(some.length), dice(some.length))] as Stock;
  }

  /** False where the connection ends with it: the file was truncated. */
  async #answer(peer: Peer, request: FileRequest, pace?: Pace): Promise<boolean> {
    try {
      this.tally.bytes += await request.answered(peer, pace);
      return true;
    } catch (error) {
      if (!(error instanceof Cut && request.stock.isRewritten)) throw error;
      this.tally.truncated++;
      return false;
    }
  }

  async #isEnd(peer: Peer): Promise<void> {
    const rest = await peer.drain();
    if (rest.length > 0) throw new Error(`more than was asked for: ${rest.toString("latin1", 0, 200)}`);
  }

  /** Keeps the connection, asks for several at once, and ends it one way or another. */
  async #browse(peer: Peer, dice: Dice): Promise<void> {
    // Of the others most are handed over by a loop, and so is all that follows them.
    const kind = dice(3) > 0 ? "tame" : "any";
    const rounds = 1 + dice(8);
    for (let round = 1; round <= rounds; round++) {
      const isLast = round === rounds && dice(2) === 0;
      const count = dice(2) === 0 ? 1 : 1 + dice(8);
      const requests = Array.from({ length: count }, (_, i) =>
        this.#request(dice, { kind, isLast: isLast && i === count - 1 }),
      );
      if (count > 1) this.tally.pipelined += count;
      const written = peer.write(requests.map(({ text }) => text).join(""), dice, kind === "any");
      for (const request of requests) if (!(await this.#answer(peer, request))) return;
      await written;
      if (isLast) return this.#isEnd(peer);
    }
    if (dice(3) === 0) {
      const request = this.#request(dice);
      await peer.write(request.text, dice);
      peer.end();
      if (await this.#answer(peer, request)) await this.#isEnd(peer);
    } else if (dice(2) === 0) peer.close(true);
  }

  async #slowly(peer: Peer, dice: Dice): Promise<void> {
    this.tally.slow++;
    const request = this.#request(dice, {
      stock: this.#named(["mib.bin", "five.bin", "rewritten-large.bin"][dice(3)] as string),
    });
    await peer.write(request.text, dice);
    await this.#answer(peer, request, { pause: 1 + dice(40) });
  }

  /** Stops in the middle of a long answer, until the server has no more patience. */
  async #stuck(peer: Peer, dice: Dice): Promise<void> {
    this.tally.stuck++;
    const request = this.#request(dice, { kind: "whole", stock: this.#named("huge.bin") });
    await peer.write(request.text, dice);
    await this.#leave(peer, request, 1);
    await new Promise((next) => setTimeout(next, STUCK));
  }

  async #vanish(peer: Peer, dice: Dice): Promise<void> {
    this.tally.vanished++;
    const requests = Array.from({ length: 1 + dice(4) }, () => this.#request(dice));
    const request = requests[0] as FileRequest;
    await peer.write(requests.map(({ text }) => text).join(""), dice);
    if (dice(3) > 0) await this.#leave(peer, request, dice(request.stock.least + 1));
    peer.close(dice(2) === 0);
  }

  /** Reads so many bytes of an answer. */
  async #leave(peer: Peer, request: FileRequest, leaveAt: number): Promise<void> {
    await this.#answer(peer, request, { leaveAt }).catch((error) => {
      if (!(error instanceof Left)) throw error;
    });
  }

  async #halfHead(peer: Peer, dice: Dice): Promise<void> {
    this.tally.vanished++;
    const { text } = this.#request(dice);
    await peer.write(text.slice(0, dice(text.length - 2)), dice);
    if (dice(2) === 0) return peer.close(dice(2) === 0);
    peer.end();
    const head = await peer.head();
    if (head !== null && head.status !== 400) throw new Error(`${head.status} for half a head`);
    await peer.drain();
  }

  /** Until a limit ends it. */
  async #silent(peer: Peer, dice: Dice): Promise<void> {
    const kind = dice(3);
    if (kind === 1) await peer.write("GET /page.bin HT", dice);
    if (kind === 2) {
      const request = this.#request(dice, { stock: this.#named("page.bin") });
      await peer.write(request.text, dice);
      await this.#answer(peer, request);
    }
    const head = await peer.head();
    if (head !== null && head.status !== 408) throw new Error(`${head.status} for nothing`);
    await peer.drain();
    this.tally.ended++;
  }

  async #strange(peer: Peer, dice: Dice): Promise<void> {
    const odd = ODD[dice(ODD.length)] as Odd;
    this.tally.odd++;
    const before = Array.from({ length: dice(3) }, () => this.#request(dice));
    const id = this.#book.next();
    const text = odd.text.replace("#", String(id));
    const written = peer.write(`${before.map((one) => one.text).join("")}${text}`, dice);
    for (const request of before) if (!(await this.#answer(peer, request))) return;
    await written;
    const head = await peer.head();
    if (head === null && odd.statuses.length === 0) return;
    if (head === null) throw new Cut(`${odd.what}: no answer`);
    if (!odd.statuses.includes(head.status)) throw new Error(`${odd.what}: ${head.status}`);
    const { length } = await peer.drain();
    const wanted = Number(head.fields["content-length"] ?? length);
    if (length < wanted) throw new Cut(`${odd.what}: ${length} of ${wanted} bytes`);
    if (length > wanted) throw new Error(`${odd.what}: ${length} bytes, not ${wanted}`);
    if (text.includes("?n=")) this.#book.answered(id, head.status, length, peer);
    else if (odd.isLogged) this.tally.numberless++;
  }
}
