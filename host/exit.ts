// Exit functions: keeps them by their id, calls what the core says, and waits. What a signal, an exit
// or a kill is, the runtime's adapter knows; this file names no runtime.

import { Begun, Next, Reason, Status } from "../assembly/abi.js";
import type { Core } from "./core.js";
import { argumentError } from "./errors.js";
import { callable, checkLog, describe, exitCode, milliseconds, object } from "./validate.js";

/** Why the process ends. */
export interface ExitReason {
  /** The signal's name, where one came. */
  signal?: string;
  /** The exit code, where it is known. */
  code?: number;
  /** What was thrown, where nobody caught it. */
  error?: unknown;
}

/** What is run at the end. A promise that it returns is waited for, where the way out allows it. */
export type ExitFunction = (reason: ExitReason) => unknown;

/** Receives a line, and an error where there is one. */
export type Log = (line: string, error?: unknown) => void;

/** What may be said of one exit function. */
export interface OnExitOptions {
  /** Signals to run for. Default: SIGTERM, SIGINT, SIGHUP and, on Windows, SIGBREAK. None: `[]`. */
  signals?: readonly string[] | undefined;
  /** Milliseconds that a promise of the function is waited for. Default: 5000. */
  timeout?: number | undefined;
  /** What hears about this function. Default: as in `configureExit`. `null` silences. */
  log?: Log | null | undefined;
  /** How the log calls it. Default: the function's name. */
  name?: string | undefined;
}

/** What holds for all exit functions of the process. */
export interface ExitSettings {
  /** How the process ends after a signal: by the signal, with 128 + its number, or with this code. Default: 'signal'. */
  status?: "signal" | "code" | number | undefined;
  /** Milliseconds within which further signals are the same one; a later one ends the process at once. Default: 500. */
  forceAfter?: number | undefined;
  /** Milliseconds for all functions and other listeners together. Default: 8000. */
  deadline?: number | undefined;
  /**
   * What other listeners of the signal get: 'wait': their promises are waited for. 'now': they are
   * called, and not waited for. 'leave': the end is left to them, until the deadline. Default: 'wait'.
   */
  others?: "wait" | "now" | "leave" | undefined;
  /** Default: a line on stderr. `null` silences. */
  log?: Log | null | undefined;
}

/** Takes the function back; nothing where it runs or has run. Also by `using`. */
export interface Off extends Disposable {
  (): void;
}

/** The wrapper, or decorator with its options given. */
export type Registrar = <F extends ExitFunction>(fn: F, context?: ClassMethodDecoratorContext) => F;

/** The functions of `sendoff/exit`, by their types. */
export interface ExitApi {
  /** Registers an exit function. The public docstrings are in exit/node.ts. */
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

/** What a runtime lends. */
export interface Runtime {
  readonly pid: number;
  /** False in a worker thread: it gets no signals, and its exit is its own. */
  readonly main: boolean;
  /** Whether the process can die by a signal of its own. */
  readonly mortal: boolean;
  /** Names and numbers of this system. */
  readonly signals: Readonly<Record<string, number>>;
  boot(): Core;
  /** Milliseconds, from any start, that only grow. */
  now(): number;
  /** A line on stderr. */
  write(line: string): void;
  /** Whether the process was started to ignore this signal, and the runtime has left it so. */
  ignored(signal: number): boolean;
  /** Listens for a signal, and holds the listeners of others back. */
  listen(signal: string, heard: (args: unknown[]) => void): Listening;
  /** Tells of the other ways out. Returns how to stop. */
  watch(watcher: Watcher): () => void;
  /** Calls back once pending output has left, or can't. */
  flush(done: () => void): void;
  /** Sends the signal to the process, with its default disposition; returns where that did nothing for 100 ms. */
  kill(signal: string): void;
  /** Without a code, as if nobody had asked for it. */
  exit(code: number | undefined): void;
}

export interface Listening {
  /** The listeners of others, in their order. */
  others(): ((...args: unknown[]) => unknown)[];
  /** Puts them back. */
  stop(): void;
}

export interface Watcher {
  /** The event loop is empty. */
  ended(code: number): void;
  /** The runtime is leaving: everything must be done before this returns, with the code to leave with. */
  leaving(code: number, error?: unknown): number;
}

const DEFAULT = ["SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"];
const TIMEOUT = 5000;
const FORCE_AFTER = 500;
const DEADLINE = 8000;

/** No listener can be had for these, or it would be called for ever. */
const REFUSED = new Set(["SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"]);
/** The runtime does something of its own with these; once a listener was there and is gone, they kill. */
const SPECIAL = new Set(["SIGPIPE", "SIGXFSZ", "SIGUSR1", "SIGPROF"]);

/** Timers take a 32-bit number of milliseconds. */
const LONGEST = 0x7fffffff;

interface Registered {
  readonly fn: ExitFunction;
  readonly self: unknown;
  readonly name: string;
  readonly signals: number;
  readonly timeout: number;
  readonly log: Log | null | undefined;
}

/** One for all copies of the library in a process, or thread. Raised with any change of `Registry`'s meaning. */
const KEY = Symbol.for("sendoff.exit.1");

interface Registry {
  add(fn: ExitFunction, self: unknown, options: OnExitOptions): Off;
  end(to: number | string): void;
  configure(settings: ExitSettings): void;
}

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

  function onExit(first?: ExitFunction | OnExitOptions, second?: OnExitOptions | ClassMethodDecoratorContext) {
    if (typeof first === "function") {
      if (isContext(second)) return decorate(first, second, {});
      return registry.add(first, undefined, second ?? {});
    }
    if (first !== undefined && (typeof first !== "object" || first === null)) {
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

class Exit implements Registry {
  readonly #runtime: Runtime;
  #booted: Core | null = null;
  readonly #entries = new Map<number, Registered>();
  /** A function that was registered twice still runs once. */
  readonly #called = new Set<ExitFunction>();
  readonly #listening = new Map<string, Listening>();
  /** The signals that are listened for, as the core has them. */
  #signals = 0;
  #unwatch: (() => void) | null = null;
  #log: Log | null | undefined;
  #others: NonNullable<ExitSettings["others"]> = "wait";
  #status: number = Status.Signal;
  #forceAfter = FORCE_AFTER;
  #deadline = DEADLINE;
  /** Set once the way out has begun. */
  #reason: ExitReason | null = null;
  #calls: (() => unknown)[] = [];
  #leaving = false;
  #ended = false;
  /** The last function that was called. */
  #current: Registered | null = null;
  /** Answers that come later are for the turn they were asked in. */
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Made at first use: an import alone costs nothing. */
  get #core(): Core {
    if (this.#booted === null) {
      this.#booted = this.#runtime.boot();
      this.#settings();
    }
    return this.#booted;
  }

  // Registry.

  add(fn: ExitFunction, self: unknown, options: OnExitOptions): Off {
    const entry = this.#check(fn, self, options);
    const id = this.#core.exit_add(entry.signals, entry.timeout);
    if (id === 0) throw new RangeError("too many exit functions are registered");
    this.#entries.set(id, entry);
    this.#attend();
    const off = () => {
      // An id is used again: it is ours as long as it stands for our entry.
      if (this.#entries.get(id) !== entry) return;
      this.#entries.delete(id);
      this.#core.exit_remove(id);
      this.#attend();
    };
    return Object.assign(off, { [Symbol.dispose]: off }) as Off;
  }

  configure(settings: ExitSettings): void {
    object("settings", settings);
    const { status, forceAfter, deadline, others, log } = settings;
    if (status !== undefined && status !== "signal" && status !== "code") exitCode("status", status);
    if (forceAfter !== undefined) milliseconds("forceAfter", forceAfter);
    if (deadline !== undefined) milliseconds("deadline", deadline);
    if (others !== undefined && others !== "wait" && others !== "now" && others !== "leave") {
      throw argumentError(TypeError, `others must be 'wait', 'now' or 'leave' (got ${describe(others)})`);
    }
    checkLog(log);
    if (status !== undefined) {
      this.#status = status === "signal" ? Status.Signal : status === "code" ? Status.Code : status;
    }
    this.#forceAfter = forceAfter ?? this.#forceAfter;
    this.#deadline = deadline ?? this.#deadline;
    this.#others = others ?? this.#others;
    if (log !== undefined) this.#log = log;
    if (this.#booted !== null) this.#settings();
  }

  #settings(): void {
    const status = this.#status === Status.Signal && !this.#runtime.mortal ? Status.Code : this.#status;
    this.#core.exit_configure(status, this.#forceAfter, this.#deadline);
  }

  end(to: number | string): void {
    if (typeof to === "string") {
      const number = this.#number("to", to);
      if (this.#reason === null) this.#hook(to);
      this.#begin(Reason.Asked, -number, { signal: to }, [to, number]);
    } else {
      exitCode("to", to);
      this.#begin(Reason.Asked, to, { code: to }, []);
    }
  }

  #check(fn: ExitFunction, self: unknown, options: OnExitOptions): Registered {
    callable("fn", fn);
    object("options", options);
    const { signals, timeout = TIMEOUT, log, name = fn.name || "anonymous" } = options;
    milliseconds("timeout", timeout);
    checkLog(log);
    if (typeof name !== "string") throw argumentError(TypeError, `name must be a string (got ${describe(name)})`);
    if (signals !== undefined && !Array.isArray(signals)) {
      throw argumentError(TypeError, `signals must be an array of names (got ${describe(signals)})`);
    }
    const known = this.#runtime.signals;
    let mask = 0;
    for (const signal of signals ?? DEFAULT.filter((name) => known[name] !== undefined)) {
      mask |= 1 << (this.#number("signals", signal) - 1);
      if (SPECIAL.has(signal)) {
        this.#tell(log, `a listener replaces what the runtime does with ${signal}; once taken back, ${signal} kills`);
      }
    }
    return { fn, self, name, signals: mask, timeout, log };
  }

  /** The number of a signal that can be listened for. */
  #number(argument: string, signal: unknown): number {
    const number = typeof signal === "string" && !REFUSED.has(signal) ? this.#runtime.signals[signal] : undefined;
    if (number !== undefined && number >= 1 && number <= 31) return number;
    throw argumentError(TypeError, `${argument}: ${describe(signal)} is no signal that a process can listen for`);
  }

  // Listening: as long as a function waits for it, and not a moment longer.

  #attend(): void {
    if (this.#reason !== null) return;
    const core = this.#core;
    if (core.exit_count() > 0) {
      this.#unwatch ??= this.#runtime.watch({
        ended: (code) => this.#begin(Reason.Ended, code, { code }, []),
        leaving: (code, error) => this.#leave(code, error),
      });
    } else {
      this.#unwatch?.();
      this.#unwatch = null;
    }
    const wanted = this.#runtime.main ? core.exit_signals() : 0;
    if (wanted === this.#signals) return;
    this.#signals = wanted;
    for (const [name, number] of Object.entries(this.#runtime.signals)) {
      if (number < 1 || number > 31) continue;
      if ((wanted & (1 << (number - 1))) === 0) this.#unhook(name);
      else if (!this.#runtime.ignored(number)) this.#hook(name);
    }
  }

  #hook(name: string): void {
    if (this.#listening.has(name) || !this.#runtime.main) return;
    const number = this.#runtime.signals[name] as number;
    const heard = (args: unknown[]) => this.#begin(Reason.Signal, number, { signal: name }, args);
    this.#listening.set(name, this.#runtime.listen(name, heard));
  }

  #unhook(name: string): void {
    this.#listening.get(name)?.stop();
    this.#listening.delete(name);
  }

  // The way out.

  #begin(reason: Reason, value: number, why: ExitReason, args: unknown[]): void {
    const begun = this.#core.exit_begin(reason, value, this.#runtime.now());
    if (begun === Begun.Ignored) return;
    if (begun === Begun.Begun) {
      this.#reason = why;
      this.#ended = reason === Reason.Ended;
      if (why.signal !== undefined) {
        const others = this.#listening.get(why.signal)?.others() ?? [];
        this.#calls = others.map((call) => () => call(...args));
        if (reason === Reason.Signal) this.#announce(why.signal, value);
      }
    }
    this.#pump();
  }

  /** The loop: ask what is next, do it, ask again. */
  readonly #pump = (): void => {
    const { now } = this.#runtime;
    clearTimeout(this.#timer);
    for (;;) {
      const next = this.#core.exit_next(now());
      if (next === Next.Wait) {
        // Also what keeps the event loop going meanwhile.
        const wait = Math.min(Math.max(this.#core.exit_due() - now(), 1), LONGEST);
        this.#timer = setTimeout(this.#pump, wait);
        return;
      }
      this.#turn++;
      switch (next) {
        case Next.Call:
          this.#call(this.#core.exit_id());
          break;
        case Next.Late:
          this.#late(this.#current as Registered);
          break;
        case Next.Others:
          this.#callOthers();
          break;
        case Next.Flush:
          this.#runtime.flush(this.#answer<void>(() => this.#core.exit_flushed()));
          break;
        case Next.Die:
          return this.#die(this.#core.exit_value());
        case Next.Exit:
          return this.#exit(this.#core.exit_value());
      }
    }
  };

  /** An answer to this turn, for later: void once something else has ended it. */
  #answer<T>(answer: (value: T) => void): (value: T) => void {
    const turn = this.#turn;
    return (value) => {
      if (turn !== this.#turn || this.#leaving) return;
      this.#turn++;
      answer(value);
      // In a tick of its own: an answer may come before the question's call has returned.
      queueMicrotask(this.#pump);
    };
  }

  #call(id: number): void {
    const entry = this.#entries.get(id) as Registered;
    this.#entries.delete(id);
    this.#current = entry;
    const { fn, self, log, name } = entry;
    const failed = (error: unknown) => {
      this.#tell(log, `exit function ${name} failed`, error);
      this.#core.exit_settle(id, 0);
    };
    if (this.#called.has(fn)) return this.#core.exit_settle(id, 1);
    this.#called.add(fn);
    let result: unknown;
    try {
      result = fn.call(self, { ...this.#reason });
    } catch (error) {
      return failed(error);
    }
    if (this.#leaving || !isThenable(result)) return this.#core.exit_settle(id, 1);
    Promise.resolve(result).then(
      this.#answer(() => this.#core.exit_settle(id, 1)),
      this.#answer(failed),
    );
  }

  #late({ name, timeout, log }: Registered): void {
    this.#tell(log, `exit function ${name} was not over in time (${Math.min(timeout, this.#deadline)} ms)`);
  }

  #callOthers(): void {
    const promises: unknown[] = [];
    let ok = true;
    const failed = (error: unknown) => {
      ok = false;
      this.#tell(this.#log, `another listener for ${this.#reason?.signal} failed`, error);
    };
    for (const call of this.#calls) {
      try {
        const result = call();
        if (isThenable(result)) promises.push(Promise.resolve(result).catch(failed));
      } catch (error) {
        failed(error);
      }
    }
    if (this.#others === "leave" && this.#calls.length > 0) return;
    if (this.#others === "now" || promises.length === 0) return this.#core.exit_heard(ok ? 1 : 0);
    Promise.all(promises).then(this.#answer(() => this.#core.exit_heard(ok ? 1 : 0)));
  }

  #die(signal: number): void {
    const [name] = Object.entries(this.#runtime.signals).find(([, number]) => number === signal) as [string, number];
    this.#runtime.kill(name);
    this.#runtime.exit(128 + signal);
  }

  #exit(code: number): void {
    this.#runtime.exit(this.#ended && code === this.#reason?.code ? undefined : code);
  }

  /** The runtime is leaving: what is left is called now, and not waited for. */
  #leave(code: number, error: unknown): number {
    const core = this.#core;
    const { now } = this.#runtime;
    if (core.exit_begin(Reason.Leaving, code, now()) === Begun.Ignored) return code;
    this.#leaving = true;
    this.#reason = { ...this.#reason, code, ...(error === undefined ? {} : { error }) };
    while (core.exit_next(now()) === Next.Call) this.#call(core.exit_id());
    return core.exit_value();
  }

  // The log.

  /** Each log among those concerned hears of the signal once. */
  #announce(signal: string, number: number): void {
    const logs = new Set<Log | null | undefined>();
    for (const { signals, log } of this.#entries.values())
      if (signals & (1 << (number - 1))) logs.add(log ?? this.#default(log));
    for (const log of logs) this.#tell(log, `signal ${signal} received by process with PID ${this.#runtime.pid}`);
  }

  #default(log: null | undefined): Log | null | undefined {
    return log === null ? null : this.#log;
  }

  #tell(log: Log | null | undefined, line: string, error?: unknown): void {
    const to = log ?? this.#default(log);
    if (to === null) return;
    try {
      if (to !== undefined) error === undefined ? to(line) : to(line, error);
      else this.#runtime.write(error === undefined ? line : `${line}: ${stackOf(error)}`);
    } catch {
      // A log that fails must not cost the functions that are left.
    }
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
