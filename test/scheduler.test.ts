// The queue of transfers that wait for the next turn of the event loop.

import * as assert from "uvu/assert";
import { Scheduler } from "../host/scheduler.js";
import { BUILDS } from "./lib/core.js";
import { test } from "./lib/suite.js";

for (const build of BUILDS) {
  test(`${build.name}: one that throws leaves the others in their order, and the queue alive`, () => {
    const deferred: (() => void)[] = [];
    const log: string[] = [];
    const scheduler = new Scheduler(
      build.boot(),
      () => 0,
      (next) => deferred.push(next),
    );
    const logs = (name: string) => ({ run: () => void log.push(name) });
    scheduler.schedule(logs("a"));
    scheduler.schedule({
      run() {
        throw new Error("b");
      },
    });
    scheduler.schedule(logs("c"));
    assert.throws(() => deferred.shift()?.(), /^b$/);
    assert.equal(log, ["a"]);
    assert.is(deferred.length, 1, "the next round is on its way");
    deferred.shift()?.();
    scheduler.schedule(logs("d"));
    // What a program puts there is not waiting.
    const prototype = Array.prototype as unknown[];
    for (let i = 0; i < 3; i++) prototype[i] = logs("a prototype's");
    try {
      deferred.shift()?.();
    } finally {
      for (let i = 0; i < 3; i++) delete prototype[i];
    }
    assert.equal(log, ["a", "c", "d"]);
    assert.is(deferred.length, 0);
  });
}

test.run();
