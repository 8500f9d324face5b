// The life of `sendoff serve`: what it says at its beginning, how it ends, and its workers.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { pem } from "./lib/certificate.js";
import { call, childrenOf, inFolder, run, runs, until } from "./lib/command.js";
import { noLoop } from "./lib/file-server.js";
import { lacks, runtime } from "./lib/runtime.js";
import { type Serving, serving } from "./lib/serving.js";
import { ask, big, LOGGED, sha256 } from "./lib/site.js";
import { suite } from "./lib/suite.js";
import { refused, within } from "./lib/web.js";

const test = suite("sendoff serve");
const linux = process.platform === "linux";

// Its beginning and its end.

const auto = noLoop === null ? "loop" : `node (${noLoop.replace("no loop here: ", "")})`;
/** Which engine serves, as it says. What ends on SIGINT, below, says it too. */
const ENGINE: readonly [args: readonly string[], engine: string][] = [
  [["-q", "--workers", "1"], auto],
  [["-q", "--tls", "--threads", "2"], "node (HTTPS), 2 processes"],
];

test("says which engine serves, and why it is not the loop", () =>
  inFolder(async (folder) => {
    for (const [args, engine] of ENGINE) {
      const server = await serving([...args, ...(args.includes("--tls") ? pem(folder) : []), folder]);
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

const BY_NODE = ["--engine", "node"];

const keepsMute = lacks("a connection that says nothing");
if (keepsMute !== null) test.skip(`stops: a connection that says nothing is closed at once (${keepsMute})`);

for (const [args, engine] of [
  [[], auto],
  [BY_NODE, "node (--engine node)"],
  [["--threads", "2"], noLoop === null ? "loop, 2 threads" : `${auto}, 2 processes`],
  [["--workers", "2"], "node (--workers), 2 processes"],
  [["--tls"], "node (HTTPS)"],
] as const) {
  if (process.platform === "win32") break; // a signal there is no request, but the end
  test(`stops${args.map((arg) => ` ${arg}`).join("")}: downloads are finished, new connections refused, dies by the signal`, () =>
    inFolder(async (folder) => {
      const content = randomBytes(HUGE);
      await mkdir(join(folder, "root"));
      await writeFile(join(folder, "root", "huge"), content);
      const more = args[0] === "--tls" ? pem(folder) : [];
      const server = await serving(["--timeout", "60s", ...args, ...more, join(folder, "root")]);
      assert.ok(server.stderr().endsWith(`\nengine: ${engine}\n`), server.stderr());
      // It says nothing, and nobody waits for it.
      const mute = net.connect(server.port, "127.0.0.1");
      mute.on("error", () => {});
      await once(mute, "connect");
      const running = await Promise.all([download(server, "huge"), download(server, "huge")]);
      server.child.kill("SIGINT");
      if (args[0] === "--tls")
        mute.destroy(); // a handshake is waited for
      else if (keepsMute === null) await once(mute.resume(), "close"); // at once, while downloads run
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
        for (let i = 0; i < 20; i++) await ask(server, `/${id}-${i}-${"x".repeat(2500)}`);
      };
      await Promise.all(Array.from({ length: 6 }, (_, id) => client(id)));
      const { stdout } = await server.stop();
      const asked = stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => LOGGED.exec(line)?.[1]);
      const wanted = Array.from(
        { length: 120 },
        (_, i) => `GET /${Math.floor(i / 20)}-${i % 20}-${"x".repeat(2500)} HTTP/1.1`,
      );
      assert.equal(asked.sort(), wanted.sort());
    }));
} else test.skip("--workers (only where /proc shows them)");

test.unless(runtime === "deno" ? null : "of Deno alone", "--workers on Deno: Ctrl-C is a quiet end", () =>
  inFolder(async (folder) => {
    // A word too much depends on the moment, so more than once.
    for (let i = 0; i < 4; i++) {
      const server = await serving(["--workers", "2", folder], { NO_COLOR: "1" });
      server.child.kill("SIGINT");
      const { signal, stderr } = await server.ended;
      assert.is(signal, "SIGINT");
      const lines = stderr.split("\n").slice(4);
      assert.equal(lines, ["stopping: running downloads get 5 s; a second Ctrl-C ends them at once", ""]);
    }
  }),
);

test.run();
