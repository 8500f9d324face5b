// Generated requests, byte by byte, against `send` alone: serveStatic, an accelerated `send` and `register` give
// the same answers on the wire.

import fs from "node:fs";
import type { RequestListener } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import fc from "fast-check";
import { accelerate, type Send, serveStatic } from "sendoff/http";
import * as assert from "uvu/assert";
import { host } from "#process";
import { conditions } from "../host/http/conditions.js";
import { sendRanges } from "../host/http/ranges.js";
import { install } from "../host/register/install.js";
import { census } from "./lib/census.js";
import { check } from "./lib/hostile.js";
import { suite } from "./lib/suite.js";
import { exchange, folder, site, undated, within } from "./lib/web.js";

const test = suite("fuzz, HTTP");
const send = createRequire(import.meta.url)("send") as Send;
const { root, remove } = folder({
  "a.txt": 10_000,
  "big.bin": 300_001,
  empty: 0,
  one: 1,
  "b c.html": "<p>b c",
  "ü.txt": "umlaut",
  "100%.txt": "percent",
  ".hidden": "hidden",
  "sub/index.html": "<p>index",
  "sub/x": "x",
  "bare/x": "x",
});
test.after(remove);
fs.symlinkSync("a.txt", path.join(root, "link"));
const stat = fs.statSync(path.join(root, "a.txt"));
const ETAG = `W/"${stat.size.toString(16)}-${stat.mtime.getTime().toString(16)}"`;

const { shared } = host();
const records = census(shared);

/** What serveStatic answers by itself is left out: it is asked for in test/static.test.ts. */
const reference: RequestListener = (req, res) => {
  if (req.method !== "GET" && req.method !== "HEAD") {
    res.statusCode = 405;
    res.setHeader("Allow", "GET, HEAD");
    res.setHeader("Content-Length", 0);
    res.end();
    return;
  }
  send(req, (req.url as string).split("?", 1)[0] as string, { root }).pipe(res as never);
};

/** The same, with the conditions and ranges of RFC 9110 as serveStatic has them. */
const strict: RequestListener = (req, res) => {
  if (req.method !== "GET" && req.method !== "HEAD") return reference(req, res);
  const stream = send(req, (req.url as string).split("?", 1)[0] as string, { root });
  Object.assign(stream, conditions, { send: sendRanges(stream.send) }).pipe(res as never);
};

const number = fc.oneof(
  fc.constantFrom(
    "",
    "0",
    "1",
    "9999",
    "10000",
    "10001",
    "299999",
    "300000",
    "99999999999999999999",
    "-1",
    "1.5",
    " 1",
    "x",
  ),
  fc.nat({ max: 320_000 }).map(String),
);
const spec = fc.oneof(
  fc.tuple(number, number).map(([from, to]) => `${from}-${to}`),
  fc.constantFrom("-", "--", "", "5", "0-0-0", "0 - 5", "bytes=0-1"),
);
const range = fc
  .tuple(fc.constantFrom("bytes=", "Bytes=", "bytes =", "bytes:", "lines=", "", "="), fc.array(spec, { maxLength: 4 }))
  .map(([unit, specs]) => `Range: ${unit}${specs.join(",")}`);
const tag = fc.constantFrom(ETAG, ETAG.slice(2), '"x"', "*", "", `"x", ${ETAG}`, 'W/"', "x");
const date = fc.constantFrom(
  stat.mtime.toUTCString(),
  new Date(stat.mtimeMs + 86_400_000).toUTCString(),
  new Date(0).toUTCString(),
  "yesterday",
  "",
);
const header = fc.oneof(
  { weight: 4, arbitrary: range },
  tag.map((value) => `If-None-Match: ${value}`),
  tag.map((value) => `If-Match: ${value}`),
  fc.oneof(tag, date).map((value) => `If-Range: ${value}`),
  date.map((value) => `If-Modified-Since: ${value}`),
  date.map((value) => `If-Unmodified-Since: ${value}`),
  fc.constantFrom(
    "Cache-Control: no-cache",
    "Accept-Encoding: gzip, br;q=0",
    "Expect: 100-continue",
    "Accept: */*",
    "X-Junk: \xff\xfe",
    "Cookie: a=b",
  ),
);

const NAMES = ["a.txt", "big.bin", "empty", "one", "b%20c.html", "%C3%BC.txt", "100%25.txt", ".hidden", "link", "none"];
const segment = fc.constantFrom(
  ...NAMES,
  "sub",
  "bare",
  "sub/x",
  "",
  ".",
  "..",
  "%2e%2e",
  "%2E.",
  "..%2f",
  "..\\",
  "%5c..",
  "%00",
  "%zz",
  "%",
  "%c0%ae",
  "%ff",
  "a%2etxt",
  "a.txt%20",
  "~",
  "con",
);
const target = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NAMES).map((name) => `/${name}`) },
  fc.tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom("", "/", "?q", "?a=/../b", "/?")).map(([some, end]) => {
    return `/${some.join("/")}${end}`;
  }),
  fc.constantFrom(
    "*",
    "//a.txt",
    "/./a.txt",
    "/sub/../a.txt",
    "/?",
    "/#a.txt",
    `/${"a".repeat(5000)}`,
    "http://x/a.txt",
  ),
);
const method = fc.oneof(
  { weight: 8, arbitrary: fc.constant("GET") },
  fc.constantFrom("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"),
);
/** Nobody reads it; what comes behind it on the connection still has to be found. */
const payload = fc.oneof(
  { weight: 6, arbitrary: fc.constant<[string[], string]>([[], ""]) },
  fc.constantFrom<[string[], string]>(
    [["Content-Length: 5"], "GET /"],
    [["Content-Length: 0"], ""],
    [["Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"],
  ),
);
const message = (version: string, connection: string) =>
  fc.tuple(method, target, fc.array(header, { maxLength: 3 }), payload).map(([verb, url, headers, [more, body]]) => {
    const lines = [`${verb} ${url} HTTP/${version}`, "Host: x", connection, ...headers, ...more, "", ""];
    return `${lines.filter((line, i) => i !== 2 || line !== "").join("\r\n")}${body}`;
  });
/** Only the last one ends the connection: what Node does with bytes behind that one is a matter of time. */
const pipeline = fc
  .tuple(
    fc.array(message("1.1", ""), { maxLength: 3 }),
    fc.oneof(message("1.1", "Connection: close"), message("1.0", "")),
  )
  .map(([some, last]) => [...some, last].join(""));
const LAST = "GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

const HANDLERS: Record<string, () => { listener: RequestListener; undo(): void }> = {
  serveStatic: () => ({ listener: serveStatic(root), undo() {} }),
  "an accelerated send": () => ({ listener: reference, undo: accelerate(send) }),
  register: () => ({ listener: reference, undo: install(shared, () => {}) }),
};

const comparable = (bytes: Buffer) => undated(bytes).toString("latin1");

/** No descriptor is left open that was not there before. */
async function closed(before: string[]): Promise<void> {
  let left: string[] = [];
  for (const late = Date.now() + 30_000; Date.now() < late; ) {
    left = opened().filter((one) => !before.includes(one));
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.unreachable(`left open: ${left.join(", ")}`);
}

/** What the descriptors of this process are: files by their names, sockets by their numbers. */
function opened(): string[] {
  shared.files.clear(); // they only stay open for their next use
  return fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // that of readdir itself
    }
  });
}

for (const [name, make] of Object.entries(HANDLERS)) {
  test(`${name}, as send`, async () => {
    const plain = await site(name === "serveStatic" ? strict : reference);
    const { listener, undo } = make();
    const ours = await site(listener);
    undo();
    const before = opened();
    const property = fc.asyncProperty(pipeline, async (text) => {
      const want = comparable(await within(exchange(plain.port, text), "send's answer"));
      fc.pre(!want.includes("HTTP/1.1 301 ")); // that page has words of its own
      const { undo } = make();
      const got = comparable(await within(exchange(ours.port, text), "our answer").finally(undo));
      fc.pre(!got.includes("multipart/byteranges")); // ranges-multi.test.ts
      if (got !== want) assert.is(got.slice(0, 2000), want.slice(0, 2000), `${got.length} and ${want.length} bytes`);
      assert.is(got, want);
      assert.is(records.open, 0);
      await closed(before);
    });
    await check(property, 150);
    await closed(before);
    await Promise.all([plain.close(), ours.close()]);
  });
}

test("bytes that are no HTTP", async () => {
  const ours = await site(serveStatic(root));
  const before = opened();
  const junk = fc.oneof(
    fc.string({ unit: "binary-ascii", maxLength: 200 }),
    fc
      .tuple(message("1.1", ""), fc.nat({ max: 200 }), fc.string({ unit: "binary-ascii", maxLength: 3 }))
      .map(([text, at, some]) => {
        return text.slice(0, at) + some + text.slice(at);
      }),
    fc.tuple(message("1.1", ""), fc.nat({ max: 200 })).map(([text, at]) => text.slice(0, at)),
  );
  const property = fc.asyncProperty(fc.array(junk, { minLength: 1, maxLength: 3 }), async (some) => {
    // Whatever it makes of it: the connection ends, and the next client is served.
    await within(exchange(ours.port, some.join(""), true), "the end of the connection");
    const next = await within(exchange(ours.port, LAST), "the next client");
    assert.match(next.toString("latin1"), /^HTTP\/1\.1 200 OK\r\n/);
    assert.is(records.open, 0);
  });
  await check(property, 150);
  await closed(before);
  await ours.close();
});

test.run();
