// The hash that lags behind: the same digest as of the bytes in one piece, however they come.

import { createHash } from "node:crypto";
import * as assert from "uvu/assert";
import { Backlog } from "../cli/loopback/backlog.js";
import { test } from "./lib/suite.js";

/** Numbers from a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

for (let seed = 1; seed <= 200; seed++) {
  test(`seed ${seed}`, () => {
    const pick = random(seed);
    const capacity = pick(200);
    const bytes = Buffer.from(Array.from({ length: pick(1000) }, () => pick(256)));
    const backlog = new Backlog(capacity, 1 + pick(20));
    for (let at = 0; at < bytes.length; ) {
      const room = backlog.room();
      assert.ok(room.length > 0, "there is always room");
      const n = 1 + pick(Math.min(room.length, bytes.length - at));
      bytes.copy(room, 0, at, at + n);
      backlog.took(n);
      at += n;
    }
    assert.is(backlog.bytes, bytes.length);
    assert.is(backlog.digest(), createHash("sha256").update(bytes).digest("hex"));
  });
}

test.run();
