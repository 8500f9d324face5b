// What the environment sets for this process.

import type { Mode } from "../transfer/options.js";

/** SENDOFF_MODE: the meaning of mode 'auto'. @throws TypeError for an unknown mode. */
export function modeOf(value: string | undefined): Mode {
  if (value === undefined || value === "" || value === "auto") return "auto";
  if (value === "copy" || value === "native") return value;
  throw new TypeError(`SENDOFF_MODE must be auto, native or copy (got '${value}')`);
}

/** SENDOFF_OPEN_FILES: the most files that stay open. @throws TypeError unless it is a whole number. */
export function openFilesOf(value: string | undefined): { openFiles?: number } {
  if (value === undefined || value === "") return {};
  if (/^\d{1,6}$/.test(value)) return { openFiles: Number(value) };
  throw new TypeError(`SENDOFF_OPEN_FILES must be a whole number (got '${value}')`);
}
