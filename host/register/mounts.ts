// SENDOFF_FILES and SENDOFF_FILES_PORT: which folders are in front of which servers.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Mount } from "../server/mount.js";
import { prefixOf } from "../server/options.js";
import { describe } from "../validate.js";

/**
 * Folders by the prefix of their targets: "/static=public,/media=/srv/media". A comma of a name is written twice. Roots are
 * made absolute. @throws TypeError that names the variable.
 */
export function mountsOf(value: string | undefined): Mount[] {
  if (value === undefined || value === "") return [];
  const mounts: Mount[] = [];
  for (const entry of entriesOf(value)) {
    const at = entry.indexOf("=");
    if (at < 0 || at === entry.length - 1) refuse(`an entry must be as /static=public (got ${describe(entry)})`);
    const prefix = checked(entry.slice(0, at));
    if (mounts.some((one) => one.prefix === prefix)) refuse(`two folders for ${describe(prefix || "/")}`);
    const root = resolve(entry.slice(at + 1));
    if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) refuse(`no folder ${describe(root)}`);
    mounts.push({ prefix, root });
  }
  return mounts;
}

/** What mountsOf() reads as the same, wherever it is called. */
export function textOf(mounts: readonly Mount[]): string {
  return mounts.map(({ prefix, root }) => `${prefix || "/"}=${root}`.replaceAll(",", ",,")).join(",");
}

/** Ports by commas; null for all. @throws TypeError that names the variable. */
export function portsOf(value: string | undefined): number[] | null {
  if (value === undefined || value === "") return null;
  return value.split(",").map((port) => {
    if (/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65536) return Number(port);
    throw new TypeError(`SENDOFF_FILES_PORT must be a port, or several with commas (got ${describe(value)})`);
  });
}

/** Separated by commas; two of them are one of an entry. */
function entriesOf(value: string): string[] {
  return value
    .replaceAll(",,", "\0")
    .split(",")
    .map((entry) => entry.replaceAll("\0", ","));
}

function checked(prefix: string): string {
  try {
    return prefixOf(prefix);
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(why: string): never {
  throw new TypeError(`SENDOFF_FILES: ${why}`);
}
