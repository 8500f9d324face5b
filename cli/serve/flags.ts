// Flags of `sendoff serve` about what its answers say, and whom its log believes.

import { realpathSync, statSync } from "node:fs";
import { validateHeaderValue } from "node:http";
import { join, relative, sep } from "node:path";
import { isCacheControl, typeBy } from "../../host/http/fields.js";
import { isWithin } from "../../host/http/within.js";
import { escaped } from "../../host/loop/log-line.js";
import { Proxies, type Trust } from "../../host/loop/proxies.js";
import type { Page } from "../../host/server/app.js";
import { type Field, isReserved } from "../../host/server/fields.js";
import { isTarget } from "../../host/server/health.js";
import { integer, UsageError } from "../arguments.js";

/** A year. */
const LONGEST = 31_536_000;

/** In a message, which is one line. */
const shown = (text: string) => `(got '${escaped(text, 100)}')`;

/** --header: one that is given again has several values. */
export function fields(texts: readonly string[]): Field[] {
  const all = new Map<string, [name: string, values: string[]]>();
  for (const text of texts) {
    const [, name = "", value = ""] = /^([\w!#$%&'*+.^`|~-]+):(.*)$/s.exec(text) ?? [];
    if (name === "" || !isValue(value.trim())) throw new UsageError(`--header must be 'Name: value' ${shown(text)}`);
    if (isReserved(name)) throw new UsageError(`--header can't be ${name}, which is the server's own`);
    const key = name.toLowerCase();
    const field = all.get(key) ?? [name, []];
    field[1].push(value.trim());
    all.set(key, field);
  }
  return [...all.values()].map(([name, values]) => [name, values.length === 1 ? (values[0] as string) : values]);
}

function isValue(text: string): boolean {
  try {
    validateHeaderValue("a", text);
    return true;
  } catch {
    return false;
  }
}

/** --cache: seconds, or the text of a Cache-Control. */
export function cache(text: string | undefined): number | string {
  if (text === undefined || /^\d+$/.test(text)) return integer("--cache", text, 0, LONGEST) ?? 0;
  if (isCacheControl(text)) return text;
  throw new UsageError(`--cache must be seconds, or the text of a Cache-Control such as 'no-store' ${shown(text)}`);
}

/** --health: a target. */
export function health(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (isTarget(text)) return text;
  throw new UsageError(`--health must be a target such as /healthz ${shown(text)}`);
}

/** --mime: EXT=TYPE. */
export function mimeTypes(texts: readonly string[]): Record<string, string> {
  const all = texts.map((text): [string, string] => {
    const [, extension = "", type = ""] = /^\.?([^=]*)=(.*)$/s.exec(text) ?? [];
    try {
      typeBy({ [extension]: type }, () => {});
    } catch {
      throw new UsageError(`--mime must be EXT=TYPE, such as glb=model/gltf-binary ${shown(text)}`);
    }
    return [extension, type];
  });
  return Object.fromEntries(all);
}

/** --trust-proxy: true, a number of hops, or addresses and ranges. */
export function trust(text: string | undefined): Trust | null {
  if (text === undefined) return null;
  if (text === "true") return true;
  if (/^\d+$/.test(text)) return integer("--trust-proxy", text, 1, 100) as number;
  const list = text.split(",").map((one) => one.trim());
  try {
    new Proxies(list);
  } catch {
    const such = "true, a number of hops, or addresses such as 10.0.0.0/8,::1";
    throw new UsageError(`--trust-proxy must be ${such} ${shown(text)}`);
  }
  return list;
}

/** --single and --404: a page in the folder, which is there. */
export function page(root: string, single: boolean, file: string | undefined): Page | null {
  if (single && file !== undefined) throw new UsageError("--single or --404, not both");
  if (!single && file === undefined) return null;
  const option = single ? "--single" : "--404";
  const name = file ?? "index.html";
  const path = join(root, name);
  if (name.includes("\0") || path === root || !isWithin(root, path)) {
    throw new UsageError(`${option} must be a file in DIR ${shown(name)}`);
  }
  try {
    if (!isWithin(root, realpathSync.native(path)) || !statSync(path).isFile()) throw new Error("it is no file in DIR");
  } catch (error) {
    throw new Error(`${option} can't send ${name}: ${(error as Error).message}`);
  }
  const target = relative(root, path).split(sep).map(encodeURIComponent).join("/");
  return { target: `/${target}`, status: single ? 200 : 404 };
}
