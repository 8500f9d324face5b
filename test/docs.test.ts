// The pages: every example is run, every command exists, every link leads somewhere.
//
// What a block needs is said in an HTML comment just before it:
//
//   <!-- not run: why -->
//   <!-- run: exits -->             ends with status 0, and what it prints has the words behind "exits"
//   <!-- run: tcp film.mp4 1024 --> a server; a client that connects gets that file, from byte 1024, among other bytes
//   <!-- run: http /a.txt a.txt --> a server; GET of the path gives that file
//   <!-- run: ftp /a.txt a.txt -->  a server of FTP, which may exit on SIGTERM; RETR of the path gives that file
//
// A server, but for FTP, gets another client before: one that resets at the first byte, and must not matter.
//
// Lines that follow the first are put before the program. Without a comment js "exits", and sh is looked
// through for scripts, files and options that are not there.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import { isBuiltin } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import * as assert from "uvu/assert";
import { pattern } from "./lib/bytes.js";
import { type Block, links, pages, ROOT } from "./lib/pages.js";
import { complaints } from "./lib/shell.js";
import { test } from "./lib/suite.js";

const PRELOAD = pathToFileURL(path.join(ROOT, "test/fixtures/docs/any-port.mjs")).href;
/** A program that hangs is killed after so many ms, and its test fails. */
const WATCHDOG = 60_000;

const FILES = {
  "film.mp4": pattern(300_000),
  "video.mp4": pattern(300_000),
  "public/a.txt": Buffer.from("a text\n"),
  "public/film.mp4": pattern(300_000),
  "public/index.html": Buffer.from("<!DOCTYPE html><title>hello</title>\n"),
};

const scratch = fs.mkdtempSync(path.join(fs.realpathSync(tmpdir()), "sendoff-docs-"));
test.after(() => fs.rmSync(scratch, { recursive: true, force: true }));
for (const [name, bytes] of Object.entries(FILES)) {
  fs.mkdirSync(path.dirname(path.join(scratch, name)), { recursive: true });
  fs.writeFileSync(path.join(scratch, name), bytes);
}
fs.mkdirSync(path.join(scratch, "node_modules"));
link("sendoff", ROOT);

function link(name: string, target: string): void {
  const at = path.join(scratch, "node_modules", name);
  if (!fs.existsSync(at)) fs.symlinkSync(target, at, "junction");
}

/** Makes the packages that a program imports its own; the first that is not installed, or null. */
function missing(code: string): string | null {
  const names = [...code.matchAll(/\b(?:from|import)\s*["']([^"'./][^"']*)["']/g)].map(([, name = ""]) => name);
  for (const name of names) {
    const bare = name.split("/", 1)[0] as string;
    if (isBuiltin(name) || bare === "sendoff") continue;
    const found = [".", "examples", "bench/exit-compare", "bench/http"]
      .map((folder) => path.join(ROOT, folder, "node_modules", bare))
      .find((folder) => fs.existsSync(folder));
    if (found === undefined) return bare;
    link(bare, found);
  }
  return null;
}

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<string | number>;
  output: string;
}

let programs = 0;

function start(code: string): Program {
  const file = path.join(scratch, `program-${programs++}.mjs`);
  fs.writeFileSync(file, code);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SENDOFF_"));
  const child = spawn(process.execPath, ["--no-warnings", "--import", PRELOAD, file], {
    cwd: scratch,
    // uvu asks for colours, in the name of all its children.
    env: { ...Object.fromEntries(inherited), FORCE_COLOR: "0" },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), WATCHDOG);
  const ended = once(child, "close").then(([status, signal]) => {
    clearTimeout(watchdog);
    return signal ?? status;
  });
  const program = { child, ended, output: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (program.output += text));
  }
  return program;
}

async function listening({ child, ended }: Program): Promise<number> {
  const port = await Promise.race([once(child, "message").then(([port]) => port), ended.then(() => null)]);
  assert.type(port, "number", "it listens");
  return port;
}

/** Asks, whether that is of use or not, and resets the connection as soon as something comes. */
async function rude(port: number): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.once("data", () => socket.resetAndDestroy());
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await new Promise((resolve) => socket.once("close", resolve));
}

function wanted(name: string): Buffer {
  return fs.readFileSync(path.join(scratch, name));
}

async function tcp(port: number, file: string, from: string): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  const got = await buffer(socket);
  assert.ok(got.includes(wanted(file).subarray(Number(from))), `${file} is in what came`);
}

async function get(port: number, url: string, file: string): Promise<void> {
  const request = http.get({ port, host: "127.0.0.1", path: url, agent: false });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const got = await buffer(response);
  assert.is(response.statusCode, 200);
  assert.ok(got.equals(wanted(file)), `GET ${url} gives ${file}`);
}

/** Logs in, asks for a data connection (RFC 2428), and downloads. */
async function download(port: number, name: string, file: string): Promise<void> {
  const control = net.connect(port, "127.0.0.1");
  const replies = createInterface(control)[Symbol.asyncIterator]();
  const reply = async (code: string) => {
    const { value = "nothing" } = await replies.next();
    assert.ok(value.startsWith(code), `${value}, not ${code}`);
    return value;
  };
  await reply("220");
  control.write("USER anonymous\r\n");
  await reply("230");
  control.write("EPSV\r\n");
  const [, at] = /\(\|\|\|(\d+)\|\)/.exec(await reply("229")) as RegExpExecArray;
  control.write(`RETR ${name}\r\n`);
  const got = await buffer(net.connect(Number(at), "127.0.0.1"));
  assert.ok(got.equals(wanted(file)), `RETR ${name} gives ${file}`);
  await reply("150");
  await reply("226");
  control.destroy();
}

async function run(code: string, [how = "", ...words]: string[]): Promise<void> {
  const program = start(code);
  const { child, ended } = program;
  try {
    if (how === "exits") {
      assert.is(await ended, 0);
      assert.ok(program.output.includes(words.join(" ")), "what is printed");
      return;
    }
    const port = await listening(program);
    if (how !== "ftp") await rude(port);
    if (how === "tcp") await tcp(port, words[0] as string, words[1] ?? "0");
    else if (how === "http") await get(port, words[0] as string, words[1] as string);
    else if (how === "ftp") await download(port, words[0] as string, words[1] as string);
    else assert.unreachable(`nobody knows "run: ${how}"`);
    child.kill("SIGTERM");
    const end = await ended;
    if (how !== "ftp") assert.is(end, "SIGTERM");
    assert.not.match(program.output, /Error/);
  } catch (error) {
    throw Object.assign(error as Error, {
      details: `${(error as { details?: string }).details ?? ""}\n${program.output}`,
    });
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

function testBlock({ at, language, code, marker }: Block): void {
  const [said = "", ...before] = (marker ?? "").split("\n");
  if (said.startsWith("not run:")) {
    test(`${at}: not run, and it is said why`, () => assert.ok(said.length > "not run: ".length));
    return;
  }
  const how = said.match(/^run: (.+)$/)?.[1];
  if (marker !== null && how === undefined) {
    test(`${at}: ${said}`, () => assert.unreachable('a comment before a block says "run: …" or "not run: …"'));
  } else if (language === "text") {
    return;
  } else if (language === "sh") {
    test(`${at}: commands that exist`, () => assert.equal(complaints(code), []));
  } else if (language === "js") {
    const program = [...before, code].join("\n");
    const lacks = missing(program);
    if (lacks !== null) test.skip(`${at}: ${lacks} is not installed`);
    else test(`${at}: ${how ?? "exits"}`, () => run(program, (how ?? "exits").split(" ")));
  } else {
    test(`${at}: ${language}`, () => assert.unreachable("a block is js, sh or text, or it is said why it is not run"));
  }
}

const all = pages();

for (const page of all) {
  page.blocks.forEach(testBlock);

  test(`${page.path}: links`, () => {
    for (const target of links(page.prose)) {
      if (/^(https?|mailto):/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const there = file === "" ? page.path : path.posix.join(path.posix.dirname(page.path), file);
      assert.ok(fs.existsSync(path.join(ROOT, there)), `${target}: no such file`);
      if (anchor === undefined) continue;
      const other = all.find(({ path }) => path === there);
      assert.ok(other?.anchors.has(anchor), `${target}: no such heading`);
    }
  });

  test(`${page.path}: commands in the text`, () => {
    for (const [, command = ""] of page.prose.matchAll(/`((?:npm|npx|node) [^`]+)`/g)) {
      if (!command.includes("…")) assert.equal(complaints(command), []);
    }
  });
}

test("the guide's index has every page", () => {
  const index = all.find(({ path }) => path === "docs/README.md");
  const linked = new Set(links(index?.prose ?? ""));
  const left = all
    .map(({ path }) => path)
    .filter((file) => /^docs\/(?!README)/.test(file) && !linked.has(file.slice(5)));
  assert.equal(left, []);
});

test.run();
