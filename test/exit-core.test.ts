// The core's half of the exit functions, on both builds: rows of events and what comes out, then
// properties over seeded random programs, against a model in a few lines.

import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { Begun, Next, Reason, Status } from "../assembly/abi.js";
import { boot, type Core } from "../host/core.js";
import { suite } from "./lib/suite.js";

const TERM = 15;
const INT = 2;
const bit = (signal: number) => 1 << (signal - 1);
const BOTH = bit(TERM) | bit(INT);

for (const build of ["core.debug.wasm", "core.wasm"]) {
  const bytes = readFileSync(new URL(`../${build}`, import.meta.url));
  const calls: string[] = [];
  const imports = {
    sendfile: () => calls.push("sendfile"),
    read: () => calls.push("read"),
    send: () => calls.push("send"),
  };
  const start = (status = Status.Signal as number, forceAfter = 500, deadline = 1000): Core => {
    const core = boot(bytes, imports);
    core.exit_configure(status, forceAfter, deadline);
    return core;
  };
  const test = suite(build);

  test("last added is pulled first, and dies by the signal", () => {
    const core = start();
    const a = core.exit_add(BOTH, 100);
    const b = core.exit_add(BOTH, 100);
    assert.is(core.exit_begin(Reason.Signal, TERM, 0), Begun.Begun);
    assert.is(core.exit_next(0), Next.Call);
    assert.is(core.exit_id(), b);
    assert.is(core.exit_next(0), Next.Wait);
    core.exit_settle(b, 1);
    assert.is(core.exit_next(1), Next.Call);
    assert.is(core.exit_id(), a);
    core.exit_settle(a, 1);
    assert.is(core.exit_next(2), Next.Others);
    assert.is(core.exit_next(2), Next.Wait);
    core.exit_heard(1);
    assert.is(core.exit_next(3), Next.Flush);
    assert.is(core.exit_next(3), Next.Wait);
    core.exit_flushed();
    assert.is(core.exit_next(4), Next.Die);
    assert.is(core.exit_value(), TERM);
    assert.is(core.exit_next(5), Next.Die, "the verdict stands");
  });

  test("the signals of each: only those meant run, and the mask follows", () => {
    const core = start();
    const term = core.exit_add(bit(TERM), 100);
    core.exit_add(bit(INT), 100);
    assert.is(core.exit_signals(), BOTH);
    core.exit_begin(Reason.Signal, TERM, 0);
    assert.is(core.exit_next(0), Next.Call);
    assert.is(core.exit_id(), term);
    assert.is(core.exit_signals(), bit(INT), "a claimed function waits for no signal");
    core.exit_settle(term, 1);
    assert.is(core.exit_next(0), Next.Others);
  });

  test("every function runs where there is no signal, and no others are asked for", () => {
    const core = start();
    const a = core.exit_add(0, 100);
    core.exit_begin(Reason.Ended, 42, 0);
    assert.is(core.exit_next(0), Next.Call);
    core.exit_settle(a, 1);
    assert.is(core.exit_next(0), Next.Flush);
    core.exit_flushed();
    assert.is(core.exit_next(0), Next.Exit);
    assert.is(core.exit_value(), 42);
  });

  const verdicts: [string, number, Reason, number, boolean, Next, number][] = [
    ["signal", Status.Signal, Reason.Signal, TERM, true, Next.Die, TERM],
    ["signal, a function failed", Status.Signal, Reason.Signal, TERM, false, Next.Exit, 1],
    ["128 + n", Status.Code, Reason.Signal, TERM, true, Next.Exit, 143],
    ["a number", 7, Reason.Signal, TERM, true, Next.Exit, 7],
    ["a number, a function failed", 0, Reason.Signal, TERM, false, Next.Exit, 1],
    ["a code that was asked for", Status.Signal, Reason.Asked, 3, true, Next.Exit, 3],
    ["a signal that was asked for", Status.Signal, Reason.Asked, -INT, true, Next.Die, INT],
    ["code 0, a function failed", Status.Signal, Reason.Ended, 0, false, Next.Exit, 1],
    ["code 3, a function failed", Status.Signal, Reason.Ended, 3, false, Next.Exit, 3],
    ["leaving with 5", Status.Signal, Reason.Leaving, 5, true, Next.Exit, 5],
    ["leaving with 0, a function failed", Status.Signal, Reason.Leaving, 0, false, Next.Exit, 1],
  ];
  for (const [name, status, reason, value, ok, next, verdict] of verdicts) {
    test(`verdict: ${name}`, () => {
      const core = start(status);
      core.exit_add(BOTH, 100);
      core.exit_begin(reason, value, 0);
      assert.is(core.exit_next(0), Next.Call);
      core.exit_settle(core.exit_id(), ok ? 1 : 0);
      let last = core.exit_next(0);
      for (; last === Next.Others || last === Next.Flush; last = core.exit_next(0)) {
        if (last === Next.Others) core.exit_heard(1);
        else core.exit_flushed();
      }
      assert.is(last, next);
      assert.is(core.exit_value(), verdict);
    });
  }

  test("a signal within force_after is the same one, a later one forces", () => {
    const core = start(Status.Signal, 500);
    core.exit_add(BOTH, 5000);
    core.exit_begin(Reason.Signal, TERM, 1000);
    core.exit_next(1000);
    assert.is(core.exit_begin(Reason.Signal, TERM, 1000.2), Begun.Ignored);
    assert.is(core.exit_begin(Reason.Signal, INT, 1500), Begun.Ignored);
    assert.is(core.exit_begin(Reason.Asked, 3, 1900), Begun.Ignored);
    assert.is(core.exit_next(1500), Next.Wait);
    assert.is(core.exit_begin(Reason.Signal, INT, 1500.1), Begun.Forced);
    assert.is(core.exit_next(1501), Next.Die);
    assert.is(core.exit_value(), TERM, "by the first");
  });

  test("a function's deadline: it is named, the rest run", () => {
    const core = start();
    const rest = core.exit_add(BOTH, 100);
    const slow = core.exit_add(BOTH, 100);
    core.exit_begin(Reason.Signal, TERM, 0);
    core.exit_next(0);
    assert.is(core.exit_due(), 100);
    assert.is(core.exit_next(99), Next.Wait);
    assert.is(core.exit_next(100), Next.Late);
    assert.is(core.exit_id(), slow);
    assert.is(core.exit_next(100), Next.Call);
    assert.is(core.exit_id(), rest);
    assert.throws(() => core.exit_settle(slow, 1), "a late answer is the host's to drop");
  });

  test("the whole deadline: what is left is still called, and not waited for", () => {
    const core = start(Status.Signal, 500, 150);
    for (let i = 0; i < 3; i++) core.exit_add(BOTH, 100);
    core.exit_begin(Reason.Signal, TERM, 0);
    assert.is(core.exit_next(0), Next.Call);
    assert.is(core.exit_next(100), Next.Late);
    assert.is(core.exit_next(100), Next.Call);
    assert.is(core.exit_due(), 150);
    assert.is(core.exit_next(150), Next.Late);
    assert.is(core.exit_next(150), Next.Call);
    assert.is(core.exit_next(150), Next.Late);
    assert.is(core.exit_next(150), Next.Others);
    assert.is(core.exit_next(150), Next.Flush);
    assert.is(core.exit_due(), 1150, "output gets a second of its own");
    assert.is(core.exit_next(1150), Next.Die);
  });

  test("leaving during a function: the rest run, every signal's, with that code", () => {
    const core = start();
    const other = core.exit_add(bit(INT), 100);
    const rest = core.exit_add(BOTH, 100);
    core.exit_add(BOTH, 100);
    core.exit_begin(Reason.Signal, TERM, 0);
    core.exit_next(0);
    assert.is(core.exit_begin(Reason.Leaving, 7, 1), Begun.Begun);
    const seen: number[] = [];
    while (core.exit_next(1) === Next.Call) {
      seen.push(core.exit_id());
      if (seen.length === 1) assert.is(core.exit_begin(Reason.Leaving, 9, 1), Begun.Begun, "again, inside");
      core.exit_settle(core.exit_id(), 1);
    }
    assert.equal(seen, [rest, other]);
    assert.is(core.exit_value(), 9);
    assert.is(core.exit_begin(Reason.Leaving, 9, 2), Begun.Ignored);
    assert.is(core.exit_begin(Reason.Signal, TERM, 900), Begun.Ignored);
  });

  test("added during a function: runs; removed: does not; claimed: can't be taken back", () => {
    const core = start();
    const gone = core.exit_add(BOTH, 100);
    const first = core.exit_add(BOTH, 100);
    core.exit_begin(Reason.Signal, TERM, 0);
    core.exit_next(0);
    assert.is(core.exit_remove(first), 0);
    assert.is(core.exit_remove(gone), 1);
    const added = core.exit_add(BOTH, 100);
    core.exit_settle(first, 1);
    assert.is(core.exit_next(0), Next.Call);
    assert.is(core.exit_id(), added);
    core.exit_settle(added, 1);
    assert.is(core.exit_next(0), Next.Others);
    const late = core.exit_add(BOTH, 100);
    core.exit_heard(1);
    assert.is(core.exit_next(0), Next.Call, "also one that a listener of others has added");
    core.exit_settle(late, 1);
    assert.is(core.exit_next(0), Next.Flush, "the others are asked once");
  });

  // Events that the table forbids: each traps, and the core goes on as if nothing had been.
  const illegal: [string, (core: Core, id: number) => unknown][] = [
    ["next before begin", (core) => core.exit_next(0)],
    ["settle before begin", (core, id) => core.exit_settle(id, 1)],
    ["heard before begin", (core) => core.exit_heard(1)],
    ["flushed before begin", (core) => core.exit_flushed()],
    ["signal 0", (core) => core.exit_begin(Reason.Signal, 0, 0)],
    ["signal 32", (core) => core.exit_begin(Reason.Signal, 32, 0)],
    ["a mask with signal 32", (core) => core.exit_add(-1, 0)],
    ["status -3", (core) => core.exit_configure(-3, 0, 0)],
  ];
  for (const [name, event] of illegal) {
    test(`illegal: ${name}`, () => {
      const core = start();
      const id = core.exit_add(BOTH, 100);
      assert.throws(() => event(core, id), /unreachable|RuntimeError/i);
      assert.is(core.exit_count(), 1);
      assert.is(core.exit_begin(Reason.Signal, TERM, 0), Begun.Begun);
      assert.is(core.exit_next(0), Next.Call);
      assert.throws(() => core.exit_heard(1));
      assert.throws(() => core.exit_flushed());
      core.exit_settle(id, 1);
      assert.throws(() => core.exit_settle(id, 1), "settled twice");
      assert.throws(() => core.exit_remove(id), "the id is void");
    });
  }

  test("records are used again", () => {
    const core = start();
    const ids = Array.from({ length: 1000 }, () => core.exit_add(BOTH, 1));
    assert.is(new Set(ids).size, 1000);
    const size = core.memory.buffer.byteLength;
    for (let round = 0; round < 100; round++) {
      for (const id of ids) assert.is(core.exit_remove(id), 1);
      ids.splice(0, ids.length, ...Array.from({ length: 1000 }, () => core.exit_add(BOTH, 1)));
    }
    assert.is(core.memory.buffer.byteLength, size);
    assert.is(core.exit_count(), 1000);
  });

  test("transfers and exit functions share a memory, not a record", () => {
    const core = start();
    const records: number[] = [];
    for (let i = 0; i < 100; i++) records.push(core.exit_add(BOTH, 1), core.transfer_open(0));
    assert.is(new Set(records).size, 200);
    for (let i = 1; i < 200; i += 2) core.transfer_close(records[i] as number);
    core.exit_begin(Reason.Leaving, 0, 0);
    for (let i = 198; i >= 0; i -= 2) {
      assert.is(core.exit_next(0), Next.Call);
      assert.is(core.exit_id(), records[i]);
      core.exit_settle(records[i] as number, 1);
    }
  });

  test("any program: once each, in order, and an end", () => {
    for (let seed = 1; seed <= 500; seed++) {
      try {
        program(start, seed);
      } catch (error) {
        (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
        throw error;
      }
    }
  });

  test("no import was called", () => assert.equal(calls, []));
  test.run();
}

/** A random life: registrations before and during, signals at any time, answers well, ill, late or never. */
function program(start: (status: number, forceAfter: number, deadline: number) => Core, seed: number): void {
  const random = mulberry32(seed);
  const below = (n: number) => Math.floor(random() * n);
  const deadline = 50 + below(400);
  const core = start(Status.Signal, 500, deadline);
  const waiting: { id: number; mask: number; late: boolean }[] = [];
  let now = below(1000);
  let others = 0;
  let flushes = 0;
  let failed = false;
  const add = () => {
    const mask = [bit(TERM), bit(INT), BOTH, 0][below(4)] as number;
    waiting.push({ id: core.exit_add(mask, below(200)), mask, late: flushes > 0 });
  };
  const remove = () => {
    if (waiting.length === 0) return;
    const [gone] = waiting.splice(below(waiting.length), 1);
    assert.is(core.exit_remove((gone as { id: number }).id), 1);
  };
  for (let i = below(12); i > 0; i--) random() < 0.8 ? add() : remove();

  const reason = [Reason.Signal, Reason.Asked, Reason.Ended, Reason.Leaving][below(4)] as Reason;
  let signal = reason === Reason.Signal ? TERM : 0;
  let code = signal === 0 ? below(5) : 0;
  const began = now;
  let leaving = reason === Reason.Leaving;
  let forced = false;
  core.exit_begin(reason, signal || code, now);

  for (let round = 0; ; round++) {
    assert.ok(round < 1000, "it ends");
    assert.is(core.exit_count(), waiting.length);
    assert.is(
      core.exit_signals(),
      waiting.reduce((sum, { mask }) => sum | mask, 0),
    );
    const next = core.exit_next(now);
    if (next === Next.Die || next === Next.Exit) {
      // Who comes when the output is leaving already comes too late.
      const due = waiting.filter((entry) => meant(entry) && (leaving || !entry.late));
      if (!forced) assert.is(due.length, 0, "nobody is forgotten");
      assert.is(next, signal !== 0 && !failed ? Next.Die : Next.Exit);
      assert.is(core.exit_value(), signal === 0 ? (code === 0 && failed ? 1 : code) : failed ? 1 : signal);
      assert.is(flushes, leaving || forced ? flushes : 1);
      assert.is(others, leaving || forced ? others : signal === 0 ? 0 : 1);
      return;
    }
    if (next === Next.Others) others++;
    if (next === Next.Flush) flushes++;
    assert.ok(others <= 1 && flushes <= 1);
    if (next === Next.Late) continue;
    let id = 0;
    if (next === Next.Call) {
      const expected = waiting.findLast(meant);
      id = core.exit_id();
      assert.is(id, expected?.id, "the last one added of those meant");
      waiting.splice(waiting.indexOf(expected as (typeof waiting)[number]), 1);
    }
    // Meanwhile things happen.
    if (round < 30 && random() < 0.3) add();
    if (random() < 0.2) remove();
    if (random() < 0.05) {
      code = below(9);
      assert.is(core.exit_begin(Reason.Leaving, code, now), Begun.Begun);
      leaving = true;
      signal = 0;
      if (id !== 0 && random() < 0.5) continue; // it called process.exit(): it never answers
      if (id !== 0) core.exit_settle(id, 1);
      continue;
    }
    if (random() < 0.1) {
      const late = now - began > 500;
      const begun = core.exit_begin(Reason.Signal, INT, now);
      assert.is(begun, leaving || !late ? Begun.Ignored : Begun.Forced);
      if (begun === Begun.Forced) {
        forced = true;
        signal ||= INT;
        continue;
      }
    }
    if (next === Next.Wait) {
      now = Math.max(now, core.exit_due());
      assert.ok(now <= began + deadline + 3000, "time is bounded");
      continue;
    }
    if (leaving || random() < 0.7) {
      const ok = random() < 0.9;
      if (next === Next.Call) core.exit_settle(id, ok ? 1 : 0);
      else if (next === Next.Others) core.exit_heard(ok ? 1 : 0);
      else core.exit_flushed();
      if (!ok && next !== Next.Flush) failed = true;
    }
    now += below(20);
  }

  function meant({ mask }: { mask: number }): boolean {
    return signal === 0 || (mask & bit(signal)) !== 0;
  }
}

/** The same numbers on every machine, for one seed. */
function mulberry32(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
