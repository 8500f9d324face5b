// A connection of the loop, driven by hand on both builds of the core: its calls are lent, and so is its peer.

import * as assert from "uvu/assert";
import { Act, Fault } from "../assembly/abi.js";
import type { Core } from "../host/core.js";
import { each } from "./lib/core.js";

const IN = 1;
const OUT = 4;
const HEAD = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const MIB = 1 << 20;

each("connection", (test, build) => {
  /** A connection whose request was read, and what its calls do. */
  function asked() {
    const world = { cold: false, input: HEAD };
    let core!: Core;
    core = build.boot({
      recv(_from, ptr) {
        const { input } = world;
        world.input = "";
        Buffer.from(core.memory.buffer, ptr, input.length).write(input, "latin1");
        return input === "" ? -Fault.WouldBlock : input.length;
      },
      read: () => (world.cold ? -Fault.WouldBlock : 1),
      send: (_out, _ptr, count) => count,
      sendfile: (_out, _file, _offset, count) => count,
    });
    const handle = core.connection_open(5, 0);
    const generation = core.connection_generation(handle);
    const event = (events: number) => core.connection_event(handle, generation, events, 0);
    assert.is(event(IN | OUT), Act.Ask);
    return { world, core, handle, event };
  }

  test("a turn that was asked for, of a connection that waits for a disk meanwhile: it waits on", () => {
    const { world, core, handle, event } = asked();
    assert.is(core.connection_answer(handle, 10, 6, 0, 8 * MIB, 0, 0), Act.Again);
    world.cold = true;
    assert.is(event(IN | OUT), Act.Cold);
    const at = core.connection_at(handle);
    assert.is(core.connection_again(handle, 0), Act.Wait);
    assert.is(core.connection_at(handle), at);
    world.cold = false;
    const want = core.connection_want(handle);
    assert.is(core.connection_warm(handle, want, 0), Act.Cold); // what is behind it is not looked at yet
    assert.is(core.connection_at(handle), at + want);
  });

  test("a file that ends before what is cold: closed, and the disk is not asked again", () => {
    const { world, core, handle, event } = asked();
    assert.is(core.connection_answer(handle, 10, 6, 0, 8 * MIB, 0, 0), Act.Again);
    world.cold = true;
    assert.is(event(IN | OUT), Act.Cold);
    assert.is(core.connection_warm(handle, 4096, 0), Act.Cold);
    assert.is(core.connection_warm(handle, 0, 0), Act.Close);
    core.connection_close(handle);
    assert.is(core.connection_after(0), 0);
  });

  test("an event that was meant for a connection before does nothing", () => {
    const { core, handle, event } = asked();
    core.connection_close(handle);
    assert.is(event(IN | OUT), Act.Wait);
    assert.is(core.connection_open(7, 0), handle);
    assert.is(event(16), Act.Wait);
    assert.is(core.connection_fd(handle), 7);
  });
});
