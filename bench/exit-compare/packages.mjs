// Each package by the same three words: `sync` and `async` register a function and return how to take it
// back, where the package has that. `slow` asks for a time limit of half a second where one can be given.

import process from "node:process";

const load = {
  async sendoff() {
    const { onExit } = await import("../../build/host/runtimes/node/exit.js");
    return { sync: (fn) => onExit(fn), async: (fn) => onExit(fn), slow: (fn) => onExit(fn, { timeout: 500 }) };
  },
  async "signal-exit"() {
    const { onExit } = await import("signal-exit");
    return { sync: (fn) => onExit(() => void fn()), async: (fn) => onExit(() => void fn()) };
  },
  async "exit-hook"() {
    const { default: exitHook, asyncExitHook } = await import("exit-hook");
    const slow = (fn) => asyncExitHook(fn, { wait: 500 });
    return { sync: (fn) => exitHook(fn), async: slow, slow };
  },
  async "async-exit-hook"() {
    const { default: exitHook } = await import("async-exit-hook");
    const wait = (fn) => exitHook((done) => void Promise.resolve(fn()).then(done));
    return {
      sync: (fn) => exitHook(() => void fn()),
      async: wait,
      slow(fn) {
        exitHook.forceExitTimeout(500);
        wait(fn);
      },
    };
  },
  async "close-with-grace"() {
    const { default: closeWithGrace } = await import("close-with-grace");
    const add = (fn) => closeWithGrace({ delay: 500, logger: undefined }, async () => fn()).uninstall;
    return { sync: add, async: add, slow: add };
  },
  async "when-exit"() {
    const { default: whenExit } = await import("when-exit");
    return { sync: (fn) => whenExit(fn), async: (fn) => whenExit(fn) };
  },
};

export const names = Object.keys(load);

export async function open(name) {
  const { sync, async, slow = async } = await load[name]();
  return { sync, async, slow, process };
}
