// The recognizer of request heads, assembly/request.ts: what it knows, what it does not, and why.

import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import * as assert from "uvu/assert";
import { Odd, RangeKind } from "../assembly/abi.js";
import { random } from "./lib/bytes.js";
import { BUILDS, each } from "./lib/core.js";
import { differs, llhttp } from "./lib/llhttp.js";
import { Recognizer } from "./lib/request.js";
import { heads } from "./lib/request-heads.js";
import { type Facts, recognize } from "./lib/request-reference.js";
import { lacks } from "./lib/runtime.js";
import { test } from "./lib/suite.js";

/** By hand: SENDOFF_HEADS=1000000 node build/test/request.test.js */
const HEADS = Number(process.env.SENDOFF_HEADS ?? 20_000);
const SEED = Number(process.env.SENDOFF_SEED ?? 1);

/** A head of lines. */
const lines = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;
/** A head with a request line and Host, and the fields that are to be looked at. */
const fields = (...fields: string[]) => lines("GET / HTTP/1.1", "Host: a", ...fields);
const target = (target: string) => lines(`GET ${target} HTTP/1.1`, "Host: a");
const many = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: ${i}`);

const { None, Closed, From, Suffix } = RangeKind;
const range = (range: RangeKind, first: number, end = 0): Partial<Facts> => ({ range, first, end });

/** What is recognized, and what is special about it. */
const KNOWN: readonly (readonly [name: string, head: string, facts: Partial<Facts>])[] = [
  ["GET", lines("GET / HTTP/1.1", "Host: a"), {}],
  ["HEAD", lines("HEAD / HTTP/1.1", "Host: a"), { head: true }],
  ["a path", target("/a/b.txt"), { target: "/a/b.txt" }],
  ["a query is left out", target("/a?b=c?d/e"), { target: "/a" }],
  ["an empty query", target("/a?"), { target: "/a" }],
  ["a query at once", target("/?/"), {}],
  ["every byte of a path", target("/-._~!$&'()*+,;=:@/azAZ09"), { target: "/-._~!$&'()*+,;=:@/azAZ09" }],
  ["S5 a path as it came: %", target("/%2e%2E/%252e%2f%5c%00%ff"), { target: "/%2e%2E/%252e%2f%5c%00%ff" }],
  ["S5 a path as it came: dots", target("/../a/./b/.."), { target: "/../a/./b/.." }],
  ["two slashes later", target("/a//b"), { target: "/a//b" }],
  ["% in a query", target("/a?%00"), { target: "/a" }],

  ["fields of no meaning here", fields("X-A: b", "Accept: */*", 'Cookie: a=b; c="d"', "TE: trailers"), {}],
  ["a name of every byte", fields("!#$%&'*+-.^_`|~azAZ09: a"), {}],
  [
    "a value of every byte",
    fields(`A: ${String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i))}\t~`),
    {},
  ],
  ["no value", fields("A:", "B: ", "C: \t "), {}],
  ["blanks around a value", fields('If-None-Match:\t  "a" \t '), { noneMatch: '"a"' }],
  ["no blank before a value", fields('If-None-Match:"a"'), { noneMatch: '"a"' }],
  ["blanks within a value", fields("Accept-Encoding: a \tb"), { acceptEncoding: "a \tb" }],
  ["S12 a hundred fields", lines("GET / HTTP/1.1", "Host: a", ...many(99)), {}],
  ["the same field of no meaning twice", fields("X-A: b", "X-A: c"), {}],

  ["Host: a name and a port", lines("GET / HTTP/1.1", "Host: example.org:8080"), {}],
  ["Host: an address", lines("GET / HTTP/1.1", "Host: [::1]:80"), {}],
  ["Host: every byte", lines("GET / HTTP/1.1", "hOST: azAZ09.-_:[]~!$&'()*+,;=%"), {}],
  ["Host not at first", lines("GET / HTTP/1.1", "A: b", "HOST: a"), {}],

  ["Connection: keep-alive", fields("Connection: keep-alive"), {}],
  ["Connection: Keep-Alive", fields("connection: Keep-ALIVE"), {}],
  ["Connection: close", fields("Connection: close"), { last: true }],
  ["Connection: CLOSE", fields("CONNECTION: \t Close"), { last: true }],
  ["HEAD and Connection: close", lines("HEAD / HTTP/1.1", "Host: a", "Connection: close"), { head: true, last: true }],

  ["Range: a-b", fields("Range: bytes=0-499"), range(Closed, 0, 499)],
  ["Range: one byte", fields("Range: bytes=7-7"), range(Closed, 7, 7)],
  ["Range: a-", fields("RANGE:  bytes=500- "), range(From, 500)],
  ["Range: -n", fields("Range: bytes=-500"), range(Suffix, 500)],
  ["S6 Range: -0", fields("Range: bytes=-0"), range(Suffix, 0)],
  ["Range: zeros", fields("Range: bytes=007-0008"), range(Closed, 7, 8)],
  [
    "S6 Range: fifteen digits",
    fields("Range: bytes=999999999999998-999999999999999"),
    range(Closed, 1e15 - 2, 1e15 - 1),
  ],
  ["S6 Range: a suffix of fifteen digits", fields("Range: bytes=-999999999999999"), range(Suffix, 1e15 - 1)],

  ["If-None-Match", fields('if-none-match: W/"a", "b"'), { noneMatch: 'W/"a", "b"' }],
  ["If-None-Match: *", fields("If-None-Match: *"), { noneMatch: "*" }],
  [
    "If-Modified-Since",
    fields("If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT"),
    { modifiedSince: "Sat, 29 Oct 1994 19:43:31 GMT" },
  ],
  ["both", fields("If-Modified-Since: x", "If-None-Match: y"), { modifiedSince: "x", noneMatch: "y" }],
  [
    "Referer, User-Agent",
    fields("Referer: http://a/ ", "USER-AGENT:\ta b"),
    { referer: "http://a/", userAgent: "a b" },
  ],
  [
    "Referer, User-Agent: twice",
    fields("Referer:", "Referer: b", "User-Agent: a", "User-Agent: b"),
    { referer: "", userAgent: "a" },
  ],
  ["Accept-Encoding", fields("ACCEPT-ENCODING: gzip, br;q=0.5"), { acceptEncoding: "gzip, br;q=0.5" }],
  ["Cache-Control, Pragma alone", fields("Cache-Control: no-cache", "Pragma: no-cache"), {}],
  ["Cache-Control and Range", fields("Cache-Control: no-cache", "Range: bytes=1-"), range(From, 1)],
  ["a second request behind it", fields("X-A: b") + fields("X-C: d"), { length: fields("X-A: b").length }],

  // As long as the names that mean something.
  [
    "names that are nearly known",
    fields(
      "Hast: a",
      "Rangy: a",
      "Expecd: a",
      "Upgrad_: a",
      "Traile2: a",
      "If_Match: a",
      "Content_Length: 1",
      "Transfer_Encoding: chunked",
    ),
    {},
  ],
];

const PLAIN: Facts = {
  ...{ length: 0, head: false, last: false, target: "/", range: None, first: 0, end: 0 },
  ...{ noneMatch: null, modifiedSince: null, acceptEncoding: null, referer: null, userAgent: null },
};

/** What is not, and why. */
const ODD: readonly (readonly [name: string, head: string, odd: Odd])[] = [
  ["nothing", "", Odd.Partial],
  ["a line before it", `\r\n${target("/")}`, Odd.Method],
  ["a blank before it", ` ${target("/")}`, Odd.Method],
  ["S11 POST", lines("POST / HTTP/1.1", "Host: a"), Odd.Method],
  ["S11 OPTIONS, TRACE, CONNECT", lines("TRACE / HTTP/1.1", "Host: a"), Odd.Method],
  ["S11 a method of no use", lines("GEX / HTTP/1.1", "Host: a"), Odd.Method],
  ["S11 a method that begins as one", lines("GETS / HTTP/1.1", "Host: a"), Odd.Method],
  ["S11 HEADS", lines("HEADS / HTTP/1.1", "Host: a"), Odd.Method],
  ["get", lines("get / HTTP/1.1", "Host: a"), Odd.Method],
  ["HTAB behind the method", lines("GET\t/ HTTP/1.1", "Host: a"), Odd.Method],
  ["two blanks behind the method", target(" /"), Odd.Target],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Odd.Method],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Odd.Method],

  ["S4 absolute-form", target("http://a/"), Odd.Target],
  ["S4 authority-form", target("a:80"), Odd.Target],
  ["S4 *", target("*"), Odd.Target],
  ["S4 two slashes", target("//a/b"), Odd.Target],
  ["S4 two slashes alone", target("//"), Odd.Target],
  ["S4 a fragment", target("/#a"), Odd.Target],
  ["S4 a fragment of a query", target("/?a#b"), Odd.Target],
  ["no target", lines("GET  HTTP/1.1", "Host: a"), Odd.Target],
  ["HTTP/0.9", "GET /\r\n", Odd.Target],
  ["a backslash", target("/\\a"), Odd.Target],
  ["no byte of a path", target('/"'), Odd.Target],
  ["NUL in a target", target("/\0"), Odd.Target],
  ["DEL in a target", target("/\x7f"), Odd.Target],
  ["a target that is not ASCII", target("/\xe4"), Odd.Target],
  ["HTAB in a target", target("/\ta"), Odd.Target],
  ["% alone", target("/%"), Odd.Target],
  ["% and one digit", target("/%2"), Odd.Target],
  ["% and no hex, first", target("/%g0"), Odd.Target],
  ["% and no hex, second", target("/%0g"), Odd.Target],
  ["% in a query, and no hex", target("/?%u0041"), Odd.Target],
  ["a blank in a target", target("/a b"), Odd.Version],

  ["S10 HTTP/1.0", lines("GET / HTTP/1.0", "Host: a"), Odd.Version],
  ["HTTP/1.2", lines("GET / HTTP/1.2", "Host: a"), Odd.Version],
  ["HTTP/2.1", lines("GET / HTTP/2.1", "Host: a"), Odd.Version],
  ["http/1.1", lines("GET / http/1.1", "Host: a"), Odd.Version],
  ["two blanks before the version", target("/ "), Odd.Version],
  ["a blank behind the version", lines("GET / HTTP/1.1 ", "Host: a"), Odd.Version],
  ["a bare LF behind the version", "GET / HTTP/1.1\nHost: a\r\n\r\n", Odd.Version],
  ["a bare CR behind the version", "GET / HTTP/1.1\rHost: a\r\n\r\n", Odd.Version],

  ["S1 a blank before the colon", fields("A : b"), Odd.Field],
  ["S1 HTAB before the colon", fields("Content-Length\t: 3"), Odd.Field],
  ["S1 obs-fold", fields("A: b", " c"), Odd.Field],
  ["S1 obs-fold by HTAB", fields("A: b", "\tc"), Odd.Field],
  ["S1 obs-fold at first", lines("GET / HTTP/1.1", " Host: a", "Host: a"), Odd.Field],
  ["S1 a bare CR in a value", fields("A: b\rc"), Odd.Field],
  ["S1 a bare LF in a value", fields("A: b\nc: d"), Odd.Field],
  ["S1 a bare LF behind a value", fields("A: b\n"), Odd.Field],
  ["S1 CR CR LF", fields("A: b\r"), Odd.Field],
  ["S1 a bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", Odd.Field],
  ["S1 CR without LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\ra", Odd.Field],
  ["S1 NUL in a value", fields("A: b\0c"), Odd.Field],
  ["S1 NUL in a name", fields("A\0: b"), Odd.Field],
  ["S13 a control character in a value", fields("A: b\x1fc"), Odd.Field],
  ["DEL in a value", fields("A: b\x7fc"), Odd.Field],
  ["obs-text in a value", fields("A: b\x80c"), Odd.Field],
  ["obs-text far behind", fields(`A: ${"b".repeat(20)}\xff${"c".repeat(20)}`), Odd.Field],
  ["DEL far behind", fields(`A: ${"b".repeat(20)}\x7f${"c".repeat(20)}`), Odd.Field],
  ["no name", fields(": a"), Odd.Field],
  ["no colon", fields("A"), Odd.Field],
  ["no byte of a name", fields("A(b: c"), Odd.Field],
  ["obs-text in a name", fields("A\xe4: c"), Odd.Field],
  ["S12 a field too many", lines("GET / HTTP/1.1", "Host: a", ...many(100)), Odd.Field],

  ["S3 no Host", lines("GET / HTTP/1.1", "A: b"), Odd.Host],
  ["S3 no field at all", lines("GET / HTTP/1.1"), Odd.Host],
  ["S3 two Hosts", lines("GET / HTTP/1.1", "Host: a", "Host: a"), Odd.Host],
  ["S3 an empty Host", lines("GET / HTTP/1.1", "Host: "), Odd.Host],
  ["S3 two Hosts in one", lines("GET / HTTP/1.1", "Host: a b"), Odd.Host],
  ["S3 a Host with a path", lines("GET / HTTP/1.1", "Host: a/b"), Odd.Host],
  ["S3 a Host with a user", lines("GET / HTTP/1.1", "Host: a@b"), Odd.Host],
  ["S3 a Host with a query", lines("GET / HTTP/1.1", "Host: a?b"), Odd.Host],

  ["S10 Connection: several tokens", fields("Connection: keep-alive, close"), Odd.Connection],
  ["S10 Connection: a name", fields("Connection: x-a"), Odd.Connection],
  ["S10 Connection: nothing", fields("Connection:"), Odd.Connection],
  ["S10 Connection: nearly close", fields("Connection: closed"), Odd.Connection],
  ["S10 Connection: nearly keep-alive", fields("Connection: keep_alive"), Odd.Connection],
  ["Connection: HTAB behind it, which llhttp misreads", fields("Connection: close\t"), Odd.Connection],
  ["Connection: a blank behind it", fields("Connection: keep-alive "), Odd.Connection],
  ["S10 Connection twice", fields("Connection: close", "Connection: close"), Odd.Connection],
  ["S10 Connection twice, not the same", fields("Connection: keep-alive", "Connection: close"), Odd.Connection],
  ["S11 Connection: Upgrade", fields("Connection: Upgrade", "Upgrade: websocket"), Odd.Connection],
  ["S11 Upgrade alone", fields("Upgrade: h2c"), Odd.Connection],
  ["Proxy-Connection", fields("Proxy-Connection: keep-alive"), Odd.Connection],

  ["S1 two lengths", fields("Content-Length: 3", "Content-Length: 4"), Odd.Body],
  ["S1 Content-Length: +3", fields("Content-Length: +3"), Odd.Body],
  ["S1 Content-Length: 0x3", fields("Content-Length: 0x3"), Odd.Body],
  ["S1 Content-Length and Transfer-Encoding", fields("Content-Length: 3", "Transfer-Encoding: chunked"), Odd.Body],
  ["S1 Transfer-Encoding: xchunked", fields("Transfer-Encoding: xchunked"), Odd.Body],
  ["S2 Content-Length: 0", fields("content-length: 0"), Odd.Body],
  ["S2 a chunked body", fields("TRANSFER-ENCODING: chunked"), Odd.Body],
  ["S11 Expect", fields("Expect: 100-continue"), Odd.Body],
  ["Trailer", fields("Trailer: A"), Odd.Body],

  ["S6 Range: two", fields("Range: bytes=0-1,3-4"), Odd.Range],
  ["S6 Range: many", fields(`Range: bytes=${"0-,".repeat(200)}0-`), Odd.Range],
  ["S6 Range: sixteen digits", fields("Range: bytes=0-9007199254740992"), Odd.Range],
  ["S6 Range: sixteen digits at first", fields("Range: bytes=0000000000000001-"), Odd.Range],
  ["S6 Range: a suffix of sixteen digits", fields("Range: bytes=-0000000000000001"), Odd.Range],
  ["S6 Range: 2^64", fields("Range: bytes=18446744073709551615-18446744073709551616"), Odd.Range],
  ["S6 Range: backwards", fields("Range: bytes=2-1"), Odd.Range],
  ["S6 Range: a sign", fields("Range: bytes=+1-2"), Odd.Range],
  ["S6 Range: two dashes", fields("Range: bytes=--1"), Odd.Range],
  ["Range: no number", fields("Range: bytes=-"), Odd.Range],
  ["Range: no dash", fields("Range: bytes=1"), Odd.Range],
  ["Range: nothing", fields("Range: bytes="), Odd.Range],
  ["Range: empty", fields("Range:"), Odd.Range],
  ["Range: another unit", fields("Range: lines=1-2"), Odd.Range],
  ["Range: a unit in capitals", fields("Range: Bytes=1-2"), Odd.Range],
  ["Range: blanks", fields("Range: bytes= 1-2"), Odd.Range],
  ["Range: blanks at the dash", fields("Range: bytes=1 -2"), Odd.Range],
  ["Range: letters", fields("Range: bytes=1-2x"), Odd.Range],
  ["Range: hex", fields("Range: bytes=1-a"), Odd.Range],
  ["Range: between digits and letters", fields("Range: bytes=1-:"), Odd.Range],
  ["Range twice", fields("Range: bytes=1-2", "Range: bytes=1-2"), Odd.Range],

  ["If-Match", fields("If-Match: *"), Odd.Condition],
  ["If-Unmodified-Since", fields("If-Unmodified-Since: a"), Odd.Condition],
  ["If-Range", fields('If-Range: "a"'), Odd.Condition],
  ["If-None-Match twice", fields("If-None-Match: a", "If-None-Match: a"), Odd.Condition],
  ["If-Modified-Since twice", fields("If-Modified-Since: a", "If-Modified-Since: a"), Odd.Condition],
  ["Accept-Encoding twice", fields("Accept-Encoding: a", "Accept-Encoding: a"), Odd.Condition],
  ["If-None-Match without a value", fields("If-None-Match:"), Odd.Condition],
  ["If-Modified-Since without a value", fields("If-Modified-Since:  "), Odd.Condition],
  ["Accept-Encoding without a value", fields("Accept-Encoding:"), Odd.Condition],
  ["Cache-Control and If-None-Match", fields("Cache-Control: no-cache", "If-None-Match: a"), Odd.Condition],
  ["If-None-Match and Cache-Control", fields("If-None-Match: a", "Cache-Control: max-age=0"), Odd.Condition],
  ["Cache-Control and If-Modified-Since", fields("Cache-Control: a", "If-Modified-Since: a"), Odd.Condition],
  ["Pragma and If-None-Match", fields("Pragma: no-cache", "If-None-Match: a"), Odd.Condition],
  ["Pragma and If-Modified-Since", fields("Pragma: no-cache", "If-Modified-Since: a"), Odd.Condition],
  ["S7 Range and If-None-Match", fields("Range: bytes=1-2", "If-None-Match: a"), Odd.Condition],
  ["S7 If-Modified-Since and Range", fields("If-Modified-Since: a", "Range: bytes=1-2"), Odd.Condition],
];

each("request: heads", (test, build) => {
  const recognizer = new Recognizer(build.boot());

  for (const [name, head, facts] of KNOWN) {
    test(name, () => {
      const wanted = { ...PLAIN, length: head.length, ...facts };
      assert.equal(recognizer.ask(head), wanted);
      assert.equal(recognize(head), wanted, "the reference");
    });
  }

  for (const [name, head, odd] of ODD) {
    test(`${name}: ${Odd[odd]}`, () => {
      assert.is(Odd[recognizer.ask(head) as Odd], Odd[odd]);
      assert.is(recognize(head), null, "the reference");
    });
  }

  test("S9 a head that has not come whole is Partial at each of its bytes, whatever stands behind", () => {
    for (const [, head, facts] of KNOWN) {
      const whole = head.slice(0, facts.length);
      for (let i = 0; i < whole.length; i++) {
        assert.is(recognizer.ask(whole.slice(0, i), whole.slice(i)), Odd.Partial, whole.slice(0, i));
      }
    }
  });

  test("what stands behind changes nothing", () => {
    for (const [, head] of [...KNOWN, ...ODD]) {
      const alone = recognizer.ask(head, "\0".repeat(32));
      for (const behind of ["\r\n\r\n", "\n", "a", "0", ": b\r\n\r\n", "\xff".repeat(32), " HTTP/1.1\r\n"]) {
        assert.equal(recognizer.ask(head, behind), alone);
      }
    }
  });

  test("no byte before or behind is read: at the memory's end; nor if the end is not behind the beginning", () => {
    const core = build.boot();
    const bytes = Buffer.from(core.memory.buffer);
    for (const [, head] of [...KNOWN, ...ODD]) {
      for (const part of [head, head.slice(0, head.length >> 1)]) {
        const at = bytes.length - part.length;
        bytes.write(part, at, "latin1");
        core.request_recognize(at, bytes.length);
      }
    }
    assert.is(core.request_recognize(core.request_input(), core.request_input()), 0);
    assert.is(core.request_recognize(core.request_input(), core.request_input() - 1), 0);
    assert.is(core.request_odd(), Odd.Partial);
  });

  test("the same answers and facts as the reference: heads by chance", () => {
    const next = heads(random(SEED));
    for (let i = 0; i < 5000; i++) {
      const head = next();
      const facts = recognizer.ask(head);
      if (!isDeepStrictEqual(typeof facts === "number" ? null : facts, recognize(head)))
        assert.equal(facts, recognize(head), JSON.stringify(head));
    }
  });

  test("bytes by chance: nothing traps, and nothing is recognized", () => {
    const below = random(SEED);
    for (let i = 0; i < 5000; i++) {
      const begin = below(2) === 0 ? "GET / HTTP/1.1\r\nHost: a\r\n" : "";
      const few = below(2) === 0 ? 256 : 48; // the more often CR, LF, HTAB, blanks
      const bytes = Array.from({ length: below(200) }, () => below(few));
      const head = begin + String.fromCharCode(...bytes);
      const facts = recognizer.ask(head);
      assert.equal(typeof facts === "number" ? null : facts, recognize(head), JSON.stringify(head));
    }
  });
});

test.unless(lacks("llhttp"), `what is recognized, llhttp parses to the same: ${HEADS} heads`, () => {
  const recognizer = new Recognizer((BUILDS[1] as (typeof BUILDS)[1]).boot());
  const parse = llhttp();
  const next = heads(random(SEED));
  let recognized = 0;
  for (let i = 0; i < HEADS; i++) {
    const bytes = next();
    const facts = recognizer.ask(bytes);
    if (typeof facts === "number") continue;
    recognized++;
    const head = bytes.slice(0, facts.length);
    const wrong = differs(parse, facts, head);
    if (wrong !== null) assert.unreachable(`${wrong}: ${JSON.stringify(head)}`);
  }
  assert.ok(recognized >= HEADS / 3, `${recognized} of ${HEADS} are recognized`);
  if (process.env.SENDOFF_HEADS !== undefined) console.log(`${recognized} of ${HEADS} heads are recognized`);
});

test.run();
