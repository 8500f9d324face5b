// Exit functions: their type, the options of each, and the settings of all.

/** Why the process ends. */
export interface ExitReason {
  /** The signal's name, if it was a signal. */
  signal?: string;
  /** The exit code, if known. */
  code?: number;
  /** The uncaught error, if there was one. */
  error?: unknown;
}

/** A function to run at exit. A promise that it returns is awaited, if the way out allows it. */
export type ExitFunction = (reason: ExitReason) => unknown;

/** Receives a line, and an error if there is one. */
export type Log = (line: string, error?: unknown) => void;

/** Options of one exit function. */
export interface OnExitOptions {
  /** Signals to run for. Default: SIGTERM, SIGINT, SIGHUP and, on Windows, SIGBREAK. None: `[]`. */
  signals?: readonly string[] | undefined;
  /** Milliseconds to wait for a promise of the function. Default: 5000. */
  timeout?: number | undefined;
  /** Receives messages about this function. Default: as in `configureExit`. `null` silences. */
  log?: Log | null | undefined;
  /** Its name in the log. Default: the function's name. */
  name?: string | undefined;
}

/** Settings for all exit functions of the process. */
export interface ExitSettings {
  /** How to end after a signal: by the signal, with 128 + its number, or with this code. Default: 'signal'. */
  status?: "signal" | "code" | number | undefined;
  /** Milliseconds in which further signals are ignored; a later one ends the process at once. Default: 500. */
  forceAfter?: number | undefined;
  /** Milliseconds for all functions and other listeners together. Default: 8000. */
  deadline?: number | undefined;
  /**
   * Other listeners of the signal: 'wait': their promises are awaited. 'now': they are called, and not
   * awaited. 'leave': they end the process; if they have not by the
   * deadline, we do. Default: 'wait'.
   */
  others?: "wait" | "now" | "leave" | undefined;
  /** Receives a line for each signal, and for what fails or is late. Default: stderr. `null` silences. */
  log?: Log | null | undefined;
}

/** Unregisters the function; does nothing if it runs or has run. Also by `using`. */
export interface Off extends Disposable {
  (): void;
}
