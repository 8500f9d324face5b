// `sendoff serve` from outside: what it answers, what it refuses, what it logs, and how it stops.

import { execFile, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompressSync } from "node:zlib";
import * as assert from "uvu/assert";
import { pem } from "./lib/certificate.js";
import { by, call, childrenOf, inFolder, other, run, runs, until } from "./lib/command.js";
import { ENGINES, noHalfClosed, noLoop } from "./lib/file-server.js";
import { without } from "./lib/programs.js";
import { lacks } from "./lib/runtime.js";
import { type Serving, serving } from "./lib/serving.js";
import { suite } from "./lib/suite.js";
import { exchange, header, parse, request, within } from "./lib/web.js";

const test = suite("sendoff serve");
const linux = process.platform === "linux";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const noFifo = without("mkfifo");

/** What the log has where the bytes, or anything else, depend on the moment. */
const LOGGED = /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "(.*)" (\d{3}) (-|\d+)$/;

/** A file of five bytes, and behind it Node's word for what it can't parse. */
const WITH_400 = /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhelloHTTP\/1\.1 400 [\s\S]*\r\n\r\n$/;

/** Serves a folder that `make` has filled, by each engine or the one that is named; stopped and removed afterwards. */
async function site(
  args: readonly string[],
  make: (root: string, outside: string) => Promise<void>,
  use: (server: Serving, root: string) => Promise<void>,
): Promise<void> {
  if (args.includes("--engine")) return served(args, make, use);
  for (const engine of ENGINES) await served(["--engine", engine, ...args], make, use);
}

function served(
  args: readonly string[],
  make: (root: string, outside: string) => Promise<void>,
  use: (server: Serving, root: string) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const root = join(folder, "root");
    const outside = join(folder, "outside");
    await mkdir(root);
    await mkdir(outside);
    await make(root, outside);
    const server = await serving([...args, root]);
    try {
      await use(server, root);
    } finally {
      await server.stop();
    }
  });
}

async function ask(server: Serving, target: string, lines: string[] = [], method = "GET") {
  return parse(await within(exchange(server.port, request(target, lines, method)), `${method} ${target}`));
}

const big = randomBytes(3_000_001);
/** In no file that may be sent. */
const SECRET = "xyzzy";

async function fill(root: string, outside: string): Promise<void> {
  await mkdir(join(root, "sub", ".git"), { recursive: true });
  await mkdir(join(root, "index"));
  await writeFile(join(root, "a.txt"), "hello");
  await writeFile(join(root, "big.bin"), big);
  await writeFile(join(root, "empty"), "");
  await writeFile(join(root, ".hidden"), SECRET);
  await writeFile(join(root, "sub", ".git", "config"), SECRET);
  await writeFile(join(root, "sub", "page.html"), "<p>page");
  await writeFile(join(root, "index", "index.html"), "<p>index");
  await writeFile(join(outside, "secret"), SECRET);
  await writeFile(join(outside, "index.html"), SECRET);
  if (!linux) return;
  await symlink(join(outside, "secret"), join(root, "secret"));
  await symlink(outside, join(root, "outside"));
  await symlink("../outside/secret", join(root, "sub", "relative"));
  await symlink("a.txt", join(root, "inner"));
  await symlink("sub", join(root, "inner-folder"));
  await symlink("nowhere", join(root, "broken"));
  await symlink("circle", join(root, "circle"));
  if (noFifo === null) spawnSync("mkfifo", [join(root, "fifo")]);
}

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
  site([], fill, async (server) => {
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
  site([], fill, async (server) => {
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
  site([], fill, async (server) => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      for (const target of ["/a.txt", "/sub/", "/none"]) {
        const got = await ask(server, target, method === "POST" ? ["Content-Length: 3", "", "abc"] : [], method);
        assert.match(got.status, / 405 /, `${method} ${target}`);
        assert.is(header(got.headers, "allow"), "GET, HEAD");
      }
    }
  }));

test("a folder is sent to itself with a slash, never to another host", () =>
  site([], fill, async (server) => {
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

if (linux) {
  test("a folder that is named like a host", () =>
    site(
      [],
      async (root) => void (await mkdir(join(root, "\\elsewhere.example"))),
      async (server) => {
        const got = await ask(server, "/\\elsewhere.example");
        assert.is(header(got.headers, "location"), "/%5Celsewhere.example/");
      },
    ));
}

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
    site([], fill, async (server) => {
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
    /<tr><td class="n(?: d)?"><a href="([^"]*)"><bdi>([^<]*)<\/bdi><\/a><\/td><td class="s">(?:<span title="([^"]*)">[^<]*<\/span>)?<\/td><td class="s"><time datetime="([^"]*)"/g;
  return [...page.matchAll(row)].map(([, href = "", name = "", title, time]) => ({
    href: unescaped(href),
    name: unescaped(name),
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
        if (utf8 === null)
          await writeFile(Buffer.concat([Buffer.from(`${root}/not-utf-8-`), Buffer.from([0xff, 0xfe])]), "");
      },
      async (server) => {
        const page = await (await fetch(server.url)).text();
        if (utf8 === null) assert.match(page, /1 name that can&#39;t be in a URL|1 name that can't be in a URL/);
        assert.not.match(page, /<script|javascript:alert\(1\)"/);
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
      },
    ));
}

test("what a page lists, and in which order", () =>
  site(
    [],
    async (root, outside) => {
      await fill(root, outside);
      for (const [name, size, time] of [
        ["file10", 30, 3],
        ["file2", 10, 1],
        ["File1", 20, 2],
      ] as const) {
        await writeFile(join(root, "sub", name), "x".repeat(size));
        await utimes(join(root, "sub", name), time * 1e6, time * 1e6);
      }
      await mkdir(join(root, "sub", "z"));
      await rm(join(root, "sub", "page.html"));
    },
    async (server) => {
      const page = async (path: string) => (await ask(server, path)).body.toString();
      const first = await page("/");
      assert.equal(
        names(first),
        linux
          ? ["index/", "inner-folder/", "sub/", "a.txt", "big.bin", "empty", "inner"]
          : ["index/", "sub/", "a.txt", "big.bin", "empty"],
      );
      const [file] = rows(first).filter(({ name }) => name === "big.bin");
      assert.is(file?.title, "3,000,001 bytes");
      assert.match(file?.time ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const order = async (query: string) => names(await page(`/sub/${query}`)).join(" ");
      assert.is(await order(""), "z/ File1 file2 file10");
      assert.is(await order("?order=desc"), "z/ file10 file2 File1");
      assert.is(await order("?sort=size"), "z/ file10 File1 file2");
      assert.is(await order("?sort=size&order=asc"), "z/ file2 File1 file10");
      assert.is(await order("?sort=date"), "z/ file10 File1 file2");
      assert.is(await order("?sort=date&order=asc"), "z/ file2 File1 file10");
      assert.is(await order("?sort=x&order=y&page=-7"), "z/ File1 file2 file10", "what makes no sense");
      const sized = await page("/sub/?sort=size");
      assert.match(sized, /<th scope="col" class="s" aria-sort="descending"><a href="\.\/\?sort=size&#38;order=asc">/);
      assert.is(sized.match(/<th[^>]* aria-sort/g)?.length, 1);
      assert.match(sized, /<a href="\.\/z\/\?sort=size">/, "the order is kept on the way down");
    },
  ));

test("a page's headers", () =>
  site([], fill, async (server) => {
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
    await ask(server, "/a.txt");
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
    const lines = server.stdout().split("\n").slice(0, -1);
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

test("what is no HTTP behind a request: its answer comes whole, with a line, and then 400, without one", () =>
  site([], fill, async (server) => {
    const text = "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\nno HTTP\r\n\r\n";
    assert.match((await exchange(server.port, text)).toString("latin1"), WITH_400);
    const { stdout } = await server.stop();
    assert.equal(LOGGED.exec(stdout.trimEnd())?.slice(1), ["GET /a.txt HTTP/1.1", "200", "5"]);
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

test("--quiet: no log; and where nobody reads it any more it serves on", () =>
  site(["-q"], fill, async (quiet) => {
    await ask(quiet, "/a.txt");
    assert.is((await quiet.stop()).stdout, "");
    await site([], fill, async (server) => {
      server.child.stdout?.destroy();
      for (let i = 0; i < 3; i++) assert.is((await ask(server, "/a.txt")).body.toString(), "hello");
    });
  }));

// Its beginning and its end.

test("says where it listens, what it serves, and how bytes travel", () =>
  site([], fill, async (server, root) => {
    const [folder, url, way, engine] = server.stderr().split("\n");
    assert.match(folder ?? "", /^Serving .*root$/);
    assert.ok(folder?.endsWith(root.split("/").slice(-2).join("/")) || !linux);
    assert.is(url, `  http://127.0.0.1:${server.port}/`);
    assert.match(way ?? "", /^bytes (go by the kernel's sendfile \(.+\)|are copied: .+)$/);
    assert.match(engine ?? "", /^engine: (loop|node \(.+\))$/);
  }));

test("says which engine serves, and why it is not the loop", () =>
  inFolder(async (folder) => {
    const auto = noLoop === null ? "loop" : `node (${noLoop.replace("no loop here: ", "")})`;
    const rows: [args: string[], engine: string][] = [
      [["-q"], auto],
      [["-q", "--engine", "node"], "node (--engine node)"],
      [["-q", "--workers", "1"], auto],
      [["-q", "--workers", "2"], "node (--workers), 2 processes"],
      [["-q", "--threads", "2"], noLoop === null ? "loop, 2 threads" : `${auto}, 2 processes`],
      [["-q", "--tls", "--threads", "2", ...pem(folder)], "node (HTTPS), 2 processes"],
    ];
    if (noLoop === null) rows.push([["-q", "--engine", "loop"], "loop"]);
    for (const [args, engine] of rows) {
      const server = await serving([...args, folder]);
      assert.ok(server.stderr().endsWith(`\nengine: ${engine}\n`), server.stderr());
      const { signal } = await server.stop();
      assert.is(signal, "SIGTERM", args.join(" "));
    }
    const got = await run(["serve", "-p", "0", "--engine", "loop", folder], { SENDOFF_MODE: "copy" });
    assert.is(got.status, 1);
    assert.match(got.stderr, /--engine loop can't serve here: /);
  }));

test("SENDOFF_MODE=copy: says so, and serves the same", () =>
  inFolder(async (root) => {
    await writeFile(join(root, "big.bin"), big);
    await writeFile(join(root, "empty"), "");
    const server = await serving([root], { SENDOFF_MODE: "copy" });
    assert.match(server.stderr(), /bytes are copied: SENDOFF_MODE=copy/);
    assert.is(sha256((await ask(server, "/big.bin")).body), sha256(big));
    assert.match((await ask(server, "/empty")).status, / 200 /);
    await server.logged(/"GET \/big.bin HTTP\/1.1" 200 3000001\n/);
    await server.stop();
  }));

const wrong: readonly [args: string[], status: number, words: RegExp][] = [
  [["--port", "x"], 2, /--port must be a whole number from 0 to 65535 \(got 'x'\)/],
  [["--port", "65536"], 2, /--port must be/],
  [["--workers", "0"], 2, /--workers must be a whole number from 1/],
  [["--log-format", "x"], 2, /--log-format must be common, combined or json \(got 'x'\)/],
  [["--engine", "x"], 2, /--engine must be loop, node or auto \(got 'x'\)/],
  [["--threads", "256"], 2, /--threads must be a whole number from 1 to 255/],
  [["--threads", "2", "--workers", "2"], 2, /--threads or --workers, not both/],
  [["--engine", "loop", "--workers", "2"], 2, /--engine loop has --threads/],
  [["--engine", "loop", "--tls", "--cert", "x", "--key", "x"], 2, /--engine loop has no --tls/],
  [["--cache", "-1"], 2, /--cache/],
  [["--timeout", "soon"], 2, /--timeout must be a time/],
  [["--tls"], 2, /--tls needs a certificate: --cert FILE and --key FILE/],
  [["--cert", "x"], 2, /--cert and --key need --tls/],
  [["--host", ""], 2, /--host must be/],
  [["a", "b"], 2, /one DIR \(got 'b' too\)/],
  [["--nothing"], 2, /unknown option '--nothing'/],
  [["/no/such/folder"], 1, /DIR can't be read: ENOENT/],
  [[process.execPath], 1, /DIR must be a folder/],
  [["--tls", "--cert", process.execPath, "--key", process.execPath], 1, /--cert and --key can't be used/],
  [["--host", "192.0.2.1"], 1, /EADDRNOTAVAIL|listen EINVAL: invalid argument 192.0.2.1/], // as Deno names it,
];

test("wrong arguments: named, and with the right status", async () => {
  for (const [at, [args, status, words]] of wrong.entries()) {
    if (args.includes("--cert") && status === 1 && lacks("a certificate that is looked at") !== null) continue;
    const last = at === wrong.length - 1; // it has begun to serve
    const got = await (at === 0 || last ? run : call)(["serve", ...args]);
    assert.is(got.status, status, `${args}: ${got.stderr}`);
    assert.match(got.stderr, words);
  }
});

test("a port that is taken: says so, status 1, with workers too", async () => {
  const holder = net.createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const port = String((holder.address() as net.AddressInfo).port);
  for (const more of [[], ["--workers", "2"]]) {
    const got = await run(["serve", "-p", port, ...more]);
    assert.is(got.status, 1);
    assert.match(got.stderr, new RegExp(`port ${port} of 127.0.0.1 is taken`));
  }
  holder.close();
});

/** More than both sockets hold, so that a download waits for its reader. */
const HUGE = 48 << 20;

/** A download that takes its first bytes and then waits; `rest` reads on to the end. */
async function download(server: Serving, name: string) {
  const secure = server.url.startsWith("https");
  const get = secure ? https.get : http.get;
  const agent = new (secure ? https : http).Agent({ keepAlive: true });
  const asked = get(server.url + name, { agent, rejectUnauthorized: false });
  const [res] = (await once(asked, "response")) as [http.IncomingMessage];
  const hash = createHash("sha256");
  let bytes = 0;
  res.on("data", (part: Buffer) => {
    bytes += part.length;
    hash.update(part);
  });
  res.on("error", () => {}); // of a download that is cut
  await once(res, "data");
  res.pause();
  const rest = async () => {
    res.resume();
    if (!res.closed) await new Promise((resolve) => res.once("close", resolve));
    return { bytes, digest: hash.digest("hex") };
  };
  return { rest };
}

const refused = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => resolve(true));
    socket.on("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });

const BY_NODE = ["--engine", "node"];

for (const args of [[], BY_NODE, ["--threads", "2"], ["--workers", "2"], ["--tls"]]) {
  if (process.platform === "win32") break; // a signal there is no request, but the end
  test(`stops${args.map((arg) => ` ${arg}`).join("")}: downloads are finished, new connections refused, dies by the signal`, () =>
    inFolder(async (folder) => {
      const content = randomBytes(HUGE);
      await mkdir(join(folder, "root"));
      await writeFile(join(folder, "root", "huge"), content);
      const more = args[0] === "--tls" ? pem(folder) : [];
      const server = await serving(["--timeout", "60s", ...args, ...more, join(folder, "root")]);
      // It says nothing, and nobody waits for it.
      const mute = net.connect(server.port, "127.0.0.1");
      mute.on("error", () => {});
      await once(mute, "connect");
      const running = await Promise.all([download(server, "huge"), download(server, "huge")]);
      server.child.kill("SIGINT");
      if (args[0] === "--tls") mute.destroy(); // a handshake is waited for
      await until("no new connections", () => refused(server.port));
      for (const { rest } of running) {
        const { bytes, digest } = await rest();
        assert.is(bytes, HUGE);
        assert.is(digest, sha256(content));
      }
      const { signal, stdout } = await within(server.ended, "its end");
      mute.destroy();
      assert.is(signal, "SIGINT");
      const lines = stdout.split("\n").slice(0, -1);
      assert.is(lines.length, 2, stdout);
      for (const line of lines) assert.match(line, new RegExp(`"GET /huge HTTP/1.1" 200 ${HUGE}$`));
    }));
}

if (process.platform !== "win32") {
  for (const args of [[], BY_NODE, ["--workers", "2"]]) {
    test.unless(
      lacks("a connection that says nothing"),
      `stops${args.map((arg) => ` ${arg}`).join("")}: a connection that says nothing is closed at once, while a download runs`,
      () =>
        inFolder(async (folder) => {
          await writeFile(join(folder, "huge"), "");
          await truncate(join(folder, "huge"), HUGE);
          const server = await serving(["--timeout", "60s", ...args, folder]);
          const mute = net.connect(server.port, "127.0.0.1");
          mute.on("error", () => {});
          await once(mute, "connect");
          const { rest } = await download(server, "huge");
          server.child.kill("SIGINT");
          await once(mute.resume(), "close");
          assert.is((await rest()).bytes, HUGE);
          assert.is((await server.ended).signal, "SIGINT");
        }),
    );
  }

  for (const args of [[], BY_NODE]) {
    test(`--timeout${args.map((arg) => ` ${arg}`).join("")}: what is not over by then is cut, and logged`, () =>
      inFolder(async (folder) => {
        await writeFile(join(folder, "huge"), "");
        await truncate(join(folder, "huge"), HUGE);
        const server = await serving(["--timeout", "50ms", ...args, folder]);
        const { rest } = await download(server, "huge");
        const { signal, stdout } = await server.stop();
        assert.is(signal, "SIGTERM");
        assert.ok((await rest()).bytes < HUGE);
        const [, , status, bytes] = LOGGED.exec(stdout.trim()) ?? [];
        assert.is(status, "200", stdout);
        assert.ok(Number(bytes) < HUGE && Number(bytes) > 0, stdout);
      }));
  }
}

// Workers.

if (linux) {
  test.unless(lacks("connections in turn"), "--workers: the downloads of a dead one alone are lost", () =>
    inFolder(async (folder) => {
      const content = randomBytes(HUGE);
      await writeFile(join(folder, "huge"), content);
      const server = await serving(["--workers", "2", folder]);
      const [first] = await childrenOf(server.child.pid as number);
      // Of two connections each worker has one.
      const running = await Promise.all([download(server, "huge"), download(server, "huge")]);
      process.kill(first as number, "SIGKILL");
      const ends = await Promise.all(running.map(({ rest }) => rest()));
      assert.is(ends.filter(({ digest }) => digest === sha256(content)).length, 1, "the other worker's");
      await server.stop();
    }),
  );

  test("--workers: several serve, and a dead one is replaced", () =>
    inFolder(async (folder) => {
      const server = await serving(["--workers", "2", folder]);
      const pid = server.child.pid as number;
      const before = await childrenOf(pid);
      assert.is(before.length, 2);
      process.kill(before[0] as number, "SIGKILL");
      const words = new RegExp(`worker ${before[0]} died \\(SIGKILL\\): another one takes its place`);
      await until("a word about it", () => words.test(server.stderr()));
      await until("another worker", async () => {
        const now = await childrenOf(pid);
        return now.length === 2 && !now.includes(before[0] as number);
      });
      for (let i = 0; i < 4; i++) assert.match((await ask(server, "/")).status, / 200 /);
      assert.is((await server.stop()).signal, "SIGTERM");
      for (const child of before) assert.is(await runs(child), false);
    }));

  test("--workers that die and die again are an end, with status 1", () =>
    inFolder(async (folder) => {
      const server = await serving(["--workers", "2", folder]);
      const pid = server.child.pid as number;
      let over = false;
      void server.ended.then(() => (over = true));
      while (!over) {
        for (const child of await childrenOf(pid)) {
          try {
            process.kill(child, "SIGKILL");
          } catch {
            // It was dead already, and has been waited for since.
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const { status, stderr } = await server.ended;
      assert.is(status, 1, stderr);
      assert.match(stderr, /died \(SIGKILL\), as 4 did before it: that is enough/);
    }));

  test("--workers end with their primary, however it ends", () =>
    inFolder(async (folder) => {
      const server = await serving(["--workers", "2", folder]);
      const children = await childrenOf(server.child.pid as number);
      server.child.kill("SIGKILL");
      await server.ended;
      for (const child of children) await until("the worker's end", async () => !(await runs(child)));
    }));

  test("--workers: lines of the log stay whole", () =>
    inFolder(async (folder) => {
      const server = await serving(["--workers", "3", folder]);
      const client = async (id: number) => {
        for (let i = 0; i < 40; i++) await ask(server, `/${id}-${i}-${"x".repeat(2500)}`);
      };
      await Promise.all(Array.from({ length: 6 }, (_, id) => client(id)));
      const { stdout } = await server.stop();
      const asked = stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => LOGGED.exec(line)?.[1]);
      const wanted = Array.from(
        { length: 240 },
        (_, i) => `GET /${Math.floor(i / 40)}-${i % 40}-${"x".repeat(2500)} HTTP/1.1`,
      );
      assert.equal(asked.sort(), wanted.sort());
    }));
} else test.skip("--workers (only where /proc shows them)");

const deno = fileURLToPath(new URL("../../test/runtimes/node_modules/.bin/deno", import.meta.url));
if (existsSync(deno)) {
  test("--workers on Deno: Ctrl-C is a quiet end", () =>
    inFolder(async (folder) => {
      const wrap = by({ path: deno, args: ["run", "-A", "--no-lock"] });
      // A word too much depends on the moment, so more than once.
      for (let i = 0; i < 4; i++) {
        const server = await serving(["--workers", "2", folder], { NO_COLOR: "1" }, wrap);
        server.child.kill("SIGINT");
        const { signal, stderr } = await server.ended;
        assert.is(signal, "SIGINT");
        const lines = stderr.split("\n").slice(4);
        assert.equal(lines, ["stopping: running downloads get 5 s; a second Ctrl-C ends them at once", ""]);
      }
    }));
} else test.skip("--workers on Deno (npm ci --prefix test/runtimes has it)");

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
  const runtime = other(name);
  if (runtime === null || !linux) {
    test.skip(`under ${name} (npm test -- runtimes installs it)`);
    continue;
  }
  test(`under ${name}: folders, the log, how bytes travel, and what info says`, () =>
    inFolder(async (folder) => {
      await mkdir(join(folder, "root"));
      await mkdir(join(folder, "outside"));
      await fill(join(folder, "root"), join(folder, "outside"));
      const odd = join(folder, "root", "odd-");
      await writeFile(`${odd}\ufffd`, "");
      if (utf8 === null) await writeFile(Buffer.concat([Buffer.from(odd), Buffer.from([0xff])]), "");

      const server = await serving([join(folder, "root")], {}, by(runtime));
      const page = (await ask(server, "/?sort=size")).body.toString();
      assert.equal(names(page), [
        "index/",
        "inner-folder/",
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

      const version = /\d+\.\d+\.\d+/.exec(spawnSync(runtime.path, ["--version"], { encoding: "utf8" }).stdout)?.[0];
      const info = JSON.parse((await run(["info", "--json"], {}, by(runtime))).stdout);
      assert.equal([info.runtime, info.runtimeVersion], [name, version]);
      assert.match((await run(["info"], {}, by(runtime))).stdout, new RegExp(`^${name} +${version} on linux`, "m"));
    }));
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
