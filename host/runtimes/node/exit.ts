// Exit functions for Node >= 20.

import { type ExitApi, openExit } from "../../exit/api.js";
import { common } from "../../exit/process.js";
import { checkEngine } from "./engine.js";

export type { ExitApi, Registrar } from "../../exit/api.js";
export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions } from "../../exit/options.js";

checkEngine();
const exit = openExit(common);

/**
 * Registers an exit function: it runs once, on every way out that can be caught, the last one
 * registered first. Its promise is awaited if the way out allows it, up to its `timeout`.
 *
 * By default a line on stderr tells of each signal that it runs for, and of a function that fails or is late:
 * `signal SIGTERM received by process with PID 4711`. `log: null` turns that off, here or for all by `configureExit()`.
 *
 * Also a decorator of static methods, with and without options, and with options a wrapper:
 * `const stop = onExit({ timeout: 100 })(function stop() {})`.
 *
 * As `register_exit_fun()` of a recipe by Giampaolo Rodola; docs/guide/exit.md has every way out.
 *
 * @returns a function that unregisters it; a decorator returns nothing, and a wrapper its function.
 * @throws TypeError or RangeError for a bad argument.
 */
export const onExit: ExitApi["onExit"] = exit.onExit;

/**
 * Ends the process the same way: functions first, then with this exit code, 0 to 255, or by this signal.
 * Default: 0. Does nothing if it is ending already. Never resolves.
 *
 * @throws TypeError or RangeError for a bad argument: the promise rejects.
 */
export const exitNow: ExitApi["exitNow"] = exit.exitNow;

/**
 * Settings of the whole process; omitted ones stay unchanged.
 *
 * @throws TypeError or RangeError for a bad argument; then nothing has changed.
 */
export const configureExit: ExitApi["configureExit"] = exit.configureExit;
