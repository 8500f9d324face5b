// Windows, as far as it can be seen from elsewhere: a process that is told it runs there imports
// everything, copies, and ends as Windows has it.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { target } from "../cli/arguments.js";
import { pattern } from "./lib/bytes.js";
import { runNode } from "./lib/child.js";
import { COMMAND } from "./lib/command.js";
import { tempFile, tempFolder } from "./lib/files.js";
import { row, test } from "./lib/suite.js";

const ROOT = new URL("../../", import.meta.url);
const PRELOAD = fileURLToPath(new URL("test/fixtures/windows.cjs", ROOT));
const entry = (path: string) => JSON.stringify(new URL(`build/host/${path}`, ROOT).href);

/** Runs lines of a module there. */
const there = (lines: string, flags: string[] = []) =>
  runNode(["--input-type=module", "-e", lines], { flags: ["--require", PRELOAD, ...flags] });

/** The one line of JSON that a program prints. */
async function told<T>(lines: string): Promise<T> {
  const { code, signal, stdout, stderr } = await there(lines);
  assert.is(code, 0, `${signal ?? code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout) as T;
}

row("every entry point can be imported, and says why native is off", async () => {
  const found = await told<{ platform: string; capabilities: object }>(`
    const { capabilities } = await import(${entry("runtimes/node/index.js")});
    await import(${entry("http/index.js")});
    await import(${entry("runtimes/node/exit.js")});
    await import(${entry("register/index.js")});
    console.log(JSON.stringify({ platform: process.platform, capabilities: capabilities() }));`);
  assert.is(found.platform, "win32");
  const { native, reason, binding, libc, mode, kernel } = found.capabilities as Record<string, unknown>;
  assert.equal(
    { native, reason, binding, libc, mode, kernel },
    {
      native: false,
      reason: "no native sendfile on win32",
      binding: null,
      libc: null,
      mode: "auto",
      kernel: { sendfile: false, nowait: false, openat2: false },
    },
  );
});

row("a file is copied, by TCP and by a named socket; mode 'native' says why not", async (t) => {
  const path = tempFile(t, pattern(1_000_000));
  const name = join(tempFolder(t), "pipe");
  const results = await told<{ sent: number; got: string; copied: number; refused: string }[]>(`
    import { createHash } from "node:crypto";
    import net from "node:net";
    import { pathToFileURL } from "node:url";
    const { sendfile } = await import(${entry("runtimes/node/index.js")});
    const results = [];
    for (const at of [{ host: "127.0.0.1", port: 0 }, { path: ${JSON.stringify(name)} }]) {
      for (const file of [${JSON.stringify(path)}, pathToFileURL(${JSON.stringify(path)})]) {
        let sending;
        const server = net.createServer((socket) => {
          sending = (async () => {
            let copied, refused;
            const onProgress = (progress) => (copied = progress.copied);
            const sent = await sendfile(socket, file, { onProgress });
            await sendfile(socket, file, { mode: "native" }).catch((error) => (refused = error.message));
            socket.end();
            return { sent, copied, refused };
          })();
        }).listen(at);
        await new Promise((done) => server.once("listening", done));
        const hash = createHash("sha256");
        for await (const chunk of net.connect(at.path ? at : server.address())) hash.update(chunk);
        results.push({ ...(await sending), got: hash.digest("hex") });
        server.close();
      }
    }
    console.log(JSON.stringify(results));`);
  const { createHash } = await import("node:crypto");
  const wanted = createHash("sha256").update(pattern(1_000_000)).digest("hex");
  assert.is(results.length, 4);
  for (const { sent, got, copied, refused } of results) {
    assert.is(sent, 1_000_000);
    assert.is(copied, 1_000_000);
    assert.is(got, wanted);
    assert.is(refused, "the kernel's sendfile is not available here: no native sendfile on win32");
  }
});

row("static files are served", async (t) => {
  const folder = tempFolder(t);
  const path = tempFile(t, pattern(300_000));
  const results = await told<{ status: number; bytes: number }[]>(`
    import http from "node:http";
    const { serveStatic, respond } = await import(${entry("http/index.js")});
    const handler = serveStatic(${JSON.stringify(join(path, ".."))});
    const server = http.createServer((req, res) => {
      if (req.url === "/respond") respond(req, res, ${JSON.stringify(path)}).catch(() => {});
      else handler(req, res);
    }).listen(0, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    const results = [];
    for (const url of ["/file", "/respond", "/none", "/..%5c..%5cetc%5cpasswd"]) {
      const answer = await fetch("http://127.0.0.1:" + server.address().port + url);
      results.push({ status: answer.status, bytes: (await answer.arrayBuffer()).byteLength });
    }
    server.close();
    server.closeAllConnections();
    console.log(JSON.stringify(results));`);
  assert.ok(folder);
  assert.equal(results.slice(0, 2), [
    { status: 200, bytes: 300_000 },
    { status: 200, bytes: 300_000 },
  ]);
  assert.is(results[2]?.status, 404);
  assert.ok((results[3]?.status as number) >= 400);
});

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGHUP", 129],
  ["SIGBREAK", 149],
] as const) {
  row(`${signal} runs the exit functions once, and ends with ${code}: nobody dies by a signal there`, async () => {
    const { code: status, ...outcome } = await there(`
      const { onExit, configureExit } = await import(${entry("runtimes/node/exit.js")});
      configureExit({ log: null });
      process.kill = () => console.log("a signal was sent");
      onExit(async ({ signal }) => { await null; console.log("ran for " + signal); });
      setInterval(() => {}, 1000);
      process.emit(${JSON.stringify(signal)}, ${JSON.stringify(signal)}, ${code - 128});
      process.emit(${JSON.stringify(signal)}, ${JSON.stringify(signal)}, ${code - 128});`);
    assert.is(status, code);
    assert.equal(outcome, { signal: null, stdout: `ran for ${signal}\n`, stderr: "" });
  });
}

row("signals that are not known there are refused by name", async () => {
  const outcome = await there(`
    const { onExit } = await import(${entry("runtimes/node/exit.js")});
    try { onExit(() => {}, { signals: ["SIGUSR2"] }); } catch (error) { console.log(error.message); }`);
  assert.is(outcome.stdout, "signals: 'SIGUSR2' is no signal that a process can listen for\n");
});

row("the command: what this machine can do, and a transfer to its own receiver", async (t) => {
  const env = { NODE_OPTIONS: `--require "${PRELOAD.replaceAll("\\", "\\\\")}"` };
  const info = await runNode([COMMAND, "info"], { env });
  assert.is(info.code, 0, info.stderr);
  assert.match(info.stdout, /^native +off: no native sendfile on win32; so every byte is copied/m);
  const sent = await runNode([COMMAND, "send", "--count", "2M"], { env });
  assert.is(sent.code, 0, sent.stderr);
  assert.match(sent.stdout, /verified/);
  const file = await runNode([COMMAND, "send", tempFile(t, pattern(100_000))], { env });
  assert.is(file.code, 0, file.stderr);
  assert.match(file.stdout, /verified/);
});

test("a TARGET may be the name of a pipe, and a path with a drive is none", () => {
  assert.equal(target("unix:\\\\.\\pipe\\receiver"), { path: "\\\\.\\pipe\\receiver" });
  assert.equal(target("unix:C:\\Temp\\socket"), { path: "C:\\Temp\\socket" });
  for (const path of ["C:\\disk.img", "C:/disk.img", "C:disk.img", "\\\\server\\share\\disk.img", "D:\\9000"]) {
    assert.is(target(path), null, path);
  }
});

test.run();
