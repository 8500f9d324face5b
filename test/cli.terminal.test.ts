// `sendoff serve` for people: the log on a terminal, the addresses of this machine, the QR code, the browser.

import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { addressesOf, codeOf } from "../cli/serve/announce.js";
import { openerOf } from "../cli/serve/browser.js";
import { logStyle, shown } from "../cli/serve/terminal.js";
import { logLine } from "../host/loop/log-line.js";
import { childrenOf, inFolder, start, until } from "./lib/command.js";
import { without } from "./lib/programs.js";
import { serving } from "./lib/serving.js";
import { suite } from "./lib/suite.js";
import { exchange, request, within } from "./lib/web.js";

const test = suite("sendoff serve on a terminal");

/** Sequences as they can be read. */
const visible = (text: string) => text.replaceAll("\x1b[", "<");

test("which log goes where", () => {
  for (const [quiet, format, isTTY, env, log, look] of [
    [false, undefined, true, {}, "json", "coloured"],
    [false, undefined, true, { NO_COLOR: "" }, "json", "coloured"],
    [false, undefined, true, { NO_COLOR: "1" }, "json", "plain"],
    [false, undefined, true, { TERM: "dumb" }, "json", "plain"],
    [false, undefined, false, {}, "common", null],
    [false, "common", true, {}, "common", null],
    [false, "json", true, {}, "json", null],
    [false, "combined", false, {}, "combined", null],
    [true, undefined, true, {}, null, null],
    [true, "json", true, {}, null, null],
  ] as const) {
    assert.equal(logStyle(quiet, format, isTTY, env), { log, look }, `${quiet} ${format} ${isTTY}`);
  }
});

const answered = (some: object) => {
  const usual = { host: "127.0.0.1", time: Date.now(), ms: 1.23, method: "GET", target: "/", version: "1.1" };
  return logLine("json", { ...usual, status: 200, bytes: 4100, referer: null, userAgent: null, ...some });
};

test("lines for people, row by row; no control character of a client's", () => {
  const rows: [some: object, line: string][] = [
    [{}, "200  GET /  4.1 kB  1.2 ms"],
    [{ method: "HEAD", bytes: 0 }, "200  HEAD /  1.2 ms"],
    [{ ms: 61_234 }, "200  GET /  4.1 kB  61.2 s"],
    [{ host: "192.0.2.7" }, "200  GET /  4.1 kB  1.2 ms  192.0.2.7"],
    [{ host: "-" }, "200  GET /  4.1 kB  1.2 ms"],
    [{ target: "/\x1b]0;x\x07\x9b31m\r\n" }, "200  GET /\\x1b]0;x\\x07\\x9b31m\\x0d\\x0a  4.1 kB  1.2 ms"],
    [{ target: '/"\\' }, '200  GET /\\"\\\\  4.1 kB  1.2 ms'],
    [{ target: `/${"\x1b".repeat(2000)}` }, `200  GET /${"\\x1b".repeat(300).slice(0, 999)}...  4.1 kB  1.2 ms`],
  ];
  for (const [some, line] of rows) {
    const text = shown(Buffer.from(answered(some)), "plain").toString("latin1");
    assert.match(text, /^\d\d:\d\d:\d\d {2}[\x20-\x7e]*\n$/);
    if (!line.includes("...")) assert.is(text.slice(10, -1), line);
    assert.ok(text.length < 4096);
  }
  const two = shown(Buffer.from(answered({ status: 206 }) + answered({ status: 404 })), "coloured");
  assert.match(visible(two.toString()), /^<2m[\d:]+<0m {2}<32m206<0m {2}GET .*\n.* {2}<33m404<0m {2}.*\n$/);
  for (const [status, colour] of [
    [304, 36],
    [500, 31],
  ] as const) {
    assert.ok(shown(Buffer.from(answered({ status })), "coloured").includes(`\x1b[${colour}m${status}\x1b[0m`));
  }
});

test("addresses: IPv4 first, none of a link alone", () => {
  const all = (
    [
      ["::1", "IPv6"],
      ["127.0.0.1", "IPv4"],
      ["fe80::1", "IPv6"],
      ["2001:db8::1", "IPv6"],
      ["169.254.1.1", "IPv4"],
      ["192.0.2.1", "IPv4"],
      ["FEBF::1", "IPv6"],
    ] as const
  ).map(([address, family]) => ({ address, family }));
  assert.equal(addressesOf(all, false), ["127.0.0.1", "192.0.2.1"]);
  assert.equal(addressesOf(all, true), ["127.0.0.1", "192.0.2.1", "::1", "2001:db8::1"]);
});

test("a code that fits, white on black where colours are wanted", () => {
  const drawn = "████\n█▀▄█";
  assert.is(codeOf(drawn, 4, { NO_COLOR: "1" }), drawn);
  assert.is(codeOf(drawn, 4, { TERM: "dumb" }), drawn);
  assert.is(codeOf(drawn, 4, {}), "\x1b[97;40m████\x1b[0m\n\x1b[97;40m█▀▄█\x1b[0m");
  assert.is(codeOf(drawn, 3, {}), null);
});

test("the opener of each system", () => {
  const url = "http://127.0.0.1:1/";
  assert.equal(openerOf("linux", url), ["xdg-open", [url]]);
  assert.equal(openerOf("freebsd", url), ["xdg-open", [url]]);
  assert.equal(openerOf("darwin", url), ["open", [url]]);
  assert.equal(openerOf("win32", url), ["cmd", ["/c", "start", '""', url]]);
});

/** A folder with an opener, for PATH. */
async function opener(folder: string, script: string): Promise<string> {
  const path = join(folder, "bin");
  await mkdir(path);
  await writeFile(join(path, "xdg-open"), `#!/bin/sh\n${script}\n`);
  await chmod(join(path, "xdg-open"), 0o755);
  return path;
}

const noOpener = process.platform === "linux" ? null : "another opener than xdg-open";

test.unless(noOpener, "--open: the address goes to the opener, once it serves, and no password", () =>
  inFolder(async (folder) => {
    const seen = join(folder, "seen");
    const path = await opener(folder, `echo "$* <$SENDOFF_AUTH>" > '${seen}.new'; mv '${seen}.new' '${seen}'`);
    const env = { PATH: `${path}:${process.env.PATH}`, SENDOFF_AUTH: "me:secret" };
    const server = await serving(["--open", folder], env);
    const text = () => readFile(seen, "utf8").catch(() => "");
    await until("the opener", async () => (await text()) !== "");
    assert.is(await text(), `${server.url} <>\n`);
    const { stderr } = await server.stop();
    assert.not.match(stderr, /--open/);
  }),
);

test.unless(noOpener, "--open: an opener that fails, or is missing, is told of, and it serves on", () =>
  inFolder(async (folder) => {
    const path = await opener(folder, "exit 3");
    for (const [PATH, words] of [
      [`${path}:${process.env.PATH}`, /^sendoff: --open: xdg-open failed: status 3$/m],
      [folder, /^sendoff: --open: xdg-open failed: .*(ENOENT|not found).*$/m],
    ] as const) {
      const server = await serving(["-o", folder], { PATH }, (usual) => usual);
      await until("the words", () => words.test(server.stderr()));
      assert.match((await exchange(server.port, request("/"))).toString(), /^HTTP\/1\.1 200 /);
      await server.stop();
    }
  }),
);

const noScript = process.platform === "linux" ? without("script") : "another script(1)";

/** The command on a terminal of so many columns, until it has logged a few requests; what it has written. */
async function onTerminal(columns: number, args: readonly string[], logged: RegExp | null): Promise<string> {
  const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
  const env = { TERM: "xterm", NO_COLOR: "", SHELL: "/bin/sh" };
  const { child, ended } = start(["serve", "--port", "0", ...args], env, (usual) => [
    ...["script", "-qec", `stty cols ${columns}; exec ${quoted(usual)}`, "/dev/null"],
  ]);
  let seen = "";
  child.stdout?.on("data", (text: string) => (seen += visible(text)));
  await until("the engine", () => /engine: .*\r\n/.test(seen));
  const port = Number(/http:\/\/[^:]+:(\d+)\//.exec(seen)?.[1]);
  for (const target of ["/a.txt", "/a.txt", "/none%1b"]) await within(exchange(port, request(target)), target);
  if (logged !== null) await until("the log", () => logged.test(seen));
  // Not script(1), which would wait for it.
  for (const pid of await childrenOf(child.pid as number)) process.kill(pid, "SIGTERM");
  await ended;
  return seen;
}

test.unless(noScript, "by script(1): addresses, a QR code if it fits, requests with colours", () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, "a.txt"), "hello");
    const all = ["--host", "0.0.0.0"];
    const rows: [columns: number, args: readonly string[], hasCode: boolean, hasLog: boolean][] = [
      [80, all, true, true],
      [20, all, false, true],
      [80, [], false, true],
      [80, [...all, "-q"], false, false],
    ];
    const found = /<32m200<0m {2}GET \/a\.txt {2}5 B {2}<2m[\d.]+ ms<0m\r\n/;
    const missing = /<33m404<0m {2}GET \/none%1b {2}/;
    await Promise.all(
      rows.map(async ([columns, args, hasCode, hasLog]) => {
        const seen = await onTerminal(columns, [...args, folder], hasLog ? missing : null);
        const hasOther = addresses(seen).some((host) => host !== "127.0.0.1");
        assert.is(seen.includes("<97;40m█"), hasCode && hasOther, `${columns} ${args}`);
        assert.equal([found.test(seen), missing.test(seen)], [hasLog, hasLog], seen);
      }),
    );
  }),
);

const addresses = (text: string) => Array.from(text.matchAll(/http:\/\/([\d.]+):/g), ([, host]) => host);

test.run();
