// Exit functions for Node >= 20.

import { openExit } from "../exit.js";
import { common } from "./process.js";

export type { ExitFunction, ExitReason, ExitSettings, Log, Off, OnExitOptions, Registrar } from "../exit.js";

export const { onExit, exitNow, configureExit } = openExit(common);
