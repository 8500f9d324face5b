// `sendoff serve --auth`: who gets an answer, who does not, and where passwords may come from.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import net from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { credentials, Gate, isLoopback } from "../cli/serve/auth.js";
import { logLine } from "../host/loop/log-line.js";
import { pem } from "./lib/certificate.js";
import { COMMAND, call, FLAGS, inFolder, until } from "./lib/command.js";
import { type Answered, answersOf, first, get, head, onBun, onDeno } from "./lib/file-server.js";
import { type Serving, serving, talkTo } from "./lib/serving.js";
import { suite } from "./lib/suite.js";

const test = suite("sendoff serve --auth");

const CREDENTIALS = "me:pä:ss wörd";
const base64 = (text: string) => Buffer.from(text).toString("base64");
const basic = (text: string) => `Authorization: Basic ${base64(text)}`;
const RIGHT = basic(CREDENTIALS);

/** Fields of a request, and whether they let it in. */
const ROWS: readonly [fields: readonly string[], isIn: boolean, about: string][] = [
  [[RIGHT], true, "right"],
  [[`authorization: bAsIc   ${base64(CREDENTIALS)}`], true, "another case, and blanks"],
  [[basic(CREDENTIALS.normalize("NFD"))], true, "the same letters, otherwise composed"],
  [[], false, "none"],
  [[basic("me:wrong")], false, "wrong"],
  [[basic("you:pä:ss wörd")], false, "another user"],
  [[basic("me:pä:ss wör")], false, "a part"],
  [[basic(`${CREDENTIALS} `)], false, "and more"],
  [[basic(`${CREDENTIALS}\0`)], false, "and a null byte"],
  [[basic("me")], false, "no colon"],
  [[basic("")], false, "nothing in base64"],
  [["Authorization:"], false, "nothing"],
  [["Authorization: Basic"], false, "a scheme alone"],
  [["Authorization: Basic !!!"], false, "no base64"],
  [[`Authorization: Basic ${base64(CREDENTIALS)}!`], false, "base64, and more"],
  [[`Authorization: Basic ${base64(CREDENTIALS)} x`], false, "two words"],
  [[`Authorization: Basic ${CREDENTIALS}`], false, "in clear"],
  [[`Authorization: Basic ${Buffer.from(CREDENTIALS, "latin1").toString("base64")}`], false, "in latin1"],
  [[`Authorization: Basic ${base64("\xff\xfe")}`], false, "odd bytes"],
  [[`Authorization: Bearer ${base64(CREDENTIALS)}`], false, "another scheme"],
  [[`Authorization: Digest username="me"`], false, "Digest"],
  [[`Authorization: ${base64(CREDENTIALS)}`], false, "no scheme"],
  [[RIGHT, RIGHT], false, "twice"],
  [[RIGHT, basic("me:wrong")], false, "right, then wrong"],
  [[basic("me:wrong"), RIGHT], false, "wrong, then right"],
  [[`Proxy-${RIGHT}`], false, "a proxy's"],
  [[basic(`me:${"x".repeat(8000)}`)], false, "very long"],
];

/** As node:http has it: the first of several. */
function requestOf(fields: readonly string[]): IncomingMessage {
  const pairs = fields.map((field) => /^([^:]+): *(.*)$/.exec(field)?.slice(1) as [string, string]);
  const headers = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value] as const).reverse());
  return { headers, rawHeaders: pairs.flat() } as unknown as IncomingMessage;
}

test("who is let in, row by row", () => {
  const gate = new Gate(CREDENTIALS);
  for (const [fields, isIn, about] of ROWS) assert.is(gate.userOf(requestOf(fields)), isIn ? "me" : null, about);
});

const talk = async (server: Serving, text: string) => (await talkTo(server, text)).toString("latin1");

/** Serves a folder of few files, with the password from the environment; stopped afterwards. */
function guarded(
  argsOf: (folder: string) => readonly string[],
  use: (ask: (request: string) => Promise<Answered>, server: Serving) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const root = join(folder, "root");
    await mkdir(join(root, "sub"), { recursive: true });
    await writeFile(join(root, "a.txt"), "0123456789");
    const server = await serving([...argsOf(folder), root], { SENDOFF_AUTH: CREDENTIALS });
    const ask = async (request: string) => {
      const answers = answersOf(await talk(server, request), request.startsWith("HEAD") ? [0] : []);
      assert.is(answers.length, 1, request);
      return answers[0] as Answered;
    };
    try {
      await use(ask, server);
    } finally {
      await server.stop();
    }
  });
}

for (const [name, argsOf] of [
  ["HTTP", () => []],
  ["HTTPS, for all addresses", (folder: string) => ["--host", "0.0.0.0", "--tls", ...pem(join(folder, "root"))]],
] as const) {
  test(`everything is behind it, but --health: ${name}`, () =>
    guarded(
      (folder) => [...argsOf(folder), "--health", "/healthz", "--header", "X-Own: 1", "--cors", "--cache", "60"],
      async (ask, server) => {
        for (const [target, status] of [
          ["/a.txt", 200],
          ["/", 200],
          ["/sub/", 200],
          ["/sub", 301],
          ["/none", 404],
          ["/..%2f", 403],
        ] as const) {
          for (const make of [get, head]) {
            const refused = await ask(make(target));
            assert.equal(
              [refused.status, refused.fields["www-authenticate"], refused.fields["x-own"]],
              [401, 'Basic realm="sendoff", charset="UTF-8"', "1"],
              target,
            );
            assert.is(refused.fields.location, undefined);
            assert.not.match(refused.body, /a\.txt|0123/);
            const answer = await ask(make(target, RIGHT));
            assert.equal([answer.status, answer.fields["www-authenticate"]], [status, undefined], target);
          }
        }
        assert.is((await ask(get("/a.txt").replace("GET", "POST"))).status, 401);
        assert.is((await ask(get("/a.txt", RIGHT).replace("GET", "POST"))).status, 405);
        assert.is((await ask(get("/healthz"))).body, "ok\n");
        // Of HTTPS: the certificate is everybody's, its key nobody's.
        const isSecure = server.url.startsWith("https");
        assert.is((await ask(get("/cert.pem", RIGHT))).status, isSecure ? 200 : 404);
        assert.is((await ask(get("/key.pem", RIGHT))).status, 404);
        // No shared cache may give it to others.
        assert.is((await ask(get("/a.txt", RIGHT))).fields["cache-control"], "private, max-age=60");
        const part = await ask(get("/a.txt", RIGHT, "Range: bytes=2-4"));
        assert.equal([part.status, part.body], [206, "234"]);
        const tag = String(part.fields.etag);
        assert.is((await ask(get("/a.txt", RIGHT, `If-None-Match: ${tag}`))).status, 304);
        assert.is((await ask(get("/a.txt", `If-None-Match: ${tag}`))).status, 401);
        // A browser's question before a request has no password with it.
        const preflight = await ask(get("/a.txt", "Access-Control-Request-Method: GET").replace("GET", "OPTIONS"));
        assert.equal([preflight.status, preflight.fields["access-control-allow-headers"]], [204, "*, Authorization"]);
        // A connection goes on behind 401.
        const all = await talk(server, first("/a.txt") + first("/a.txt", RIGHT) + get("/sub/"));
        assert.equal(
          answersOf(all).map(({ status }) => status),
          [401, 200, 401],
        );
      },
    ));
}

test("what comes over the wire, and the log's user", () =>
  guarded(
    () => ["--log-format", "common"],
    async (ask, server) => {
      assert.match(server.stderr(), /^engine: node \(--auth\)$/m);
      for (const [i, [fields, isIn, about]] of ROWS.entries()) {
        const { status } = await ask(
          get(`/a.txt?${i}`, ...fields.map((field) => Buffer.from(field).toString("latin1"))),
        );
        if (about === "in clear" && status === 400) continue;
        assert.is(status, isIn ? 200 : 401, about);
      }
      const long = await talk(server, get("/a.txt", `Authorization: Basic ${"A".repeat(100_000)}`));
      assert.match(long, /^HTTP\/1\.1 431 |^$/);
      assert.is((await ask(get("/a.txt", RIGHT))).status, 200);
      const lines = (await server.stop()).stdout.trimEnd().split("\n");
      for (const line of lines) assert.match(line, /^127\.0\.0\.1 - (me \[.* 200 \d+|- \[.* 401 \d+)$/);
      assert.is(lines.filter((line) => line.includes(" - me [")).length, 4);
    },
  ));

test("the log's user: one word, whatever is in it", () => {
  const answered = { host: "::1", time: 0, ms: 0, method: "GET", target: "/", version: "1.1", status: 200, bytes: 5 };
  const line = (format: "common" | "json", user?: string | null) =>
    logLine(format, { ...answered, ...(user === undefined ? {} : { user }), referer: null, userAgent: null });
  for (const [user, word] of [
    [undefined, "-"],
    [null, "-"],
    ["me", "me"],
    ['a b"c\\', 'a\\x20b\\"c\\\\'],
    ["ä\u2028", "\\xc3\\xa4\\xe2\\x80\\xa8"],
    [" ".repeat(500), "\\x20".repeat(25)],
  ] as const) {
    assert.ok(line("common", user).startsWith(`::1 - ${word} [`), line("common", user));
  }
  assert.is(JSON.parse(line("json", 'a "ä\n')).user, 'a "ä\n');
  assert.is(JSON.parse(line("json", null)).user, null);
  assert.is("user" in JSON.parse(line("json")), false);
});

test("credentials: of --auth, then of the environment; an empty variable is no open door", () => {
  assert.is(credentials("a:b", { SENDOFF_AUTH: "c:d" }), "a:b");
  assert.is(credentials(undefined, { SENDOFF_AUTH: "c:d" }), "c:d");
  assert.is(credentials(undefined, {}), null);
  for (const wrong of ["", "secret", ":secret", "me:", "me:a\nb", "m\x1be:secret"]) {
    for (const [given, env] of [
      [wrong, {}],
      [undefined, { SENDOFF_AUTH: wrong }],
    ] as const) {
      try {
        credentials(given, env);
      } catch (error) {
        const { message } = error as Error;
        assert.match(message, given === undefined ? /^SENDOFF_AUTH, .* must be/ : /^--auth must be USER:PASSWORD$/);
        assert.not.match(message, /secret/);
        continue;
      }
      assert.unreachable(wrong);
    }
  }
});

test("in clear text from this machine alone, unless that is wanted", () =>
  inFolder(async (folder) => {
    for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1"]) assert.ok(isLoopback(host), host);
    const clear =
      /^sendoff: --auth would take passwords in clear text at \S+, and so needs --tls; or --auth-allow-cleartext/;
    for (const [args, words] of [
      [["--host", "0.0.0.0"], clear],
      [["--host", "::"], clear],
      [["--host", "192.0.2.1"], clear],
      [["--host", "127.0.0.1.example.com"], clear],
      [["--host", "0.0.0.0", "--threads", "2"], clear],
      [["--engine", "loop"], /--engine loop has no --auth/],
    ] as const) {
      const { status, stderr } = await call(["serve", "--port", "0", "--auth", "me:secret", ...args, folder]);
      assert.equal([status, stderr.match(words) === null], [2, false], `${args}: ${stderr}`);
      assert.not.match(stderr, /secret/);
    }
    const forced = ["--auth", "me:secret", "--host", "0.0.0.0", "--auth-allow-cleartext", "--log-format", "json"];
    const server = await serving([...forced, folder]);
    assert.match(await talk(server, get("/")), /^HTTP\/1\.1 401 /);
    assert.match(await talk(server, get("/", basic("me:secret"))), /^HTTP\/1\.1 200 /);
    const users = (await server.stop()).stdout.trimEnd().split("\n");
    assert.equal(
      users.map((line) => JSON.parse(line).user),
      [null, "me"],
    );
  }));

const noFd = process.platform === "linux" && !onDeno && !onBun ? null : "no socket of systemd's, by node:http";

test.unless(noFd, "a socket of systemd's that others reach: refused in clear text, once its address is known", () =>
  inFolder(async (folder) => {
    for (const [host, isRefused] of [
      ["0.0.0.0", true],
      ["127.0.0.1", false],
    ] as const) {
      const listener = net.createServer().listen(0, host);
      await once(listener, "listening");
      const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
      const [program = "", ...flags] = [process.execPath, ...FLAGS, COMMAND, "serve", "--auth", "me:secret", folder];
      const child = spawn("/bin/sh", ["-c", 'LISTEN_PID=$$ exec "$0" "$@"', program, ...flags], {
        env: { ...process.env, LISTEN_FDS: "1" },
        stdio: ["ignore", "ignore", "pipe", fd],
      });
      const exited = once(child, "exit");
      let stderr = "";
      child.stderr?.setEncoding("utf8").on("data", (more: string) => (stderr += more));
      await until("the engine, or its end", () => child.exitCode !== null || /^engine: /m.test(stderr));
      listener.close();
      if (!isRefused) child.kill("SIGTERM");
      assert.equal(await exited, isRefused ? [2, null] : [null, "SIGTERM"], stderr);
      assert.is(/--auth would take passwords in clear text at 0\.0\.0\.0/.test(stderr), isRefused, stderr);
    }
  }),
);

test.run();
