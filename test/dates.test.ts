// The dates of conditions, host/http/dates.ts: what is a date, which moment it is, and what `send` makes of the same text.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import fc from "fast-check";
import { serveStatic } from "sendoff/http";
import * as assert from "uvu/assert";
import { parseDate } from "../host/http/dates.js";
import { suite } from "./lib/suite.js";
import { exchange, folder, parse, request, site, within } from "./lib/web.js";

type Fresh = (request: Record<string, string>, response: Record<string, string>) => boolean;

// Far from GMT, so that local time is another: where the runtime listens to it.
process.env.TZ = "Asia/Kolkata";

const test = suite("dates");
const require = createRequire(import.meta.url);
/** What `send` asks about If-Modified-Since. */
const fresh = createRequire(require.resolve("send"))("fresh") as Fresh;
const MODIFIED = "Sat, 01 Jan 1994 00:00:00 GMT";

const iso = (at: number): string | null => (Number.isNaN(at) ? null : new Date(at).toISOString());

/** Where `send` takes the text for the same. */
const SAME = "the same";
/** Where it takes it for local time, or for what the engine likes. */
const OTHER = "another";

/** What each text is; null: no date. */
const ROWS: readonly (readonly [name: string, text: string, is: string | null, sends: string | null])[] = [
  ["IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z", SAME],
  ["the beginning of a day", "Sun, 06 Nov 1994 00:00:00 GMT", "1994-11-06T00:00:00.000Z", SAME],
  ["the end of a day", "Sun, 06 Nov 1994 23:59:59 GMT", "1994-11-06T23:59:59.000Z", SAME],
  ["RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z", SAME],
  ["asctime", "Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z", OTHER],
  ["asctime, two digits", "Wed Nov 16 08:49:37 1994", "1994-11-16T08:49:37.000Z", OTHER],
  ["asctime, a zero", "Sun Nov 06 08:49:37 1994", "1994-11-06T08:49:37.000Z", OTHER],

  ["another day's name", "Mon, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z", SAME],
  ["another day's name, RFC 850", "Monday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z", SAME],
  ["no day's name", "06 Nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["a whole day's name", "Sunday, 06 Nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["a short day's name, RFC 850", "Sun, 06-Nov-94 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["a whole month's name", "Sun, 06 November 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["no month's name", "Sun, 06 Foo 1994 08:49:37 GMT", null, null],
  ["lower case", "sun, 06 nov 1994 08:49:37 gmt", null, "1994-11-06T08:49:37.000Z"],
  ["a lower-case month", "Sun, 06 nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["upper case", "SUN, 06 NOV 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],

  ["a leap year", "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.000Z", SAME],
  ["a leap year, RFC 850", "Thursday, 29-Feb-96 00:00:00 GMT", "1996-02-29T00:00:00.000Z", SAME],
  ["no leap year", "Tue, 29 Feb 1994 00:00:00 GMT", null, "1994-03-01T00:00:00.000Z"],
  ["no leap year, of a century", "Thu, 29 Feb 1900 00:00:00 GMT", null, "1900-03-01T00:00:00.000Z"],
  ["30 February", "Tue, 30 Feb 2000 00:00:00 GMT", null, "2000-03-01T00:00:00.000Z"],
  ["31 April", "Sun, 31 Apr 1994 00:00:00 GMT", null, "1994-05-01T00:00:00.000Z"],
  ["31 April, asctime", "Sun Apr 31 00:00:00 1994", null, OTHER],
  ["day 0", "Sun, 00 Nov 1994 08:49:37 GMT", null, null],
  ["day 32", "Sun, 32 Jan 1994 08:49:37 GMT", null, null],
  ["a day of one digit", "Sun, 6 Nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],

  ["hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", null, "1994-11-07T00:00:00.000Z"],
  ["hour 25", "Sun, 06 Nov 1994 25:00:00 GMT", null, null],
  ["minute 60", "Sun, 06 Nov 1994 08:60:00 GMT", null, null],
  ["a leap second", "Sat, 31 Dec 2016 23:59:60 GMT", null, "2016-12-31T23:59:00.000Z"],
  ["second 61", "Sat, 31 Dec 2016 23:59:61 GMT", null, "2016-12-31T23:59:00.000Z"],
  ["no seconds", "Sun, 06 Nov 1994 08:49 GMT", null, "1994-11-06T08:49:00.000Z"],
  ["an hour of one digit", "Sun, 06 Nov 1994 8:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["milliseconds", "Sun, 06 Nov 1994 08:49:37.5 GMT", null, "1994-11-06T08:49:37.500Z"],

  ["the second before 1970", "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.000Z", SAME],
  ["1970", "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z", SAME],
  ["behind 32 bits", "Tue, 19 Jan 2038 03:14:08 GMT", "2038-01-19T03:14:08.000Z", SAME],
  ["year 0", "Sat, 01 Jan 0000 00:00:00 GMT", "0000-01-01T00:00:00.000Z", "2000-01-01T00:00:00.000Z"],
  ["year 1", "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00.000Z", "2001-01-01T00:00:00.000Z"],
  ["year 49", "Fri, 01 Jan 0049 00:00:00 GMT", "0049-01-01T00:00:00.000Z", "2049-01-01T00:00:00.000Z"],
  ["year 99, asctime", "Thu Jan  1 00:00:00 0099", "0099-01-01T00:00:00.000Z", OTHER],
  ["year 9999", "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.000Z", SAME],
  ["year 10000", "Sat, 01 Jan 10000 00:00:00 GMT", null, "+010000-01-01T00:00:00.000Z"],
  ["a year of two digits", "Sun, 06 Nov 94 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["a year of four digits, RFC 850", "Sunday, 06-Nov-1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["a year of two digits, asctime", "Sun Nov  6 08:49:37 94", null, OTHER],

  ["no zone", "Sun, 06 Nov 1994 08:49:37", null, OTHER],
  ["UTC", "Sun, 06 Nov 1994 08:49:37 UTC", null, "1994-11-06T08:49:37.000Z"],
  ["an offset", "Sun, 06 Nov 1994 08:49:37 +0000", null, "1994-11-06T08:49:37.000Z"],
  ["another zone", "Sun, 06 Nov 1994 08:49:37 EST", null, "1994-11-06T13:49:37.000Z"],
  ["asctime with a zone", "Sun Nov  6 08:49:37 1994 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["ISO 8601", "1994-11-06T08:49:37Z", null, "1994-11-06T08:49:37.000Z"],
  ["a number", "784111777", null, null],

  ["a space before", " Sun, 06 Nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["a space behind", "Sun, 06 Nov 1994 08:49:37 GMT ", null, "1994-11-06T08:49:37.000Z"],
  ["a newline behind", "Sun, 06 Nov 1994 08:49:37 GMT\n", null, "1994-11-06T08:49:37.000Z"],
  ["two spaces", "Sun,  06 Nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["no space", "Sun,06 Nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["a tab", "Sun,\t06 Nov 1994 08:49:37 GMT", null, "1994-11-06T08:49:37.000Z"],
  ["asctime, one space", "Sun Nov 6 08:49:37 1994", null, OTHER],
  ["words behind", "Sun, 06 Nov 1994 08:49:37 GMT; length=5", null, null],
  ["two dates", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", null, null],
  ["nothing", "", null, null],
];

for (const [name, text, is, sends] of ROWS) {
  test(`${name}: ${JSON.stringify(text)}`, () => {
    assert.is(iso(parseDate(text)), is);
    if (sends === OTHER) return;
    assert.is(iso(Date.parse(text)), sends === SAME ? is : sends);
    assert.is(
      fresh({ "if-modified-since": text }, { "last-modified": MODIFIED }),
      Date.parse(MODIFIED) <= Date.parse(text),
    );
  });
}

test("what is no text is no date", () => {
  for (const none of [undefined, null, 0, 784111777, {}, []]) assert.is(iso(parseDate(none)), null);
});

/** Calls `body` as in this year. */
function during(year: number, body: () => void): void {
  const { Date: right } = globalThis;
  globalThis.Date = class extends right {
    constructor(...args: [] | [number]) {
      super(...((args.length === 0 ? [right.UTC(year, 5)] : args) as [number]));
    }
  } as DateConstructor;
  try {
    body();
  } finally {
    globalThis.Date = right;
  }
}

// Section 5.6.7: one that appears to be more than 50 years in the future is the most recent year in the past.
for (const [now, digits, year] of [
  [1994, "94", 1994],
  [2026, "00", 2000],
  [2026, "26", 2026],
  [2026, "27", 2027],
  [2026, "76", 2076],
  [2026, "77", 1977],
  [2026, "99", 1999],
  [2049, "99", 2099],
  [2060, "99", 2099],
  [2100, "50", 2150],
  [2100, "51", 2051],
] as const) {
  test(`in ${now} a year ${digits} is ${year}`, () =>
    during(now, () => {
      assert.is(new Date(parseDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`)).getUTCFullYear(), year);
    }));
}

const DAYS = ["Sun", "Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur"];
/** Those that Date.parse() takes for no other century. */
const second = fc.integer({ min: Date.UTC(100, 0) / 1000, max: Date.UTC(9999, 11, 31, 23, 59, 59) / 1000 });
/** A date, in pieces as toUTCString() has them. */
const pieces = (second: number) => new Date(second * 1000).toUTCString().split(" ") as [string, ...string[]];

test("any second, in each format: that second, as by Date.parse()", () => {
  fc.assert(
    fc.property(second, (second) => {
      const [name, day, month, year, time] = pieces(second);
      for (const text of [
        `${name} ${day} ${month} ${year} ${time} GMT`,
        `${name.slice(0, 3)} ${month} ${day?.replace(/^0/, " ")} ${time} ${year}`,
      ]) {
        assert.is(parseDate(text), second * 1000, text);
        assert.is(Date.parse(text.endsWith(" GMT") ? text : `${text} GMT`), second * 1000, text);
      }
    }),
    { numRuns: 1000 },
  );
});

test("any second of 50 years before and behind, in the format of RFC 850: that second", () => {
  const near = fc.integer({ min: Date.UTC(1977, 0) / 1000, max: Date.UTC(2076, 11, 31, 23, 59, 59) / 1000 });
  fc.assert(
    fc.property(near, (second) => {
      const [, day, month, year, time] = pieces(second);
      const text = `${DAYS[new Date(second * 1000).getUTCDay()]}day, ${day}-${month}-${year?.slice(2)} ${time} GMT`;
      during(2026, () => assert.is(parseDate(text), second * 1000, text));
    }),
    { numRuns: 1000 },
  );
});

test("what is a date is written so again; what is none never is", () => {
  const two = (max: number) => fc.integer({ min: 0, max }).map((number) => String(number).padStart(2, "0"));
  const month = fc.constantFrom(
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
    "Mai",
  );
  const year = fc.integer({ min: 100, max: 9999 }).map((year) => String(year).padStart(4, "0"));
  fc.assert(
    fc.property(two(33), month, year, two(25), two(61), two(61), (day, month, year, hour, minute, second) => {
      const text = `${day} ${month} ${year} ${hour}:${minute}:${second} GMT`;
      const at = parseDate(`Sun, ${text}`);
      const meant = Number.isNaN(at) ? Date.parse(text) : at;
      assert.is(new Date(meant).toUTCString().slice(5) === text, !Number.isNaN(at), text);
    }),
    { numRuns: 2000 },
  );
});

// On the wire: Node takes the blanks off a value, and the first of two.

const DATED = "Sun, 06 Nov 1994 08:49:37 GMT";
for (const [name, fields, status] of [
  ["blanks around it", [`If-Modified-Since: \t ${DATED} \t`], 304],
  ["two of them: the first", [`If-Modified-Since: ${DATED}`, "If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT"], 304],
  ["two of them: the first, which is none", ["If-Modified-Since: now", `If-Modified-Since: ${DATED}`], 200],
  ["asctime", ["If-Modified-Since: Sun Nov  6 08:49:37 1994"], 304],
  ["asctime, a second before", ["If-Modified-Since: Sun Nov  6 08:49:36 1994"], 200],
  ["no date, which `send` takes for one", ["If-Modified-Since: Wed, 31 Nov 1994 08:49:37 GMT"], 200],
  ["a year 49, which `send` takes for 2049", ["If-Modified-Since: Fri, 01 Jan 0049 00:00:00 GMT"], 200],
  ["a date before", ["If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT"], 412],
  ["the very date", ["If-Unmodified-Since: Sunday, 06-Nov-94 08:49:37 GMT"], 200],
  ["a leap second", ["If-Unmodified-Since: Sat, 31 Dec 1990 23:59:60 GMT"], 200],
] as const) {
  test(`${fields[0]?.split(":")[0]}: ${name}: ${status}`, async (t) => {
    const { root, remove } = folder({ a: "a" });
    t.after(remove);
    fs.utimesSync(path.join(root, "a"), new Date(DATED), new Date(DATED));
    const at = await site(serveStatic(root));
    t.after(() => at.close());
    const answer = parse(await within(exchange(at.port, request("/a", [...fields])), name));
    assert.match(answer.status, new RegExp(` ${status} `));
  });
}

test.run();
