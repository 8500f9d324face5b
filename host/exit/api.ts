// The public API: onExit() as a function, a wrapper and a decorator, over the one registry of the process.

import { argumentError } from "../errors.js";
import { describe } from "../validate.js";
import type { ExitFunction, ExitSettings, Off, OnExitOptions } from "./options.js";
import { Exit, type Registry } from "./registry.js";
import type { Runtime } from "./runtime.js";

/** A wrapper, or a decorator with options. */
export type Registrar = <F extends ExitFunction>(fn: F, context?: ClassMethodDecoratorContext) => F;

/** The functions of `sendoff/exit`, by their types. */
export interface ExitApi {
  /** Registers an exit function. The public docstrings are in runtimes/node/exit.ts. */
  onExit: {
    (fn: ExitFunction, options?: OnExitOptions): Off;
    (fn: ExitFunction, context: ClassMethodDecoratorContext): void;
    (options?: OnExitOptions): Registrar;
  };
  /** Ends the process, functions first. */
  exitNow(to?: number | string): Promise<never>;
  /** Settings of the whole process. */
  configureExit(settings: ExitSettings): void;
}

/** The key of the registry that all copies of the library in a thread share. Change it with `Registry`'s meaning. */
const KEY = Symbol.for("sendoff.exit.1");

export function openExit(runtime: Runtime): ExitApi {
  const registry = ((globalThis as { [KEY]?: Registry })[KEY] ??= new Exit(runtime));

  function decorate(fn: ExitFunction, context: ClassMethodDecoratorContext, options: OnExitOptions): void {
    if (context.kind !== "method" || !context.static) {
      throw argumentError(TypeError, `onExit decorates static methods (got ${String(context.name)})`);
    }
    context.addInitializer(function (this: unknown) {
      registry.add(fn, this, options);
    });
  }

  function onExit(...args: [(ExitFunction | OnExitOptions)?, (OnExitOptions | ClassMethodDecoratorContext)?]) {
    const [first, second] = args;
    if (typeof first === "function") {
      if (isContext(second)) return decorate(first, second, {});
      return registry.add(first, undefined, second ?? {});
    }
    if (args.length > 0 && (typeof first !== "object" || first === null)) {
      throw argumentError(TypeError, `fn must be a function (got ${describe(first)})`);
    }
    const options = first ?? {};
    const registrar: Registrar = (fn, context) => {
      if (isContext(context)) decorate(fn, context, options);
      else registry.add(fn, undefined, options);
      return fn;
    };
    return registrar;
  }

  return {
    onExit: onExit as ExitApi["onExit"],
    exitNow(to = 0) {
      return new Promise<never>(() => registry.end(to));
    },
    configureExit: (settings) => registry.configure(settings),
  };
}

function isContext(value: unknown): value is ClassMethodDecoratorContext {
  return typeof (value as ClassMethodDecoratorContext | undefined)?.addInitializer === "function";
}
