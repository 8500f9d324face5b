// The exit functions of a process: keeps them by their id, calls those the core names, and waits. Signals, exits and
// kills are the runtime's; this file names none.

import { Begun, Next, Reason, Status } from "../../assembly/abi.js";
import type { Core } from "../core.js";
import { argumentError } from "../errors.js";
import { LONGEST } from "../timers.js";
import { callable, checkLog, describe, exitCode, milliseconds, object } from "../validate.js";
import type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "./options.js";
import type { Listening, Runtime } from "./runtime.js";

const DEFAULT = ["SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"];
const TIMEOUT = 5000;
const FORCE_AFTER = 500;
const DEADLINE = 8000;

/** Signals that can't have a listener, or would call it for ever. */
const REFUSED = new Set(["SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"]);
/** Signals that the runtime uses itself; they kill once a listener was added and removed. */
const SPECIAL = new Set(["SIGPIPE", "SIGXFSZ", "SIGUSR1", "SIGPROF"]);

interface Registered {
  readonly fn: ExitFunction;
  readonly self: unknown;
  readonly name: string;
  /** The signals, by the names given by the caller, and as the core has them. */
  readonly names: readonly string[];
  readonly signals: number;
  readonly timeout: number;
  readonly log: Log | null | undefined;
}

export interface Registry {
  add(fn: ExitFunction, self: unknown, options: OnExitOptions): Off;
  end(to: number | string): void;
  configure(settings: ExitSettings): void;
}

export class Exit implements Registry {
  readonly #runtime: Runtime;
  #booted: Core | null = null;
  readonly #entries = new Map<number, Registered>();
  /** A function that was registered twice still runs once. */
  readonly #called = new Set<ExitFunction>();
  /** By signal number: one for each name of the signal. */
  readonly #listening = new Map<number, { readonly name: string; readonly listening: Listening }[]>();
  /** The signals that have a listener, as the core has them. */
  #signals = 0;
  #unwatch: (() => void) | null = null;
  #log: Log | null | undefined;
  #others: NonNullable<ExitSettings["others"]> = "wait";
  #status: number = Status.Signal;
  #forceAfter = FORCE_AFTER;
  #deadline = DEADLINE;
  /** When the way out began. */
  #begun = Number.POSITIVE_INFINITY;
  /** Set once the way out has begun. */
  #reason: ExitReason | null = null;
  #calls: (() => unknown)[] = [];
  #leaving = false;
  #ended = false;
  /** The last function that was called. */
  #current: Registered | null = null;
  /** Numbers the turns: an answer counts only in its own. */
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
    const off = () => {
      // Ids are reused: it is ours only while it maps to our entry.
      if (this.#entries.get(id) !== entry) return;
      this.#entries.delete(id);
      this.#core.exit_remove(id);
      this.#attend();
    };
    try {
      this.#attend();
    } catch (error) {
      off(); // nobody else could take it back
      throw error;
    }
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
      if (this.#reason === null) this.#hook(number);
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
    const names = [...(signals ?? DEFAULT.filter((name) => known[name] !== undefined))];
    let mask = 0;
    for (const signal of names) {
      mask |= 1 << (this.#number("signals", signal) - 1);
      if (SPECIAL.has(signal)) {
        this.#tell(log, `a listener replaces what the runtime does with ${signal}; once taken back, ${signal} kills`);
      }
    }
    return { fn, self, name, names, signals: mask, timeout, log };
  }

  /** The number of a signal that can be listened for. */
  #number(argument: string, signal: unknown): number {
    const number = typeof signal === "string" && !REFUSED.has(signal) ? this.#runtime.signals[signal] : undefined;
    if (number !== undefined && number >= 1 && number <= 31) return number;
    throw argumentError(TypeError, `${argument}: ${describe(signal)} is no signal that a process can listen for`);
  }

  // Listening: exactly as long as a function needs it.

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
    for (let number = 1; number <= 31; number++) {
      if ((wanted & (1 << (number - 1))) === 0) this.#unhook(number);
      else if (!this.#runtime.ignored(number)) this.#hook(number);
    }
  }

  #names(number: number): string[] {
    const { signals } = this.#runtime;
    return Object.keys(signals).filter((name) => signals[name] === number);
  }

  /** SIGABRT is also SIGIOT, and a runtime may emit each name: we listen for one, and hold back the others. */
  #hook(number: number): void {
    if (this.#listening.has(number) || !this.#runtime.main) return;
    const names = this.#names(number);
    const heard = (args: unknown[]) => this.#begin(Reason.Signal, number, { signal: names[0] as string }, args);
    const all: { name: string; listening: Listening }[] = [];
    this.#listening.set(number, all); // first, so that those before one that can't be listened for are stopped
    for (const [i, name] of names.entries()) {
      all.push({ name, listening: this.#runtime.listen(name, i === 0 ? heard : () => {}) });
    }
  }

  #unhook(number: number): void {
    for (const { listening } of this.#listening.get(number) ?? []) listening.stop();
    this.#listening.delete(number);
  }

  // The way out.

  #begin(reason: Reason, value: number, why: ExitReason, args: unknown[]): void {
    const now = this.#runtime.now();
    const begun = this.#core.exit_begin(reason, value, now);
    if (begun === Begun.Ignored) return;
    if (begun === Begun.Begun) {
      this.#begun = now;
      this.#reason = why;
      this.#ended = reason === Reason.Ended;
      if (why.signal !== undefined) {
        const [, ...rest] = args;
        for (const { name, listening } of this.#listening.get(Math.abs(value)) ?? [])
          for (const call of listening.others()) this.#calls.push(() => call(name, ...rest));
        if (reason === Reason.Signal) this.#announce(value);
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
        // The timer also keeps the event loop alive.
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

  /** A callback for this turn: ignored once the turn has ended. */
  #answer<T>(answer: (value: T) => void): (value: T) => void {
    const turn = this.#turn;
    return (value) => {
      if (turn !== this.#turn || this.#leaving) return;
      this.#turn++;
      answer(value);
      // In a tick of its own: the callback may be called before the asking call has returned.
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
      result = fn.call(self, this.#told(entry));
    } catch (error) {
      return failed(error);
    }
    if (this.#leaving || !isThenable(result)) return this.#core.exit_settle(id, 1);
    Promise.resolve(result).then(
      this.#answer(() => this.#core.exit_settle(id, 1)),
      this.#answer(failed),
    );
  }

  /** The reason, with the signal's name as the function gave it. */
  #told({ names }: Registered): ExitReason {
    const reason = this.#reason as ExitReason;
    if (reason.signal === undefined) return { ...reason };
    const { signals } = this.#runtime;
    const number = signals[reason.signal];
    return { ...reason, signal: names.find((name) => signals[name] === number) ?? reason.signal };
  }

  #late({ name, timeout, log }: Registered): void {
    const isOver = this.#runtime.now() - this.#begun >= this.#deadline;
    const limit = isOver ? `the deadline of all, ${this.#deadline} ms` : `${timeout} ms`;
    this.#tell(log, `exit function ${name} did not finish in time (${limit})`);
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
    this.#runtime.kill(this.#names(signal));
    this.#runtime.exit(128 + signal);
  }

  #exit(code: number): void {
    this.#runtime.exit(this.#ended && code === this.#reason?.code ? undefined : code);
  }

  /** The runtime is leaving: calls the remaining functions now, without waiting. */
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

  /** Tells each log concerned of the signal, once. */
  #announce(number: number): void {
    const logs = new Map<Log | null | undefined, string | undefined>();
    for (const entry of this.#entries.values()) {
      if (entry.signals & (1 << (number - 1)))
        logs.set(entry.log ?? this.#default(entry.log), this.#told(entry).signal);
    }
    for (const [log, signal] of logs)
      this.#tell(log, `signal ${signal} received by process with PID ${this.#runtime.pid}`);
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
      // A log that fails must not cost the remaining functions.
    }
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
