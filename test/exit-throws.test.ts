// onExit() that throws in the middle, because a listener of the program's throws when it sees ours: nothing is left of
// it, and the next one is as if it had never been.

import process from "node:process";
import { configureExit, onExit } from "sendoff/exit";
import * as assert from "uvu/assert";
import { BITE } from "./lib/hostile.js";
import { test } from "./lib/suite.js";

configureExit({ log: null });

type Emitter = { on(name: string, listener: (name: string) => void): void; off: Emitter["on"] };
const emitter = process as unknown as Emitter;

const SIGNALS = ["SIGABRT", "SIGUSR2", "SIGTERM"];

/** Every event, with the number of its listeners. */
const listeners = () =>
  process
    .eventNames()
    .map((name) => `${String(name)} ${process.listenerCount(name)}`)
    .sort();

const same = (error: unknown) => error === BITE;

/** Calls `use` while a listener for this event can't be added. */
function biting<T>(event: string, use: () => T): T {
  const bite = (name: string) => {
    if (name === event) throw BITE;
  };
  emitter.on("newListener", bite);
  try {
    return use();
  } finally {
    emitter.off("newListener", bite);
  }
}

/** What is there while a function waits. */
function during(): string[] {
  const off = onExit(() => {}, { signals: SIGNALS });
  try {
    return listeners();
  } finally {
    off();
  }
}

// A signal's first listener may bring some of the runtime's own.
during();
const idle = listeners();
const EVENTS = during()
  .filter((line) => !idle.includes(line))
  .map((line) => line.split(" ")[0] as string);

for (const event of EVENTS) {
  test(`onExit, where a listener for ${event} can't be added: it throws, and nothing is left`, () => {
    const before = listeners();
    const usual = during();
    assert.throws(() => biting(event, () => onExit(() => {}, { signals: SIGNALS })), same);
    assert.equal(listeners(), before);
    assert.equal(during(), usual, "the next one is heard");
    assert.equal(listeners(), before);
  });
}

test("onExit, where another function waits: that is heard as before", () => {
  const before = listeners();
  const off = onExit(() => {}, { signals: ["SIGUSR2"] });
  const one = listeners();
  assert.throws(() => biting("SIGTERM", () => onExit(() => {}, { signals: SIGNALS })), same);
  assert.equal(listeners(), one);
  off();
  assert.equal(listeners(), before);
});

test.run();
