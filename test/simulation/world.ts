// The simulated host: sockets with buffers, files with a size and a page cache, a clock, and an event
// loop that serves transfers in rounds. It plays a schedule to one instance of the core, compares
// every answer with the models, and throws at the first that is wrong.

import { Action, Begun, Fault, Next, Reason, Way } from "../../assembly/abi.js";
import { boot, type Core } from "../../host/core.js";
import type { Extent } from "../lib/stream.js";
import { type Entry, Leaving } from "./leaving.js";
import { Model, type Must, type Process } from "./model.js";
import type { Call, Event, Schedule } from "./schedule.js";

/** A compiled core: the loader takes it as it takes bytes, and its types know only those. */
export type Module = Uint8Array;

const MiB = 1 << 20;

/** What a call costs, and a byte of it, in ms: steps that are exact in binary. */
const CALL_MS = 1 / 64;
const BYTE_MS = 1 / (4 * MiB);

/** A turn's share is 1 ms for all; whoever has begun may go on to the end of its run. */
const SHARE_MS = 1;
const RUN_BYTES = MiB + (16 << 10);
const TURN_BYTES = 4 * MiB + RUN_BYTES;

/** A transfer with more than this left is aborted at the end, not finished. */
const FINISH = 48n * 1048576n;

interface Faults {
  call: Call;
  fault: Fault;
  times: number;
}

interface Socket {
  room: number;
  queue: Sending[];
  faults: Faults[];
  short: { bytes: number; times: number };
  reset: boolean;
}

interface File {
  size: number;
  /** Bytes that are not in the page cache: [from, to). */
  cold: { from: number; to: number }[];
  faults: Faults[];
}

interface Function extends Entry {
  n: number;
  ms: number;
  ok: boolean;
  drain: boolean;
  /** When it is over by itself. */
  end: number;
  calls: number;
}

class Sending extends Model {
  n = 0;
  handle = 0;
  socket!: Socket;
  source!: File;
  /** Bytes that the runtime's writer has taken and the socket has not; 0 where no copy is under way. */
  copying = 0;
  way = Way.Native;
  closed = false;
  /** Turns that it was ready in, and not run. */
  waited = 0;
}

/** The core did what it must not. */
export class Violation extends Error {}

export class World {
  readonly #schedule: Schedule;
  readonly #core: Core;
  readonly #memory: number;
  /** What happened, as a row of test/lib/script.ts; null where nobody asks. */
  readonly #row: string[] | null;
  readonly #sockets: Socket[];
  readonly #files: File[];
  readonly #process: Process = { sendfileMissing: false, readMissing: false };
  readonly #leaving: Leaving;

  #clock = 0;
  #turn = 0;
  #opened = 0;
  readonly #live: Sending[] = [];
  #ready: Sending[] = [];
  /** The transfer whose run is under way. */
  #running: Sending | null = null;
  #draining = false;
  #over = false;
  /** The function that is waited for, and when the others and the output are. */
  #function: Function | null = null;
  #until = 0;
  #added = 0;

  // Every record ever seen, and the most that were in use at once.
  readonly #handles = new Set<number>();
  #mostHandles = 0;
  readonly #ids = new Set<number>();
  #mostIds = 0;
  /** What the last line of the row was said of. */
  #used = 0;
  #said = 0;

  constructor(core: Module, schedule: Schedule, row: string[] | null = null) {
    this.#schedule = schedule;
    this.#row = row;
    this.#sockets = schedule.rooms.map((room) => ({
      room,
      queue: [],
      faults: [],
      short: { bytes: 0, times: 0 },
      reset: false,
    }));
    this.#files = schedule.sizes.map((size) => ({ size, cold: [], faults: [] }));
    this.#leaving = new Leaving(schedule.status, schedule.forceAfter, schedule.deadline);
    this.#core = boot(core, {
      sendfile: (out, file, offset, count) => this.#sendfile(out, file, offset, count),
      read: (file, ptr, offset, count) => this.#read(file, ptr, offset, count),
      send: (out, ptr, count, more) => this.#send(out, ptr, count, more),
    });
    this.#memory = this.#core.memory.buffer.byteLength;
    this.#core.exit_configure(schedule.status, schedule.forceAfter, schedule.deadline);
    row?.push(`> configure ${schedule.status} ${schedule.forceAfter} ${schedule.deadline}`);
    this.#core.turn_begin(0);
  }

  /** Plays it all, then lets what is left come to its end. */
  play(): void {
    for (const event of this.#schedule.events) {
      if (this.#over) break;
      this.#event(event);
    }
    this.#finish();
    this.#freed();
  }

  #fail(message: string): never {
    throw new Violation(message);
  }

  #is(actual: unknown, expected: unknown, what: string): void {
    if (actual !== expected) this.#fail(`${what}: ${actual}, not ${expected}`);
  }

  /** A line of the row, behind what it needs: the time, and the transfer that is meant. */
  #say(line: string, t: Sending | null = null): void {
    if (this.#said !== this.#clock) this.#row?.push(`> now ${(this.#said = this.#clock)}`);
    if (t !== null && this.#used !== t.n) this.#row?.push(`> use ${(this.#used = t.n)}`);
    this.#row?.push(line);
  }

  // Events.

  #event(event: Event): void {
    const socket = "socket" in event ? this.#sockets[event.socket % this.#sockets.length]! : this.#sockets[0]!;
    const file = "file" in event ? this.#files[event.file % this.#files.length]! : this.#files[0]!;
    const t = "transfer" in event ? this.#live[event.transfer % this.#live.length] : undefined;
    switch (event.is) {
      case "open":
        if (!this.#draining) this.#open(event, socket, file);
        return;
      case "turn":
        for (let i = 0; i < event.times && !this.#over; i++) {
          this.#clock += event.ms;
          this.#loop();
        }
        return;
      case "drain":
        socket.room += event.bytes;
        for (const t of [...socket.queue]) this.#pump(t);
        return;
      case "fault": {
        const { call, fault, times } = event;
        const on = call === "read" ? this.#files : this.#sockets;
        on[event.on % on.length]!.faults.push({ call, fault, times });
        return;
      }
      case "short":
        socket.short = { bytes: event.bytes, times: event.times };
        return;
      case "size":
        file.size = event.bytes;
        for (const t of this.#live) if (t.source === file) t.there = there(file, t);
        return;
      case "cold":
        file.cold.push({ from: event.from, to: event.to });
        return;
      case "reset":
        socket.reset = true;
        return;
      case "abort":
        if (t !== undefined) this.#abort(t, Fault.Aborted);
        return;
      case "limit": {
        if (t === undefined) return;
        if (event.alive && t.copying > 0) this.#moved(t, 0);
        t.limit(event.timeout, this.#clock + event.deadline, this.#clock);
        this.#say(`> limit timeout=${t.timeout} deadline=${t.deadline}`, t);
        this.#core.transfer_limit(t.handle, t.timeout, t.deadline, this.#clock);
        this.#due(t);
        return;
      }
      case "add":
        return this.#add(event);
      case "remove":
        return this.#remove(event.entry);
      case "begin":
        return this.#begin(event.reason, event.value);
    }
  }

  #open(event: Event & { is: "open" }, socket: Socket, file: File): void {
    const core = this.#core;
    const { header, offset, count, trailer, flags, timeout, deadline } = event;
    const now = this.#clock;
    const said: Extent = { header, offset, count, trailer, flags, there: 0 };
    const n = ++this.#opened;
    const t = new Sending(n, said, this.#process, now);
    t.n = n;
    t.socket = socket;
    t.source = file;
    t.there = there(file, t);
    if (this.#row !== null) {
      const words = Object.entries({ header, offset, count, trailer }).filter(([, value]) => value > 0);
      const flagged = ["native", "only", "probe", "eof"].filter((_, bit) => flags & (1 << bit));
      this.#used = n;
      this.#say(`> open ${[...words.map(([name, value]) => `${name}=${value}`), ...flagged].join(" ")}`);
    }
    t.handle = core.transfer_open(now);
    if (t.handle === 0 || this.#live.some(({ handle }) => handle === t.handle)) {
      this.#fail(`transfer_open gives ${t.handle}, which is in use`);
    }
    core.transfer_extent(t.handle, header, offset, count, trailer, flags);
    if (timeout > 0 || deadline < Number.POSITIVE_INFINITY) {
      t.limit(timeout, now + deadline, now);
      this.#say(`> limit timeout=${timeout} deadline=${t.deadline}`);
      core.transfer_limit(t.handle, timeout, t.deadline, now);
    }
    this.#due(t);
    this.#handles.add(t.handle);
    this.#mostHandles = Math.max(this.#mostHandles, this.#live.push(t));
    if (socket.queue.push(t) === 1) this.#ready.push(t);
  }

  // The event loop.

  #loop(): void {
    for (const t of [...this.#live]) this.#pump(t);
    this.#leave();
    if (this.#over) return;
    for (const t of [...this.#live]) this.#tick(t);

    this.#turn = this.#clock;
    this.#say("> turn");
    this.#core.turn_begin(this.#turn);
    for (const t of this.#ready) t.waited++;
    let bytes = 0;
    while (this.#ready.length > 0) {
      const spent = this.#clock - this.#turn >= SHARE_MS;
      this.#is(this.#core.turn_spent(this.#clock), spent ? 1 : 0, "turn_spent");
      const t = this.#ready.shift()!;
      bytes += this.#run(t, spent);
      if (!t.closed && t.copying === 0) {
        if (spent) this.#ready.unshift(t);
        else this.#ready.push(t);
      }
      if (spent) break;
      t.waited = 0;
    }
    if (bytes > TURN_BYTES) this.#fail(`${bytes} bytes in one turn`);
    for (const t of this.#live) {
      if (t.waited > this.#live.length) this.#fail(`transfer ${t.n} is not served for ${t.waited} turns`);
    }
  }

  /** Looks at the limits, as a timer would. */
  #tick(t: Sending): void {
    const fault = t.expired(this.#clock);
    this.#say("> tick", t);
    const failed = this.#core.transfer_tick(t.handle, this.#clock) === 1;
    if (failed) this.#say(this.#answer(t, { action: Action.Fail, fault: this.#core.transfer_fault(t.handle) }));
    else this.#say("fine");
    const must: Must | null = fault === Fault.None ? null : { action: Action.Fail, fault };
    if (failed !== (must !== null)) {
      this.#expected(must === null ? "fine" : this.#answer(t, must));
      this.#fail(`transfer_tick at ${this.#clock}, due ${t.due}: ${failed ? 1 : 0}`);
    }
    if (must === null) return;
    this.#faulted(t, fault);
    this.#close(t);
  }

  /** One run. Returns the bytes that it moved. */
  #run(t: Sending, spent: boolean): number {
    const core = this.#core;
    const now = this.#clock;
    this.#say("> run", t);
    t.begin(now, spent);
    t.putHeader(core);
    this.#running = t;
    const action: Action = core.transfer_run(t.handle, t.out, t.file, now);
    this.#running = null;

    t.events++;
    const must = t.answer(action);
    const want = core.transfer_want(t.handle);
    const way: Way = core.transfer_way(t.handle);
    const fault = core.transfer_fault(t.handle);
    const right =
      action === must.action &&
      (action !== Action.Copy || (BigInt(want) === must.want && way === must.way)) &&
      fault === (must.fault ?? Fault.None);
    if (this.#row !== null) this.#row.push(this.#answer(t, must));
    if (!right) {
      const said = this.#answer(t, { action, want: BigInt(want), way, fault });
      this.#fail(`the core says ${said}; it has to be ${this.#answer(t, must)}`);
    }
    t.agrees(core, t.handle);
    this.#due(t);
    if (t.moved > RUN_BYTES) this.#fail(`${t.moved} bytes in one run`);

    if (action === Action.Copy) this.#copy(t, want, way);
    else if (action !== Action.Yield) this.#close(t);
    return t.moved;
  }

  #answer(t: Sending, { action, want, way, fault }: Must): string {
    const corked = t.corked ? " corked" : "";
    switch (action) {
      case Action.Done:
        return `Done sent ${t.sent}${corked}`;
      case Action.Copy:
        return `Copy ${want} at ${t.done} ${Way[way ?? -1]}${corked}`;
      case Action.Yield:
        return `Yield at ${t.done}${corked}`;
      case Action.Fail:
        return `Fail ${Fault[fault ?? -1]} sent ${t.sent}${corked}`;
      default:
        return `action ${action}`;
    }
  }

  /** The row shows what has to be. */
  #expected(line: string): void {
    if (this.#row !== null) this.#row[this.#row.length - 1] = line;
  }

  #due(t: Sending): void {
    this.#is(this.#core.transfer_due(t.handle), t.due, "transfer_due");
  }

  #faulted(t: Sending, fault: Fault): void {
    const actual = this.#core.transfer_fault(t.handle);
    if (actual === fault) return;
    this.#expected(this.#answer(t, { action: Action.Fail, fault }));
    this.#fail(`it failed by ${Fault[actual]}, not ${Fault[fault]}`);
  }

  // The copy: the host reads, and the runtime's writer waits for room.

  #copy(t: Sending, want: number, way: Way): void {
    t.copying = t.copyable(want);
    t.way = way;
    if (t.copying > 0) {
      // A read brings it into the page cache.
      const from = Number(t.position);
      const to = from + t.copying;
      const { cold } = t.source;
      for (let i = cold.length; i-- > 0; ) {
        const hole = cold[i]!;
        if (hole.from >= to || hole.to <= from) continue;
        cold.splice(i, 1);
        if (hole.from < from) cold.push({ from: hole.from, to: from });
        if (to < hole.to) cold.push({ from: to, to: hole.to });
      }
      return;
    }
    this.#say("> ended", t);
    this.#core.transfer_ended(t.handle);
    const fault = t.ended();
    if (fault !== Fault.None) this.#say(this.#answer(t, { action: Action.Fail, fault }));
    this.#faulted(t, fault);
    t.agrees(this.#core, t.handle);
    if (fault !== Fault.None) this.#close(t);
  }

  #moved(t: Sending, bytes: number): void {
    this.#say(`> moved ${bytes}`, t);
    if (bytes > 0) t.leave(bytes, t.way);
    this.#core.transfer_moved(t.handle, bytes, this.#clock);
    t.progress = this.#clock;
    t.agrees(this.#core, t.handle);
    this.#due(t);
  }

  /** The socket takes of the copy what it has room for. */
  #pump(t: Sending): void {
    const { socket } = t;
    if (t.copying === 0) return;
    if (socket.reset) return this.#abort(t, Fault.Closed);
    const n = Math.min(t.copying, socket.room);
    socket.room -= n;
    t.copying -= n;
    if (t.copying > 0) {
      if (n > 0) this.#moved(t, n);
      return;
    }
    this.#say(`> copied ${n}`, t);
    t.leave(n, t.way);
    this.#core.transfer_copied(t.handle, n, this.#clock);
    t.progress = this.#clock;
    t.agrees(this.#core, t.handle);
    this.#due(t);
    this.#ready.push(t);
  }

  #abort(t: Sending, fault: Fault): void {
    this.#say(`> failed ${Fault[fault]}`, t);
    this.#core.transfer_failed(t.handle, fault);
    this.#say(this.#answer(t, { action: Action.Fail, fault }));
    this.#faulted(t, fault);
    this.#close(t);
  }

  #close(t: Sending): void {
    t.agrees(this.#core, t.handle);
    if (t.allCalls > 6 * t.events) this.#fail(`${t.allCalls} calls for ${t.events} events`);
    this.#say("> close", t);
    this.#core.transfer_close(t.handle);
    t.closed = true;
    t.copying = 0;
    this.#live.splice(this.#live.indexOf(t), 1);
    const { queue } = t.socket;
    const at = queue.indexOf(t);
    queue.splice(at, 1);
    const waits = this.#ready.indexOf(t);
    if (waits >= 0) this.#ready.splice(waits, 1);
    if (at === 0 && queue.length > 0) this.#ready.push(queue[0]!);
  }

  // System calls.

  #caller(kind: Call, on: number, offset: number): Sending {
    const t = this.#running;
    if (t === null || on !== (kind === "read" ? t.file : t.out)) this.#fail(`${kind} of a stranger's descriptor`);
    const mistake = t.call(kind, offset);
    if (mistake !== null) this.#fail(mistake);
    this.#clock += CALL_MS;
    return t;
  }

  /** An injected fault, or 0. */
  #fault({ faults }: Socket | File, call: Call): number {
    const at = faults.findIndex((fault) => fault.call === call);
    if (at < 0) return 0;
    const { fault } = faults[at]!;
    if (--faults[at]!.times === 0) faults.splice(at, 1);
    return -fault;
  }

  /** What the socket takes of `most` bytes. */
  #take(socket: Socket, call: Call, most: number): number {
    if (socket.reset) return -Fault.Closed;
    const fault = this.#fault(socket, call);
    if (fault !== 0) return fault;
    let n = Math.min(most, socket.room);
    if (n === 0) return -Fault.WouldBlock;
    if (socket.short.times > 0) {
      socket.short.times--;
      n = Math.min(n, socket.short.bytes || 1);
    }
    socket.room -= n;
    this.#clock += n * BYTE_MS;
    return n;
  }

  #sendfile(out: number, file: number, offset: number, count: number): number {
    const t = this.#caller("sendfile", out, offset);
    const n = t.sendfile(file, offset, count, (most) => this.#take(t.socket, "sendfile", most));
    this.#row?.push(`sendfile ${offset} ${count} = ${n < 0 ? Fault[-n] : n}`);
    t.answered(n);
    return n;
  }

  #send(out: number, ptr: number, count: number, more: number): number {
    const t = this.#caller("send", out, 0);
    const n = t.send(this.#core, ptr, count, more, (most) => this.#take(t.socket, "send", most));
    const at = ptr - this.#core.scratch();
    this.#row?.push(`send @${at} ${count}${more === 0 ? "" : " more"} = ${n < 0 ? Fault[-n] : n}`);
    t.answered(n);
    return n;
  }

  #read(file: number, ptr: number, offset: number, count: number): number {
    const t = this.#caller("read", file, offset);
    const n = t.read(this.#core, ptr, offset, count, (most) => {
      const fault = this.#fault(t.source, "read");
      if (fault !== 0) return fault;
      let n = most;
      for (const { from, to } of t.source.cold) {
        if (offset >= from && offset < to) return -Fault.WouldBlock;
        if (from > offset) n = Math.min(n, from - offset);
      }
      return n;
    });
    this.#row?.push(`read @${ptr - this.#core.scratch()} ${offset} ${count} = ${n < 0 ? Fault[-n] : n}`);
    t.found(n);
    return n;
  }

  // The way out.

  #add({ signals, timeout, ms, ok, drain }: Event & { is: "add" }): void {
    this.#say(`> add ${signals} ${timeout}`);
    const id = this.#core.exit_add(signals, timeout);
    const { waiting, claimed } = this.#leaving;
    if (id === 0 || [...waiting, ...claimed].some((entry) => entry.id === id)) {
      this.#fail(`exit_add gives ${id}, which is in use`);
    }
    const added: Function = { id, n: ++this.#added, signals, timeout, ms, ok, drain, end: 0, calls: 0 };
    waiting.push(added);
    this.#ids.add(id);
    this.#mostIds = Math.max(this.#mostIds, waiting.length + claimed.size);
    this.#registry();
  }

  #remove(entry: number): void {
    const entries = [...this.#leaving.waiting, ...this.#leaving.claimed] as Function[];
    const gone = entries[entry % entries.length];
    if (gone === undefined) return;
    this.#say(`> remove ${gone.n}`);
    const removed = this.#leaving.remove(gone) ? 1 : 0;
    const answer = this.#core.exit_remove(gone.id);
    this.#say(String(removed));
    this.#is(answer, removed, "exit_remove");
    this.#registry();
  }

  #registry(): void {
    this.#is(this.#core.exit_count(), this.#leaving.waiting.length, "exit_count");
    this.#is(this.#core.exit_signals(), this.#leaving.signals, "exit_signals");
  }

  #begin(reason: Reason, value: number): void {
    this.#say(`> begin ${Reason[reason]} ${value}`);
    const begun: Begun = this.#core.exit_begin(reason, value, this.#clock);
    const must = this.#leaving.begin(reason, value, this.#clock);
    this.#say(Begun[must]);
    this.#is(Begun[begun], Begun[must], "exit_begin");
    // The runtime is leaving in the middle of a function that now never answers.
    if (must !== Begun.Ignored) this.#function = null;
    this.#leave();
  }

  #settle(f: Function): void {
    this.#function = null;
    this.#say(`> settle ${f.n} ${f.ok ? 1 : 0}`);
    this.#core.exit_settle(f.id, f.ok ? 1 : 0);
    this.#leaving.settle(f, f.ok);
  }

  /** What was waited for may be over; then one step after another, until there is something to wait for. */
  #leave(): void {
    const { others, flush } = this.#schedule;
    const core = this.#core;
    const leaving = this.#leaving;
    const now = this.#clock;
    for (let steps = 0; leaving.state !== "idle"; steps++) {
      if (steps > 200) this.#fail("the way out has no end");
      const f = this.#function;
      if (f !== null) {
        if (f.drain && f.end <= now) for (const t of [...this.#live]) this.#abort(t, Fault.Aborted);
        if (f.drain ? this.#live.length === 0 : f.end <= now) this.#settle(f);
      } else if (leaving.state === "others" && this.#until <= now) {
        this.#say("> heard 1");
        core.exit_heard(1);
        leaving.heard(true);
      } else if (leaving.state === "flush" && this.#until <= now) {
        this.#say("> flushed");
        core.exit_flushed();
        leaving.flushed();
      }

      this.#say("> next");
      const next: Next = core.exit_next(now);
      const must = leaving.next(now);
      const told = leaving.told as Function;
      const named = must === Next.Call || must === Next.Late;
      const last = must === Next.Die || must === Next.Exit;
      this.#say(`${Next[must]}${named ? ` ${told.n}` : last ? ` ${leaving.value}` : ""}`);
      this.#is(Next[next], Next[must], "exit_next");
      if (named) this.#is(core.exit_id(), told.id, "exit_id");
      if (last) this.#is(core.exit_value(), leaving.value, "exit_value");
      this.#is(core.exit_due(), leaving.due, "exit_due");
      this.#registry();

      if (last) {
        this.#over = true;
        return;
      }
      if (must === Next.Wait) return;
      if (must === Next.Late) this.#function = null;
      if (must === Next.Others) this.#until = now + others;
      if (must === Next.Flush) this.#until = now + flush;
      if (must === Next.Call) {
        if (++told.calls > 1) this.#fail(`function ${told.n} is called twice`);
        told.end = now + told.ms;
        if (told.drain) this.#draining = true;
        if (leaving.state === "last") this.#settle(told);
        else this.#function = told;
      }
    }
  }

  // The end.

  /** Nothing goes wrong any more: every transfer comes to its end, in turns that are bounded by its bytes. */
  #finish(): void {
    for (const socket of this.#sockets) {
      socket.faults = [];
      socket.short.times = 0;
      socket.room = 2 ** 52;
    }
    for (const file of this.#files) {
      file.faults = [];
      file.cold = [];
    }
    for (const t of [...this.#live]) {
      const rest = t.headLeft + t.trailer + (t.bodyLeft < t.thereLeft ? t.bodyLeft : t.thereLeft);
      if (rest > FINISH) this.#abort(t, Fault.Aborted);
    }
    // A copy takes a turn, and the smallest one that is no doorbell brings it to a multiple of 4 KiB.
    let turns = 10;
    for (const t of this.#live) turns += 8 + 2 * Number(t.left < FINISH ? t.left / 262144n : t.thereLeft / 262144n);
    while (this.#live.length > 0 && !this.#over) {
      if (turns-- === 0) this.#fail(`${this.#live.length} transfers do not come to their end`);
      this.#clock += 1 / 8;
      this.#loop();
    }
    // Whoever has begun to leave, leaves: a function is over or late, the others and the output are waited for no longer.
    const leaving = this.#leaving;
    for (let steps = 0; !this.#over && leaving.state !== "idle"; steps++) {
      if (steps > 200) this.#fail("the way out has no end");
      if (this.#function === null) this.#until = 0;
      else if (leaving.due < Number.POSITIVE_INFINITY) this.#clock = Math.max(this.#clock, leaving.due);
      this.#leave();
    }
    // The process has died over those that nobody waited for.
    for (const t of [...this.#live]) this.#abort(t, Fault.Aborted);
  }

  /** Every record can be had again, and no new one was needed while one was free. */
  #freed(): void {
    const core = this.#core;
    this.#is(this.#live.length, 0, "live transfers");
    this.#is(this.#handles.size, this.#mostHandles, "records of transfers");
    this.#is(this.#ids.size, this.#mostIds, "records of functions");
    const handles = Array.from({ length: this.#handles.size }, () => core.transfer_open(0));
    for (const handle of new Set(handles)) if (!this.#handles.delete(handle)) this.#fail("a transfer's record is lost");
    this.#is(this.#handles.size, 0, "lost records of transfers");
    for (const handle of handles) core.transfer_close(handle);

    for (const { id } of [...this.#leaving.waiting, ...this.#leaving.claimed]) this.#ids.delete(id);
    const ids = Array.from({ length: this.#ids.size }, () => core.exit_add(0, 0));
    for (const id of new Set(ids)) if (!this.#ids.delete(id)) this.#fail("a function's record is lost");
    this.#is(this.#ids.size, 0, "lost records of functions");
    this.#is(core.memory.buffer.byteLength, this.#memory, "bytes of memory");
  }
}

function there(file: File, t: Sending): bigint {
  const left = BigInt(file.size) - t.offset;
  return left > 0n ? left : 0n;
}
