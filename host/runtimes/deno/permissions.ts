// What this program may do already: nothing here prompts.

import { Deno, type Permission } from "./globals.js";

export function granted(permission: Permission): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
