// HTTP-date in its three formats (RFC 9110 section 5.6.7). Date.parse() takes more than these, the last one for local
// time, and the year 49 for 2049.

import { MONTHS, twoDigits } from "../calendar.js";

const MONTH = MONTHS.join("|");
const TIME = "\\d{2}:\\d{2}:\\d{2}";
const FORMATS = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d{2}) (?<month>${MONTH}) (?<year>\\d{4}) (?<time>${TIME}) GMT$`),
  new RegExp(`^[A-Z][a-z]+day, (?<day>\\d{2})-(?<month>${MONTH})-(?<year>\\d{2}) (?<time>${TIME}) GMT$`),
  new RegExp(`^[A-Z][a-z]{2} (?<month>${MONTH}) (?<day>[ \\d]\\d) (?<time>${TIME}) (?<year>\\d{4})$`),
];

/** Milliseconds since 1970; NaN if `text` is no such date, or of a leap second. The name of the day is not looked at. */
export function parseDate(text: unknown): number {
  for (const format of FORMATS) {
    const found = format.exec(String(text))?.groups;
    if (found === undefined) continue;
    const { month = "", year = "", time } = found;
    const day = Number(found.day);
    const full = year.length === 2 ? inFull(year) : year;
    const at = Date.parse(`${full}-${twoDigits(MONTHS.indexOf(month) + 1)}-${twoDigits(day)}T${time}Z`);
    return new Date(at).getUTCDate() === day ? at : Number.NaN; // 31 February and 24:00:00 are other days
  }
  return Number.NaN;
}

/** A year that would be more than 50 years ahead is the one a century before. */
function inFull(year: string): number {
  const now = new Date().getUTCFullYear();
  const near = now - (now % 100) + Number(year);
  return near > now + 50 ? near - 100 : near;
}
