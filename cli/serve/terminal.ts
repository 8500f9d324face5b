// The log on a terminal: a short line for each response, in colour. Nothing that a client sends gets there raw.

import { twoDigits } from "../../host/calendar.js";
import { escaped, type Format } from "../../host/loop/log-line.js";
import { units } from "../units.js";
import { isLoopback } from "./auth.js";

export type Look = "plain" | "coloured";

/** What is logged, and how a terminal shows it. */
export interface LogStyle {
  readonly log: Format | null;
  /** Its lines are of JSON then; null: they go out as they are. */
  readonly look: Look | null;
}

/** `format`: what is asked for. */
export function logStyle(
  isQuiet: boolean,
  format: Format | undefined,
  isTTY: boolean,
  { NO_COLOR = "", TERM }: NodeJS.ProcessEnv,
): LogStyle {
  if (isQuiet) return { log: null, look: null };
  if (format !== undefined || !isTTY) return { log: format ?? "common", look: null };
  return { log: "json", look: NO_COLOR !== "" || TERM === "dumb" ? "plain" : "coloured" };
}

/** Of SGR, by the class of a status. */
const COLOURS: { readonly [hundreds: string]: number } = { 2: 32, 3: 36, 4: 33, 5: 31 };
const DIM = 2;
/** A longer target is cut. */
const TARGET = 1000;

/** `lines` are those of the log in JSON, with their ends. */
export function shown(lines: Buffer, look: Look): Buffer {
  const texts = lines.toString("latin1").split("\n").slice(0, -1);
  return Buffer.from(texts.map((text) => `${lineOf(JSON.parse(text), look)}\n`).join(""), "latin1");
}

interface Logged {
  readonly time: string;
  readonly host: string;
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly bytes: number;
  readonly ms: number;
}

function lineOf({ time, host, method, target, status, bytes, ms }: Logged, look: Look): string {
  const date = new Date(time);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
  const words = [
    painted(clock, DIM, look),
    painted(String(status), COLOURS[Math.floor(status / 100)] ?? 0, look),
    `${method} ${escaped(target, TARGET)}`,
    ...(bytes === 0 ? [] : [units(bytes)]),
    painted(duration(ms), DIM, look),
    ...(isLoopback(host) || host === "-" ? [] : [painted(host, DIM, look)]),
  ];
  return words.join("  ");
}

const duration = (ms: number) => (ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`);

const painted = (text: string, colour: number, look: Look) =>
  look === "plain" ? text : `\x1b[${colour}m${text}\x1b[0m`;
