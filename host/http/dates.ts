// HTTP-date in its three formats (RFC 9110 section 5.6.7). Date.parse() takes more than these, and the last one for local time.

const MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
const TIME = "\\d{2}:\\d{2}:\\d{2}";
const FORMATS = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d{2}) (?<month>${MONTH}) (?<year>\\d{4}) (?<time>${TIME}) GMT$`),
  new RegExp(`^[A-Z][a-z]+day, (?<day>\\d{2})-(?<month>${MONTH})-(?<year>\\d{2}) (?<time>${TIME}) GMT$`),
  new RegExp(`^[A-Z][a-z]{2} (?<month>${MONTH}) (?<day>[ \\d]\\d) (?<time>${TIME}) (?<year>\\d{4})$`),
];

/** Milliseconds since 1970; NaN if `text` is no such date. */
export function parseDate(text: unknown): number {
  for (const format of FORMATS) {
    const found = format.exec(String(text))?.groups;
    if (found === undefined) continue;
    const { day = "", month, year = "", time } = found;
    return Date.parse(`${day.trim().padStart(2, "0")} ${month} ${year.length === 2 ? inFull(year) : year} ${time} GMT`);
  }
  return Number.NaN;
}

/** A year that would be more than 50 years ahead is the one a century before. */
function inFull(year: string): number {
  const now = new Date().getUTCFullYear();
  const near = now - (now % 100) + Number(year);
  return near > now + 50 ? near - 100 : near;
}
