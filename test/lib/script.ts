// A row of a test: a script of events, and the exact transcript that comes out of the core.
//
//   > open header=10 count=100 native probe      an event: what the host does
//   > run
//   read @10 0 100 = WouldBlock                  a system call, and what it is answered with
//   Copy 110 at 0 Cold                           an answer of the core
//
// The calls are played from the script itself: a call is answered as the line says where it is the
// next one, so the transcript equals the script or the row fails. Scratch addresses are written
// `@n`, offsets from the file's start, counts in bytes, times in ms; `out` and `file` are checked in
// silence. `trap` stands where an event trapped, and says too that it changed nothing in the record.

import * as assert from "uvu/assert";
import { Action, Begun, Fault, Flag, Next, Reason, Way } from "../../assembly/abi.js";
import type { Core } from "../../host/core.js";
import type { Build } from "./core.js";

const OUT = 7;
const FILE = 9;

/** Of assembly/transfer.ts: no promise, but the only place to see that nothing has changed. */
const RECORD = 128;

export function play(build: Build, script: string): void {
  const expected = script
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const player = new Player(build, expected);
  for (const line of expected) if (line.startsWith(">")) player.event(line);
  assert.is(player.transcript.join("\n"), expected.join("\n"));
}

class Player {
  readonly transcript: string[] = [];
  readonly #expected: string[];
  readonly #core: Core;
  readonly #scratch: number;
  /** The transfer that events mean; `> open` makes a new one, `> use 2` goes back. */
  #handle = 0;
  readonly #handles: number[] = [];
  #now = 0;
  /** Exit functions: events and answers mean them by their order, from 1. */
  readonly #entries: number[] = [];

  constructor(build: Build, expected: string[]) {
    this.#expected = expected;
    this.#core = build.boot({
      sendfile: (out, file, offset, count) => {
        assert.equal([out, file], [OUT, FILE]);
        return this.#call(`sendfile ${offset} ${count}`);
      },
      read: (file, ptr, offset, count) => {
        assert.is(file, FILE);
        return this.#call(`read @${ptr - this.#scratch} ${offset} ${count}`);
      },
      send: (out, ptr, count, more) => {
        assert.is(out, OUT);
        return this.#call(`send @${ptr - this.#scratch} ${count}${more === 0 ? "" : " more"}`);
      },
    });
    this.#scratch = this.#core.scratch();
  }

  /** A call that is not the next line is answered with System, so that the run ends and the row shows it. */
  #call(call: string): number {
    const line = this.#expected[this.transcript.length] ?? "";
    const answer = line.startsWith(`${call} = `) ? line.slice(call.length + 3) : "System";
    this.transcript.push(`${call} = ${answer}`);
    return /^\d+$/.test(answer) ? Number(answer) : -Fault[answer as keyof typeof Fault];
  }

  event(line: string): void {
    this.transcript.push(line);
    const [name, ...words] = line.slice(1).trim().split(/\s+/) as [string, ...string[]];
    const before = this.#look();
    try {
      const answer = this.#do(name, words);
      if (answer !== undefined) this.transcript.push(answer);
    } catch (error) {
      if ((error as Error).name !== "RuntimeError") throw error;
      this.transcript.push("trap");
      assert.equal(this.#look(), before, `${line} trapped, and has changed the record`);
    }
  }

  #do(name: string, words: string[]): string | undefined {
    const core = this.#core;
    const handle = this.#handle;
    const first = Number(words[0]);
    const second = Number(words[1]);
    switch (name) {
      case "open":
        this.#handle = core.transfer_open(this.#now);
        this.#handles.push(this.#handle);
        return this.#extent(words);
      case "extent":
        return this.#extent(words);
      case "use":
        this.#handle = this.#handles[first - 1] as number;
        return;
      case "now":
        this.#now = first;
        return;
      case "turn":
        return void core.turn_begin(this.#now);
      case "limit": {
        const { timeout = 0, deadline = Number.POSITIVE_INFINITY } = numbers(words);
        return void core.transfer_limit(handle, timeout, deadline, this.#now);
      }
      case "run":
        return this.#answer(core.transfer_run(handle, OUT, FILE, this.#now));
      case "moved":
        return void core.transfer_moved(handle, first, this.#now);
      case "copied":
        return void core.transfer_copied(handle, first, this.#now);
      case "ended":
        core.transfer_ended(handle);
        return core.transfer_fault(handle) === Fault.None ? undefined : this.#answer(Action.Fail);
      case "failed":
        core.transfer_failed(handle, Fault[words[0] as keyof typeof Fault]);
        return this.#answer(Action.Fail);
      case "tick":
        return core.transfer_tick(handle, this.#now) === 0 ? "fine" : this.#answer(Action.Fail);
      case "due":
        return String(core.transfer_due(handle));
      case "at":
        return String(core.transfer_at(handle));
      case "tally":
        return [Way.Native, Way.Doorbell, Way.Cold, Way.Copied]
          .map((way) => `${Way[way]} ${core.transfer_tally(handle, way)}`)
          .join(", ");
      case "way":
        return String(core.transfer_tally(handle, first));
      case "close":
        return void core.transfer_close(handle);
      case "configure":
        return void core.exit_configure(first, second, Number(words[2]));
      case "add":
        this.#entries.push(core.exit_add(first, second));
        return;
      case "remove":
        return String(core.exit_remove(this.#entries[first - 1] as number));
      case "begin":
        return Begun[core.exit_begin(Reason[words[0] as keyof typeof Reason], second, this.#now)];
      case "next":
        return this.#next(core.exit_next(this.#now));
      case "settle":
        return void core.exit_settle(this.#entries[first - 1] as number, second);
      case "heard":
        return void core.exit_heard(first);
      case "flushed":
        return void core.exit_flushed();
      default:
        throw new Error(`no such event: ${name}`);
    }
  }

  #next(next: Next): string {
    const core = this.#core;
    if (next === Next.Call || next === Next.Late) {
      // An id that was void is given again: the last one that has it is meant.
      return `${Next[next]} ${this.#entries.lastIndexOf(core.exit_id()) + 1}`;
    }
    return next === Next.Die || next === Next.Exit ? `${Next[next]} ${core.exit_value()}` : (Next[next] as string);
  }

  #extent(words: string[]): undefined {
    const { header = 0, offset = 0, count = 0, trailer = 0 } = numbers(words);
    let flags = 0;
    for (const flag of [Flag.Native, Flag.Only, Flag.Probe, Flag.Eof]) {
      if (words.includes(String(Flag[flag]).toLowerCase())) flags |= flag;
    }
    this.#core.transfer_extent(this.#handle, header, offset, count, trailer, flags);
  }

  #answer(action: Action): string {
    const core = this.#core;
    const handle = this.#handle;
    const corked = core.transfer_corked(handle) === 1 ? " corked" : "";
    switch (action) {
      case Action.Done:
        return `Done sent ${core.transfer_sent(handle)}${corked}`;
      case Action.Copy:
        return `Copy ${core.transfer_want(handle)} at ${core.transfer_at(handle)} ${Way[core.transfer_way(handle)]}${corked}`;
      case Action.Yield:
        return `Yield at ${core.transfer_at(handle)}${corked}`;
      case Action.Fail:
        return `Fail ${Fault[core.transfer_fault(handle)]} sent ${core.transfer_sent(handle)}${corked}`;
    }
  }

  /** All that can be seen of the transfer: its getters, and its record byte by byte. */
  #look(): unknown {
    const core = this.#core;
    const handle = this.#handle;
    if (handle === 0) return null;
    return {
      want: core.transfer_want(handle),
      at: core.transfer_at(handle),
      way: core.transfer_way(handle),
      due: core.transfer_due(handle),
      sent: core.transfer_sent(handle),
      fault: core.transfer_fault(handle),
      corked: core.transfer_corked(handle),
      tally: [0, 1, 2, 3].map((way) => core.transfer_tally(handle, way)),
      record: Buffer.from(core.memory.buffer, handle, RECORD).toString("hex"),
    };
  }
}

function numbers(words: string[]): Record<string, number> {
  const pairs = words.filter((word) => word.includes("=")).map((word) => word.split("="));
  return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
}
