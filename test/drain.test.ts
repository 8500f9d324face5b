// drainOnExit(): a server with a download under way gets SIGTERM.

import * as assert from "uvu/assert";
import { ActiveTransfers, type Running } from "../host/transfer/active.js";
import { onAborted } from "../host/transfer/listeners.js";
import { kill, run } from "./lib/exit-process.js";
import { lacks } from "./lib/runtime.js";
import { suite } from "./lib/suite.js";

const test = suite("drainOnExit");

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a running transfer is finished, a new one refused, idle connections ended", async () => {
  const { lines, status, stderr } = await run("drain.mjs", { args: ["fast"], act: kill("SIGTERM") });
  assert.equal(lines.slice(0, 2), ["new: ERR_SENDFILE_ABORTED 0", `sent ${32 << 20}`], stderr);
  assert.is(lines[2], "received all true", "the connection was ended once it was idle");
  assert.is(status, "SIGTERM", stderr);
});

const reason = lacks("fd of a response");
const late = "one that is not over by the timeout fails with the bytes sent";
(reason === null ? test : test.skip)(reason === null ? late : `${late} (${reason})`, async () => {
  const { lines, status, stderr } = await run("drain.mjs", { args: ["slow"], act: kill("SIGTERM") });
  assert.equal(lines, ["new: ERR_SENDFILE_ABORTED 0", "ERR_SENDFILE_ABORTED true"], stderr);
  assert.is(status, "SIGTERM", stderr);
});

test("whoever left before is not aborted, in whatever order they left, and all others are", async () => {
  const transfers = new ActiveTransfers();
  const aborted: number[] = [];
  const some = [0, 1, 2, 3, 4].map((i): Running => ({ slot: -1, abort: () => void aborted.push(i) }));
  for (const one of some) transfers.add(one);
  for (const i of [1, 4, 0, 1]) transfers.remove(some[i] as Running);
  await transfers.drain({ timeout: 0 });
  assert.equal(aborted.sort(), [2, 3]);
  assert.throws(() => transfers.add({ slot: -1, abort: () => {} }), /the process is ending/);
});

test("of those that one signal aborts, one that throws keeps no other", () => {
  const aborted: string[] = [];
  const signal = {
    abort: (_: unknown): void => {},
    addEventListener: (_: string, listener: (event: unknown) => void) => void (signal.abort = listener),
  };
  const listen = (onAbort: () => void) => onAborted(signal as unknown as AbortSignal, onAbort);
  const thrower = (name: string) => () => {
    aborted.push(name);
    throw new Error(name);
  };
  listen(thrower("first"));
  listen(thrower("second"));
  listen(() => void aborted.push("third"));
  assert.throws(() => signal.abort({ target: signal }), /^first$/);
  assert.equal(aborted, ["first", "second", "third"]);
});

test("without a timeout a transfer gets all its time", async () => {
  const transfers = new ActiveTransfers();
  let aborted = false;
  const one: Running = { slot: -1, abort: () => void (aborted = true) };
  transfers.add(one);
  const drained = transfers.drain({ timeout: Number.POSITIVE_INFINITY });
  await new Promise((resolve) => setTimeout(resolve, 5)); // more than a timer of Infinity ms takes
  transfers.remove(one);
  await drained;
  assert.is(aborted, false);
});

test("what goes on with one that was running is waited for, and refused once the time is over", async () => {
  const transfers = new ActiveTransfers();
  const aborted: Running[] = [];
  const some = [0, 1, 2].map((): Running => ({ slot: -1, abort: () => void aborted.push(one) }));
  const [one, next, late] = some as [Running, Running, Running];
  transfers.add(one);
  // Both of two who drain at once.
  let over = 0;
  const drained = [20_000, 30_000].map((timeout) => transfers.drain({ timeout }).then(() => over++));
  await turn();
  transfers.remove(one);
  transfers.follow(next);
  await turn();
  assert.is(over, 0);
  transfers.remove(next);
  await Promise.all(drained);
  assert.throws(() => transfers.follow(late), /the process is ending/);
  assert.equal(aborted, []);
});

test("idle connections are ended again and again, until the last one has gone", async () => {
  let looks = 0;
  const server = {
    gone: () => {},
    close: (done: () => void) => void (server.gone = done),
    closeIdleConnections: () => void (++looks === 2 && server.gone()),
  };
  await new ActiveTransfers().drain({ servers: [server], timeout: 1000 });
  assert.is(looks, 2);
});

test.run();
