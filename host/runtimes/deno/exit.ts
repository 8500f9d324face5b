// Exit functions for Deno >= 2. To die by a signal: --allow-run.

import process from "node:process";
import { openExit } from "../../exit/api.js";
import { common, watchProcess } from "../../exit/process.js";

export type { Registrar } from "../../exit/api.js";
export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "../../exit/options.js";

// What is used of Deno; its types are not among those of this project.
interface DenoGlobal {
  Deno: { exitCode: number };
  addEventListener(name: string, listener: (event: Event) => void): void;
  removeEventListener(name: string, listener: (event: Event) => void): void;
}
const global = globalThis as unknown as DenoGlobal;
const { Deno } = global;
if (Deno === undefined) throw new Error("sendoff/exit: this file is for Deno");

/**
 * With the first listener for any signal Deno catches these three, and dies of those that have none: one
 * that was ignored needs a listener of its own to stay so. Asked at once, because it can't be seen later.
 */
const IGNORED = ["SIGHUP", "SIGINT", "SIGTERM"].filter((name) => common.ignored(common.signals[name] ?? 0));
const nothing = () => {};
let listening = 0;

export const { onExit, exitNow, configureExit } = openExit({
  ...common,

  ignored: (signal) => IGNORED.some((name) => common.signals[name] === signal),

  listen(signal, heard) {
    if (listening++ === 0) for (const name of IGNORED) process.on(name, nothing);
    const { others, stop } = common.listen(signal, heard);
    return {
      others,
      stop() {
        stop();
        if (--listening === 0) for (const name of IGNORED) process.off(name, nothing);
      },
    };
  },

  // What is written has left when write() returns. What waits all the same is behind a write that threw, for ever.
  flush: (done) => done(),

  watch(watcher) {
    const leave = (error?: unknown) => {
      const code = error === undefined ? Deno.exitCode : 1;
      const wanted = watcher.leaving(code, error);
      if (wanted !== code) Deno.exitCode = wanted;
    };
    // Deno dies of an uncaught error without an 'exit' event. A rejection is past its event when the
    // monitor hears of it; of an error the monitor hears first, and a listener may still prevent it.
    const onError = (event: Event) => {
      if (!event.defaultPrevented) leave((event as unknown as { error: unknown }).error);
    };
    // Deno.exit() fires 'unload' only, other ways out 'exit' as well.
    const onUnload = () => leave();
    const unwatch = watchProcess(watcher, (error, origin) => {
      if (origin === "unhandledRejection") leave(error);
    });
    global.addEventListener("error", onError);
    global.addEventListener("unload", onUnload);
    return () => {
      unwatch();
      global.removeEventListener("error", onError);
      global.removeEventListener("unload", onUnload);
    };
  },
});
