// A file of options: JSON that has them by their long names, as the command line would.

import { readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UsageError } from "../arguments.js";
import { OPTIONS, type Values } from "./options.js";

/** Used where it is, in the working directory. */
const USUAL = "sendoff.json";
/** Paths of these are from the folder of the file. */
const PATHS = ["cert", "key"] as const;

export interface Config {
  /** As it was given. */
  readonly name: string;
  /** Its real path. */
  readonly path: string;
  readonly values: Values;
}

/** @param file is that of --config. @throws UsageError that names file and option. */
export function config(file: string | undefined): Config | null {
  if (file === undefined && !isOurs(USUAL)) return null;
  const name = file ?? USUAL;
  const [path, text] = read(name);
  const values = parse(name, text);
  for (const option of PATHS) {
    const value = values[option];
    if (value !== undefined) values[option] = resolve(dirname(path), value);
  }
  return { name, path, values };
}

/** Options of both; `given` come first. */
export function merged(given: Values, config: Config | null): Values {
  return { ...config?.values, ...given };
}

/** An error about an option of the file names the file, too. */
export function blame(error: unknown, given: Values, config: Config | null): unknown {
  if (config === null || !(error instanceof UsageError)) return error;
  const names = Array.from(error.message.matchAll(/--([\w-]+)/g), ([, name = ""]) => name);
  const isOfFile = names.some((name) => Object.hasOwn(config.values, name) && !Object.hasOwn(given, name));
  return isOfFile ? new UsageError(`${config.name}: ${error.message}`) : error;
}

/** Whether the file is there. One of somebody else, as in /tmp, is not taken unasked. */
function isOurs(name: string): boolean {
  let stat: Stats;
  try {
    stat = statSync(name);
  } catch {
    return false;
  }
  const user = process.geteuid?.();
  if (!stat.isFile()) return false;
  if (user === undefined || stat.uid === user || stat.uid === 0) return true;
  throw new UsageError(`${name} is a file of another user: --config ${name} takes it, --config /dev/null does not`);
}

function read(name: string): [path: string, text: string] {
  try {
    return [realpathSync(name), readFileSync(name, "utf8")];
  } catch (error) {
    throw new Error(`--config can't be read: ${(error as Error).message}`);
  }
}

function parse(name: string, text: string): Values {
  const bare = text.replace(/^\ufeff/, "").trim();
  const values: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(bare === "" ? {} : objectOf(name, bare))) {
    if (!Object.hasOwn(OPTIONS, option) || option === "config") {
      throw new UsageError(`${name}: unknown option ${JSON.stringify(option)}`);
    }
    const taken = take(OPTIONS[option as keyof typeof OPTIONS], value);
    if (typeof taken === "string") throw new UsageError(`${name}: ${option} must be ${taken}`);
    if (taken.value !== false) values[option] = taken.value;
  }
  return values as Values;
}

function objectOf(name: string, text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // What it quotes of the text may be a password.
    const [, place = ""] = /(at position \d+(?: \(.*\))?|end of JSON input)/.exec((error as Error).message) ?? [];
    throw new UsageError(`${name} is no JSON${place === "" ? "" : `: ${place}`}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new UsageError(`${name} must be an object: { "port": 8080 }`);
}

/** The value as parseArgs would have it; text that says what it must be. */
function take(option: { type: string; multiple?: boolean }, value: unknown): { value: unknown } | string {
  if (option.type === "boolean") return typeof value === "boolean" ? { value } : "true or false";
  if (option.multiple !== true) return isText(value) ? { value: String(value) } : "text, or a number";
  const all = Array.isArray(value) ? value : [value];
  return all.every((one) => typeof one === "string") ? { value: all } : "text, or an array of it";
}

const isText = (value: unknown) => typeof value === "string" || typeof value === "number";
