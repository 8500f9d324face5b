// Finds the copies of `send` that a program loads, however deep below its framework, by a hook on `require`.

import Module from "node:module";
import type { Send } from "../http/send/stream.js";
import { apply, call, matches, SafeWeakSet, textOf } from "../originals.js";

interface Loader {
  /** Called by require(), and by import of a CommonJS module. Undocumented, so it is checked for. */
  _load?(request: string, parent?: unknown, isMain?: boolean): unknown;
}

/** By its name, or by its file if an ES module imports it. */
const NAME = /^send$|[\\/]node_modules[\\/]send[\\/]index\.js$/;

/** Other packages have used this name, and calling them may have any effect; `send` only makes a SendStream. */
const makes = (exports: unknown): boolean => matches(/\breturn new SendStream\(/, call(textOf, exports));

/** Calls `found` with each copy as it is loaded. Returns an undo. */
export function copies(found: (send: Send) => void): () => void {
  const loader = Module as unknown as Loader;
  const { _load } = loader;
  if (typeof _load !== "function") return () => {};
  const known = new SafeWeakSet<object>();
  const load = function (this: unknown, ...args: Parameters<typeof _load>): unknown {
    const exports: unknown = apply(_load, this, args);
    if (typeof exports === "function" && matches(NAME, args[0]) && !known.has(exports) && makes(exports)) {
      known.add(exports);
      found(exports as Send);
    }
    return exports;
  };
  loader._load = load;
  return () => {
    if (loader._load === load) loader._load = _load;
  };
}
