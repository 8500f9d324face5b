// Exit functions for Bun.

import process from "node:process";
import { openExit } from "../../exit/api.js";
import { type Emitter, type Listener, standIn } from "../../exit/foreign.js";
import { common, flushBy } from "../../exit/process.js";
import { hasFailed } from "../../say.js";

export type { Registrar } from "../../exit/api.js";
export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "../../exit/options.js";

if (process.versions.bun === undefined) throw new Error("sendoff/exit: this file is for Bun");

const methods = process as unknown as Emitter &
  Record<"off" | "removeListener", (name: string, l: Listener) => unknown>;

/** Bun's process can't remove a wrapped listener by its original; while we listen, its remove methods are patched. */
const { off, removeListener } = methods;
let listening = 0;

function remove(this: unknown, name: string, listener: Listener): unknown {
  return removeListener.call(process, name, standIn(name, listener) ?? listener);
}

export const { onExit, exitNow, configureExit } = openExit({
  ...common,

  listen(signal, heard) {
    const others = common.listen(signal, heard);
    if (listening++ === 0) Object.assign(methods, { off: remove, removeListener: remove });
    return {
      others: others.others,
      stop() {
        if (--listening === 0) Object.assign(methods, { off, removeListener });
        others.stop();
      },
    };
  },

  flush(done) {
    // write('', callback) calls back at once in Bun: only end() waits for the stream's bytes. It never calls back where a
    // write has failed.
    flushBy(done, (stream, flushed) => {
      if (stream === process.stderr && hasFailed()) flushed();
      else stream.end(flushed);
    });
  },
});
