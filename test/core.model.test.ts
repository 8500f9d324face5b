// The core against a model in BigInt: random transfers, several at a time, under random outcomes of
// every call. SEED=n repeats a schedule that failed.

import * as assert from "uvu/assert";
import { Action, Fault, Flag, Way } from "../assembly/abi.js";
import type { Core } from "../host/core.js";
import { type Build, each } from "./lib/core.js";
import { type Extent, Stream } from "./lib/stream.js";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Instances of the core, and transfers in each of them. */
const WORLDS = 60;
const TRANSFERS = 40;
const AT_ONCE = 5;

/** Runs of one transfer; a body of 2^53 bytes is left unfinished. */
const RUNS = 80;

/** mulberry32: small, and good enough to choose. */
class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 <= n < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  /** 0 <= n < limit */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
  chance(p: number): boolean {
    return this.next() < p;
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}

function extent(random: Random): Extent {
  const near = (n: number) => Math.max(0, n - 2 + random.below(5));
  const header = random.pick([0, 0, 0, 1, random.below(500), near(16 * KiB), near(40000), MiB + 1, 2 ** 31 - 1]);
  const trailer = random.pick([0, 0, 0, 0, 1, random.below(500), MiB + 5, 2 ** 31 - 1]);
  const count = random.pick([
    0,
    1,
    random.below(100),
    near(4 * KiB),
    near(16 * KiB),
    near(16 * KiB - header),
    near(128 * KiB),
    near(512 * KiB),
    near(MiB),
    40 * MiB + random.below(MiB),
    random.below(3 * MiB),
    near(2 ** 31),
    2 ** 53 - 1,
  ]);
  const most = Number.MAX_SAFE_INTEGER - count;
  const edge = random.pick([2 ** 31, 2 ** 32, 2 ** 53]) - random.below(2 * MiB);
  const offset = Math.min(most, random.pick([0, 0, random.below(10000), 4 * KiB * random.below(1000), edge, most]));
  const there = random.chance(0.8) ? count + random.below(2) : Math.floor(random.next() * count);
  let flags = 0;
  if (random.chance(0.9)) flags |= Flag.Native;
  if (random.chance(0.7)) flags |= Flag.Probe;
  if (random.chance(0.1)) flags |= Flag.Only;
  if (random.chance(0.3)) flags |= Flag.Eof;
  return { header, offset, count, trailer, flags, there };
}

/** What the next answer of the core has to be. */
interface Must {
  action: Action;
  /** Of Copy. */
  want?: bigint;
  way?: Way;
  /** Of Fail. */
  fault?: Fault;
}

const STRETCH = 4n * 1048576n;
const FAR = 32n * 1048576n;

const least = (...values: bigint[]) => values.reduce((a, b) => (a < b ? a : b));
const upTo = (unit: bigint, position: bigint) => unit - (position % unit);

/** One transfer, and what is known of it. */
class Model extends Stream {
  readonly handle: number;
  native: boolean;
  probe: boolean;
  timeout = 0;
  deadline = Number.POSITIVE_INFINITY;
  progress: number;
  /** How often its calls meet something odd. */
  readonly odd: number;
  /** Up to here everything is taken to be cold; 0 where nothing is. */
  thaw = 0n;
  runs = 0;
  calls = 0;
  /** What may cost calls: bytes that moved, interruptions, answers. Each is worth 6 calls at most. */
  events = 0;

  constructor(id: number, said: Extent, handle: number, now: number, odd: number) {
    super(id, said);
    this.handle = handle;
    this.native = (said.flags & Flag.Native) !== 0;
    this.probe = (said.flags & Flag.Probe) !== 0;
    this.progress = now;
    this.odd = odd;
  }

  get due(): number {
    return Math.min(this.timeout > 0 ? this.progress + this.timeout : Number.POSITIVE_INFINITY, this.deadline);
  }

  expired(now: number): Must | null {
    if (now < this.due) return null;
    return { action: Action.Fail, fault: now >= this.deadline ? Fault.Expired : Fault.Stalled };
  }

  /** Copies `body` bytes, and what is left of the header before them. */
  copy(body: bigint, way: Way): Must {
    return { action: Action.Copy, want: this.headLeft + least(body, this.bodyLeft), way };
  }
  bell(way: Way): Must {
    return this.copy(upTo(512n, this.position), way);
  }
  /** Cold bytes are met, or have to be expected still. */
  cold(): Must {
    if (this.position >= this.thaw) this.thaw = this.position + STRETCH;
    const page = (this.position + 262144n) / 4096n;
    return this.copy(page * 4096n - this.position, Way.Cold);
  }
  without(): Must {
    if (this.flags & Flag.Only) return { action: Action.Fail, fault: Fault.NotAvailable };
    const must = this.copy(upTo(524288n, this.position), Way.Copied);
    const all = must.want === this.headLeft + this.bodyLeft;
    return { ...must, want: least(all ? this.left : (must.want as bigint), 2n ** 31n - 1n) };
  }
}

class World {
  readonly core: Core;
  readonly random: Random;
  readonly live: Model[] = [];
  now = 0;
  turn = 0;
  opened = 0;
  sendfileMissing = false;
  readMissing = false;
  /** Of the run that is under way. */
  must: Must | null = null;
  moved = 0;
  calls = 0;

  constructor(build: Build, random: Random) {
    this.random = random;
    this.core = build.boot({
      sendfile: (out, file, offset, count) => {
        const t = this.#call(out);
        return this.#native(
          t,
          t.sendfile(file, offset, count, (most) => this.#outcome(t, most)),
        );
      },
      send: (out, ptr, count, more) => {
        const t = this.#call(out);
        return this.#native(
          t,
          t.send(this.core, ptr, count, more, (most) => this.#outcome(t, most)),
        );
      },
      read: (file, ptr, offset, count) => {
        const t = this.#call(file - 1_000_000);
        assert.ok(t.probe && !this.readMissing, "read is not asked again");
        const n = t.read(this.core, ptr, offset, count, (most) => this.#outcome(t, most));
        if (t.thaw > 0n) {
          assert.is(BigInt(offset), t.position + FAR, "where it was cold a byte far ahead is asked first");
          if (n > 0) t.thaw = 0n;
          else this.must = t.cold();
        } else {
          assert.is(BigInt(offset), t.position);
          this.#asked(t, n);
        }
        return n;
      },
    });
  }

  #call(out: number): Model {
    const t = this.live.find((model) => model.out === out);
    if (t === undefined) throw new Error("a call for nobody");
    assert.is(this.must, null, "a call after the end of the run");
    assert.ok(t.native && !this.sendfileMissing, "the kernel's way is not tried again");
    t.calls++;
    this.calls++;
    return t;
  }

  #outcome(t: Model, most: number): number {
    const { random } = this;
    if (!random.chance(t.odd)) return most;
    if (random.chance(0.01)) return -Fault.Missing;
    if (random.chance(0.02)) return -random.pick([Fault.System, Fault.Closed, Fault.Unsupported]);
    if (random.chance(0.3)) return -Fault.WouldBlock;
    if (random.chance(0.3)) return -Fault.Interrupted;
    return random.chance(0.2) ? 1 : 1 + random.below(most);
  }

  /** An answer of send or sendfile, and what has to come of it. */
  #native(t: Model, n: number): number {
    if (n > 0) {
      t.progress = this.now;
      t.events++;
      this.moved += n;
    } else if (n === 0) this.must = t.bell(Way.Copied);
    else if (n === -Fault.Interrupted) t.events++;
    else if (n === -Fault.WouldBlock) this.must = t.bell(Way.Doorbell);
    else if (n === -Fault.Missing || n === -Fault.Unsupported) {
      if (n === -Fault.Missing) this.sendfileMissing = true;
      t.native = false;
      this.must = t.without();
    } else this.must = { action: Action.Fail, fault: -n };
    return n;
  }

  /** An answer of read at the next byte, and what has to come of it. */
  #asked(t: Model, n: number): void {
    if (n > 0) return;
    t.events++;
    if (n === 0) {
      const fault = t.ended();
      if (fault !== Fault.None) this.must = { action: Action.Fail, fault };
    } else if (n === -Fault.WouldBlock) this.must = t.cold();
    else if (n === -Fault.Missing) this.readMissing = true;
    else if (n === -Fault.Unsupported) t.probe = false;
    else if (n !== -Fault.Interrupted) this.must = { action: Action.Fail, fault: -n };
  }

  open(): void {
    const { core, random } = this;
    const said = extent(random);
    const handle = core.transfer_open(this.now);
    const t = new Model(++this.opened, said, handle, this.now, random.pick([0, 0.1, 0.6]));
    core.transfer_extent(handle, said.header, said.offset, said.count, said.trailer, said.flags);
    if (random.chance(0.3)) {
      if (random.chance(0.7)) t.timeout = 1 + random.below(40);
      if (random.chance(0.7)) t.deadline = this.now + random.below(400) / 2;
      core.transfer_limit(handle, t.timeout, t.deadline, this.now);
    }
    this.live.push(t);
  }

  /** Time goes on, by a step that is exact in binary. */
  tick(): void {
    const { random } = this;
    if (random.chance(0.3)) this.now += random.below(16) / 8;
    if (random.chance(0.8)) {
      this.turn = this.now;
      this.core.turn_begin(this.now);
    }
    assert.is(this.core.turn_spent(this.now), this.now - this.turn >= 1 ? 1 : 0);
  }

  /** One run of a transfer, and what the host makes of the answer. */
  step(t: Model): void {
    const { core, random } = this;
    t.runs++;
    this.moved = this.calls = 0;
    this.must = this.#before(t);
    t.putHeader(core);
    const action = core.transfer_run(t.handle, t.out, t.file, this.now);
    t.events++;
    // A run has its limit of calls, and may stop before it has seen that only a copy is left.
    const limited = this.must === null && this.calls >= 16 && t.left > 0n && action === Action.Yield;
    this.#check(t, limited ? { action } : (this.must ?? this.#after(t)), action);
    assert.ok(this.moved <= MiB + 16 * KiB, `${this.moved} bytes in one run`);
    assert.ok(this.calls <= 96, `${this.calls} calls in one run`);

    if (action === Action.Copy) this.#copy(t);
    else if (action !== Action.Yield) this.#close(t);
    else if (t.runs > RUNS || random.chance(0.01)) this.#abort(t);
  }

  /** What is known before a call was made. */
  #before(t: Model): Must | null {
    if (t.left === 0n) return { action: Action.Done };
    const expired = t.expired(this.now);
    if (expired !== null) return expired;
    if (this.now - this.turn >= 1) return { action: Action.Yield };
    if (!t.native || this.sendfileMissing) return t.without();
    const asks = t.probe && !this.readMissing && t.bodyLeft > 0n && t.headLeft <= 16384n;
    const frozen = t.thaw > 0n && (t.position < t.thaw || t.bodyLeft <= FAR);
    return asks && frozen ? t.cold() : null;
  }

  /** What has to follow where no call has said so. */
  #after(t: Model): Must {
    if (t.left === 0n) return { action: Action.Done };
    const most = (n: bigint): Must => ({ action: Action.Copy, want: least(n, 1048576n), way: Way.Copied });
    if (t.bodyLeft === 0n) return most(t.left);
    if (t.headLeft > 16384n) return most(t.headLeft);
    assert.ok(this.moved >= MiB || this.calls >= 16, `it gave up after ${this.calls} calls, ${this.moved} bytes`);
    return { action: Action.Yield };
  }

  #check(t: Model, must: Must, action: Action): void {
    const { core } = this;
    const { handle } = t;
    assert.is(Action[action], Action[must.action]);
    if (action === Action.Copy) {
      assert.is(core.transfer_want(handle), Number(must.want));
      assert.is(Way[core.transfer_way(handle)], Way[must.way as Way]);
    }
    if (action === Action.Fail) assert.is(Fault[core.transfer_fault(handle)], Fault[must.fault as Fault]);
    t.agrees(core, handle);
    assert.is(core.transfer_due(handle), t.due);
  }

  /** The host copies: all of it, less, in pieces, or not at all. */
  #copy(t: Model): void {
    const { core, random } = this;
    const { handle } = t;
    const way = core.transfer_way(handle);
    const n = t.copyable(core.transfer_want(handle));
    if (n === 0) {
      core.transfer_ended(handle);
      const fault = t.ended();
      assert.is(core.transfer_fault(handle), fault);
      t.agrees(core, handle);
      if (fault !== Fault.None) this.#close(t);
      return;
    }
    if (t.runs > RUNS || random.chance(0.01)) return this.#abort(t);

    let rest = random.chance(0.2) ? 1 + random.below(n) : n;
    while (rest > 1 && random.chance(0.3)) {
      const piece = random.below(rest);
      if (piece > 0) t.leave(piece, way);
      core.transfer_moved(handle, piece, this.now);
      t.progress = this.now;
      t.agrees(core, handle);
      rest -= piece;
      this.tick();
      const expired = t.expired(this.now);
      assert.is(core.transfer_tick(handle, this.now), expired === null ? 0 : 1);
      if (expired !== null) {
        assert.is(core.transfer_fault(handle), expired.fault);
        return this.#close(t);
      }
    }
    t.leave(rest, way);
    core.transfer_copied(handle, rest, this.now);
    t.progress = this.now;
    t.agrees(core, handle);
  }

  #abort(t: Model): void {
    this.core.transfer_failed(t.handle, Fault.Aborted);
    assert.is(this.core.transfer_fault(t.handle), Fault.Aborted);
    this.#close(t);
  }

  #close(t: Model): void {
    t.agrees(this.core, t.handle);
    assert.ok(t.calls <= 6 * t.events, `${t.calls} calls for ${t.events} events`);
    this.core.transfer_close(t.handle);
    this.live.splice(this.live.indexOf(t), 1);
  }
}

const SEED = process.env.SEED === undefined ? null : Number(process.env.SEED);

each("core: model", (test, build) => {
  test(`${WORLDS * TRANSFERS} random transfers`, () => {
    const first = SEED ?? Math.floor(Math.random() * 2 ** 31);
    for (let seed = first; seed < first + (SEED === null ? WORLDS : 1); seed++) {
      const world = new World(build, new Random(seed));
      try {
        while (world.opened < TRANSFERS || world.live.length > 0) {
          while (world.opened < TRANSFERS && world.live.length < AT_ONCE) world.open();
          world.tick();
          world.step(world.random.pick(world.live));
        }
      } catch (error) {
        (error as Error).message = `SEED=${seed}: ${(error as Error).message}`;
        throw error;
      }
    }
  });

  test("100,000 transfers open at once; closed records are given again, and no memory with them", () => {
    const core = build.boot();
    const open = () => Array.from({ length: 100_000 }, () => core.transfer_open(0));
    const handles = open();
    assert.is(new Set(handles).size, 100_000);
    assert.not(handles.includes(0));
    // Each is its own: what is said of one is not heard by its neighbours.
    handles.forEach((handle, i) => {
      core.transfer_extent(handle, 0, i, i + 1, 0, 0);
    });
    handles.forEach((handle, i) => {
      core.transfer_run(handle, -1, -1, 0);
      assert.is(core.transfer_want(handle), Math.min(i + 1, 524288 - (i % 524288)));
      core.transfer_copied(handle, core.transfer_want(handle), 0);
    });
    handles.forEach((handle, i) => {
      assert.is(core.transfer_run(handle, -1, -1, 0), Action.Done);
      assert.is(core.transfer_sent(handle), i + 1);
    });
    const size = core.memory.buffer.byteLength;
    for (const handle of handles) core.transfer_close(handle);
    const again = open();
    assert.equal(new Set(again), new Set(handles));
    assert.is(core.memory.buffer.byteLength, size);
  });

  test("at the memory's maximum open answers 0, and works again after a close", () => {
    const core = build.boot();
    const handles: number[] = [];
    for (let handle = core.transfer_open(0); handle !== 0; handle = core.transfer_open(0)) handles.push(handle);
    assert.is(core.memory.buffer.byteLength, 64 * MiB);
    assert.ok(handles.length > 500_000);
    assert.is(core.transfer_open(0), 0);
    const last = handles[1000] as number;
    core.transfer_close(last);
    assert.is(core.transfer_open(0), last);
    assert.is(core.transfer_open(0), 0);
  });
});
