// Lines of an access log, whoever has answered: in the NCSA formats, or as JSON.

import { MONTHS, twoDigits } from "../calendar.js";

export const FORMATS = ["common", "combined", "json"] as const;
export type Format = (typeof FORMATS)[number];

/** A response; what changes until it is over can be written. */
export interface Answered {
  /** Of the client; "-" if it has none. */
  readonly host: string;
  /** Whose password the request had; null for nobody's, undefined where there are none. */
  readonly user?: string | null;
  /** When it began, in ms since 1970, and how long it took. */
  readonly time: number;
  ms: number;
  readonly method: string;
  /** As it was sent. */
  readonly target: string;
  readonly version: string;
  status: number;
  /** Of the body, that were sent. */
  bytes: number;
  /** Of the request, for formats that have them; null for none. */
  readonly referer: string | null;
  readonly userAgent: string | null;
}

/** Whether lines have the request's header fields. */
export const hasFields = (format: Format): boolean => format !== "common";

/** A longer request line is cut. */
const REQUEST = 3000;
/** The longest target of one that is not. */
export const TARGET = REQUEST - 30;
/** The same of a field: with it a line is shorter than PIPE_BUF, so that it is written in one piece. */
export const FIELD = 400;
/** The same of a user's name. */
const USER = 100;

/** ASCII, with its end. */
export function logLine(format: Format, answered: Answered): string {
  if (format === "json") return json(answered);
  const { host, user, time, method, target, version, status, bytes } = answered;
  const request = `${method} ${target} HTTP/${version}`;
  const safe = isPlain(target, TARGET) ? request : escaped(request);
  const line = `${host} - ${user ? named(user) : "-"} [${timestamp(time)}] "${safe}" ${status} ${bytes === 0 ? "-" : bytes}`;
  if (format === "common") return `${line}\n`;
  return `${line} "${escaped(answered.referer ?? "-", FIELD)}" "${escaped(answered.userAgent ?? "-", FIELD)}"\n`;
}

/** Escapes as Apache does: nothing in a request can end the line, or the quotes. Cut if too long. */
export function escaped(text: string, most = REQUEST): string {
  if (isPlain(text, most)) return text;
  const cut = text.length > most ? `${text.slice(0, most)}...` : text;
  const safe = cut.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, (c) =>
    c === '"' || c === "\\" ? `\\${c}` : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return safe.length > most ? `${safe.slice(0, most)}...` : safe;
}

/** A user's name in UTF-8, in one word. */
function named(user: string): string {
  const word = escaped(Buffer.from(user).toString("latin1"), USER).replaceAll(" ", "\\x20");
  return word.slice(0, USER);
}

/** Whether nothing of a text is to be escaped or cut. */
export const isPlain = (text: string, most: number) =>
  text.length <= most && /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text);

function json({ host, user, time, ms, method, target, version, status, bytes, referer, userAgent }: Answered): string {
  const text = (value: string | null, most: number) => (value === null ? "null" : quoted(value, most));
  const who = user === undefined ? "" : `"user":${text(user, USER)},`;
  const { length } = method;
  const request = `"method":"${method}","target":${text(target, REQUEST - length)},"version":"${version}"`;
  const fields = `"referer":${text(referer, FIELD)},"userAgent":${text(userAgent, FIELD)}`;
  return `{"time":"${isoTime(time)}","host":"${host}",${who}${request},"status":${status},"bytes":${bytes},"ms":${Math.round(ms * 1000) / 1000},${fields}}\n`;
}

/** ASCII. What has too many escapes is cut earlier. */
function quoted(text: string, most: number): string {
  if (isPlain(text, most - 2)) return `"${text}"`;
  const whole = ascii(text);
  if (whole.length <= most) return whole;
  const cut = ascii(`${text.slice(0, most)}...`);
  return cut.length <= most + 5 ? cut : ascii(`${text.slice(0, Math.floor(most / 6))}...`);
}

const ascii = (text: string) =>
  JSON.stringify(text).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

let millisecond = 0;
let iso = "";

/** Made once a millisecond. */
function isoTime(time: number): string {
  if (time === millisecond) return iso;
  millisecond = time;
  iso = new Date(time).toISOString();
  return iso;
}

let second = 0;
let stamp = "";

/** 10/Oct/2000:13:55:36 -0700, made once a second. */
export function timestamp(time: number): string {
  const now = Math.floor(time / 1000);
  if (now === second) return stamp;
  second = now;
  const date = new Date(time);
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${twoDigits(Math.floor(Math.abs(offset) / 60))}${twoDigits(Math.abs(offset) % 60)}`;
  const day = `${twoDigits(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  stamp = `${day}:${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}:${twoDigits(date.getSeconds())} ${zone}`;
  return stamp;
}
