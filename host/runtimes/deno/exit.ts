// Exit functions for Deno >= 2. Dying by a signal needs --allow-run.

import process from "node:process";
import { openExit } from "../../exit/api.js";
import { common, watchProcess } from "../../exit/process.js";

export type { Registrar } from "../../exit/api.js";
export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "../../exit/options.js";

// The part of Deno that we use; the project does not depend on its types.
interface DenoGlobal {
  Deno: { exitCode: number };
  addEventListener(name: string, listener: (event: Event) => void): void;
  removeEventListener(name: string, listener: (event: Event) => void): void;
}
const global = globalThis as unknown as DenoGlobal;
const { Deno } = global;
if (Deno === undefined) throw new Error("sendoff/exit: this file is for Deno");

/**
 * With the first listener for any signal Deno catches these three, and dies of those without a listener: one
 * that was ignored needs a listener to stay ignored. Checked at import, because it can't be seen later.
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

  // Output is written when write() returns. Any that still waits is behind a write that threw, and never leaves.
  flush: (done) => done(),

  watch(watcher) {
    const leave = (error?: unknown) => {
      const code = error === undefined ? Deno.exitCode : 1;
      const wanted = watcher.leaving(code, error);
      if (wanted !== code) Deno.exitCode = wanted;
    };
    // Deno dies of an uncaught error without an 'exit' event. For a rejection the monitor is called after its
    // event; for an error the monitor is called first, and a listener may still prevent the death.
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
