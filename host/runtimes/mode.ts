// SENDOFF_MODE: what mode 'auto' means in this process.

import type { Mode } from "../transfer/options.js";

/** @throws TypeError for an unknown mode. */
export function modeOf(value: string | undefined): Mode {
  if (value === undefined || value === "" || value === "auto") return "auto";
  if (value === "copy" || value === "native") return value;
  throw new TypeError(`SENDOFF_MODE must be auto, native or copy (got '${value}')`);
}
