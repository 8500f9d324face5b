// The loop of a thread: waits for its connections, has the core read their requests, and answers those that it knows the
// file of. What it does not know it asks; what it does not answer it hands over.

import { Act } from "../../assembly/abi.js";
import type { Core } from "../core.js";
import { Epoll, type LoopLibc, noDelay, shutListener, shutSending } from "../libc/epoll.js";
import type { Syscalls } from "../libc/syscalls.js";
import { orderOf } from "../negotiate.js";
import { Scratch } from "../scratch.js";
import { Acceptor } from "./acceptor.js";
import { Asking } from "./asking.js";
import { type Decision, decide } from "./decide.js";
import { Disk } from "./disk.js";
import { Ending, every } from "./ending.js";
import { Facts } from "./facts.js";
import { Fds } from "./fds.js";
import { Held } from "./held.js";
import { Journal } from "./journal.js";
import { type Entry, fileCalls, Known } from "./known.js";
import {
  askedAs,
  Count,
  FILE,
  type FromLoop,
  type FromReader,
  type Handed,
  LINGER,
  MISSING,
  type Start,
  type ToLoop,
} from "./messages.js";
import { Ready } from "./ready.js";
import { receiveAll } from "./receive.js";
import { Tally } from "./tally.js";
import { Unsent } from "./unsent.js";

/** The longest wait, in ms: V8 looks for a stop only when a turn calls JavaScript. */
const WAIT = 500;
/** Between two looks for connections whose time is up, in ms. */
const SWEEP = 1000;
/** Of a target, with what its answer depends on: it is kept. */
const LONGEST = 1024;
/** Handles of epoll's that are no connection's. */
const LISTENER = 0;
const WAKE = 1;
/** Of a status, 304: the loop has no other redirection. */
const THREE = "3".charCodeAt(0);

/** A read from a disk. */
interface Job {
  readonly handle: number;
  readonly generation: number;
  readonly sending: Sending;
}

/** An answer that takes more than one turn. */
interface Sending {
  readonly entry: Entry;
  /** With the body, if that is ready. */
  readonly head: Uint8Array | string;
  /** The disk is being read for it. */
  reading: boolean;
  /** The connection is gone. */
  over: boolean;
}

export class Loop {
  readonly #core: Core;
  readonly #libc: LoopLibc;
  readonly #start: Start;
  readonly #disk: Disk<Job>;
  readonly #acceptor: Acceptor;
  readonly #epoll: Epoll;
  readonly #fds: Fds;
  readonly #facts: Facts;
  readonly #scratch: Scratch;
  readonly #known: Known;
  readonly #ready: Ready;
  readonly #held: Held;
  readonly #unsent: Unsent;
  readonly #tally: Tally;
  readonly #journal: Journal | null;
  readonly #sending = new Map<number, Sending>();
  readonly #asking = new Asking();
  readonly #ending: Ending;
  #again: [handle: number, generation: number][] = [];
  #handed: Handed[] = [];
  #now = 0;
  #second = 0;
  #swept = 0;

  constructor(core: Core, libc: LoopLibc, sys: Syscalls, start: Start) {
    this.#core = core;
    this.#libc = libc;
    this.#start = start;
    this.#disk = new Disk(start.reader);
    const calls = {
      act: (handle: number, act: number) => this.#act(handle, act),
      end: (one: number) => this.#end(one),
    };
    this.#ending = new Ending(core, start, calls);
    this.#tally = new Tally(core, start);
    this.#held = new Held(core);
    this.#unsent = new Unsent(core, sys);
    this.#journal = start.log === null ? null : new Journal(core, start.log, start.port);
    this.#facts = new Facts(core);
    this.#scratch = new Scratch(core);
    this.#ready = new Ready(sys, this.#scratch);
    this.#epoll = new Epoll(libc, core.memory, core.connection_events());
    this.#fds = new Fds(libc, start.fds, start.id);
    this.#fds.own(this.#epoll.fd);
    const files = { close: (fd: number) => this.#close(fd), makeRoom: () => this.#acceptor.rest() };
    this.#known = new Known(fileCalls(core, sys, libc, this.#fds, files), start.openFiles);
    core.connection_limits(start.headersTimeout, start.keepAliveTimeout, start.stallTimeout, LINGER);
    if (this.#epoll.listen(start.wake, false, WAKE, 0) < 0) throw new Error(`epoll_ctl: errno ${libc.errno()}`);
    noDelay(libc, core.memory, core.connection_events(), start.listener);
    const { listener, shared } = start;
    this.#acceptor = new Acceptor(libc, this.#fds, this.#epoll, listener, shared, LISTENER, this.#journal?.peer);
  }

  /** Turns until it was told to stop, and nothing is left, or to leave at once. */
  run(): void {
    while (Atomics.load(this.#start.leave, 0) === 0 && !this.#ending.isOver(this.#tally.live, this.#now)) this.#turn();
    every(this.#core, (handle) => this.#end(handle));
  }

  /** Closes all its fds, on every way out. */
  end(): void {
    this.#journal?.flush();
    this.#acceptor.end();
    this.#fds.end();
    this.#disk.end();
    this.#tally.end();
  }

  #turn(): void {
    const n = this.#epoll.wait(this.#again.length > 0 ? 0 : Math.min(WAIT, this.#ending.wait(this.#now)));
    const now = performance.now();
    this.#now = now;
    this.#second = Math.floor(Date.now() / 1000);
    this.#core.turn_begin(now);
    this.#tally.add(Count.WakeUps);
    const again = this.#again;
    if (again.length > 0) {
      this.#again = [];
      for (const [handle, generation] of again) {
        if (this.#core.connection_generation(handle) === generation)
          this.#act(handle, this.#core.connection_again(handle, now));
      }
    }
    for (let i = 0; i < n; i++) {
      const handle = this.#epoll.handle(i);
      const generation = this.#epoll.generation(i);
      if (handle === LISTENER) this.#accept();
      else if (handle === WAKE) this.#wake();
      else this.#act(handle, this.#core.connection_event(handle, generation, this.#epoll.events(i), now));
    }
    if (now - this.#swept >= SWEEP) this.#sweep();
    this.#ending.turn(now);
    this.#journal?.flush();
    this.#tally.publish(this.#known.open); // before what was handed over is counted by others
    if (this.#handed.length > 0) {
      this.#tell({ type: "handed", connections: this.#handed });
      // Its own until then: who ends before is the one that closes them.
      for (const { fd } of this.#handed) this.#fds.give(fd);
      this.#handed = [];
    }
  }

  /** Does what a connection needs, until it waits or is gone. */
  #act(handle: number, first: number): void {
    let act = first;
    for (;;) {
      switch (act & ~Act.Hold) {
        case Act.Ask:
          if (this.#sending.size > 0) this.#settle(handle);
          act = this.#ask(handle);
          continue;
        case Act.Header:
          this.#scratch.put((this.#sending.get(handle) as Sending).head, this.#core.connection_at(handle));
          act = this.#core.connection_headed(handle, this.#now);
          continue;
        case Act.Resume:
          act = this.#held.resume(handle);
          continue;
        case Act.HandOver:
          act = this.#handOver(handle, this.#core.request_odd());
          continue;
        case Act.Close:
          return this.#end(handle);
        case Act.Cold:
          this.#read(handle);
          break;
        case Act.Linger:
          shutSending(this.#libc, this.#core.connection_fd(handle));
          this.#later(handle);
          break;
        case Act.Again:
          this.#later(handle);
          break;
      }
      if (act & Act.Hold) this.#held.keep(handle);
      if (this.#sending.size > 0) this.#settle(handle);
      return this.#ending.waits(handle, this.#now);
    }
  }

  /** Answers a head that was recognized. */
  #ask(handle: number): number {
    const { target, acceptEncoding } = this.#facts.refreshed();
    const encodings = this.#start.varies ? (acceptEncoding ?? "") : "";
    const key = this.#start.varies ? `${orderOf(encodings)} ${target}` : target;
    const entry = this.#known.find(key, this.#now);
    const rest = this.#facts.isRest;
    if (entry === null || (rest && entry.answer.rest === null)) {
      const asked = askedAs(key, rest);
      if (this.#asking.told === asked || key.length > LONGEST) return this.#handOver(handle, FILE);
      this.#held.keep(handle);
      if (this.#asking.add(asked, handle, this.#core.connection_generation(handle)))
        this.#tell({ type: "ask", key, target, encodings, rest });
      return Act.Wait;
    }
    const last = this.#ending.isDraining || this.#facts.isLast;
    const decision = decide(entry, this.#facts, last, this.#second);
    return decision === null ? this.#handOver(handle, FILE) : this.#answer(handle, entry, decision, last);
  }

  #answer(handle: number, entry: Entry, { head: text, offset, count: bytes }: Decision, last: boolean): number {
    this.#tally.add(text.charCodeAt(9) === THREE ? Count.Unmodified : Count.Found);
    const core = this.#core;
    const ready = bytes > 0 && bytes === entry.answer.size ? this.#ready.find(entry, text) : null;
    const head = ready ?? text;
    const count = ready === null ? bytes : 0;
    this.#journal?.begin(handle, this.#facts, text, offset, bytes, this.#second);
    this.#unsent.begin(handle, count, this.#now);
    this.#scratch.put(head, 0);
    const act = core.connection_answer(handle, head.length, entry.fd, offset, count, last ? 1 : 0, this.#now);
    if (core.connection_sending(handle) !== 0) {
      entry.users++;
      this.#sending.set(handle, { entry, head, reading: false, over: false });
      this.#journal?.later(handle, this.#facts, text, offset, bytes);
    } else this.#journal?.done();
    return act;
  }

  /** An answer that takes turns has come further. If it is over, its file is free. */
  #settle(handle: number): void {
    const sending = this.#sending.get(handle);
    if (sending === undefined) return;
    if (this.#core.connection_sending(handle) !== 0) this.#unsent.moved(handle, this.#now);
    else this.#release(handle, sending);
  }

  #release(handle: number, sending: Sending): void {
    this.#journal?.end(handle);
    this.#sending.delete(handle);
    sending.over = true;
    if (!sending.reading) this.#known.release(sending.entry);
  }

  #later(handle: number): void {
    this.#again.push([handle, this.#core.connection_generation(handle)]);
  }

  #read(handle: number): void {
    const core = this.#core;
    const sending = this.#sending.get(handle) as Sending;
    sending.reading = true;
    this.#tally.add(Count.ColdReads);
    const job = { handle, generation: core.connection_generation(handle), sending };
    this.#disk.read(job, sending.entry.fd, core.connection_position(handle), core.connection_want(handle));
  }

  #warm(message: FromReader): void {
    const job = this.#disk.take(message);
    if (job === null) return;
    const { handle, generation, sending } = job;
    sending.reading = false;
    if (sending.over) {
      this.#known.release(sending.entry);
      return;
    }
    if (this.#core.connection_generation(handle) !== generation) return;
    // An end of the file that came too early is found by the core.
    if (message.read < 0) this.#end(handle);
    else this.#act(handle, this.#core.connection_warm(handle, message.read, this.#now));
  }

  #handOver(handle: number, reason: number): Act {
    const fd = this.#core.connection_fd(handle);
    const bytes = this.#held.bytes(handle);
    this.#epoll.remove(fd);
    this.#forget(handle);
    this.#tally.add(Count.HANDED + reason);
    this.#handed.push({ fd, bytes });
    return Act.Wait;
  }

  /** Closes a connection. */
  #end(handle: number): void {
    const fd = this.#core.connection_fd(handle);
    this.#forget(handle);
    this.#close(fd);
  }

  #forget(handle: number): void {
    const sending = this.#sending.get(handle);
    if (sending !== undefined) this.#release(handle, sending);
    this.#held.forget(handle);
    this.#unsent.forget(handle);
    this.#core.connection_close(handle);
    this.#tally.connected(-1);
  }

  #close(fd: number): void {
    this.#fds.close(fd);
    this.#acceptor.wake();
  }

  #accept(): void {
    if (!this.#acceptor.run((fd) => this.#open(fd))) this.#known.clear();
  }

  #open(fd: number): void {
    this.#tally.add(Count.Accepted);
    if (!this.#fds.own(fd)) return;
    const handle = this.#tally.full ? 0 : this.#core.connection_open(fd, this.#now);
    if (handle === 0) {
      this.#tally.add(Count.Dropped);
      return this.#close(fd);
    }
    this.#tally.connected(1);
    this.#journal?.opened(handle);
    if (this.#epoll.add(fd, handle, this.#core.connection_generation(handle)) < 0) this.#end(handle);
  }

  /** Messages: each was followed by a write to the eventfd. */
  #wake(): void {
    this.#epoll.take(this.#start.wake);
    receiveAll(this.#start.port, (message: ToLoop) => {
      if (message.type === "drain") this.#ending.isDraining = true;
      else if (message.type === "stop") this.#stop(message);
      else if (message.type === "reader") this.#disk.reconnect(message.port);
      else this.#learn(message);
    });
    this.#disk.receive((message) => this.#warm(message));
  }

  #learn({ key, rest, answer }: Extract<ToLoop, { type: "answer" }>): void {
    if (answer !== null) this.#known.learn(key, answer);
    this.#asking.tell(askedAs(key, rest), (handle, generation) => {
      if (this.#core.connection_generation(handle) !== generation || !this.#held.has(handle)) return;
      if (answer === null) this.#handOver(handle, MISSING);
      else this.#act(handle, this.#held.resume(handle));
    });
  }

  #stop(message: Extract<ToLoop, { type: "stop" }>): void {
    if (!this.#ending.stop(message, this.#now)) return;
    const shut = () => message.shut && shutListener(this.#libc, this.#start.listener);
    this.#acceptor.finish((fd) => this.#open(fd), shut);
  }

  #sweep(): void {
    this.#swept = this.#now;
    this.#known.sweep();
    every(this.#core, (handle) => {
      if (this.#core.connection_expired(handle, this.#now) === 0) return;
      this.#tally.add(Count.Expired);
      this.#end(handle);
    });
    this.#acceptor.wake();
  }

  #tell(message: FromLoop): void {
    this.#start.port.postMessage(message);
  }
}
