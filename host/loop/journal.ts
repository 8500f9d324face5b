// The access log of a loop: a line for each of its answers, once that is over, into memory that the main thread reads. It
// never waits for that thread.
//
// Most answers are sent in one piece. Their lines are copied together as bytes, before that; text is made only of an answer
// that takes turns, and for what a plain line has not: JSON, addresses of proxies, bytes that are to be escaped.

import type { MessagePort } from "node:worker_threads";
import type { Core } from "../core.js";
import { type Facts, Told } from "./facts.js";
import { type Answered, FIELD, type Format, hasFields, logLine, TARGET, timestamp } from "./log-line.js";
import type { FromLoop, LogPlan } from "./messages.js";
import { Peer } from "./peer.js";
import { Proxies } from "./proxies.js";
import { Ring } from "./ring.js";
import { Sheet } from "./sheet.js";

/** All of its name. */
const FORWARDED_FOR = /\r\nX-Forwarded-For:([^\r]*)/gi;

const ascii = (text: string) => Buffer.from(text, "latin1");
const GET = ascii("GET ");
const HEAD = ascii("HEAD ");
const VERSION = ascii(' HTTP/1.1" ');
const SPACE = ascii(" ");
const NONE = ascii("-");
const QUOTE = ascii(' "');
const UNQUOTE = ascii('"');
const END = ascii("\n");

/** The address of a client. */
interface Host {
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** An answer, as text. */
interface Line {
  /** As if it were sent. */
  readonly answered: Answered;
  /** In ms of performance.now(). */
  readonly began: number;
  /** Bytes of the head; the body begins there in the file. */
  readonly head: number;
  readonly offset: number;
}

export class Journal {
  /** Where accept4(2) puts the address of a client. */
  readonly peer: Peer;
  readonly #core: Core;
  readonly #format: Format;
  readonly #proxies: Proxies | null;
  readonly #ring: Ring;
  readonly #port: MessagePort;
  readonly #sheet = new Sheet();
  /** By connection. */
  readonly #hosts = new Map<number, Host>();
  /** Of answers that take turns, by connection. */
  readonly #lines = new Map<number, Line>();
  /** The last answer that began; null if its line is on the sheet. */
  #line: Line | null = null;
  /** What stands between the client and its request, and of which second. */
  #stamp = NONE;
  #second = 0;

  constructor(core: Core, { format, trust, memory }: LogPlan, port: MessagePort) {
    this.peer = new Peer(core);
    this.#core = core;
    this.#format = format;
    this.#proxies = trust === null ? null : new Proxies(trust);
    this.#ring = new Ring(memory);
    this.#port = port;
  }

  /** A connection of the client that was accepted last. */
  opened(handle: number): void {
    const text = this.peer.text();
    this.#hosts.set(handle, { text, bytes: ascii(text) });
  }

  /** Before an answer is sent: `bytes` of a file, from `offset`, behind `head`; in this second since 1970. */
  begin(handle: number, facts: Facts, head: string, offset: number, bytes: number, second: number): void {
    if (this.#sheet.isFull) this.flush();
    const isPlain = this.#put(handle, facts, Number(head.slice(9, 12)), bytes, second);
    this.#line = isPlain ? null : this.#lineOf(handle, facts, head, offset, bytes);
  }

  /** It was sent in one piece. */
  done(): void {
    if (this.#line === null) this.#sheet.keep();
    else this.#write(this.#line);
  }

  /** It takes turns. As `begin()`; the facts are still those of its request. */
  later(handle: number, facts: Facts, head: string, offset: number, bytes: number): void {
    this.#sheet.drop();
    this.#lines.set(handle, this.#line ?? this.#lineOf(handle, facts.refreshed(), head, offset, bytes));
  }

  /** Such an answer was sent, or is cut off. */
  end(handle: number): void {
    const line = this.#lines.get(handle);
    if (line === undefined) return;
    this.#lines.delete(handle);
    if (this.#core.connection_sending(handle) !== 0) line.answered.bytes = this.#sent(handle, line);
    this.#write(line);
  }

  /** The end of a turn: the main thread may read its lines. */
  flush(): void {
    const { lines } = this.#sheet;
    if (lines > 0 && this.#ring.write(this.#sheet.take(), lines))
      this.#port.postMessage({ type: "logged" } satisfies FromLoop);
  }

  #write({ answered, began }: Line): void {
    answered.ms = performance.now() - began;
    if (this.#sheet.isFull) this.flush();
    this.#sheet.line(logLine(this.#format, answered));
  }

  /** Puts a line on the sheet, as `logLine()` makes it; false if it is not a plain one. */
  #put(handle: number, facts: Facts, status: number, bytes: number, second: number): boolean {
    if (this.#format === "json" || this.#proxies !== null) return false;
    if (second !== this.#second) {
      this.#second = second;
      this.#stamp = ascii(` - - [${timestamp(second * 1000)}] "`);
    }
    const sheet = this.#sheet;
    const { targetAt, targetEnd } = facts;
    sheet.drop();
    sheet.add((this.#hosts.get(handle) as Host).bytes);
    sheet.add(this.#stamp);
    sheet.add(facts.isHead ? HEAD : GET);
    if (targetEnd - targetAt > TARGET || !sheet.addPlain(facts.bytes, targetAt, targetEnd)) return false;
    sheet.add(VERSION);
    sheet.addNumber(status);
    sheet.add(SPACE);
    if (bytes === 0) sheet.add(NONE);
    else sheet.addNumber(bytes);
    if (hasFields(this.#format) && !(this.#putField(facts, Told.Referer) && this.#putField(facts, Told.UserAgent)))
      return false;
    sheet.add(END);
    return true;
  }

  #putField(facts: Facts, field: Told): boolean {
    const sheet = this.#sheet;
    const at = facts.at(field);
    const length = facts.length(field);
    sheet.add(QUOTE);
    if (at === 0) sheet.add(NONE);
    else if (length > FIELD || !sheet.addPlain(facts.bytes, at, at + length)) return false;
    sheet.add(UNQUOTE);
    return true;
  }

  #lineOf(handle: number, facts: Facts, head: string, offset: number, bytes: number): Line {
    const { text } = this.#hosts.get(handle) as Host;
    const isTold = hasFields(this.#format);
    const answered = {
      host: this.#proxies?.clientOf(text, forwarded(facts.text)) ?? text,
      time: Date.now(),
      ms: 0,
      method: facts.isHead ? "HEAD" : "GET",
      target: facts.wholeTarget,
      version: "1.1",
      status: Number(head.slice(9, 12)),
      bytes,
      referer: isTold ? facts.referer : null,
      userAgent: isTold ? facts.userAgent : null,
    };
    return { answered, began: performance.now(), head: head.length, offset };
  }

  /** Bytes of the body, which may be a part of what was sent as the head. */
  #sent(handle: number, { head, offset }: Line): number {
    const core = this.#core;
    return Math.max(core.connection_position(handle) - offset, core.connection_at(handle) - head, 0);
  }
}

/** As `node:http` has it. */
const forwarded = (text: string) => Array.from(text.matchAll(FORWARDED_FOR), ([, value]) => value).join(",");
