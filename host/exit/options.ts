// What an exit function is, what may be said of one, and of all of them.

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
