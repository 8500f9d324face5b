// Parses options, sizes, durations and targets. Every error names the argument.

import { type ParseArgsConfig, parseArgs } from "node:util";

/** The arguments are wrong: one line, exit status 2. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** parseArgs, strict, with its errors in one line. */
export function parse<const T extends Options>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const [line = ""] = (error as Error).message.split("\n");
    const [, option] = /^Option '(\S+).*(?:ambiguous|missing)/.exec(line) ?? [];
    if (option !== undefined) throw new UsageError(`${option.replace("'", "")} needs a value`);
    // "Unknown option '--x'. To specify a positional argument starting with a '-', …"
    throw new UsageError(line.split(". ")[0]?.replace(/^Unknown/, "unknown"));
  }
}

const UNITS = ["", "k", "m", "g", "t"];

/** Bytes: 4096, 64k, 16M, 1G, 2T, in powers of 1024. */
export function size(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit = ""] = /^(\d+)([kmgt]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** UNITS.indexOf(unit.toLowerCase());
  if (digits === undefined) throw new UsageError(`${name} must be bytes, such as 4096, 64k, 16M or 1G (got '${text}')`);
  if (bytes < least) throw new UsageError(`${name} must be at least ${least} (got '${text}')`);
  if (bytes > Number.MAX_SAFE_INTEGER) throw new UsageError(`${name} must be less than 2**53 (got '${text}')`);
  return bytes;
}

/** A whole number, both bounds included. */
export function integer(name: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${name} must be a whole number from ${least} to ${most} (got '${text}')`);
}

/** Milliseconds: 500, 500ms, 10s, 2m. */
export function duration(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit = "ms"] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  if (digits === undefined) throw new UsageError(`${name} must be a time, such as 500ms, 10s or 2m (got '${text}')`);
  return Number(digits) * { ms: 1, s: 1000, m: 60_000 }[unit as "ms" | "s" | "m"];
}

/** One of a few words. */
export function choice<T extends string>(name: string, text: string | undefined, words: readonly T[]): T | undefined {
  if (text === undefined || words.includes(text as T)) return text as T | undefined;
  throw new UsageError(`${name} must be ${words.slice(0, -1).join(", ")} or ${words.at(-1)} (got '${text}')`);
}

/** A target, as net.connect takes it. */
export type Target = { host: string; port: number } | { path: string };

/** HOST:PORT, [IPV6]:PORT or unix:PATH; null for anything else. */
export function target(text: string): Target | null {
  if (text.startsWith("unix:")) return text.length > 5 ? { path: text.slice(5) } : null;
  const [, six, host = six, digits] = /^(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return host === undefined || port < 1 || port > 65535 ? null : { host, port };
}
