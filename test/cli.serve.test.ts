// `sendoff serve` from outside: what it answers, what it refuses, what it logs, and how it stops.

import { execFile, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, symlink, truncate, writeFile } from "node:fs/promises";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import { brotliCompressSync } from "node:zlib";
import * as assert from "uvu/assert";
import { pem } from "./lib/certificate.js";
import { call, inFolder, run, until } from "./lib/command.js";
import { ENGINES, noHalfClosed, noLoop } from "./lib/file-server.js";
import { without } from "./lib/programs.js";
import { lacks, runtime } from "./lib/runtime.js";
import { serving } from "./lib/serving.js";
import { ask, big, fill, LOGGED, noFifo, SECRET, sha256, shared, site } from "./lib/site.js";
import { suite } from "./lib/suite.js";
import { exchange, header, parse, request, within } from "./lib/web.js";

const test = suite("sendoff serve");
const everywhere = shared(test);
const linux = process.platform === "linux";

/** A file of five bytes, and behind it Node's word for what it can't parse. */
const WITH_400 = /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhelloHTTP\/1\.1 400 [\s\S]*\r\n\r\n$/;

/** Request target, status, and what it is about. */
const answers: readonly [target: string, status: number, about: string][] = [
  ["/a.txt", 200, "a file"],
  ["/a.txt?x=1#y", 200, "a query"],
  ["http://elsewhere/a.txt", 200, "the absolute form"],
  ["http://elsewhere", 200, "the absolute form of the first folder"],
  ["http://elsewhere?sort=size", 200, "the same with a query"],
  ["//a.txt", 200, "two slashes"],
  ["/sub/../a.txt", 200, "dots that stay inside"],
  ["/sub/page.html", 200, "a file in a folder"],
  ["/empty", 200, "an empty file"],
  ["/", 200, "the first folder"],
  ["/sub/", 200, "a folder"],
  ["/sub%2f", 301, "an encoded slash at the end"],
  ["/index/", 200, "a folder with an index"],
  ["/sub", 301, "a folder without its slash"],
  ["/none", 404, "nothing"],
  ["/none/", 404, "no folder"],
  ["/a.txt/", 404, "a file with a slash"],
  ["/a.txt/b", 404, "below a file"],
  ["/.hidden", 404, "a dotfile"],
  ["/sub/.git/", 404, "a dotfolder"],
  ["/sub/.git", 404, "a dotfolder without its slash"],
  ["/sub/.git/config", 404, "below a dotfolder"],
  ["/sub/%2egit/config", 404, "the same, encoded"],
  ["/../outside/secret", 403, "out of the root"],
  ["/%2e%2e/outside/secret", 403, "the same, encoded"],
  ["/%2e%2e%2foutside%2fsecret", 403, "the same, with the slash"],
  ["/sub/../../outside/secret", 403, "out of the root, from below"],
  ["/..\\outside\\secret", 403, "backslashes"],
  ["/..%5coutside%5csecret", 403, "encoded backslashes"],
  ["//../outside/secret", 403, "two slashes, and out"],
  ["http://elsewhere/../outside/secret", 403, "the absolute form, and out"],
  ["/a%00.txt", 400, "a null byte"],
  ["/%", 400, "a percent sign alone"],
  ["/%zz", 400, "no hexadecimal digits"],
  ["/%ff", 400, "no UTF-8"],
  ["/%c0%ae%c0%ae/outside/secret", 400, "an overlong UTF-8 dot"],
  ["*", 400, "no path at all"],
  [`/${"a".repeat(300)}`, 404, "a name too long for a file"],
  [`/${"a/".repeat(5000)}`, 404, "a path too long for the system"],
  [`/${"a".repeat(20_000)}`, 431, "a path too long for HTTP"],
];

const linked: readonly [target: string, status: number, about: string][] = [
  ["/inner", 200, "a link that stays inside"],
  ["/inner-folder/", 200, "a folder by such a link"],
  ["/secret", 404, "a link out of the root"],
  ["/sub/relative", 404, "a relative one"],
  ["/outside", 404, "a folder out of the root"],
  ["/outside/", 404, "the same with a slash, and an index"],
  ["/outside/secret", 404, "a file in it"],
  ["/outside/none", 404, "what is not even there"],
  ["/broken", 404, "a link to nowhere"],
  ["/circle", 404, "a link to itself"],
  ["/fifo", 404, "a FIFO, at once"],
];

test("answers: the table", () =>
  everywhere(async (server) => {
    for (const [target, status, about] of [...answers, ...(linux ? linked : [])]) {
      for (const method of ["GET", "HEAD"]) {
        const got = await ask(server, target, [], method);
        assert.match(got.status, new RegExp(`^HTTP/1.1 ${status} `), `${method} ${target.slice(0, 80)}: ${about}`);
        assert.is(got.body.includes(SECRET), false, target);
        if (method === "HEAD") assert.is(got.body.length, 0, target);
        // The runtime itself refuses what is no HTTP.
        else if (status !== 431 && (target !== "*" || lacks("a listener for *") === null))
          assert.is(Number(header(got.headers, "content-length")), got.body.length, target);
      }
    }
    assert.is((await ask(server, "/a.txt")).body.toString(), "hello", "it is still there");
    assert.not.match(server.stderr(), /sendoff:/);
  }));

test.unless(
  linux ? noFifo : "only Linux has them all",
  "a socket, a FIFO, a device, a link to nowhere: 404, as an index too, and without a word",
  () =>
    site(
      [],
      async (root) => {
        spawnSync("mkfifo", [join(root, "fifo")]);
        await symlink("fifo", join(root, "linked"));
        await symlink("/dev/zero", join(root, "device"));
        await symlink("nowhere", join(root, "dangling"));
        await symlink("circle", join(root, "circle"));
        for (const name of ["socket", "fifo", "linked", "device", "dangling", "circle"]) {
          await mkdir(join(root, `of-${name}`));
          await symlink(`../${name}`, join(root, `of-${name}`, "index.html"));
        }
      },
      async (server, root) => {
        const socket = net.createServer().listen(join(root, "socket"));
        await once(socket, "listening");
        // It would be let in by whoever opens the other end, if only for a moment.
        const writer = spawn("sh", ["-c", 'echo ready; : > "$0"', join(root, "fifo")]);
        await once(writer.stdout, "data");
        try {
          for (const name of ["socket", "fifo", "linked", "device", "dangling", "circle"]) {
            for (const target of [`/${name}`, `/of-${name}/`, `/of-${name}/index.html`]) {
              for (const method of ["GET", "HEAD"]) {
                assert.match((await ask(server, target, [], method)).status, / 404 /, `${method} ${target}`);
              }
            }
          }
          assert.equal([writer.exitCode, writer.signalCode], [null, null], "the FIFO was opened");
          assert.not.match(server.stderr(), /sendoff:/);
        } finally {
          writer.kill();
          socket.close();
        }
      },
    ),
);

test.unless(noHalfClosed, "a client that closes its side with its request gets its answer", () =>
  everywhere(async (server) => {
    const half = async (text: string) => parse(await within(exchange(server.port, text, true), text));
    for (const [target, status] of [
      ["/a.txt", 200],
      ["/sub/", 200],
      ["/sub", 301],
      ["/none", 404],
    ] as const) {
      const got = await half(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.match(got.status, new RegExp(` ${status} `), target);
      assert.is(Number(header(got.headers, "content-length")), got.body.length, target);
    }
    assert.is(sha256((await half(request("/big.bin"))).body), sha256(big));
    assert.match((await half("HEAD /big.bin HTTP/1.0\r\n\r\n")).status, / 200 /);
    const both = await half(`GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n${request("/a.txt")}`);
    assert.match(both.body.subarray(big.length).toString("latin1"), /^HTTP\/1.1 200 [\s\S]*\r\n\r\nhello$/);
    if (lacks("an answer to half a head") === null)
      assert.is((await half("GET / HTT")).status, "HTTP/1.1 400 Bad Request");
  }),
);

test("only GET and HEAD", () =>
  everywhere(async (server) => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      for (const target of ["/a.txt", "/sub/", "/none"]) {
        const got = await ask(server, target, method === "POST" ? ["Content-Length: 3", "", "abc"] : [], method);
        assert.match(got.status, / 405 /, `${method} ${target}`);
        assert.is(header(got.headers, "allow"), "GET, HEAD");
      }
    }
  }));

test("a folder is sent to itself with a slash, never to another host", () =>
  everywhere(async (server) => {
    const rows = [
      ["/sub", "/sub/"],
      ["/sub?sort=size", "/sub/?sort=size"],
      ["//sub", "/sub/"],
      ["//elsewhere/../sub", "/sub/"],
      ["///elsewhere/..", "/"],
      ["/sub/../sub", "/sub/"],
      ["http://elsewhere/sub", "/sub/"],
    ] as const;
    for (const [target, location] of rows) {
      const got = await ask(server, target);
      assert.match(got.status, / 301 /, target);
      assert.is(header(got.headers, "location"), location, target);
    }
  }));

test("ranges, conditional requests, types: as send has them", () =>
  site(["--cache", "60"], fill, async (server) => {
    const whole = await ask(server, "/a.txt");
    assert.is(header(whole.headers, "content-type"), "text/plain; charset=utf-8");
    assert.is(header(whole.headers, "cache-control"), "public, max-age=60");
    const range = await ask(server, "/big.bin", ["Range: bytes=1000-2000999"]);
    assert.match(range.status, / 206 /);
    assert.is(header(range.headers, "content-range"), "bytes 1000-2000999/3000001");
    assert.is(sha256(range.body), sha256(big.subarray(1000, 2_001_000)));
    const long = await ask(server, "/a.txt", ["Range: bytes=-5000"]);
    assert.match(long.status, / 206 /);
    assert.is(header(long.headers, "content-range"), "bytes 0-4/5");
    assert.is(long.body.toString(), "hello");
    const past = await ask(server, "/a.txt", ["Range: bytes=99-"]);
    assert.match(past.status, / 416 /);
    assert.is(header(past.headers, "content-range"), "bytes */5");
    assert.is(header(past.headers, "etag"), undefined, "nothing of the file is left in an error");
    const same = await ask(server, "/a.txt", [`If-None-Match: ${header(whole.headers, "etag")}`]);
    assert.match(same.status, / 304 /);
    assert.is(same.body.length, 0);
    const other = await ask(server, "/a.txt", ['If-Match: "x"']);
    assert.match(other.status, / 412 /);
  }));

test.unless(without("curl"), "curl -r, and a resumed download", () =>
  inFolder((to) =>
    everywhere(async (server) => {
      const curl = async (...args: string[]) =>
        (await promisify(execFile)("curl", ["-sS", "--fail", ...args], { encoding: "buffer", maxBuffer: 1 << 24 }))
          .stdout;
      assert.is(sha256(await curl(`${server.url}big.bin`)), sha256(big));
      assert.equal(await curl("-r", "5-9", `${server.url}big.bin`), big.subarray(5, 10));
      assert.equal(await curl("-r", "-7", `${server.url}big.bin`), big.subarray(-7));
      const part = join(to, "big.bin");
      await writeFile(part, big.subarray(0, 1_234_567));
      await curl("-C", "-", "-o", part, `${server.url}big.bin`);
      assert.is(sha256(await readFile(part)), sha256(big));
    }),
  ),
);

// Listings.

/** Names whose bytes a URL, or HTML, has another use for. */
const ODD = [
  "a b#?%<>&\"'.txt",
  "%2e%2e",
  "100%",
  "a+b=c;d,e@f:g$h!i*j(k).txt",
  "ünï cödé – 日本語 🎬.txt",
  "two  spaces ",
  "javascript:alert(1)",
  "<script>alert(1)</script>".replace("/", "∕"),
  "back\\slash",
  "new\nline",
  "tab\tand\x7f\x01",
  "\u202egnp.exe",
];

interface Row {
  href: string;
  name: string;
  title: string | undefined;
  time: string | undefined;
}

const unescaped = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));

/** The entries of a page, in their order. */
function rows(page: string): Row[] {
  const row =
    /<tr><td class="n(?: [a-z])?"><a href="([^"]*)"[^>]*><bdi>(.*?)<\/bdi><\/a><\/td><td class="s">(?:<span title="([^"]*)">[^<]*<\/span>)?<\/td><td class="s"><time datetime="([^"]*)"/g;
  return [...page.matchAll(row)].map(([, href = "", name = "", title, time]) => ({
    href: unescaped(href),
    name: unescaped(name.replace(/<[^>]*>/g, "")),
    title,
    time,
  }));
}

/** Why the system's own names can't be had here. */
const utf8 = lacks("names that are not UTF-8");

const names = (page: string) => rows(page).map(({ name }) => name);

if (linux) {
  test("odd names: each link of a page leads to the file that it names", () =>
    site(
      [],
      async (root) => {
        for (const name of ODD) await writeFile(join(root, name), `content of ${name}`);
        for (const name of ODD) {
          await mkdir(join(root, "folders", name), { recursive: true });
          await writeFile(join(root, "folders", name, "x"), `below ${name}`);
        }
        await mkdir(join(root, "\\elsewhere.example"));
        if (utf8 === null)
          await writeFile(Buffer.concat([Buffer.from(`${root}/not-utf-8-`), Buffer.from([0xff, 0xfe])]), "");
      },
      async (server) => {
        const page = await (await fetch(server.url)).text();
        if (utf8 === null) assert.match(page, /1 name that can&#39;t be in a URL|1 name that can't be in a URL/);
        assert.is(page.match(/<script/g)?.length, 1, "its own");
        assert.not.match(page, /javascript:alert\(1\)"/);
        const seen: string[] = [];
        for (const { href } of rows(page)) {
          const answer = await fetch(new URL(href, server.url));
          assert.is(answer.status, 200, href);
          const text = await answer.text();
          if (!href.endsWith("/")) seen.push(text);
        }
        assert.equal(seen.sort(), ODD.map((name) => `content of ${name}`).sort());

        const folders = rows(await (await fetch(`${server.url}folders/`)).text());
        assert.is(folders.length, ODD.length);
        const below: string[] = [];
        for (const { href } of folders) {
          const at = new URL(href, `${server.url}folders/`);
          const inner = await (await fetch(at)).text();
          const [file] = rows(inner);
          below.push(await (await fetch(new URL(file?.href ?? "", at))).text());
          const [, up] = /<a href="([^"]*)" rel="up">/.exec(inner) ?? [];
          assert.is(new URL(up ?? "", at).href, `${server.url}folders/`, "the parent");
          // Without its slash: the answer leads to the same place.
          const moved = await fetch(at.href.slice(0, -1));
          assert.is(moved.url, at.href);
        }
        assert.equal(below.sort(), ODD.map((name) => `below ${name}`).sort());
        const got = await ask(server, "/\\elsewhere.example");
        assert.is(header(got.headers, "location"), "/%5Celsewhere.example/", "a folder that is named like a host");
      },
    ));
}

test("what a page lists, and in which order", () =>
  everywhere(async (server) => {
    const page = async (path: string) => (await ask(server, path)).body.toString();
    const first = await page("/");
    assert.equal(
      names(first),
      linux
        ? ["index/", "inner-folder/", "sorted/", "sub/", "a.txt", "big.bin", "empty", "inner"]
        : ["index/", "sorted/", "sub/", "a.txt", "big.bin", "empty"],
    );
    const [file] = rows(first).filter(({ name }) => name === "big.bin");
    assert.is(file?.title, "3,000,001 bytes");
    assert.match(file?.time ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const order = async (query: string) => names(await page(`/sorted/${query}`)).join(" ");
    assert.is(await order(""), "z/ File1 file2 file10");
    assert.is(await order("?order=desc"), "z/ file10 file2 File1");
    assert.is(await order("?sort=size"), "z/ file10 File1 file2");
    assert.is(await order("?sort=size&order=asc"), "z/ file2 File1 file10");
    assert.is(await order("?sort=date"), "z/ file10 File1 file2");
    assert.is(await order("?sort=date&order=asc"), "z/ file2 File1 file10");
    assert.is(await order("?sort=x&order=y&page=-7"), "z/ File1 file2 file10", "what makes no sense");
    const sized = await page("/sorted/?sort=size");
    assert.match(sized, /<th scope="col" class="s" aria-sort="descending"><a href="\.\/\?sort=size&#38;order=asc">/);
    assert.is(sized.match(/<th[^>]* aria-sort/g)?.length, 1);
    assert.match(sized, /<a href="\.\/z\/\?sort=size">/, "the order is kept on the way down");
  }));

test("a page's headers", () =>
  everywhere(async (server) => {
    for (const target of ["/", "/none", "/sub"]) {
      const got = await ask(server, target);
      assert.is(header(got.headers, "content-type"), "text/html; charset=utf-8", target);
      assert.is(header(got.headers, "x-content-type-options"), "nosniff");
      const policy = header(got.headers, "content-security-policy") ?? "";
      assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'/);
      const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(got.body.toString()) ?? [];
      assert.ok(policy.includes(createHash("sha256").update(style).digest("base64")), "the hash of the style");
    }
  }));

test("a folder of 2,500 entries comes in pages, each entry on one", () =>
  site(
    [],
    async (root) => {
      for (let i = 0; i < 2500; i++) writeFileSync(join(root, `file ${i}`), "");
    },
    async (server) => {
      const all: string[] = [];
      let next: string | undefined = "./";
      for (let i = 1; next !== undefined; i++) {
        assert.ok(i <= 3, "three pages");
        const page: string = await (await fetch(new URL(next, server.url))).text();
        assert.match(page, new RegExp(`Page ${i} of 3`));
        all.push(...names(page));
        next = /<a href="([^"]*)">Next page<\/a>/.exec(page)?.[1];
        if (next !== undefined) next = unescaped(next);
      }
      assert.equal(
        all,
        Array.from({ length: 2500 }, (_, i) => `file ${i}`),
      );
    },
  ));

test("--no-listing: 404 for a folder, but not for its index", () =>
  site(["--no-listing"], fill, async (server) => {
    assert.match((await ask(server, "/")).status, / 404 /);
    assert.match((await ask(server, "/sub/")).status, / 404 /);
    assert.is((await ask(server, "/index/")).body.toString(), "<p>index");
  }));

test("--dotfiles: served, and listed", () =>
  site(["--dotfiles"], fill, async (server) => {
    assert.is((await ask(server, "/.hidden")).body.toString(), SECRET);
    assert.ok(names((await ask(server, "/sub/")).body.toString()).includes(".git/"));
    assert.match((await ask(server, "/../outside/secret")).status, / 403 /);
    if (linux) assert.match((await ask(server, "/secret")).status, / 404 /);
  }));

test("--precompressed: the sibling, but not one that leads out", () =>
  site(
    ["--precompressed"],
    async (root, outside) => {
      await writeFile(join(root, "app.js"), "plain");
      await writeFile(join(root, "app.js.br"), brotliCompressSync("packed"));
      await writeFile(join(outside, "secret"), SECRET);
      await writeFile(join(root, "b.js"), "plain");
      if (linux) await symlink(join(outside, "secret"), join(root, "b.js.br"));
    },
    async (server) => {
      const packed = await ask(server, "/app.js", ["Accept-Encoding: br"]);
      assert.is(header(packed.headers, "content-encoding"), "br");
      assert.equal(packed.body, brotliCompressSync("packed"));
      assert.is((await ask(server, "/app.js")).body.toString(), "plain");
      const other = await ask(server, "/b.js", ["Accept-Encoding: br"]);
      assert.is(other.body.includes(SECRET), false);
    },
  ));

// The log.

test("the log: a line for each response, whatever is asked for", () =>
  site([], fill, async (server) => {
    await ask(server, "/a.txt", ["X-Forwarded-For: 203.0.113.9"]); // not believed
    await ask(server, "/big.bin", [], "HEAD");
    await ask(server, "/big.bin", ["Range: bytes=0-99"]);
    await ask(server, '/none?"quoted\\"\x1b[31m', []).catch(() => {});
    await ask(server, '/none?"quoted\\"', []);
    await ask(server, "http://elsewhere//a.txt");
    await ask(server, `/${"a".repeat(9000)}`);
    await ask(server, "/a.txt?x=1&y=%20", ["Range: bytes=1-2"]);
    const tag = header((await ask(server, "/a.txt")).headers, "etag");
    await ask(server, "/a.txt", [`If-None-Match: ${tag}`]);
    // Two on a connection, the second one before the first is answered.
    await exchange(server.port, `GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n${request("/a.txt")}`);
    await server.logged(/(.*\n){11}/);
    // An answer comes whole, and has a line; Node's 400 for what is no HTTP behind it has none.
    const text = "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\nno HTTP\r\n\r\n";
    assert.match((await exchange(server.port, text)).toString("latin1"), WITH_400);
    // Nor is there an answer to a request whose body is none.
    const broken = "GET /never HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n";
    if (lacks("llhttp") === null)
      assert.is(parse(await exchange(server.port, broken)).status, "HTTP/1.1 400 Bad Request");
    const lines = (await server.stop()).stdout.split("\n").slice(0, -1);
    const seen = lines.map((line) => {
      const match = LOGGED.exec(line);
      assert.ok(match, `not in the common format: ${line}`);
      return match.slice(1).join(" ");
    });
    assert.equal(
      seen.map((line) => line.replace(/(404) \d{4}$/, "$1 page")),
      [
        "GET /a.txt HTTP/1.1 200 5",
        "HEAD /big.bin HTTP/1.1 200 -",
        "GET /big.bin HTTP/1.1 206 100",
        'GET /none?\\"quoted\\\\\\" HTTP/1.1 404 page',
        "GET http://elsewhere//a.txt HTTP/1.1 200 5",
        `GET /${"a".repeat(2995)}... 404 page`,
        "GET /a.txt?x=1&y=%20 HTTP/1.1 206 2",
        "GET /a.txt HTTP/1.1 200 5",
        "GET /a.txt HTTP/1.1 304 -",
        "GET /big.bin HTTP/1.1 200 3000001",
        "GET /a.txt HTTP/1.1 200 5",
        "GET /a.txt HTTP/1.1 200 5",
        ...(lacks("llhttp") === null ? ["GET /never HTTP/1.1 400 -"] : []),
      ],
    );
  }));

test("--log-format combined, json: what the request says of itself, and nothing else that it likes", () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, "a.txt"), "hello");
    const lines = [['Referer: http://x/?"\\ü', "USER-AGENT:\tcurl  "], [], [`User-Agent: ${"ü".repeat(3000)}`]];
    for (const engine of ENGINES) {
      const log = async (format: string) => {
        const server = await serving(["--engine", engine, "--log-format", format, folder]);
        await ask(server, "/a.txt");
        for (const fields of lines) await ask(server, "/a.txt?x", fields);
        await ask(server, "/none", lines[0], "HEAD");
        return (await server.stop()).stdout.trimEnd().split("\n").slice(1);
      };
      const asked = "GET /a.txt?x HTTP/1.1";
      assert.equal(
        (await log("combined")).map((line) => line.replace(/^127\.0\.0\.1 - - \[[^\]]+\] /, "")),
        [
          `"${asked}" 200 5 "http://x/?\\"\\\\\\xc3\\xbc" "curl"`,
          `"${asked}" 200 5 "-" "-"`,
          `"${asked}" 200 5 "-" "${"\\xc3\\xbc".repeat(50)}..."`,
          `"HEAD /none HTTP/1.1" 404 - "http://x/?\\"\\\\\\xc3\\xbc" "curl"`,
        ],
        engine,
      );
      const seen = (await log("json")).map((line) => {
        assert.match(line, /^[\x20-\x7e]{1,4000}$/);
        const { time, ms, ...rest } = JSON.parse(line);
        assert.ok(Math.abs(Date.parse(time) - Date.now()) < 600_000);
        assert.ok(ms >= 0);
        return rest;
      });
      const all = { host: "127.0.0.1", method: "GET", target: "/a.txt?x", version: "1.1", status: 200, bytes: 5 };
      const said = { referer: 'http://x/?"\\\u00c3\u00bc', userAgent: "curl" };
      assert.equal(
        seen,
        [
          { ...all, ...said },
          { ...all, referer: null, userAgent: null },
          { ...all, referer: null, userAgent: `${"\u00c3\u00bc".repeat(33)}...` },
          { ...all, method: "HEAD", target: "/none", status: 404, bytes: 0, ...said },
        ],
        engine,
      );
    }
  }));

test("the log of a download that was broken off: the bytes that went, once", () =>
  site(
    [],
    async (root) => {
      await writeFile(join(root, "huge"), "");
      await truncate(join(root, "huge"), 1 << 30);
    },
    async (server) => {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.write(request("/huge"));
      let got = 0;
      socket.on("data", (part) => {
        got += part.length;
        if (got > 1 << 20) socket.destroy();
      });
      await once(socket, "close");
      await server.logged(/\n/);
      await ask(server, "/none");
      await server.logged(/ 404 /);
      const [line = "", ...more] = server.stdout().split("\n");
      const [, asked, status, bytes] = LOGGED.exec(line) ?? [];
      assert.equal([asked, status, more.length], ["GET /huge HTTP/1.1", "200", 2], server.stdout());
      assert.ok(Number(bytes) >= got - 1000 && Number(bytes) < 1 << 30, `${bytes} logged, ${got} received`);
    },
  ));

if (linux) {
  test("pipelined requests are answered one at a time, and forgotten with their client", () =>
    site(["--engine", "node"], fill, async (server, root) => {
      await truncate(join(root, "big.bin"), 64 << 20); // more than both sockets hold
      const open = async () => {
        const fds = await readdir(`/proc/${server.child.pid}/fd`);
        const names = await Promise.all(
          fds.map((fd) => readlink(`/proc/${server.child.pid}/fd/${fd}`).catch(() => "")),
        );
        return names.filter((name) => name.endsWith("big.bin")).length;
      };
      const socket = net.connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.pause();
      socket.write("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100));
      await until("a download", async () => (await open()) > 0);
      await ask(server, "/a.txt");
      assert.is(await open(), 1);
      socket.resetAndDestroy();
      await until("its end", async () => (await open()) === 0);
      await server.logged(/"GET \/big.bin HTTP\/1.1" 200/);
      const lines = (await server.stop()).stdout.split("\n");
      assert.is(lines.filter((line) => line.includes("big.bin")).length, 1, "those that never began have no line");
    }));

  test.unless(noLoop, "pipelined requests wait for a loop, and are forgotten with their client", () =>
    site(["--engine", "loop"], fill, async (server, root) => {
      await truncate(join(root, "big.bin"), 64 << 20); // more than both sockets hold
      const socket = net.connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000));
      await once(socket, "readable");
      assert.is((await ask(server, "/a.txt")).body.toString(), "hello");
      socket.resetAndDestroy();
      await server.logged(/"GET \/big.bin HTTP\/1.1" 200/);
      const lines = (await server.stop()).stdout.split("\n");
      assert.is(lines.filter((line) => line.includes("big.bin")).length, 1, "those that never began have no line");
    }),
  );

  test("a client that has a thousand requests wait is cut off, and others are served", () =>
    site(["--engine", "node"], fill, async (server, root) => {
      await truncate(join(root, "big.bin"), 64 << 20); // more than both sockets hold
      const socket = net.connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.pause();
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000));
      await server.logged(/"GET \/big.bin HTTP\/1.1" 200/);
      socket.resume();
      await within(closed, "its end");
      assert.is((await ask(server, "/a.txt")).body.toString(), "hello");
    }));
}

test("--quiet: no log", () =>
  site(["-q"], fill, async (server) => {
    await ask(server, "/a.txt");
    assert.is((await server.stop()).stdout, "");
  }));

test("a log that nobody reads any more: it serves on", () =>
  site([], fill, async (server) => {
    server.child.stdout?.destroy();
    for (let i = 0; i < 3; i++) assert.is((await ask(server, "/a.txt")).body.toString(), "hello");
  }));

test("says where it listens, what it serves, how bytes travel, and by which engine", () =>
  everywhere(async (server, root) => {
    const [folder, url, way, engine] = server.stderr().split("\n");
    assert.match(folder ?? "", /^Serving .*root$/);
    assert.ok(folder?.endsWith(root.split("/").slice(-2).join("/")) || !linux);
    assert.is(url, `  http://127.0.0.1:${server.port}/`);
    assert.match(way ?? "", /^bytes (go by the kernel's sendfile \(.+\)|are copied: .+)$/);
    assert.is(engine, `engine: ${server.args.includes("loop") ? "loop" : "node (--engine node)"}`);
  }));

// TLS.

test("--tls: the same answers, by copies, and the same log", () =>
  inFolder(async (folder) => {
    await mkdir(join(folder, "root"));
    await mkdir(join(folder, "outside"));
    await fill(join(folder, "root"), join(folder, "outside"));
    const server = await serving(["--tls", ...pem(folder), join(folder, "root")]);
    assert.match(server.stderr(), /https:\/\/127\.0\.0\.1:\d+\/\nbytes are copied: TLS/);
    const get = (path: string, headers = {}) =>
      new Promise<{ status: number | undefined; body: Buffer }>((resolve, reject) => {
        const asked = https.get(server.url + path, { rejectUnauthorized: false, headers }, async (res) => {
          const parts: Buffer[] = [];
          for await (const part of res) parts.push(part);
          resolve({ status: res.statusCode, body: Buffer.concat(parts) });
        });
        asked.on("error", reject);
      });
    assert.is(sha256((await get("big.bin")).body), sha256(big));
    assert.equal((await get("big.bin", { range: "bytes=7-9" })).body, big.subarray(7, 10));
    assert.is((await get("empty")).status, 200);
    assert.is((await get("sub/")).status, 200);
    if (linux) assert.is((await get("secret")).status, 404);
    await server.logged(/"GET \/big.bin HTTP\/1.1" 200 3000001\n(.*\n)*.*"GET \/big.bin HTTP\/1.1" 206 3\n/);
    const odd = tls.connect({ port: server.port, rejectUnauthorized: false });
    odd.write("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\nno HTTP\r\n\r\n");
    const parts: Buffer[] = [];
    for await (const part of odd) parts.push(part as Buffer);
    assert.match(Buffer.concat(parts).toString("latin1"), WITH_400);
    await server.stop();
  }));

// Other runtimes.

for (const [name, travel] of [
  ["bun", /^bytes go by the kernel's sendfile \(bun:ffi\)$/m],
  ["deno", /^bytes go by the kernel's sendfile \(Deno\.dlopen\)$/m],
] as const) {
  const title = `under ${name}: folders, the log, how bytes travel, and what info says`;
  test.unless(runtime === name && linux ? null : `npm test -- ${name} runs it`, title, () =>
    inFolder(async (folder) => {
      await mkdir(join(folder, "root"));
      await mkdir(join(folder, "outside"));
      await fill(join(folder, "root"), join(folder, "outside"));
      const odd = join(folder, "root", "odd-");
      await writeFile(`${odd}\ufffd`, "");
      if (utf8 === null) await writeFile(Buffer.concat([Buffer.from(odd), Buffer.from([0xff])]), "");

      const server = await serving([join(folder, "root")]);
      const page = (await ask(server, "/?sort=size")).body.toString();
      assert.equal(names(page), [
        "index/",
        "inner-folder/",
        "sorted/",
        "sub/",
        "big.bin",
        "a.txt",
        "inner",
        "empty",
        "odd-\ufffd",
      ]);
      if (utf8 === null) assert.match(page, /1 name that can&#39;t be in a URL|1 name that can't be in a URL/);
      assert.is(sha256((await ask(server, "/big.bin")).body), sha256(big));
      await ask(server, "/big.bin", ["Range: bytes=-9999999"]);
      await ask(server, "/big.bin", [], "HEAD");
      const none = await ask(server, "/none");
      await exchange(server.port, `GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n${request("/a.txt")}`);
      const half = await within(exchange(server.port, request("/sub/"), name !== "deno"), "half-closed");
      assert.equal(names(parse(half).body.toString()), ["page.html"]);
      await server.logged(/(.*\n){8}/);
      assert.match(server.stderr(), travel);
      assert.not.match(server.stderr(), /sendoff:/);
      assert.equal(
        (await server.stop()).stdout.split("\n").map((line) => LOGGED.exec(line)?.slice(1).join(" ")),
        [
          `GET /?sort=size HTTP/1.1 200 ${Buffer.byteLength(page)}`,
          "GET /big.bin HTTP/1.1 200 3000001",
          "GET /big.bin HTTP/1.1 206 3000001",
          "HEAD /big.bin HTTP/1.1 200 -",
          `GET /none HTTP/1.1 404 ${none.body.length}`,
          "GET /big.bin HTTP/1.1 200 3000001",
          "GET /a.txt HTTP/1.1 200 5",
          `GET /sub/ HTTP/1.1 200 ${parse(half).body.length}`,
          undefined,
        ],
      );

      const version = /\d+\.\d+\.\d+/.exec(
        spawnSync(process.execPath, ["--version"], { encoding: "utf8" }).stdout,
      )?.[0];
      const info = JSON.parse((await run(["info", "--json"])).stdout);
      assert.equal([info.runtime, info.runtimeVersion], [name, version]);
      assert.match((await run(["info"])).stdout, new RegExp(`^${name} +${version} on linux`, "m"));
    }),
  );
}

test("--help tells of every option", async () => {
  const { stdout, status } = await call(["serve", "--help"]);
  assert.is(status, 0);
  for (const option of "port host engine threads workers tls cert key precompressed cache dotfiles no-listing log-format quiet timeout".split(
    " ",
  )) {
    assert.match(stdout, new RegExp(`--${option}\\b`));
  }
});

test.run();
