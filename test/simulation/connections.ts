// Whole connections of the core, by chance: clients that send requests in any pieces, pipeline, read slowly, half-close and
// reset; a kernel whose buffers are small and whose calls are cut short; and the host's part, as host/loop/loop.ts has it.
// What must not be throws. One seed is one life.

import { Act, Fault, RequestFlag } from "../../assembly/abi.js";
import { boot, type Core } from "../../host/core.js";
import { pattern } from "../lib/bytes.js";
import { Random } from "./random.js";
import type { Module } from "./world.js";

const KiB = 1024;
const PAGE = 4 * KiB;
const FILES = [1, 100, 4 * KiB, 16 * KiB, 16 * KiB + 1, 70_000, 300 * KiB, 2_500_000, 5_300_000].map((size, i) =>
  pattern(size, i + 1),
);
/** The number of the first file's fd. */
const FILE = 1000;
const CLIENTS = 8;

const IN = 1;
const OUT = 4;
const ERR = 8;
const HUP = 16;
const RDHUP = 0x2000;

/** Calls of the kernel in one call of the core: a run has 16, and a head is read before and behind it. */
const CALLS = 20;

interface Request {
  readonly text: string;
  /** No request of the loop's. */
  readonly odd: boolean;
  readonly last: boolean;
  readonly file: number;
  readonly offset: number;
  readonly count: number;
  readonly header: Buffer;
}

/** A client, and the kernel's side of its connection. */
class Client {
  readonly n: number;
  readonly requests: readonly Request[];
  readonly stream: Buffer;
  readonly pieces: Buffer[];
  readonly halfCloses: boolean;
  /** Bytes that the buffers hold, of each side. */
  readonly inRoom: number;
  readonly outRoom: number;
  fd = -1;
  handle = 0;
  generation = 0;
  inbox = Buffer.alloc(0);
  fin = false;
  reset = false;
  /** Bytes sent and not read yet. */
  queued = 0;
  /** epoll(7) has something to say. */
  woken = false;
  /** A call was refused, or will be woken for no reason that is seen here. */
  nospace = false;
  later = false;
  /** The server's side was shut. */
  shut = false;
  state: "waiting" | "open" | "closed" | "handed" = "waiting";
  /** It may be closed at any time: a disk or a peer has failed. */
  mayEnd = false;
  /** Requests whose answers have begun, and bytes that are still to be sent of the last one. */
  answered = 0;
  rest: Buffer[] = [];
  /** Since it was opened. */
  calls = 0;
  causes = 0;

  constructor(n: number, random: Random) {
    this.n = n;
    const count = random.pick([1, 1, 2, 3, 8]);
    this.requests = Array.from({ length: count }, (_, i) => request(n, i, random, i === count - 1));
    this.stream = Buffer.from(this.requests.map(({ text }) => text).join(""), "latin1");
    this.pieces = pieces(this, random);
    this.halfCloses = random.chance(0.4);
    this.inRoom = random.pick([20, 700, 8192, 100_000]);
    const bytes = this.requests.reduce((sum, { header, count }) => sum + header.length + count, 0);
    this.outRoom = Math.max(random.pick([1, 100, 5000, 70_000, 300_000, 3_000_000]), Math.ceil(bytes / 300));
  }

  get live(): boolean {
    return this.state === "open" || this.state === "waiting";
  }
  /** Where the first request begins that was not answered. */
  get unread(): number {
    return this.requests.slice(0, this.answered).reduce((sum, { text }) => sum + text.length, 0);
  }
  get events(): number {
    if (this.reset) return IN | OUT | ERR | HUP | RDHUP;
    let events = this.inbox.length > 0 || this.fin ? IN : 0;
    if (this.outRoom - this.queued > this.outRoom / 3) events |= OUT;
    if (this.fin) events |= RDHUP | (this.shut ? HUP : 0);
    return events;
  }
}

function request(n: number, i: number, random: Random, isEnd: boolean): Request {
  const odd = random.chance(0.05);
  const last = random.chance(isEnd ? 0.4 : 0.03);
  const file = random.below(random.chance(0.1) ? FILES.length : FILES.length - 2);
  const { length } = FILES[file] as Buffer;
  const offset = random.pick([0, 0, random.below(length)]);
  const count = random.pick([length - offset, length - offset, 0, random.below(length - offset + 1)]);
  const size = random.pick([20, 300, 300, random.below(1000) + 20, random.chance(0.05) ? 20_000 : 8000]);
  const fields = ["Host: a", ...(last ? ["Connection: close"] : []), ...Array(random.below(3)).fill("X: y")];
  return {
    ...{ odd, last, file, offset, count },
    text: [`${odd ? "POST" : "GET"} /${n}/${i} HTTP/1.1`, ...fields, "", ""].join("\r\n"),
    header: Buffer.from(`<${n}/${i}>`.padEnd(size, String.fromCharCode(97 + ((n + i) % 26)))),
  };
}

/** Mostly whole requests, alone or together. */
function pieces({ requests, stream }: Client, random: Random): Buffer[] {
  const ends: number[] = [];
  if (random.chance(0.85)) {
    let at = 0;
    for (const { text } of requests) {
      at += text.length;
      if (random.chance(0.6)) ends.push(at);
    }
  } else for (let i = random.below(4); i > 0; i--) ends.push(random.below(stream.length));
  const all = [...new Set([0, ...ends, stream.length])].sort((a, b) => a - b);
  return all.slice(1).map((end, i) => stream.subarray(all[i], end));
}

interface Job {
  readonly client: Client;
  readonly generation: number;
  readonly file: number;
  readonly position: number;
  readonly length: number;
}

export class Connections {
  readonly #core: Core;
  readonly #random: Random;
  readonly #clients: Client[] = [];
  readonly #byFd = new Map<number, Client>();
  readonly #byHandle = new Map<number, Client>();
  readonly #handles = new Set<number>();
  /** By file: pages that are not in the page cache, and the size. */
  readonly #cold = FILES.map(() => new Set<number>());
  readonly #sizes = FILES.map(({ length }) => length);
  readonly #held = new Map<number, Buffer>();
  #again: [Client, generation: number][] = [];
  #asking: [Client, generation: number][] = [];
  #jobs: Job[] = [];
  #memory = Buffer.alloc(0);
  #now = 0;
  #calls = 0;
  #mostOpen = 0;
  #sent = 0;
  /** Everything fails now and then; at the end nothing does. */
  #calm = false;

  constructor(core: Module, seed: number) {
    const random = new Random(seed);
    this.#random = random;
    this.#core = boot(core, {
      recv: (fd, ptr, count) => this.#recv(fd, ptr, count),
      send: (fd, ptr, count) => this.#send(fd, this.#bytes.subarray(ptr, ptr + count)),
      sendfile: (fd, file, offset, count) => {
        const at = file - FILE;
        const end = Math.min(offset + count, this.#sizes[at] as number);
        return end <= offset ? 0 : this.#send(fd, (FILES[at] as Buffer).subarray(offset, end));
      },
      read: (file, ptr, offset, count) => this.#read(file - FILE, ptr, offset, count),
    });
    this.#core.connection_limits(5e6, 1e6, 1e6, 1e6);
    for (const [file, pages] of this.#cold.entries()) if (random.chance(0.5)) this.#chill(file, pages);
  }

  /** Returns how many answers were sent. */
  play(): number {
    const random = this.#random;
    for (let i = 60 + random.below(200); i > 0; i--) this.#happens();
    this.#calm = true;
    for (let i = 0; this.#goesOn(); i++) if (i > 5000) fail("it turns in circles");
    this.#ended();
    return this.#clients.reduce((sum, { answered }) => sum + answered, 0);
  }

  get #bytes(): Buffer {
    if (this.#memory.buffer !== this.#core.memory.buffer) this.#memory = Buffer.from(this.#core.memory.buffer);
    return this.#memory;
  }

  // What happens outside.

  #happens(): void {
    const random = this.#random;
    const client = this.#clients.length > 0 ? random.pick(this.#clients) : null;
    switch (
      random.weighed({ turn: 40, come: 6, piece: 20, read: 25, reset: 0.5, disk: 8, tell: 8, later: 8, file: 2 })
    ) {
      case "turn":
        return this.#turn();
      case "come":
        if (this.#clients.filter(({ live }) => live).length < CLIENTS)
          this.#clients.push(new Client(this.#clients.length, random));
        return;
      case "piece":
        return void (client !== null && this.#piece(client));
      case "read":
        return void (client !== null && this.#take(client, random.pick([1, 100, 10_000, 1e7])));
      case "reset":
        if (client?.state !== "open") return;
        client.reset = client.woken = true;
        return;
      case "disk":
        return void this.#disk();
      case "tell":
        return void this.#told();
      case "later":
        return void this.#wakeLater();
      case "file": {
        const file = random.below(FILES.length);
        if (random.chance(0.8)) return this.#chill(file, this.#cold[file] as Set<number>);
        if (!random.chance(0.1)) return;
        // It gets shorter: an answer that wants more than is there ends its connection.
        this.#sizes[file] = random.below(this.#sizes[file] as number);
        for (const one of this.#clients) one.mayEnd ||= one.requests.some((each) => each.file === file);
      }
    }
  }

  /** The last of what can happen, all of it. Returns whether anything did. */
  #goesOn(): boolean {
    let on = this.#wakeLater() || this.#again.length > 0;
    for (const client of this.#clients) on = this.#piece(client) || this.#take(client, 1e9) || client.woken || on;
    on = this.#disk() || this.#told() || on;
    on ||= this.#clients.some(({ state }) => state === "waiting");
    if (on) this.#turn();
    return on;
  }

  /** A piece arrives, as far as there is room. */
  #piece(client: Client): boolean {
    if (client.state !== "open" || client.reset) return false;
    const [piece] = client.pieces;
    if (piece === undefined) {
      if (!client.halfCloses || client.fin) return false;
      client.fin = client.woken = true;
      client.causes++;
      return true;
    }
    const n = Math.min(piece.length, client.inRoom - client.inbox.length);
    if (n <= 0) return false;
    client.inbox = Buffer.concat([client.inbox, piece.subarray(0, n)]);
    if (n === piece.length) client.pieces.shift();
    else client.pieces[0] = piece.subarray(n);
    client.woken = true;
    client.causes++;
    return true;
  }

  /** The client reads. */
  #take(client: Client, most: number): boolean {
    const n = Math.min(client.queued, most);
    client.queued -= n;
    if (n === 0 || client.state !== "open") return false;
    if (client.nospace && client.outRoom - client.queued > client.outRoom / 3) {
      client.nospace = false;
      client.woken = true;
      client.causes++;
    }
    return true;
  }

  #wakeLater(): boolean {
    const all = this.#clients.filter(({ later, state }) => later && state === "open");
    for (const client of all) {
      client.later = false;
      client.woken = true;
      client.causes++;
    }
    return all.length > 0;
  }

  #chill(file: number, pages: Set<number>): void {
    const all = Math.ceil((FILES[file] as Buffer).length / PAGE);
    const from = this.#random.below(all);
    const end = Math.min(all, from + this.#random.pick([1, 10, 100, 2000]));
    for (let page = from; page < end; page++) pages.add(page);
  }

  // The kernel's calls.

  #call(fd: number): Client {
    const client = this.#byFd.get(fd);
    if (client === undefined) return fail(`a call on fd ${fd}, which is not open`);
    client.calls++;
    if (++this.#calls > CALLS) fail(`${this.#calls} calls at once`);
    return client;
  }

  /** A call that is refused by chance. */
  #refused(client: Client): number {
    const random = this.#random;
    if (client.reset) return -Fault.Closed;
    if (this.#calm || !random.chance(0.06)) return 0;
    client.causes++;
    if (random.chance(0.6)) return -Fault.Interrupted;
    if (random.chance(0.02)) {
      client.mayEnd = true;
      return -Fault.Closed;
    }
    client.later = client.nospace = true;
    return -Fault.WouldBlock;
  }

  #recv(fd: number, ptr: number, count: number): number {
    const client = this.#call(fd);
    const refused = this.#refused(client);
    if (refused < 0) return refused;
    const { inbox } = client;
    if (inbox.length === 0) return client.fin ? 0 : -Fault.WouldBlock;
    const n = inbox.copy(this.#bytes, ptr, 0, Math.min(count, inbox.length));
    client.inbox = inbox.subarray(n);
    client.causes++;
    return n;
  }

  #send(fd: number, bytes: Buffer): number {
    const client = this.#call(fd);
    const refused = this.#refused(client);
    if (refused < 0) return refused;
    let n = Math.min(bytes.length, client.outRoom - client.queued);
    if (n < bytes.length) client.nospace = true;
    if (n <= 0) return -Fault.WouldBlock;
    if (!this.#calm && this.#random.chance(0.2)) n = 1 + this.#random.below(n);
    client.queued += n;
    client.causes++;
    this.#sent += n;
    this.#arrives(client, bytes.subarray(0, n));
    return n;
  }

  /** What is sent has to be what is next of the answer. */
  #arrives(client: Client, bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const next = client.rest.shift() ?? fail(`client ${client.n}: more than its answer`);
      const n = Math.min(next.length, bytes.length - at);
      if (!bytes.subarray(at, at + n).equals(next.subarray(0, n))) fail(`client ${client.n}: the wrong bytes`);
      if (n < next.length) client.rest.unshift(next.subarray(n));
      at += n;
    }
  }

  #read(file: number, ptr: number, offset: number, count: number): number {
    if (++this.#calls > CALLS) fail(`${this.#calls} calls at once`);
    if (!this.#calm && this.#random.chance(0.03)) return -Fault.Interrupted;
    const size = this.#sizes[file] as number;
    const pages = this.#cold[file] as Set<number>;
    let end = Math.min(offset + count, size);
    if (end <= offset) return 0;
    const first = Math.floor(offset / PAGE);
    if (pages.has(first)) return -Fault.WouldBlock;
    for (let page = first + 1; page * PAGE < end; page++) if (pages.has(page)) end = page * PAGE;
    return (FILES[file] as Buffer).copy(this.#bytes, ptr, offset, end);
  }

  // The host's part.

  #turn(): void {
    const core = this.#core;
    this.#now++;
    core.turn_begin(this.#now);
    // As epoll_wait(2) has collected them: some are of connections that have gone when they are looked at.
    const events = this.#clients
      .filter(({ state, woken }) => state === "open" && woken)
      .map((client) => ({ client, generation: client.generation, events: client.events, handle: client.handle }));
    for (const { client } of events) client.woken = false;
    if (events.length > 1 && this.#random.chance(0.5)) events.reverse();
    const again = this.#again;
    this.#again = [];
    for (const [client, generation] of again) {
      if (core.connection_generation(client.handle) !== generation) continue;
      this.#act(client, () => core.connection_again(client.handle, this.#now));
    }
    this.#accept();
    for (const { client, generation, handle, events: all } of events) {
      if (client.state === "open") {
        if (all !== 0) this.#act(client, () => core.connection_event(handle, generation, all, this.#now));
        continue;
      }
      this.#calls = 0;
      const act = core.connection_event(handle, generation, all, this.#now);
      if (act !== Act.Wait || this.#calls > 0) fail(`an event of a connection that is gone: ${Act[act]}`);
    }
  }

  #accept(): void {
    for (const client of this.#clients) {
      if (client.state !== "waiting") continue;
      for (client.fd = 3; this.#byFd.has(client.fd); client.fd++);
      client.handle = this.#core.connection_open(client.fd, this.#now);
      if (client.handle === 0 || this.#byHandle.has(client.handle)) fail("a record that is in use");
      client.generation = this.#core.connection_generation(client.handle);
      client.state = "open";
      client.woken = true;
      this.#byFd.set(client.fd, client);
      this.#byHandle.set(client.handle, client);
      this.#handles.add(client.handle);
      this.#mostOpen = Math.max(this.#mostOpen, this.#byHandle.size);
      if (this.#handles.size > this.#mostOpen) fail("a record was not given back");
    }
  }

  #act(client: Client, begin: () => number): void {
    const core = this.#core;
    const { handle } = client;
    const call = (each: () => number): number => {
      this.#calls = 0;
      return each();
    };
    for (let act = call(begin); ; ) {
      const is = act & ~Act.Hold;
      if (is === Act.Ask) act = call(() => this.#ask(client));
      else if (is === Act.Header) {
        const [head] = client.rest;
        const from = core.connection_at(handle);
        const { header } = client.requests[client.answered - 1] as Request;
        if (head === undefined || !header.subarray(from).equals(head)) fail("a header that was not asked for");
        this.#put(header.subarray(from));
        act = call(() => core.connection_headed(handle, this.#now));
      } else if (is === Act.Resume) act = call(() => this.#resume(client));
      else if (is === Act.HandOver) return this.#handOver(client);
      else if (is === Act.Close) return this.#close(client);
      else {
        if (is === Act.Cold) this.#wants(client);
        else if (is === Act.Linger) client.shut = true;
        if (is === Act.Again || is === Act.Linger) this.#again.push([client, client.generation]);
        if (act & Act.Hold) this.#hold(client);
        return;
      }
    }
  }

  #put(header: Buffer): void {
    header.copy(this.#bytes, this.#core.scratch(), 0, Math.min(header.length, this.#core.header_max()));
  }

  #ask(client: Client): number {
    const core = this.#core;
    const facts = core.request_facts();
    const word = (i: number) => this.#bytes.readInt32LE(facts + 4 * i);
    const target = this.#bytes.toString("latin1", word(1), word(1) + word(2));
    const i = client.answered;
    const request = client.requests[i];
    if (request === undefined || target !== `/${client.n}/${i}`) return fail(`client ${client.n}: ${target} is asked`);
    if (client.rest.length > 0) fail(`client ${client.n}: asked before the answer before was sent`);
    if (request.odd || ((word(0) & RequestFlag.Last) !== 0) !== request.last)
      fail(`client ${client.n}: the wrong facts`);
    if (!this.#calm && this.#random.chance(0.3)) {
      this.#hold(client);
      this.#asking.push([client, client.generation]);
      return Act.Wait;
    }
    const { header, file, offset, count, last } = request;
    client.answered++;
    client.rest = [header, (FILES[file] as Buffer).subarray(offset, offset + count)].filter(({ length }) => length > 0);
    client.mayEnd ||= offset + count > (this.#sizes[file] as number);
    this.#put(header);
    const end = last ? 1 : 0;
    return core.connection_answer(client.handle, header.length, FILE + file, offset, count, end, this.#now);
  }

  #hold({ handle }: Client): void {
    const at = this.#core.connection_hold(handle);
    this.#held.set(handle, Buffer.from(this.#bytes.subarray(at, at + this.#core.connection_held())));
  }

  #resume({ handle }: Client): number {
    const bytes = this.#held.get(handle) ?? fail("nothing is held");
    this.#held.delete(handle);
    bytes.copy(this.#bytes, this.#core.request_input());
    return this.#core.connection_resume(handle, bytes.length);
  }

  #told(): boolean {
    const one = this.#asking.shift();
    if (one === undefined) return false;
    const [client, generation] = one;
    if (this.#core.connection_generation(client.handle) === generation && this.#held.has(client.handle))
      this.#act(client, () => this.#resume(client));
    return true;
  }

  #wants(client: Client): void {
    const { handle, generation } = client;
    const position = this.#core.connection_position(handle);
    const length = this.#core.connection_want(handle);
    const { file, offset, count } = client.requests[client.answered - 1] as Request;
    const isPart = position >= offset && length > 0 && position + length <= offset + count;
    if (!isPart) fail(`${length} bytes are wanted at ${position}`);
    this.#jobs.push({ client, generation, file, position, length });
  }

  #disk(): boolean {
    const at = this.#random.below(Math.max(this.#jobs.length, 1));
    const [job] = this.#jobs.splice(at, 1);
    if (job === undefined) return false;
    const { client, generation, file, position, length } = job;
    const end = Math.min(position + Math.min(length, 256 * KiB), this.#sizes[file] as number);
    for (let page = Math.floor(position / PAGE); page * PAGE < end; page++) this.#cold[file]?.delete(page);
    if (this.#core.connection_generation(client.handle) !== generation) return true;
    if (!this.#calm && this.#random.chance(0.01)) {
      client.mayEnd = true;
      this.#close(client);
      return true;
    }
    const read = Math.max(end - position, 0);
    client.causes++;
    this.#act(client, () => this.#core.connection_warm(client.handle, read, this.#now));
    return true;
  }

  #handOver(client: Client): void {
    if (!this.#held.has(client.handle)) this.#hold(client);
    const bytes = this.#held.get(client.handle) as Buffer;
    const all = Buffer.concat([bytes, client.inbox, ...client.pieces]);
    if (client.rest.length > 0) fail(`client ${client.n}: handed over during an answer`);
    if (!all.equals(client.stream.subarray(client.unread))) fail(`client ${client.n}: handed over with other bytes`);
    const next = client.requests[client.answered];
    const isPart = bytes.length < (next?.text.length ?? 0);
    if (next === undefined || !(next.odd || isPart || (next.last && bytes.length > next.text.length)))
      fail(`client ${client.n}: handed over for nothing`);
    this.#gone(client, "handed");
  }

  #close(client: Client): void {
    const { answered, requests, rest } = client;
    const sent = rest.length === 0;
    const isLast = sent && requests[answered - 1]?.last === true;
    const isOver = sent && client.fin && client.inbox.length === 0 && answered === requests.length;
    if (!client.reset && !client.mayEnd && !isLast && !isOver)
      fail(`client ${client.n}: closed after ${answered} of ${requests.length}, ${sent ? "whole" : "in an answer"}`);
    this.#gone(client, "closed");
  }

  #gone(client: Client, state: "closed" | "handed"): void {
    this.#core.connection_close(client.handle);
    this.#held.delete(client.handle);
    this.#byFd.delete(client.fd);
    this.#byHandle.delete(client.handle);
    client.state = state;
    client.woken = client.later = false;
    // Each call has a cause: bytes that moved, a wake-up, a refusal; and a probe of it.
    if (client.calls > 10 + 4 * client.causes)
      fail(`client ${client.n}: ${client.calls} calls for ${client.causes} causes`);
  }

  /** Nothing more can happen: all have what they asked for, and nothing is left. */
  #ended(): void {
    const core = this.#core;
    for (const client of this.#clients) {
      if (client.state !== "open") continue;
      const { answered, requests, rest, n, handle } = client;
      const isOver = requests[answered - 1]?.last === true || answered === requests.length;
      if (!isOver || rest.length > 0)
        fail(`client ${n} waits for ever, with ${answered} of ${requests.length} answers`);
      if (requests[answered - 1]?.last && !client.shut) fail(`client ${n} was sent its last answer, and is not closed`);
      if (client.fin && !client.shut) fail(`client ${n} has gone, and is not closed`);
      if (core.connection_sending(handle) !== 0) fail(`client ${n}: its answer is not over`);
      if (core.connection_expired(handle, this.#now) !== 0) fail(`client ${n}: expired too soon`);
      if (core.connection_expired(handle, this.#now + 1e6) !== 1) fail(`client ${n}: never expires`);
      client.mayEnd = true;
      this.#close(client);
    }
    if (core.connection_after(0) !== 0) fail("a connection is left");
    const tally = [0, 1, 2, 3].reduce((sum, way) => sum + core.connection_tally(way), 0);
    if (tally !== this.#sent) fail(`${tally} bytes are counted, ${this.#sent} were sent`);
  }
}

function fail(message: string): never {
  throw new Error(message);
}
