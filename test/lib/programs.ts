// Programs of the system that tests use if they exist.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Why a test that needs this program is skipped; null if it is in PATH. */
export function without(program: string): string | null {
  const found = (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ? null : `no ${program} on this machine`;
}
