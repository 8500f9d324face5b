// The same promises by each way to libc, and without one: CPython's tests, run again in a process with
// SENDOFF_FFI or SENDOFF_MODE set, and a copy of the package without koffi.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Capabilities } from "sendoff";
import * as assert from "uvu/assert";
import { pattern } from "./lib/bytes.js";
import { type ChildOptions, type Outcome, runNode } from "./lib/child.js";
import { tempFile, tempFolder } from "./lib/files.js";
import { row, test } from "./lib/suite.js";

const conformance = fileURLToPath(new URL("conformance.test.js", import.meta.url));
const build = fileURLToPath(new URL("..", import.meta.url));
const root = join(build, "..");

function ok(outcome: Outcome): string {
  assert.is(outcome.code, 0, `${outcome.signal ?? outcome.code}\n${outcome.stdout}\n${outcome.stderr}`);
  return outcome.stdout;
}

/** Runs lines that end by printing one line of JSON, with `api` the package's entry point. */
async function run<T>(
  lines: string,
  options: ChildOptions = {},
  front = join(build, "host/runtimes/node/index.js"),
): Promise<T> {
  const program = `const api = await import(${JSON.stringify(pathToFileURL(front).href)});\n${lines}`;
  return JSON.parse(ok(await runNode(["--input-type=module", "-e", program], options))) as T;
}

const CAPABILITIES = "console.log(JSON.stringify(api.capabilities()));";

/** Sends a file to itself over loopback, and prints how many bytes came and how they went. */
const transfer = (path: string, mode: string) => `
  import net from "node:net";
  const server = net.createServer(async (socket) => {
    let last;
    const onProgress = (progress) => (last = progress);
    const sent = await api.sendfile(socket, ${JSON.stringify(path)}, { mode: ${JSON.stringify(mode)}, onProgress })
      .catch((error) => ({ code: error.code, message: error.message }));
    socket.end();
    let got = 0;
    for await (const chunk of (await client)) got += chunk.length;
    server.close();
    console.log(JSON.stringify({ sent, got, last, found: api.capabilities() }));
  }).listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const client = Promise.resolve(net.connect(server.address().port, "127.0.0.1"));
`;

interface Report {
  sent: number | { code: string; message: string };
  got: number;
  last?: { native: number; doorbell: number; copied: number };
  found: Capabilities;
}

const linux = process.platform === "linux" ? null : "the native way is Linux's";
const koffi = (await run<Capabilities>(CAPABILITIES, { env: { SENDOFF_FFI: "koffi" } })).binding;
const nodeFFI = (await run<Capabilities>(CAPABILITIES, { env: { SENDOFF_FFI: "node" } })).binding;
/** The binding that is taken where nothing is set: test/conformance.test.ts runs by that one anyway. */
const usual = (await run<Capabilities>(CAPABILITIES)).binding;
const noBinding = koffi || nodeFFI ? null : "there is no native binding";

for (const [env, skip] of [
  [{ SENDOFF_FFI: "koffi" }, koffi ? null : "koffi is not installed"],
  [{ SENDOFF_FFI: "node" }, nodeFFI ? null : `Node ${process.version} has no node:ffi`],
  [{ SENDOFF_FFI: "none" }, null],
  [{ SENDOFF_MODE: "copy" }, null],
] as [NodeJS.ProcessEnv, string | null][]) {
  const [name, value] = Object.entries(env)[0] as [string, string];

  row(
    `CPython's tests with ${name}=${value}`,
    async () => {
      const found = await run<Capabilities>(CAPABILITIES, { env });
      if (name === "SENDOFF_FFI") assert.is(found.binding, { koffi: "koffi", node: "node:ffi", none: null }[value]);
      assert.is(found.native, name === "SENDOFF_FFI" && value !== "none");
      if (!found.native) assert.is(found.reason, `${name}=${value}`);
      if (found.native && found.binding === usual) return;
      const stdout = ok(await runNode([conformance], { env }));
      assert.match(stdout, /Passed: +\d\d/);
    },
    skip ?? (value === "none" || value === "copy" ? null : linux),
  );
}

row("T23 SENDOFF_MODE=copy is a kill switch: mode 'native' does not get past it", async (t) => {
  const path = tempFile(t, pattern(100_000));
  const env = { SENDOFF_MODE: "copy" };
  const auto = await run<Report>(transfer(path, "auto"), { env });
  assert.is(auto.sent, 100_000);
  assert.is(auto.got, 100_000);
  assert.is(auto.last?.native, 0);
  assert.is(auto.last?.copied, 100_000);
  const forced = await run<Report>(transfer(path, "native"), { env });
  assert.equal(forced.sent, {
    code: "ERR_SENDFILE_NOT_AVAILABLE",
    message: "the kernel's sendfile is not available here: SENDOFF_MODE=copy",
  });
  assert.is(forced.got, 0);
});

row("T23 SENDOFF_MODE=copy holds for responses by mode 'native' as well", async (t) => {
  const path = tempFile(t, pattern(100_000));
  const answer = await run<{ code: string; message: string }>(
    `
    import http from "node:http";
    const { respond } = await import(${JSON.stringify(new URL("../host/http/index.js", import.meta.url).href)});
    const server = http.createServer(async (req, res) => {
      const error = await respond(req, res, ${JSON.stringify(path)}, { mode: "native" }).catch((error) => error);
      res.destroy();
      server.close();
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    }).listen(0, "127.0.0.1", () => http.get({ port: server.address().port }).on("error", () => {}));
    `,
    { env: { SENDOFF_MODE: "copy" } },
  );
  assert.is(answer.code, "ERR_SENDFILE_NOT_AVAILABLE");
  assert.match(answer.message, /SENDOFF_MODE=copy/);
});

row(
  "an engine that misreads a negative answer: 'auto' copies, 'native' refuses, both say why",
  async (t) => {
    const path = tempFile(t, pattern(1_000_000));
    const options = { flags: ["--import", new URL("../../test/fixtures/misreads.mjs", import.meta.url).href] };
    const auto = await run<Report>(transfer(path, "auto"), options);
    const misread = /^this engine's Wasm misreads negative numbers/;
    assert.is(auto.found.native, false);
    assert.match(auto.found.reason as string, misread);
    assert.type(auto.found.binding, "string");
    assert.is(auto.sent, 1_000_000);
    assert.is(auto.got, 1_000_000);
    assert.is(auto.last?.copied, 1_000_000);
    const forced = await run<Report>(transfer(path, "native"), options);
    const { code, message } = forced.sent as { code: string; message: string };
    assert.is(code, "ERR_SENDFILE_NOT_AVAILABLE");
    assert.ok(message.endsWith(`: ${auto.found.reason}`), message);
    assert.is(forced.got, 0);
    const info = ok(await runNode([join(build, "cli/sendoff.js"), "info"], options));
    assert.match(info, /^native +off: this engine's Wasm misreads .+; so every byte is copied/m);
  },
  noBinding,
);

/** Stops for one system call only, or a process takes a second more to start. */
const strace = (call: string) => ["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", `trace=${call}`];
const noStrace =
  spawnSync("strace", [...strace("sendfile"), "true"]).status === 0 ? null : "strace is not there, or is not let";

/** A node one of whose system calls fails. */
const injected = (call: string, errno: string): ChildOptions => ({
  node: "strace",
  flags: [...strace(call), "-e", `inject=${call}:error=${errno}`, process.execPath],
});

for (const [errno, words] of [
  ["EPERM", "sendfile is forbidden here (EPERM): in a container its seccomp profile has to allow it"],
  ["ENOSYS", "this kernel has no sendfile (ENOSYS)"],
  ["ENOMEM", "sendfile fails here (ENOMEM)"],
] as const) {
  row(
    `sendfile that always fails by ${errno} is told by its errno, and what that means`,
    async () => {
      const options = injected("sendfile", errno);
      const found = await run<Capabilities>(CAPABILITIES, options);
      assert.is(found.native, false);
      assert.is(found.reason, words);
      assert.is(found.kernel.sendfile, false);
      assert.type(found.binding, "string");
      const info = ok(await runNode([join(build, "cli/sendoff.js"), "info"], options));
      assert.ok(info.includes(`off: ${words}; so every byte is copied`), info);
      assert.match(info, /^sendfile +no: this process can't call it$/m);
    },
    noBinding ?? noStrace,
  );
}

row(
  "a container that forbids sendfile: 'auto' copies, 'native' says EPERM",
  async (t) => {
    const path = tempFile(t, pattern(1_000_000));
    const auto = await run<Report>(transfer(path, "auto"), injected("sendfile", "EPERM"));
    assert.is(auto.sent, 1_000_000);
    assert.is(auto.got, 1_000_000);
    assert.is(auto.last?.copied, 1_000_000);
    const forced = await run<Report>(transfer(path, "native"), injected("sendfile", "EPERM"));
    const { code, message } = forced.sent as { code: string; message: string };
    assert.is(code, "ERR_SENDFILE_NOT_AVAILABLE");
    assert.match(message, /^EPERM: /);
    assert.is(forced.got, 0);
  },
  noBinding ?? noStrace,
);

row(
  "openat2 is told: there, or forbidden",
  async () => {
    const command = join(build, "cli/sendoff.js");
    const found = await run<Capabilities>(CAPABILITIES);
    const info = ok(await runNode([command, "info"]));
    assert.match(info, found.kernel.openat2 ? /^openat2 +yes: /m : /^openat2 +no: /m);
    const forbidden = injected("openat2", "EPERM");
    const without = await run<Capabilities>(CAPABILITIES, forbidden);
    assert.equal(without, { ...found, kernel: { ...found.kernel, openat2: false } });
    assert.match(
      ok(await runNode([command, "info"], forbidden)),
      /^openat2 +no: every file is opened by the thread pool$/m,
    );
  },
  noBinding ?? noStrace,
);

row("a word that SENDOFF_FFI or SENDOFF_MODE does not know is said, not ignored", async () => {
  const found = await run<Capabilities>(CAPABILITIES, { env: { SENDOFF_FFI: "libffi" } });
  assert.is(found.native, false);
  assert.is(found.reason, "SENDOFF_FFI=libffi: koffi, node or none are known");
  const { code, stderr } = await runNode(
    [
      "--input-type=module",
      "-e",
      `import(${JSON.stringify(new URL("../host/runtimes/node/index.js", import.meta.url).href)}).then((api) => api.capabilities())`,
    ],
    { env: { SENDOFF_MODE: "fast" } },
  );
  assert.is(code, 1);
  assert.match(stderr, /SENDOFF_MODE must be auto, native or copy \(got 'fast'\)/);
});

const permission = ["--permission", "--experimental-permission"].find((each) =>
  process.allowedNodeEnvironmentFlags.has(each),
);
const unpermitted = permission === undefined ? "this Node has no permission model" : null;
test.unless(unpermitted, "T32 a process that may not load native code copies, and says why", async (t) => {
  const path = tempFile(t, pattern(100_000));
  const flags = [
    permission as string,
    "--allow-fs-read=*",
    ...(process.allowedNodeEnvironmentFlags.has("--allow-net") ? ["--allow-net"] : []),
  ];
  const report = await run<Report>(transfer(path, "auto"), { flags });
  assert.is(report.found.native, false);
  assert.match(report.found.reason as string, /koffi: .+; node:ffi: /);
  assert.is(report.sent, 100_000);
  assert.is(report.got, 100_000);
});

row("without koffi: the package works as it is shipped, and says why native is off", async (t) => {
  const folder = join(tempFolder(t), "node_modules", "sendoff");
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  for (const part of ["assembly", "host", "core.wasm"]) {
    cpSync(join(build, part), join(folder, "build", part), { recursive: true });
  }
  const loader = "node_modules/@assemblyscript/loader";
  cpSync(join(root, loader), join(folder, "..", "@assemblyscript", "loader"), { recursive: true });
  writeFileSync(join(folder, "..", "..", "package.json"), "{}");
  const path = tempFile(t, pattern(1_000_000));
  const cwd = join(folder, "..", "..");
  for (const SENDOFF_FFI of ["", "koffi"]) {
    const report = await run<Report>(
      transfer(path, "auto"),
      { cwd, env: { SENDOFF_FFI } },
      join(folder, "build/host/runtimes/node/index.js"),
    );
    assert.is(report.sent, 1_000_000);
    assert.is(report.got, 1_000_000);
    if (SENDOFF_FFI === "" && nodeFFI !== null) {
      assert.is(report.found.binding, "node:ffi");
      continue;
    }
    assert.is(report.found.native, false);
    assert.match(report.found.reason as string, /koffi: Cannot find module 'koffi'/);
    if (SENDOFF_FFI === "") assert.match(report.found.reason as string, /node:ffi: this Node has no node:ffi/);
    assert.is(report.last?.copied, 1_000_000);
    const forced = await run<Report>(
      transfer(path, "native"),
      { cwd, env: { SENDOFF_FFI } },
      join(folder, "build/host/runtimes/node/index.js"),
    );
    assert.is((forced.sent as { code: string }).code, "ERR_SENDFILE_NOT_AVAILABLE");
    assert.match((forced.sent as { message: string }).message, /Cannot find module 'koffi'/);
  }
});

test.run();
