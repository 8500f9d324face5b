// The access log of a loop: a line for each of its answers, once that is over, into memory that the main thread reads. It
// never waits for that thread.

import type { MessagePort } from "node:worker_threads";
import type { Core } from "../core.js";
import type { Facts } from "./facts.js";
import { type Answered, type Format, hasFields, logLine } from "./log-line.js";
import type { FromLoop, LogPlan } from "./messages.js";
import { Peer } from "./peer.js";
import { Proxies } from "./proxies.js";
import { Ring } from "./ring.js";

/** The first of its name. */
const REFERER = /\r\nReferer:[ \t]*([^\r]*)/i;
const USER_AGENT = /\r\nUser-Agent:[ \t]*([^\r]*)/i;
/** All of its name. */
const FORWARDED_FOR = /\r\nX-Forwarded-For:([^\r]*)/gi;

/** An answer that is on its way. */
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
  /** Of the clients, by connection. */
  readonly #hosts = new Map<number, string>();
  readonly #lines = new Map<number, Line>();

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
    this.#hosts.set(handle, this.peer.text());
  }

  /** Before an answer is sent: `bytes` of a file, from `offset`. */
  begin(handle: number, facts: Facts, head: string, offset: number, bytes: number): void {
    const text = hasFields(this.#format) || this.#proxies !== null ? facts.text : "";
    const peer = this.#hosts.get(handle) as string;
    const answered = {
      host: this.#proxies?.clientOf(peer, forwarded(text)) ?? peer,
      time: Date.now(),
      ms: 0,
      method: facts.isHead ? "HEAD" : "GET",
      target: facts.wholeTarget,
      version: "1.1",
      status: Number(head.slice(9, 12)),
      bytes,
      referer: trimmed(REFERER.exec(text)),
      userAgent: trimmed(USER_AGENT.exec(text)),
    };
    this.#lines.set(handle, { answered, began: performance.now(), head: head.length, offset });
  }

  /** Writes the line: the answer was sent, or is cut off. */
  end(handle: number): void {
    const line = this.#lines.get(handle);
    if (line === undefined) return;
    this.#lines.delete(handle);
    const { answered, began } = line;
    if (this.#core.connection_sending(handle) !== 0) answered.bytes = this.#sent(handle, line);
    answered.ms = performance.now() - began;
    if (this.#ring.write(logLine(this.#format, answered)))
      this.#port.postMessage({ type: "logged" } satisfies FromLoop);
  }

  /** Bytes of the body, which may be a part of what was sent as the head. */
  #sent(handle: number, { head, offset }: Line): number {
    const core = this.#core;
    return Math.max(core.connection_position(handle) - offset, core.connection_at(handle) - head, 0);
  }
}

/** As `node:http` has it. */
const forwarded = (text: string) => Array.from(text.matchAll(FORWARDED_FOR), ([, value]) => value).join(",");

/** Without the blanks behind it. Not by the pattern: it would try each blank within, to the last one. */
function trimmed(match: RegExpExecArray | null): string | null {
  const value = match?.[1] ?? null;
  let end = value?.length ?? 0;
  while (value?.[end - 1] === " " || value?.[end - 1] === "\t") end--;
  return value?.slice(0, end) ?? null;
}
