// The records of transfers: each its own, given again once it is closed, and as many as memory holds.

import * as assert from "uvu/assert";
import { Action } from "../assembly/abi.js";
import { each } from "./lib/core.js";

const MiB = 1024 * 1024;

each("core: records", (test, build) => {
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
    assert.ok(handles.length > 480_000);
    assert.is(core.transfer_open(0), 0);
    const last = handles[1000] as number;
    core.transfer_close(last);
    assert.is(core.transfer_open(0), last);
    assert.is(core.transfer_open(0), 0);
  });
});
