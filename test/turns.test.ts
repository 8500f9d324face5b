// The queue of transfers that wait for the next turn of the event loop.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Turns } from "../host/turns.js";
import { BUILDS } from "./lib/core.js";

for (const build of BUILDS) {
  test(`${build.name}: one that throws leaves the others in their order, and the queue alive`, () => {
    const deferred: (() => void)[] = [];
    const log: string[] = [];
    const turns = new Turns(
      build.boot(),
      () => 0,
      (next) => deferred.push(next),
    );
    turns.wait(() => log.push("a"));
    turns.wait(() => {
      throw new Error("b");
    });
    turns.wait(() => log.push("c"));
    assert.throws(() => deferred.shift()?.(), /^b$/);
    assert.equal(log, ["a"]);
    deferred.shift()?.();
    turns.wait(() => log.push("d"));
    deferred.shift()?.();
    assert.equal(log, ["a", "c", "d"]);
    assert.is(deferred.length, 0);
  });

  test(`${build.name}: what is only to come later comes first, in the next turn, whatever is left of it`, () => {
    const deferred: (() => void)[] = [];
    const log: string[] = [];
    let now = 0;
    const turns = new Turns(
      build.boot(),
      () => now,
      (next) => deferred.push(next),
    );
    const again = () => {
      log.push("later");
      turns.later(again);
    };
    turns.wait(() => {
      log.push("transfer");
      turns.enter();
      now += 5;
      turns.leave();
    });
    turns.wait(() => log.push("behind"));
    turns.later(again);
    turns.later(() => {
      throw new Error("b");
    });
    turns.later(() => log.push("c"));
    assert.throws(() => deferred.shift()?.(), /^b$/);
    assert.equal(log.splice(0), ["later"]);
    deferred.shift()?.();
    assert.equal(log.splice(0), ["c", "later", "transfer"]);
    deferred.shift()?.();
    assert.equal(log.splice(0), ["later", "behind"]);
    assert.is(deferred.length, 1);
  });
}

test.run();
