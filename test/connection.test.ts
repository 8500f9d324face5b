// A connection of the loop, driven by hand on both builds of the core: its calls are lent, and so is its peer.

import * as assert from "uvu/assert";
import { Act, Fault } from "../assembly/abi.js";
import type { Core } from "../host/core.js";
import { each } from "./lib/core.js";

const IN = 1;
const PRI = 2;
const OUT = 4;
const HEAD = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const MIB = 1 << 20;

each("connection", (test, build) => {
  /** A connection whose request was read, and what its calls do. */
  function asked(head = HEAD) {
    const world = { cold: false, full: false, input: head };
    let core!: Core;
    core = build.boot({
      recv(_from, ptr) {
        const { input } = world;
        world.input = "";
        Buffer.from(core.memory.buffer, ptr, input.length).write(input, "latin1");
        return input === "" ? -Fault.WouldBlock : input.length;
      },
      read: () => (world.cold ? -Fault.WouldBlock : 1),
      send: (_out, _ptr, count) => (world.full ? -Fault.WouldBlock : count),
      sendfile: (_out, _file, _offset, count) => (world.full ? -Fault.WouldBlock : count),
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

  /** A head of the most bytes of one recv(2). */
  const long = () => {
    const fields = "GET /a HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
    return fields.replace("X: ", `X: ${"y".repeat(8192 - fields.length)}`);
  };

  test("input of which there may be more is read on, without another event", () => {
    const { world, core, handle } = asked(long());
    world.input = HEAD;
    assert.is(core.connection_answer(handle, 10, 6, 0, 10, 0, 0), Act.Ask);
  });

  test("urgent data, before which recv(2) stops: what is behind it is read without another event", () => {
    const { world, core, handle, event } = asked();
    assert.is(event(PRI), Act.Wait);
    for (let i = 0; i < 3; i++) {
      world.input = HEAD;
      assert.is(core.connection_answer(handle, 10, 6, 0, 10, 0, 0), Act.Ask);
    }
  });

  test("a last answer over unread input: lingers, for a bounded time and size", () => {
    for (const much of [true, false]) {
      const { world, core, handle } = asked(HEAD.replace("Host", "Connection: close\r\nHost"));
      core.connection_limits(1e6, 1e6, 1e6, 100);
      core.turn_begin(50);
      world.input = "x".repeat(5000);
      assert.is(core.connection_answer(handle, 10, 6, 0, 10, 1, 50), Act.Linger);
      assert.is(core.connection_expired(handle, 149), 0);
      assert.is(core.connection_expired(handle, 150), 1);
      for (let i = 0; much; i++) {
        world.input = "x".repeat(5000);
        const act = core.connection_again(handle, 60);
        if (act === Act.Close) break;
        assert.is(act, Act.Again);
        assert.ok(i < 300, "more than a megabyte");
      }
      if (!much) assert.is(core.connection_again(handle, 60), Act.Wait);
    }
  });

  test("more behind the last request: handed over", () => {
    let core!: Core;
    const input = HEAD.replace("Host", "Connection: close\r\nHost") + HEAD;
    core = build.boot({ recv: (_from, ptr) => Buffer.from(core.memory.buffer, ptr).write(input, "latin1") });
    const handle = core.connection_open(5, 0);
    assert.is(core.connection_event(handle, core.connection_generation(handle), IN, 0), Act.HandOver);
    core.connection_hold(handle);
    assert.is(core.connection_held(), input.length);
  });

  test("an answer that stands still expires, and one that moves does not", () => {
    const { world, core, handle, event } = asked();
    core.connection_limits(1e6, 1e6, 10, 1e6);
    core.turn_begin(5);
    world.full = true;
    assert.is(core.connection_answer(handle, 10, 6, 0, 10, 0, 5), Act.Wait);
    assert.is(core.connection_expired(handle, 14), 0);
    assert.is(core.connection_expired(handle, 15), 1);
    world.full = false;
    core.turn_begin(14);
    assert.is(event(OUT), Act.Header);
    assert.is(core.connection_headed(handle, 14), Act.Wait);
    assert.is(core.connection_expired(handle, 1e6), 0);
    assert.is(core.connection_expired(handle, 1e6 + 14), 1);
  });

  test("an answer that waits for a disk does not expire, nor once the disk has been read", () => {
    const { world, core, handle, event } = asked();
    core.connection_limits(1e6, 1e6, 10, 1e6);
    core.turn_begin(0);
    assert.is(core.connection_answer(handle, 10, 6, 0, 8 * MIB, 0, 0), Act.Again);
    world.cold = true;
    core.turn_begin(1);
    assert.is(event(IN | OUT), Act.Cold);
    assert.is(core.connection_expired(handle, 100), 0);
    world.cold = false;
    world.full = true;
    core.turn_begin(100);
    assert.is(core.connection_warm(handle, 4096, 100), Act.Wait);
    assert.is(core.connection_expired(handle, 109), 0);
    assert.is(core.connection_expired(handle, 110), 1);
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
