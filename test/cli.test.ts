// The sendoff command from outside: what it sends, what it says, and how it ends.

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type ListenOptions, type Socket } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { capabilities } from "sendoff";
import * as assert from "uvu/assert";
import { duration, size } from "../cli/arguments.js";
import { remedy } from "../cli/info.js";
import { runNode } from "./lib/child.js";

import {
  COMMAND,
  call,
  childrenOf,
  commandOf,
  FLAGS,
  inFolder,
  run,
  runs,
  shell,
  start,
  until,
} from "./lib/command.js";
import { place } from "./lib/connection.js";
import { without } from "./lib/programs.js";
import { lacks, runtime } from "./lib/runtime.js";
import { test } from "./lib/suite.js";

const linux = process.platform === "linux";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const LINE =
  /^(\d+) bytes in \d+\.\d{3} s, \d+\.\d MB\/s, \d+\.\d{3} CPU s; native (\d+), doorbell (\d+), cold (\d+), copied (\d+) bytes; sha256 ([0-9a-f]{64}) (.*)\n$/;

/** More than the buffers of both sockets hold, so that a receiver can hold a transfer up. */
const MANY = "64M";

/** The numbers of the line at the end; fails where stdout is anything else. */
function line(stdout: string) {
  const match = LINE.exec(stdout);
  assert.ok(match, `not the line at the end: ${stdout}`);
  const [sent = 0, native = 0, doorbell = 0, cold = 0, copied = 0] = match.slice(1, 6).map(Number);
  return { sent, native, doorbell, cold, copied, digest: match[6], words: match[7] };
}

/** Where the kernel can, it moved nearly all: the rest are doorbells, and pages that somebody else spoiled. */
function natively({ sent, native }: ReturnType<typeof line>): void {
  if (capabilities().native) assert.ok(native > sent / 2, `${native} of ${sent} bytes by the kernel`);
}

/** A file of random bytes in the folder. */
async function made(folder: string, bytes: number) {
  const path = join(folder, "file");
  const content = randomBytes(bytes);
  await writeFile(path, content);
  return { path, content };
}

/** Listens, hands each connection to `take`, and closes everything afterwards. */
async function listening(
  where: ListenOptions,
  take: (socket: Socket) => void,
  use: (target: string) => Promise<void>,
): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    take(socket);
  });
  server.listen(where);
  await once(server, "listening");
  try {
    const address = server.address() as AddressInfo | string;
    if (typeof address === "string") await use(`unix:${address}`);
    else await use(address.family === "IPv6" ? `[::1]:${address.port}` : `127.0.0.1:${address.port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** A receiver that keeps everything, and closes when the sender has. */
function keeper() {
  const chunks: Buffer[] = [];
  return {
    take: (socket: Socket) => {
      socket.on("data", (chunk) => chunks.push(chunk as Buffer));
      socket.on("end", () => socket.end());
    },
    bytes: () => Buffer.concat(chunks),
  };
}

// With the embedded receiver.

test("send FILE: a child receives it, and its digest is verified", () =>
  inFolder(async (folder) => {
    const { path, content } = await made(folder, 3_000_001);
    const { status, stdout, stderr } = await run(["send", path], { TMPDIR: folder });
    assert.is(status, 0, stderr);
    assert.is(stderr, "", "no bar where stderr is no terminal");
    const { sent, native, doorbell, cold, copied, digest, words } = line(stdout);
    assert.is(sent, content.length);
    assert.is(native + doorbell + cold + copied, content.length);
    natively(line(stdout));
    assert.is(digest, sha256(content));
    assert.is(words, "verified");
  }));

test("send --compare: a second line has the same by pipe(); nothing is verified if that is not wanted", () =>
  inFolder(async (folder) => {
    const { path } = await made(folder, 3_000_001);
    const pace = /^1000000 bytes in [\d.]+ s, [\d.]+ MB\/s, [\d.]+ CPU s/;
    for (const [verify, digest] of [
      [[], /; sha256 [0-9a-f]{64} verified$/],
      [["--no-verify"], /; sha256 not verified$/],
    ] as const) {
      const args = ["--offset", "1M", "--count", "1000000", "--compare", ...verify, path];
      const { status, stdout, stderr } = await run(["send", ...args], { TMPDIR: folder });
      assert.is(status, 0, stderr);
      const [first = "", second = "", ...more] = stdout.split("\n");
      assert.equal(more, [""]);
      assert.match(first, pace);
      assert.match(first, digest);
      assert.match(second, pace);
      assert.match(second, /CPU s by pipe\(\); sendfile: [\d.]+ times as fast, for [\d.]+ of the CPU time$/);
    }
    const empty = await run(["send", "--compare", "--offset", "4M", path], { TMPDIR: folder });
    assert.match(empty.stdout, /^0 bytes in .*\n0 bytes in .* by pipe\(\)\n$/);
  }));

test("send: 256 MiB of its own, and nothing is left of it", () =>
  inFolder(async (folder) => {
    const { status, stdout, stderr } = await run(["send"], { TMPDIR: folder });
    assert.is(status, 0, stderr);
    const { sent, words } = line(stdout);
    assert.is(sent, 256 * 1024 * 1024);
    natively(line(stdout));
    assert.is(words, "verified");
    assert.equal(await readdir(folder), []);
  }));

for (const mode of ["auto", "copy"]) {
  test(`send --offset --count --mode ${mode}: the range and nothing else`, () =>
    inFolder(async (folder) => {
      const { path, content } = await made(folder, 2_000_000);
      const { status, stdout, stderr } = await run(["send", "--offset=5k", "--count", "1M", "--mode", mode, path]);
      assert.is(status, 0, stderr);
      const { sent, copied, digest, words } = line(stdout);
      assert.is(sent, 1024 * 1024);
      if (mode === "copy") assert.is(copied, sent);
      else natively(line(stdout));
      assert.is(digest, sha256(content.subarray(5 * 1024, 5 * 1024 + 1024 * 1024)));
      assert.is(words, "verified");
    }));
}

test("send --count past the end sends what is there; an empty range sends nothing, well", () =>
  inFolder(async (folder) => {
    const { path, content } = await made(folder, 100_000);
    const long = await run(["send", "--offset", "99999", "--count", "1G", path]);
    assert.is(long.status, 0, long.stderr);
    assert.is(line(long.stdout).digest, sha256(content.subarray(99_999)));
    const none = await run(["send", "--offset", "1T", path]);
    assert.is(none.status, 0, none.stderr);
    assert.is(line(none.stdout).sent, 0);
  }));

if (linux) {
  test("send of a file that can't be read twice says that nothing was verified", async () => {
    const { status, stdout, stderr } = await run(["send", "/proc/cpuinfo"]);
    assert.is(status, 0, stderr);
    assert.ok(line(stdout).sent > 0);
    assert.match(line(stdout).words ?? "", /^received: /);
  });
}

// To a TARGET.

const targets: readonly [name: string, where: (folder: string) => ListenOptions][] = [
  ["HOST:PORT", () => ({ host: "127.0.0.1", port: 0 })],
  ["[IPV6]:PORT", () => ({ host: "::1", port: 0 })],
  ["unix:PATH", (folder) => ({ path: place(folder) })],
];

const noSix = await new Promise<boolean>((resolve) => {
  const server = createServer().once("error", () => resolve(true));
  server.listen(0, "::1", () => server.close(() => resolve(false)));
});

for (const [name, where] of targets) {
  const title = `send FILE ${name}: the same bytes arrive`;
  if (noSix && name.startsWith("[")) {
    test.skip(`${title} (no IPv6 on this machine)`);
    continue;
  }
  test(title, () =>
    inFolder(async (folder) => {
      const { path, content } = await made(folder, 5_000_000);
      const { take, bytes } = keeper();
      await listening(where(folder), take, async (target) => {
        const { status, stdout, stderr } = await run(["send", path, target]);
        assert.is(status, 0, stderr);
        assert.is(sha256(bytes()), sha256(content));
        assert.is(line(stdout).digest, sha256(content));
        assert.match(line(stdout).words ?? "", /not verified/);
        natively(line(stdout));
      });
    }),
  );
}

test("send TARGET: one argument that is no file is the target", () =>
  inFolder(async (folder) => {
    const { take, bytes } = keeper();
    await listening({ host: "127.0.0.1", port: 0 }, take, async (target) => {
      const { status, stdout, stderr } = await run(["send", "--count", "100k", target], { TMPDIR: folder });
      assert.is(status, 0, stderr);
      assert.is(line(stdout).digest, sha256(bytes()));
      assert.is(bytes().length, 100 * 1024);
    });
  }));

// Failures.

test("a receiver that vanishes: status 1, the code, and what had been sent", () =>
  inFolder(async (folder) => {
    const vanish = (socket: Socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    };
    await listening({ host: "127.0.0.1", port: 0 }, vanish, async (target) => {
      const { status, stdout, stderr } = await run(["send", "--count", MANY, target], { TMPDIR: folder });
      assert.is(status, 1);
      assert.is(stdout, "");
      assert.match(stderr, /^sendoff: .*ERR_SENDFILE_CLOSED.*; \d+ bytes sent\n$/);
      assert.equal(await readdir(folder), []);
    });
  }));

test("a reset after the last byte is a failure too", () =>
  inFolder(async (folder) => {
    const { path, content } = await made(folder, 1000);
    const reset = (socket: Socket) => {
      socket.resume().once("end", () => socket.resetAndDestroy());
    };
    await listening({ host: "127.0.0.1", port: 0 }, reset, async (target) => {
      const { status, stderr } = await run(["send", path, target]);
      assert.is(status, 1);
      assert.match(stderr, /ERR_SENDFILE_CLOSED: the connection broke/);
      assert.match(stderr, new RegExp(`; ${content.length} bytes sent\n$`));
    });
  }));

const early = "a receiver that closes its side before the last byte: nobody knows what arrived";
test.unless(lacks("a client that is half open"), early, () =>
  inFolder(async (folder) => {
    // Reads on only when its own end is out: the sender, which is held up, sees it long before its last byte.
    const halfway = (socket: Socket) => {
      socket.end();
      socket.once("finish", () => socket.resume());
    };
    await listening({ host: "127.0.0.1", port: 0 }, halfway, async (target) => {
      const { status, stderr } = await run(["send", "--count", MANY, target], { TMPDIR: folder });
      assert.is(status, 1);
      assert.match(stderr, /ERR_SENDFILE_CLOSED: the receiver closed its side before the last byte/);
    });
  }),
);

for (const [option, code] of [
  ["--timeout", "ERR_SENDFILE_TIMEOUT"],
  ["--deadline", "ERR_SENDFILE_DEADLINE"],
] as const) {
  test(`${option}: a receiver that reads nothing, and one that never closes`, () =>
    inFolder(async (folder) => {
      const small = await made(folder, 1000);
      await listening(
        { host: "127.0.0.1", port: 0 },
        (socket) => socket.pause(),
        async (target) => {
          const stalled = await run(["send", option, "300ms", "--count", MANY, target], { TMPDIR: folder });
          assert.is(stalled.status, 1);
          assert.match(stalled.stderr, new RegExp(`^sendoff: ${code}.*; \\d+ bytes sent\n$`));
          const open = await run(["send", option, "0.3s", small.path, target]);
          assert.is(open.status, 1);
          assert.is(open.stderr, `sendoff: ${code}: the receiver did not close the connection; 1000 bytes sent\n`);
        },
      );
    }));
}

test("nobody listens", () =>
  inFolder(async (folder) => {
    const { path } = await made(folder, 10);
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const tcp = await run(["send", path, `127.0.0.1:${port}`]);
    assert.is(tcp.status, 1);
    assert.match(tcp.stderr, /^sendoff: .*ECONNREFUSED.*; 0 bytes sent\n$/);
  }));

test.unless(lacks("the error of a connection that fails at once"), "nobody listens at a path", () =>
  inFolder(async (folder) => {
    const { path } = await made(folder, 10);
    const unix = await run(["send", path, `unix:${join(folder, "none")}`]);
    assert.is(unix.status, 1);
    assert.match(unix.stderr, /^sendoff: .*ENOENT.*; 0 bytes sent\n$/);
  }),
);

test("a missing FILE, and a folder", () =>
  inFolder(async (folder) => {
    const missing = await run(["send", join(folder, "none")]);
    assert.is(missing.status, 1);
    assert.match(missing.stderr, /^sendoff: ENOENT: .*none'\n$/);
    const directory = await run(["send", folder]);
    assert.is(directory.status, 1);
    assert.match(directory.stderr, /^sendoff: EISDIR: .*; 0 bytes sent\n$/);
  }));

test("--mode native fails where native is off", () =>
  inFolder(async (folder) => {
    const { path } = await made(folder, 10);
    const { status, stderr } = await run(["send", "--mode=native", path], { SENDOFF_FFI: "none" });
    assert.is(status, 1);
    assert.match(stderr, /^sendoff: ERR_SENDFILE_NOT_AVAILABLE: .*; 0 bytes sent\n$/);
  }));

test("send -- --help: what follows two dashes is no option", async () => {
  const { status, stderr } = await run(["send", "--", "--help"]);
  assert.is(status, 1);
  assert.match(stderr, /^sendoff: ENOENT: .*--help'\n$/);
});

test("bytes and times, by their units", () => {
  const texts = ["0", "4096", "64k", "64K", "16M", "1G", "2t"].map((text) => size("--count", text, 0));
  assert.equal(texts, [0, 4096, 1 << 16, 1 << 16, 1 << 24, 2 ** 30, 2 ** 41]);
  const times = ["500", "500ms", "10s", "1.5s", "2m"].map((text) => duration("--timeout", text));
  assert.equal(times, [500, 500, 10_000, 1500, 120_000]);
});

// Wrong arguments: status 2, and one line that names the argument.

const wrong: readonly [args: string[], named: string][] = [
  [["nonsense"], "nonsense"],
  [["--nonsense"], "--nonsense"],
  [["constructor"], "constructor"],
  [["help", "nonsense"], "nonsense"],
  [["send", "--nonsense"], "--nonsense"],
  [["send", "--offset"], "--offset"],
  [["send", "--offset", "-1"], "--offset"],
  [["send", "--offset=-1"], "--offset"],
  [["send", "--offset", "1.5k"], "--offset"],
  [["send", "--offset", "9000000T"], "--offset"],
  [["send", "--count", "0"], "--count"],
  [["send", "--count", "12x"], "--count"],
  [["send", "--count="], "--count"],
  [["send", "--timeout", "soon"], "--timeout"],
  [["send", "--deadline", "-5"], "--deadline"],
  [["send", "--mode", "fast"], "--mode"],
  [["send", "--compare", "127.0.0.1:9000"], "--compare"],
  [["send", "file", "nowhere"], "nowhere"],
  [["send", "file", "host:0"], "host:0"],
  [["send", "file", "host:65536"], "host:65536"],
  [["send", "file", "::1:9000"], "::1:9000"],
  [["send", "file", "unix:"], "unix:"],
  [["send", "file", "host:1", "more"], "more"],
  [["send", ""], "FILE"],
  [["server"], "no command server: did you mean sendoff serve?"],
  [["/"], "no command /: did you mean sendoff serve /?"],
  [["nowhere"], "no command nowhere (see"],
  [["info", "more"], "more"],
  [["info", "--nonsense"], "--nonsense"],
];

for (const [at, [args, named]] of wrong.entries()) {
  test(`wrong: sendoff ${args.join(" ")}`, async () => {
    const { status, stdout, stderr } = await (at % 10 === 0 ? run : call)(args);
    assert.is(status, 2);
    assert.is(stdout, "");
    assert.match(stderr, /^sendoff: [^\n]+\n$/);
    assert.ok(stderr.includes(named), stderr);
  });
}

test("wrong: SENDOFF_MODE", async () => {
  const { status, stderr } = await run(["send"], { SENDOFF_MODE: "fast" });
  assert.is(status, 2);
  assert.match(stderr, /^sendoff: SENDOFF_MODE [^\n]+\n$/);
});

// Help, version, info.

test("help: of everything, and of each command, however it is asked for", async () => {
  const whole = await run(["--help"]);
  assert.is(whole.status, 0);
  for (const word of ["send ", "info ", "SENDOFF_MODE", "SENDOFF_FFI", "Exit status", "--version"]) {
    assert.ok(whole.stdout.includes(word), word);
  }
  for (const args of [[], ["help"], ["-h"], ["--help"]]) assert.equal(await call(args), whole);
  for (const command of ["send", "info"]) {
    const help = await call([command, "--help"]);
    assert.is(help.status, 0);
    assert.is(help.stderr, "");
    for (const word of [`sendoff ${command} [`, "SENDOFF_MODE", "SENDOFF_FFI", "Exit status"]) {
      assert.ok(help.stdout.includes(word), word);
    }
    assert.equal(await call(["help", command]), help);
    assert.equal(await call([command, "-h"]), help);
    for (const text of help.stdout.split("\n")) assert.ok(text.length <= 90, text);
  }
  const send = (await call(["help", "send"])).stdout;
  for (const option of ["--offset", "--count", "--timeout", "--deadline", "--mode"]) assert.ok(send.includes(option));
});

test("--version is package.json's", async () => {
  const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  for (const args of [["--version"], ["-v"], ["-V"], ["serve", "-v"], ["serve", "x", "--version"], ["info", "-V"]]) {
    assert.equal(await call(args), { status: 0, signal: null, stdout: `${version}\n`, stderr: "" }, args.join(" "));
  }
  assert.is((await call(["info", "--", "-v"])).status, 2, "what follows two dashes is no option");
});

if (runtime === "node") {
  test("a Node that is too old: one line, and an error of the library", async () => {
    const { engines } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    const needed = Number(/^>=(\d+)$/.exec(engines.node)?.[1]);
    const old = `{ value: { ...process.versions, node: "${needed - 1}.9.9" } }`;
    const flag = `--import=data:text/javascript,${encodeURIComponent(`Object.defineProperty(process, "versions", ${old})`)}`;
    const words = `sendoff: Node >= ${needed} is needed (this is ${needed - 1}.9.9)`;
    for (const args of [["--version"], ["serve"]]) {
      const got = await run(args, {}, ([node = "", ...rest]) => [node, flag, ...rest]);
      assert.equal(got, { status: 1, signal: null, stdout: "", stderr: `${words}\n` });
    }
    const names = ["sendoff", "sendoff/exit", "sendoff/http", "sendoff/register"];
    const caught = `catch(({ name, message }) => console.log(name + ": " + message))`;
    const program = names.map((name) => `await import("${name}").${caught};`).join("\n");
    const { code, stdout } = await runNode(["--input-type=module", "-e", program], { flags: [flag] });
    assert.equal([code, stdout], [0, `Error: ${words}\n`.repeat(names.length)]);
  });
}

test("info --json: versions, and what was found", async () => {
  const { status, stdout } = await run(["info", "--json"], { SENDOFF_FFI: "none" });
  assert.is(status, 0);
  const info = JSON.parse(stdout);
  assert.is(info.runtime, runtime);
  assert.is(info.runtimeVersion, process.versions[runtime]);
  assert.is(info.platform, process.platform);
  assert.is(info.arch, process.arch);
  assert.type(info.sendoff, "string");
  assert.type(info.kernelRelease, "string");
  assert.is(info.native, false);
  assert.is(info.reason, "SENDOFF_FFI=none");
  assert.equal(info.kernel, { sendfile: false, nowait: false, openat2: false });
});

test("info says in words why native is off", async () => {
  assert.match((await run(["info"], { SENDOFF_FFI: "none" })).stdout, /^native +off: SENDOFF_FFI=none is set/m);
  assert.match((await run(["info"], { SENDOFF_MODE: "copy" })).stdout, /^native +off: /m);
});

test("info: the command that brings native transfers", async () => {
  const { stdout } = await run(["info"], { SENDOFF_FFI: "none" });
  assert.match(stdout, /^native +off: .*\nremedy +unset SENDOFF_FFI\nbinding +none/m);
  const disabled = "koffi: Cannot load native addon because loading addons is disabled.";
  const missing = "koffi: Cannot find module 'koffi'";
  const forbidden = "node:ffi: the permission model forbids it";
  const none = "node:ffi: this Node has no node:ffi";
  const rows: [reason: string, major: number, isLimited: boolean, command: string | null][] = [
    ["SENDOFF_MODE=copy", 20, false, "unset SENDOFF_MODE"],
    ["SENDOFF_FFI=x: koffi, node or none are known", 20, false, "unset SENDOFF_FFI"],
    [`${missing}; ${none}`, 20, false, "npm install koffi"],
    [`${missing}; ${forbidden}`, 20, true, "npm install koffi"],
    [`${missing}; ${forbidden}`, 26, true, "node --allow-ffi …"],
    [`${disabled}; ${forbidden}`, 26, true, "node --allow-addons …"],
    [`${disabled}; ${none}`, 20, false, "node without --no-addons"],
    [forbidden, 26, true, "node --allow-ffi …"],
    [none, 20, false, "unset SENDOFF_FFI"],
    ["Deno.dlopen: no permission (--allow-ffi)", 24, false, "deno run --allow-ffi …"],
    ["no sendfile(2) on win32", 20, false, null],
  ];
  for (const [reason, major, isLimited, command] of rows)
    assert.is(remedy(reason, { major, isLimited }), command, reason);
});

// A stdout that can't be written.

const SAID = [[], ["--version"], ["info", "--json"], ["send", "--count", "1M"], ["serve", "-h"]];

test.unless(
  process.platform === "win32" ? "Windows has no SIGPIPE" : without("mkfifo"),
  "a reader that has gone, as in sendoff info | true: the end is SIGPIPE, without a word",
  () =>
    inFolder(async (folder) => {
      const gone = shell(
        `mkfifo '${folder}/pipe' && exec 3<>'${folder}/pipe' 4>'${folder}/pipe' && exec "$@" >&4 3>&- 4>&-`,
      );
      for (const args of SAID) {
        const got = await run(args, {}, gone);
        await rm(join(folder, "pipe"));
        assert.equal(got, { status: null, signal: "SIGPIPE", stdout: "", stderr: "" }, args.join(" "));
      }
    }),
);

test.unless(
  existsSync("/dev/full") ? null : "no /dev/full",
  "a full disk: status 1, and the reason in one line",
  async () => {
    for (const args of SAID) {
      const { status, stderr } = await run(args, {}, shell('exec "$@" > /dev/full'));
      assert.is(status, 1, args.join(" "));
      assert.match(stderr, /^sendoff: stdout can't be written: .*(ENOSPC|no space|os error 28).*\n$/i);
    }
  },
);

// Ends: by a signal, and by the death of the parent.

if (linux) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`${signal} in mid-transfer to a TARGET: nothing is left, and it dies by ${signal}`, () =>
      inFolder(async (folder) => {
        let flowing = () => {};
        const begun = new Promise<void>((resolve) => (flowing = resolve));
        const stall = (socket: Socket) => {
          socket.once("data", () => {
            socket.pause();
            flowing();
          });
        };
        await listening({ host: "127.0.0.1", port: 0 }, stall, async (target) => {
          const { child, ended } = start(["send", "--count", MANY, target], { TMPDIR: folder });
          await begun;
          child.kill(signal);
          assert.equal(await ended, { status: null, signal, stdout: "", stderr: "" });
          assert.equal(await readdir(folder), []);
        });
      }));
  }

  /** Starts a transfer to the embedded receiver, and stops the receiver as soon as it is there, so that it lasts. */
  const stopped = async (folder: string) => {
    const { child, ended } = start(["send", "--timeout", "1m", "--count", MANY], { TMPDIR: folder });
    const pid = child.pid as number;
    let receiver = 0;
    await until("the receiver to start", async () => {
      receiver = (await childrenOf(pid))[0] ?? 0;
      // Until it has called exec, spawn() in its parent waits for it.
      return receiver > 0 && (await commandOf(receiver)) !== (await commandOf(pid));
    });
    process.kill(receiver, "SIGSTOP");
    return { child, ended, receiver };
  };

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} with a stopped embedded receiver: no file and no child is left`, () =>
      inFolder(async (folder) => {
        const { child, ended, receiver } = await stopped(folder);
        child.kill(signal);
        const { status, signal: by } = await ended;
        assert.is(status, null);
        assert.is(by, signal);
        await until("the receiver to end", async () => !(await runs(receiver)));
        assert.equal(await readdir(folder), []);
      }));
  }

  test("SIGKILL: the child ends by itself, and no file is left", () =>
    inFolder(async (folder) => {
      const { child, receiver } = await stopped(folder);
      child.kill("SIGKILL");
      await once(child, "exit"); // the receiver still holds stderr open
      process.kill(receiver, "SIGCONT");
      await until("the receiver to end", async () => !(await runs(receiver)));
      assert.equal(await readdir(folder), []);
    }));

  test("a receiver process that dies: status 1", () =>
    inFolder(async (folder) => {
      const { ended, receiver } = await stopped(folder);
      process.kill(receiver, "SIGKILL");
      const { status, stdout, stderr } = await ended;
      assert.is(status, 1);
      assert.is(stdout, "");
      assert.match(stderr, /^sendoff: [^\n]+\n$/);
    }));
}

// On a terminal.

const script = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "";
if (script.includes("util-linux")) {
  test.unless(lacks("NODE_OPTIONS"), "a receiver that got other bytes: status 1", () =>
    inFolder(async (folder) => {
      const { path } = await made(folder, 1000);
      const liar = join(folder, "liar.mjs");
      const lie = 'send.call(process, "digest" in report ? { ...report, digest: "none" } : report, ...rest)';
      await writeFile(liar, `const { send } = process;\nif (send) process.send = (report, ...rest) => ${lie};\n`);
      const { status, stdout, stderr } = await run(["send", path], { NODE_OPTIONS: `--import=${pathToFileURL(liar)}` });
      assert.is(status, 1);
      assert.is(stdout, "");
      assert.match(stderr, /^sendoff: ERR_DIGEST: .*the receiver's none; 1000 bytes sent\n$/);
    }),
  );

  for (const [columns, bar] of [
    [120, /[█░]{24} +\d+ % {2}[\d.]+ \w?B of 67\.1 MB {2}[\d.]+ \w?B\/s {2}\d+:\d\d left/],
    [40, /[█░]{8,24} +\d+ % {2}([\d.]+ \w?B\/s {2})?\d+:\d\d left/],
  ] as const) {
    test(`a bar with what is left on a terminal of ${columns} columns, gone at the end`, () =>
      inFolder(async (folder) => {
        // The rest is taken once the bar has been drawn while something is left.
        let held: Socket | null = null;
        let drawn = false;
        const hold = (socket: Socket) => {
          held = socket;
          socket.once("data", () => drawn || socket.pause());
          socket.on("end", () => socket.end());
        };
        const shown = (text: string) => {
          if (drawn || !bar.test(text)) return;
          drawn = true;
          held?.resume();
        };
        await listening({ host: "127.0.0.1", port: 0 }, hold, async (target) => {
          const command = `'${process.execPath}' ${FLAGS.join(" ")} '${COMMAND}' send --count ${MANY} ${target}`;
          const { text, status } = await spawnScript(command, folder, columns, shown);
          assert.is(status, 0, text);
          assert.match(text, bar);
          for (const [one] of text.matchAll(/[█░]+ +\d+ %[ -~]*/g)) assert.ok(one.length <= columns, one);
          const last = text.trimEnd().split("\n").at(-1) ?? "";
          assert.match(last, /67108864 bytes in /);
          assert.ok(text.lastIndexOf("\u001b[?25h") > text.lastIndexOf("\u001b[?25l"), "the cursor is shown again");
        });
      }));
  }
} else {
  test.skip("a bar on a terminal (needs script of util-linux)");
}

/** Runs a command on a pseudo-terminal; what it shows, and its status. */
async function spawnScript(
  command: string,
  folder: string,
  columns: number,
  shown: (text: string) => void,
): Promise<{ text: string; status: number | null }> {
  const { spawn } = await import("node:child_process");
  const env = { ...process.env, TMPDIR: folder, TERM: "xterm", SHELL: "/bin/sh" };
  const child = spawn("script", ["-qefc", `stty cols ${columns}; ${command}`, "/dev/null"], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
    shown(text);
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { text, status };
}

test.run();
