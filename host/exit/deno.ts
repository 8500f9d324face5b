// Exit functions for Deno >= 2. The core is read from a file: --allow-read; to die by a signal: --allow-run.

import { openExit } from "../exit.js";
import { common, watchProcess } from "./process.js";

export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions, Registrar } from "../exit.js";

// What is used of Deno; its types are not among those of this project.
interface DenoGlobal {
  Deno: { exitCode: number };
  addEventListener(name: string, listener: (event: Event) => void): void;
  removeEventListener(name: string, listener: (event: Event) => void): void;
}
const global = globalThis as unknown as DenoGlobal;
const { Deno } = global;
if (Deno === undefined) throw new Error("sendoff/exit: this file is for Deno");

export const { onExit, exitNow, configureExit } = openExit({
  ...common,

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
