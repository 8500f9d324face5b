// The requests by number, what each was answered with, and whether the access log says the same.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Kills, Opened } from "./kills.js";

/** A client that has reset its connection by then has no address any more. */
const LINE = /^(127\.0\.0\.1|-) - - \[[^\]]+\] "\S+ \S*[?&]n=(\d+) HTTP\/1\.[01]" (\d{3}) (\d+|-)$/;

/** Of the one request that has no place for a number. */
const NUMBERLESS = /"OPTIONS \* HTTP\/1\.1" 405 -$/;

interface Lines {
  readonly all: number;
  /** Those of requests without a number. */
  readonly numberless: number;
  readonly wrong: string[];
  /** Answers that came whole, and have no line; and those of them that may not. */
  readonly missing: number;
  readonly excused: number;
}

/** A thread that is killed may have sent an answer this long ago, in ms, and not have written its line: once a turn it does. */
const TURN = 1000;

export class Book {
  /** By number: the status of an answer that came whole, and its bytes. */
  #statuses = new Uint16Array(1 << 16);
  #bytes = new Float64Array(1 << 16);
  readonly #excused = new Set<number>();
  /** The latest answers, and when they came. */
  #recent: { id: number; at: number }[] = [];
  readonly #kills: Kills;
  #last = 0;
  whole = 0;

  constructor(kills: Kills) {
    this.#kills = kills;
  }

  next(): number {
    const id = ++this.#last;
    if (id >= this.#statuses.length) {
      const [statuses, bytes] = [this.#statuses, this.#bytes];
      this.#statuses = new Uint16Array(2 * id);
      this.#bytes = new Float64Array(2 * id);
      this.#statuses.set(statuses);
      this.#bytes.set(bytes);
    }
    return id;
  }

  /** It has come whole. A thread that was killed meanwhile may not have written its line. */
  answered(id: number, status: number, bytes: number, peer: Opened): void {
    if (this.#kills.explain(peer)) this.#excused.add(id);
    this.#recent.push({ id, at: performance.now() });
    if (this.#recent.length > 20_000) this.#forget();
    this.#statuses[id] = status;
    this.#bytes[id] = bytes;
    this.whole++;
  }

  /** A thread is about to be. */
  killed(): void {
    this.#forget();
    for (const { id } of this.#recent) this.#excused.add(id);
  }

  #forget(): void {
    const since = performance.now() - TURN;
    this.#recent = this.#recent.filter(({ at }) => at >= since);
  }

  async compare(path: string): Promise<Lines> {
    const logged = new Uint8Array(this.#last + 1);
    const wrong: string[] = [];
    let all = 0;
    let numberless = 0;
    for await (const line of createInterface(createReadStream(path))) {
      all++;
      const [, host, ...words] = LINE.exec(line) ?? [];
      const [id = 0, status, bytes] = words.map((word) => Number(word.replace("-", "0")));
      if (NUMBERLESS.test(line)) numberless++;
      else if (id === 0 || id > this.#last) wrong.push(`nobody has asked for this: ${line}`);
      else if ((logged[id] as number)++ > 0) wrong.push(`twice: ${line}`);
      else if (this.#statuses[id] !== 0) {
        if (host === "-" || this.#statuses[id] !== status || this.#bytes[id] !== bytes) {
          wrong.push(`${this.#statuses[id]} and ${this.#bytes[id]} bytes came: ${line}`);
        }
      }
    }
    let missing = 0;
    let excused = 0;
    for (let id = 1; id <= this.#last; id++) {
      if (this.#statuses[id] === 0 || logged[id] !== 0) continue;
      if (this.#excused.has(id)) excused++;
      else missing++;
    }
    return { all, numberless, wrong, missing, excused };
  }
}
