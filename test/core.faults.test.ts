// Fail the nth call, n = 1, 2, … until a run meets no fault: once passing, and once lasting. Each
// fault has exactly one right end, and no byte leaves twice.

import * as assert from "uvu/assert";
import { Action, Fault, Flag, Way } from "../assembly/abi.js";
import { type Core, hears } from "../host/core.js";
import { type Build, each } from "./lib/core.js";
import { type Extent, type Outcome, Stream } from "./lib/stream.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const { Native, Only, Probe, Eof } = Flag;

/** What an import may answer besides a count. */
const FAULTS = [
  Fault.WouldBlock,
  Fault.Interrupted,
  Fault.Unsupported,
  Fault.Missing,
  Fault.Closed,
  Fault.System,
] as const;

const whole = (extent: Omit<Extent, "there">): Extent => ({ ...extent, there: extent.count });

const TRANSFERS: { readonly [name: string]: Extent } = {
  "header and small body": whole({ header: 300, offset: 7, count: 5000, trailer: 0, flags: Native | Probe }),
  "header, 3 MiB and a trailer": whole({
    header: 300,
    offset: 4097,
    count: 3 * MiB + 1,
    trailer: 50,
    flags: Native | Probe,
  }),
  "a header that does not fit": whole({
    header: 20000,
    offset: 0,
    count: MiB,
    trailer: 0,
    flags: Native | Probe,
  }),
  "without the probe": whole({ header: 16384, offset: 0, count: 2 * MiB, trailer: 9, flags: Native }),
  "native only": whole({ header: 300, offset: 5, count: 2 * MiB, trailer: 0, flags: Native | Probe | Only }),
  "at the edge of 2^32": whole({ header: 0, offset: 2 ** 32 - 5, count: MiB + 9, trailer: 0, flags: Native | Probe }),
  "a file shorter than a bound": {
    header: 300,
    offset: 0,
    count: 4 * MiB,
    trailer: 50,
    flags: Native | Probe | Eof,
    there: MiB + 100,
  },
};

/** Calls that no transfer above comes near: where a fault lasts, this ends what would not end. */
const RUNS = 10_000;

interface End {
  action: Action;
  fault: Fault;
  stream: Stream;
  calls: number;
  doorbells: number;
  /** Calls that failed: questions about a byte far ahead, other reads, and calls that send. */
  failed: { far: number; read: number; send: number };
}

/** A faithful host, whose nth call fails; and where it lasts, all after it. */
function drive(build: Build, extent: Extent, fault: Fault, nth: number, lasting: boolean): End {
  const stream = new Stream(1, extent);
  let calls = 0;
  let doorbells = 0;
  const failed = { far: 0, read: 0, send: 0 };
  const outcome = (call: keyof typeof failed): Outcome => {
    calls++;
    if (lasting ? calls < nth : calls !== nth) return (most) => most;
    return () => {
      failed[call]++;
      return -fault;
    };
  };
  const core: Core = build.boot({
    sendfile: (_out, file, offset, n) => stream.sendfile(file, offset, n, outcome("send")),
    send: (_out, ptr, n, more) => stream.send(core, ptr, n, more, outcome("send")),
    read: (_file, ptr, offset, n) =>
      stream.read(core, ptr, offset, n, outcome(BigInt(offset) === stream.position ? "read" : "far")),
  });

  const handle = core.transfer_open(0);
  core.transfer_extent(handle, extent.header, extent.offset, extent.count, extent.trailer, extent.flags);
  core.transfer_limit(handle, 100, Number.POSITIVE_INFINITY, 0);
  // The clock stands while bytes leave, and jumps where a run has moved none.
  let now = 0;
  let action = Action.Yield;
  for (let runs = 0; runs < RUNS; runs++) {
    core.turn_begin(now);
    stream.putHeader(core);
    const before = stream.done;
    action = core.transfer_run(handle, stream.out, stream.file, now);
    if (action === Action.Done || action === Action.Fail) break;
    if (action === Action.Yield) {
      if (stream.done === before) now += 25;
      continue;
    }
    const way = core.transfer_way(handle);
    if (way === Way.Doorbell) doorbells++;
    const n = stream.copyable(core.transfer_want(handle));
    if (n === 0) {
      core.transfer_ended(handle);
      stream.ended();
      if (core.transfer_fault(handle) === Fault.None) continue;
      action = Action.Fail;
      break;
    }
    stream.leave(n, way);
    core.transfer_copied(handle, n, now);
  }
  // A probe at the end of a file that is a bound has ended the body inside a run.
  if (stream.thereLeft === 0n) stream.ended();
  stream.agrees(core, handle);
  const end = { action, fault: core.transfer_fault(handle), stream, calls, doorbells, failed };
  core.transfer_close(handle);
  return end;
}

/** The one right end: None for Done. */
function right(extent: Extent, fault: Fault, lasting: boolean, { failed }: End): Fault {
  // The question about a byte far ahead decides only how to go on: without an answer it counts as cold.
  if (failed.read + failed.send === 0) return Fault.None;
  switch (fault) {
    case Fault.WouldBlock:
      return Fault.None;
    case Fault.Interrupted:
      return lasting ? Fault.Stalled : Fault.None;
    case Fault.Unsupported:
    case Fault.Missing:
      // The probe is done without; what can't be sent natively is copied, or not, as the caller said.
      return extent.flags & Only && failed.send > 0 ? Fault.NotAvailable : Fault.None;
    default:
      return fault;
  }
}

each("core: faults", (test, build) => {
  for (const [name, extent] of Object.entries(TRANSFERS)) {
    for (const fault of FAULTS) {
      for (const lasting of [false, true]) {
        test(`${name}: ${Fault[fault]}, ${lasting ? "lasting" : "passing"}`, () => {
          let nth = 1;
          for (; ; nth++) {
            assert.ok(nth < 100, "there is a run without a fault");
            const end = drive(build, extent, fault, nth, lasting);
            const wanted = right(extent, fault, lasting, end);
            const where = `call ${nth}`;
            assert.is(Fault[end.fault], Fault[wanted], where);
            assert.is(Action[end.action], Action[wanted === Fault.None ? Action.Done : Action.Fail], where);
            if (wanted === Fault.None) {
              assert.is(end.stream.left, 0n, where);
              assert.is(end.stream.sent, BigInt(Math.min(extent.count, extent.there)), where);
            }
            if (end.calls < nth) break;
          }
          assert.ok(nth > 2, "some calls were made to fail");
        });
      }
    }
  }

  test("EAGAIN at every call: a doorbell and one call for each 512 bytes, and no more", () => {
    const extent = whole({ header: 0, offset: 1, count: MiB, trailer: 0, flags: Native });
    const end = drive(build, extent, Fault.WouldBlock, 1, true);
    assert.is(end.action, Action.Done);
    assert.is(end.doorbells, 2049);
    assert.is(end.calls, 2049);
    assert.is(end.stream.tally[Way.Doorbell], BigInt(MiB));
  });

  test("an engine that misreads the answer of any import is found out, and the core can be used on", () => {
    const block = () => -Fault.WouldBlock;
    const blocked = { sendfile: block, read: block, send: block };
    assert.is(hears(build.boot(blocked)), true);
    for (const name of Object.keys(blocked)) {
      for (const misread of [1, 0xffff]) {
        const core = build.boot({ ...blocked, [name]: () => misread });
        assert.is(hears(core), false, `${name} ${misread}`);
        const handle = core.transfer_open(0);
        core.transfer_extent(handle, 0, 0, 100, 0, 0);
        assert.is(core.transfer_run(handle, -1, -1, 0), Action.Copy);
        core.transfer_copied(handle, 100, 0);
        assert.is(core.transfer_run(handle, -1, -1, 0), Action.Done);
      }
    }
  });
});
