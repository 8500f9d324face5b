// What the flags of `sendoff serve` have answers say, the same by each engine and over TLS, and whom its log believes.

import { mkdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { Proxies, type Trust } from "../host/loop/proxies.js";
import { pem } from "./lib/certificate.js";
import { call, inFolder } from "./lib/command.js";
import { type Answered, answersOf, ENGINES, get, head, undated } from "./lib/file-server.js";
import { type Serving, serving, talkTo } from "./lib/serving.js";
import { suite } from "./lib/suite.js";

const test = suite("sendoff serve's options");

const OLD = "Fri, 02 Jan 2026 03:04:05 GMT";
const INDEX = "<p>the app";
const PAGE = "<p>nothing here";

/** A folder with all that is asked for. */
async function fill(root: string): Promise<void> {
  await mkdir(join(root, "assets"), { recursive: true });
  await mkdir(join(root, "sub"));
  for (const [name, text] of [
    ["a.txt", "0123456789"],
    ["a.glb", "0123456789"],
    ["index.html", INDEX],
    ["assets/404 page.html", PAGE],
    ["sub/index.html", "<p>sub"],
  ] as const) {
    await writeFile(join(root, name), text);
    await utimes(join(root, name), new Date(OLD), new Date(OLD));
  }
}

const talk = async (server: Serving, text: string) => undated(await talkTo(server, text));

type Ask = (request: string) => Promise<Answered>;

/** By each engine and over TLS. What is given asks all of them, twice, and gives their answer, which has to be the same. */
async function everywhere(args: readonly string[], use: (ask: Ask, root: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const root = join(folder, "root");
    await fill(root);
    const ways = [...ENGINES.map((engine) => ["--engine", engine]), ["--tls", ...pem(folder)]];
    const servers = await Promise.all(ways.map((way) => serving([...way, ...args, root])));
    const ask = async (request: string) => {
      const texts: string[] = [];
      for (const _ of ["first", "then"]) {
        texts.push(...(await Promise.all(servers.map((server) => talk(server, request)))));
      }
      for (const text of texts) assert.is(text, texts[0], request);
      const answers = answersOf(texts[0] as string, request.startsWith("HEAD") ? [0] : []);
      assert.is(answers.length, 1, request);
      return answers[0] as Answered;
    };
    try {
      await use(ask, root);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
}

/** Some fields of an answer, "-" for none. */
const some = ({ fields }: Answered, ...names: string[]) => names.map((name) => fields[name] ?? "-").join(" | ");

test("--header, --cors: on each answer; what describes a file is not on pages and errors", () =>
  everywhere(
    [
      ...["--cors", "--header", "X-Own:  a: b ", "--header", "Set-Cookie: a=1", "--header", "set-cookie:b=2"],
      ...["--header", "Content-Language: de", "--header", "Cache-Control: max-age=9", "--header", "X-Empty:"],
    ],
    async (ask, root) => {
      await rm(join(root, "index.html"));
      const cors = "access-control-allow-origin";
      const rows: [request: string, status: number, ofFile: boolean][] = [
        [get("/a.txt"), 200, true],
        [head("/a.txt"), 200, true],
        [get("/a.txt", "Range: bytes=1-3"), 206, true],
        [get("/a.txt", `If-Modified-Since: ${OLD}`), 304, true],
        [get("/sub/"), 200, true],
        [get("/a.txt", "Range: bytes=99-"), 416, false],
        [get("/a.txt", 'If-Match: "x"'), 412, false],
        [get("/"), 200, false],
        [get("/sub"), 301, false],
        [get("/none"), 404, false],
        [head("/none"), 404, false],
        [get("/..%2f"), 403, false],
        [get("/%"), 400, false],
      ];
      for (const [request, status, ofFile] of rows) {
        const answer = await ask(request);
        assert.is(answer.status, status, request);
        assert.is(some(answer, cors, "x-own", "x-empty", "set-cookie"), "* | a: b |  | b=2", request);
        // `send` takes it from a 304.
        const language = answer.fields["content-language"];
        assert.is(language, ofFile && status !== 304 ? "de" : undefined, request);
        const listed = request.startsWith("GET / ") ? "no-cache" : undefined;
        assert.is(answer.fields["cache-control"], ofFile ? "max-age=9" : listed, request);
      }
      const { headers } = await preflight(ask);
      assert.equal(headers, "204 | * | GET, HEAD | *, Authorization");
      assert.is((await ask(get("/a.txt").replace("GET", "OPTIONS"))).status, 405, "no browser's question");
    },
  ));

async function preflight(ask: Ask) {
  const answer = await ask(get("/a.txt", "Access-Control-Request-Method: GET").replace("GET", "OPTIONS"));
  const names = ["origin", "methods", "headers"].map((name) => `access-control-allow-${name}`);
  return { status: answer.status, headers: `${answer.status} | ${some(answer, ...names)}` };
}

test("--cache text, --mime: of a file, its parts and 304; without --cors no other site may read", () =>
  everywhere(
    ["--cache", "public, max-age=31536000, immutable", "--mime", "glb=model/gltf-binary", "--mime", ".TXT=text/x-own"],
    async (ask) => {
      const cache = "public, max-age=31536000, immutable";
      for (const [request, status, type, control] of [
        [get("/a.glb"), 200, "model/gltf-binary", cache],
        [head("/a.glb"), 200, "model/gltf-binary", cache],
        [get("/a.glb", "Range: bytes=2-"), 206, "model/gltf-binary", cache],
        [get("/a.glb", `If-Modified-Since: ${OLD}`), 304, "-", cache],
        [get("/a.txt"), 200, "text/x-own", cache],
        [get("/"), 200, "text/html; charset=utf-8", cache],
        [get("/assets/"), 200, "text/html; charset=utf-8", "no-cache"],
        [get("/none"), 404, "text/html; charset=utf-8", "-"],
      ] as const) {
        const answer = await ask(request);
        assert.equal(
          [answer.status, some(answer, "content-type", "cache-control", "access-control-allow-origin")],
          [status, `${type} | ${control} | -`],
          request,
        );
      }
      assert.is((await preflight(ask)).status, 405);
    },
  ));

test("--single: index.html for what is missing, with its own fields; no pages for folders", () =>
  everywhere(["--single", "--cache", "60", "--header", "Content-Language: de"], async (ask, root) => {
    for (const [request, status, body] of [
      [get("/"), 200, INDEX],
      [get("/none"), 200, INDEX],
      [get("/users/7?tab=1"), 200, INDEX],
      [head("/none"), 200, ""],
      [get("/none", "Range: bytes=0-2"), 206, INDEX.slice(0, 3)],
      [get("/none", `If-Modified-Since: ${OLD}`), 304, ""],
      [get("/assets/"), 200, INDEX],
      [get("/.hidden"), 200, INDEX],
      [get("/a.txt"), 200, "0123456789"],
      [get("/sub/"), 200, "<p>sub"],
    ] as const) {
      const answer = await ask(request);
      assert.equal([answer.status, answer.body], [status, body], request);
      assert.is(answer.fields["cache-control"], "public, max-age=60");
      if (status !== 304) assert.is(answer.fields["content-language"], "de", request);
    }
    assert.is((await ask(get("/assets"))).status, 301);
    assert.is((await ask(get("/..%2fx"))).status, 403);
    assert.is((await ask(get("/%"))).status, 400);
    assert.is((await ask(get("/none").replace("GET", "PUT"))).status, 405);
    await rm(join(root, "index.html"));
    const error = await ask(get("/none"));
    assert.equal([error.status, some(error, "cache-control", "content-language")], [404, "- | -"]);
  }));

test("--404: its file for what is missing, whole, and not kept; folders are listed", () =>
  everywhere(
    ["--404", "/assets/404 page.html", "--cache", "60", "--header", "Content-Language: de"],
    async (ask, root) => {
      for (const request of [
        get("/none"),
        get("/none", "Range: bytes=0-2"),
        get("/none", `If-Modified-Since: ${OLD}`, "If-None-Match: *"),
        get("/sub/none?x"),
        head("/none"),
      ]) {
        const answer = await ask(request);
        assert.equal([answer.status, answer.body], [404, request.startsWith("HEAD") ? "" : PAGE], request);
        assert.is(some(answer, "cache-control", "content-length", "content-language"), "no-cache | 15 | -");
      }
      assert.is((await ask(get("/assets/404%20page.html"))).status, 200);
      assert.match((await ask(get("/assets/"))).body, /404 page\.html/);
      assert.is((await ask(get("/..%2fx"))).status, 403);
      await rm(join(root, "assets", "404 page.html"));
      const error = await ask(get("/none"));
      assert.equal([error.status, error.fields["content-type"]], [404, "text/html; charset=utf-8"]);
      assert.match(error.body, /Not Found/);
    },
  ));

// The log.

/** X-Forwarded-For as fields, whom the log trusts, and the address that it has then of a client at 127.0.0.1. */
const FORWARDED: readonly [fields: readonly string[], trust: Trust, host: string][] = [
  [[], true, "127.0.0.1"],
  [["203.0.113.9"], true, "203.0.113.9"],
  [["203.0.113.9"], ["127.0.0.1"], "203.0.113.9"],
  [["203.0.113.9"], ["127.0.0.0/8"], "203.0.113.9"],
  [["203.0.113.9"], ["loopback"], "203.0.113.9"],
  [["203.0.113.9"], ["192.0.2.1", "10.0.0.0/8"], "127.0.0.1"], // forged: nobody has asked this client
  [["192.0.2.7, 203.0.113.9"], ["127.0.0.1"], "203.0.113.9"], // the client has forged the first
  [["192.0.2.7, 203.0.113.9"], 1, "203.0.113.9"],
  [["192.0.2.7, 203.0.113.9"], 2, "192.0.2.7"],
  [["192.0.2.7, 203.0.113.9"], 9, "192.0.2.7"],
  [["192.0.2.7, 203.0.113.9"], true, "192.0.2.7"],
  [["192.0.2.7, 203.0.113.9, 10.1.2.3"], ["loopback", "10.0.0.0/8"], "203.0.113.9"],
  [["192.0.2.7", "203.0.113.9"], 1, "203.0.113.9"],
  [["192.0.2.7", "203.0.113.9"], 2, "192.0.2.7"],
  [["10.0.0.1, 10.0.0.2"], ["loopback", "uniquelocal"], "10.0.0.1"],
  [[" ,203.0.113.9 ,\t, "], 1, "203.0.113.9"],
  [["203.0.113.9:4711"], 1, "203.0.113.9"],
  [["2001:DB8:0:0::1"], 1, "2001:db8::1"],
  [["[2001:db8::1]"], 1, "2001:db8::1"],
  [["[2001:db8::1]:443"], 1, "2001:db8::1"],
  [["::ffff:203.0.113.9"], 1, "203.0.113.9"],
  [["2001:db8::1, fd00::5"], ["loopback", "fc00::/7"], "2001:db8::1"],
  [["::1, ::2"], ["loopback", "::/0"], "::1"],
  // What is no address ends it.
  [["unknown"], 1, "127.0.0.1"],
  [["192.0.2.7, unknown, 203.0.113.9"], true, "203.0.113.9"],
  [["203.0.113.9 GET"], 1, "127.0.0.1"],
  [['"203.0.113.9"'], 1, "127.0.0.1"],
  [["fe80::1%eth0"], 1, "127.0.0.1"],
  [["[203.0.113.9]"], 1, "203.0.113.9"],
  [["1.2.3"], 1, "127.0.0.1"],
  [["\x1b[31m"], 1, "127.0.0.1"],
];

test("the address of a client behind proxies, row by row", () => {
  for (const [fields, trust, host] of FORWARDED) {
    assert.is(new Proxies(trust).clientOf("127.0.0.1", fields.join(", ")), host, `${fields} by ${trust}`);
  }
  assert.is(new Proxies(true).clientOf("-", "192.0.2.7"), "192.0.2.7", "a Unix socket");
  assert.is(new Proxies(["0.0.0.0/0", "::/0"]).clientOf("-", "192.0.2.7"), "-", "which has no address");
  const many = Array.from({ length: 200 }, (_, i) => `10.0.0.${i}`).join(",");
  assert.is(new Proxies(true).clientOf("127.0.0.1", many), "10.0.0.100", "a hundred are looked at");
  for (const wrong of [
    "",
    "x",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "fe80::1%eth0",
    "/8",
  ]) {
    assert.throws(() => new Proxies([wrong]), `no address or range: '${wrong}'`);
  }
});

/** What a line of the log says of its client and target, in each format. */
const CLIENT = {
  common: /^(\S+) - - \[[^\]]+\] "GET (\S+) HTTP\/1\.1" \d+ \d+$/,
  combined: /^(\S+) - - \[[^\]]+\] "GET (\S+) HTTP\/1\.1" \d+ \d+ "-" "curl"$/,
  json: /"host":"([^"]+)".*"target":"([^"]+)".*"userAgent":"curl"/,
};

type Format = keyof typeof CLIENT;

test("S31 X-Forwarded-For is believed of a trusted proxy alone: by a loop, by node:http, and over TLS", () =>
  inFolder(async (folder) => {
    const root = join(folder, "root");
    await fill(root);
    const list: Trust = ["127.0.0.1"];
    const others: Trust = ["192.0.2.1", "10.0.0.0/8"];
    const rows: [way: readonly string[], trust: Trust | null, format: Format][] = [
      [["--tls", ...pem(folder)], list, "common"],
      [["--workers", "2"], list, "combined"],
    ];
    for (const engine of ENGINES) {
      for (const [trust, format] of [
        [null, "combined"], // nobody is trusted
        [true, "common"],
        [2, "json"],
        [others, "json"],
      ] as const) {
        rows.push([["--engine", engine], trust, format]);
      }
    }
    const check = async ([way, trust, format]: (typeof rows)[number]) => {
      const trusting = trust === null ? [] : ["--trust-proxy", String(trust)];
      const server = await serving([...way, ...trusting, "--log-format", format, root]);
      const wanted: string[] = [];
      for (const [fields, by, host] of FORWARDED) {
        if (String(by) !== String(trust ?? list)) continue;
        const lines = fields.map((field) => `${wanted.length % 2 ? "x-forwarded-for" : "X-Forwarded-For"}: ${field}`);
        // The first may be handed over; nothing of this name is the main thread's.
        for (const target of ["/a.txt", "/a.txt", "/none"]) {
          const got = await talk(server, get(target, ...lines, "User-Agent: curl"));
          // Node takes no control character.
          if (got.includes(" 400 ")) continue;
          wanted.push(`${trust === null ? "127.0.0.1" : host} ${target}`);
        }
      }
      const { stdout } = await server.stop();
      const seen = stdout
        .trimEnd()
        .split("\n")
        .map((line) => CLIENT[format].exec(line)?.slice(1).join(" ") ?? line);
      // Who gives an answer may log it when the next one is on its way.
      assert.equal(seen.sort(), wanted.sort(), `${way[0]} ${way[1]} ${trust}`);
    };
    for (let at = 0; at < rows.length; at += 2) await Promise.all(rows.slice(at, at + 2).map(check));
  }));

// Arguments.

const wrong: readonly [args: string[], status: number, words: RegExp][] = [
  [["--header", "X"], 2, /--header must be 'Name: value' \(got 'X'\)/],
  [["--header", ""], 2, /--header must be 'Name: value' \(got ''\)/],
  [["--header", ": x"], 2, /--header must be/],
  [["--header", "X : y"], 2, /--header must be/],
  [["--header", "X Y: z"], 2, /--header must be/],
  [["--header", "X: a\r\nSet-Cookie: b=1"], 2, /--header must be .* \(got 'X: a\\x0d\\x0aSet-Cookie: b=1'\)/],
  [["--header", "X: a\nY: b"], 2, /--header must be/],
  [["--header", "X\r\nY: b"], 2, /--header must be/],
  [["--header", "X: a\x01b"], 2, /--header must be/],
  [["--header", "X: \u65e5"], 2, /--header must be/],
  [["--header", "A: b", "--header", "content-length: 3"], 2, /--header can't be content-length, which is the server's/],
  [["--header", "Transfer-Encoding: chunked"], 2, /--header can't be Transfer-Encoding/],
  [["--header", "Connection: x"], 2, /--header can't be Connection/],
  [["--cache", "1d"], 2, /--cache must be seconds, or the text of a Cache-Control such as 'no-store' \(got '1d'\)/],
  [["--cache", "no-store\nX: y"], 2, /--cache must be .* \(got 'no-store\\x0aX: y'\)/],
  [["--cache", ""], 2, /--cache must be/],
  [["--cache", "99999999"], 2, /--cache must be a whole number from 0 to 31536000 \(got '99999999'\)/],
  [["--mime", "glb"], 2, /--mime must be EXT=TYPE, such as glb=model\/gltf-binary \(got 'glb'\)/],
  [["--mime", "=a/b"], 2, /--mime must be/],
  [["--mime", "glb=gltf"], 2, /--mime must be/],
  [["--mime", "glb=a/b\nX: y"], 2, /--mime must be .* \(got 'glb=a\/b\\x0aX: y'\)/],
  [["--single", "--404", "x.html"], 2, /--single or --404, not both/],
  [["--404", "../x.html"], 2, /--404 must be a file in DIR \(got '\.\.\/x\.html'\)/],
  [["--404", ""], 2, /--404 must be a file in DIR \(got ''\)/],
  [["--404", "/no/such.html"], 1, /--404 can't send \/no\/such\.html: ENOENT/],
  [["--404", "."], 2, /--404 must be a file in DIR/],
  [["--single"], 1, /--single can't send index\.html: ENOENT/],
  [["--trust-proxy", "0"], 2, /--trust-proxy must be a whole number from 1 to 100 \(got '0'\)/],
  [["--trust-proxy", "10.0.0.0/33"], 2, /--trust-proxy must be true, a number of .* \(got '10\.0\.0\.0\/33'\)/],
  [["--trust-proxy", "10.0.0.1,proxy"], 2, /--trust-proxy must be .* \(got '10\.0\.0\.1,proxy'\)/],
  [["--trust-proxy", ""], 2, /--trust-proxy must be/],
];

test("wrong arguments: each is named, in one line", () =>
  inFolder(async (folder) => {
    for (const [args, status, words] of wrong) {
      const got = await call(["serve", ...args, folder]);
      assert.is(got.status, status, `${args}: ${got.stderr}`);
      assert.match(got.stderr, words);
      assert.match(got.stderr, /^sendoff: [\x20-\x7e]+\n$/);
    }
  }));

test.run();
