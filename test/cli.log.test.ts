// `sendoff serve` where stdout or stderr can't be written: a full disk, no reader, one that is too slow.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { mkdir, open, readdir, readFile, readlink, rm, truncate, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { childrenOf, inFolder, shell, start, until } from "./lib/command.js";
import { lacks, runtime } from "./lib/runtime.js";
import { serving } from "./lib/serving.js";
import { suite } from "./lib/suite.js";
import { exchange, parse, refused, request, within } from "./lib/web.js";

const test = suite("sendoff serve's log");
const linux = process.platform === "linux";
const runsWell = (command: string, ...args: string[]) => spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** A line of the log, whole. */
const LOGGED = /^127\.0\.0\.1 - - \[[^\]]+\] "HEAD \/(\d+)x* HTTP\/1\.1" 404 -$/;
const LOST = /^(# )?sendoff: lines of the log that are lost: (\d+) \((.+)\)$/;

/** What a full disk is called. */
const FULL = runtime === "deno" ? "No space left on device" : "ENOSPC: ";

const ask = async (port: number, target: string) => {
  const { status, body } = parse(await within(exchange(port, request(target)), target));
  return `${status.split(" ")[1]} ${body}`;
};

/** Requests for what is not there, each for its number, as a name of `length` bytes. */
async function flood(port: number, from: number, to: number, length = 0): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  let answers = 0;
  let left = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    left += text;
    answers += left.split("\r\n\r\n").length - 1;
    left = left.slice(left.lastIndexOf("\r\n\r\n") + 1).slice(-3);
  });
  for (let i = from; i < to; ) {
    const end = Math.min(to, i + 500);
    let text = "";
    for (; i < end; i++) text += `HEAD /${`${i}`.padEnd(length, "x")} HTTP/1.1\r\nHost: x\r\n\r\n`;
    socket.write(text);
    await until(`answer ${end}`, () => answers === end - from);
  }
  socket.destroy();
}

/** What a log has, in its order: the numbers of its requests, and of the lines that it says are lost. */
function read(log: string): { asked: number[]; lost: number[] } {
  const asked: number[] = [];
  const lost: number[] = [];
  for (const line of log.split("\n").slice(0, -1)) {
    const [, , lines] = LOST.exec(line) ?? [];
    const [, number] = LOGGED.exec(line) ?? [];
    assert.ok(lines ?? number, `neither: ${line}`);
    if (lines !== undefined) lost.push(Number(lines));
    else asked.push(Number(number));
  }
  return { asked, lost };
}

/** Each request is in the log or among those that are lost, and the lost ones are where the log says so. */
function complete(log: string, requests: number): void {
  const { asked, lost } = read(log);
  assert.is(lost.length, 1, "one gap");
  const [gap = 0] = lost;
  assert.ok(gap > 0);
  const before = asked.findIndex((number, i) => number !== i);
  assert.equal(
    asked,
    Array.from({ length: requests }, (_, i) => i).filter((i) => i < before || i >= before + gap),
  );
  const lines = log.split("\n");
  assert.match(lines[before] ?? "", /^# /);
}

const told = (stderr: string) => stderr.split("\n").filter((line) => line.startsWith("sendoff: "));

const MOUNT = ["--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
if (linux && runsWell("unshare", ...MOUNT, "mount", "-t", "tmpfs", "none", "/mnt")) {
  const reason = lacks("the count of a short write");
  test.unless(reason, "a full disk: the log goes on when there is room, whole up to 4 MB, and says what is lost", () =>
    inFolder(async (folder) => {
      const disk = join(folder, "disk");
      await mkdir(disk);
      // A disk of the server's own, gone with it: 8 MB, of which 4 KB are free.
      const script = `mount -t tmpfs -o size=8m none '${disk}' && head -c 8384512 /dev/zero > '${disk}/filler' && exec "$@" > '${disk}/log'`;
      const wrap = shell(script);
      const server = await serving([folder], {}, (usual) => ["unshare", ...MOUNT, ...wrap(usual)]);
      try {
        const seen = join(`/proc/${server.child.pid}/root`, disk);
        const log = () => readFile(join(seen, "log"), "utf8");
        await flood(server.port, 0, 60);
        await until("the words on stderr", () => told(server.stderr()).length === 1);
        assert.match(
          server.stderr(),
          new RegExp(`\\nsendoff: the log can't be written \\(${FULL}.*\\): tried again every second\\n$`),
        );
        assert.is((await log()).length, 4096, "as much as there was room for");
        await flood(server.port, 60, 1560, 2900);
        await rm(join(seen, "filler"));
        await until("the rest", async () => (await log()).includes("\n# "));
        await flood(server.port, 1560, 1561);
        await until("the last line", async () => (await log()).split("\n").length > 1000);
        complete(await log(), 1561);
        const [, again, lost] = told(server.stderr());
        assert.is(again, "sendoff: the log is written again");
        assert.match(lost ?? "", new RegExp(`^sendoff: lines of the log that are lost: \\d+ \\(${FULL}.*\\)$`));
      } finally {
        await server.stop();
      }
    }),
  );
} else test.skip("a full disk (needs unshare, and the right to mount)");

if (fs.existsSync("/dev/full")) {
  test("a full disk to the end: said once, and how many lines are lost", () =>
    inFolder(async (folder) => {
      const server = await serving([folder], {}, shell('exec "$@" > /dev/full'));
      await flood(server.port, 0, 5);
      const { signal, stderr } = await server.stop();
      assert.is(signal, "SIGTERM");
      const [first, last, ...more] = told(stderr);
      assert.match(
        first ?? "",
        new RegExp(`^sendoff: the log can't be written \\(${FULL}.*\\): tried again every second$`),
      );
      assert.match(last ?? "", new RegExp(`^sendoff: lines of the log that are lost: 5 \\(${FULL}.*\\)$`));
      assert.is(more.length, 0);
    }));
} else test.skip("a full disk to the end (no /dev/full)");

if (process.platform !== "win32" && runsWell("mkfifo", "--version")) {
  test("a reader that has gone, as in sendoff serve | true: said once, and it serves on", () =>
    inFolder(async (folder) => {
      const pipe = join(folder, "pipe");
      const wrap = shell(`mkfifo '${pipe}' && exec 3<>'${pipe}' 4>'${pipe}' && exec "$@" >&4 3>&- 4>&-`);
      const server = await serving([folder], {}, wrap);
      await flood(server.port, 0, 5);
      const { signal, stderr } = await server.stop();
      assert.is(signal, "SIGTERM");
      const [first, last, ...more] = told(stderr);
      assert.match(first ?? "", /^sendoff: the log can't be written \(.*EPIPE.*\): tried again every second$/);
      assert.match(last ?? "", /^sendoff: lines of the log that are lost: 5 \(.*EPIPE.*\)$/);
      assert.is(more.length, 0);
    }));
} else test.skip("a reader that has gone (no mkfifo)");

const waits = lacks("writes to stdio that wait");
test.unless(waits, "a reader that is too slow: 4 MB wait for it, and the log says what is lost", () =>
  inFolder(async (folder) => {
    const server = await serving([folder]);
    server.child.stdout?.pause();
    await flood(server.port, 0, 1700, 2900);
    server.child.stdout?.resume();
    await server.logged(/\n# /);
    await flood(server.port, 1700, 1701);
    const { stdout, stderr } = await server.stop();
    complete(stdout, 1701);
    assert.equal(
      told(stderr).map((line) => LOST.exec(line)?.[3]),
      ["its reader is too slow"],
    );
  }),
);

test("lines of a loop: many at once come whole; those that it has lost are told of where they are missing", () => {
  const script = `
    import { Buffer } from "node:buffer";
    const { AccessLog } = await import(${JSON.stringify(new URL("../cli/serve/log.js", import.meta.url).href)});
    const log = new AccessLog("common");
    const write = (text) => log.write(Buffer.from(text));
    write(Array.from({ length: 2000 }, (_, i) => i + "x".repeat(i) + "\\n").join(""));
    log.lost(3);
    write("b\\nb\\n");
    await log.end();
    write("c\\n");
    await log.end();`;
  const how = runtime === "deno" ? ["eval"] : ["--input-type=module", "-e"];
  const { stdout, stderr } = spawnSync(process.execPath, [...how, script], {
    encoding: "utf8",
    maxBuffer: 1 << 24,
  });
  const loss = "sendoff: lines of the log that are lost: 5 (the process was too busy to write them)\n";
  const lines = Array.from({ length: 2000 }, (_, i) => `${i}${"x".repeat(i)}\n`);
  assert.ok(stdout === `${lines.join("")}# ${loss}c\n`, stdout.slice(-200));
  assert.is(stderr, loss);
});

/** An address that is one of a link's, with its zone; none on some machines. */
const [linkLocal = ""] = Object.entries(networkInterfaces()).flatMap(([name, all]) =>
  (all ?? []).filter(({ address }) => address.startsWith("fe80:")).map(({ address }) => `${address}%${name}`),
);

test.unless(
  linkLocal === "" ? "no link-local address" : lacks("an address with a zone"),
  "an address is logged without a zone, whoever answers",
  () =>
    inFolder(async (folder) => {
      await writeFile(join(folder, "file"), "content");
      const server = await serving(["--host", "::", folder]);
      for (const target of ["/file", "/file", "/none"]) {
        const socket = net.connect(server.port, linkLocal).resume();
        socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        await once(socket, "close");
      }
      const { stdout } = await server.stop();
      const hosts = stdout.match(/^\S+/gm);
      assert.equal(hosts, Array(3).fill(linkLocal.replace(/%.*/, "")));
    }),
);

// Stderr.

/** The port that a process listens on, by /proc. */
async function portOf(pid: number): Promise<number | undefined> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
  const sockets = links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  for (const line of (await readFile("/proc/net/tcp", "latin1")).split("\n")) {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    if (state === "0A" && sockets.includes(inode)) return Number.parseInt(local.split(":")[1] ?? "", 16);
  }
  return undefined;
}

/** More than both sockets hold. */
const HUGE = 48 << 20;

/** Until the server has answered 500, and said so: it may open nothing for a while. */
async function fail(port: number, pid: number): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  let got = "";
  socket.setEncoding("latin1").on("data", (text: string) => (got += text));
  const limit = (descriptors: string) => spawnSync("prlimit", ["--pid", `${pid}`, `--nofile=${descriptors}:`]);
  for (const [descriptors, status] of [
    ["200", "206"],
    ["1", "500"],
    ["200", "206"],
  ] as const) {
    limit(descriptors);
    got = "";
    socket.write("GET /huge HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\n");
    await until("an answer", () => got.includes("\r\n\r\n"));
    assert.match(got, new RegExp(`^HTTP/1.1 ${status} `));
  }
  socket.destroy();
}

const unheard: readonly [name: string, workers: string, flags: number | null][] = [
  ["without a reader", "1", fs.constants.O_RDONLY],
  ["without a reader, and workers", "2", fs.constants.O_RDONLY],
  ["full, and never read", "1", fs.constants.O_RDWR],
  ["on a full disk", "1", null],
];

for (const [name, workers, flags] of unheard) {
  const missing =
    (!linux && "needs /proc") ||
    (flags === null
      ? !fs.existsSync("/dev/full") && "no /dev/full"
      : !runsWell("mkfifo", "--version") && "no mkfifo") ||
    (workers === "1" && !runsWell("prlimit", "--version") && "no prlimit") ||
    // It is told by the primary's sockets.
    (workers === "2" && lacks("connections in turn")) ||
    (flags === fs.constants.O_RDWR && waits);
  if (missing) {
    test.skip(`stderr ${name} (${missing})`);
    continue;
  }
  test(`stderr ${name}: it serves on, finishes its downloads, and dies by the signal`, () =>
    inFolder(async (folder) => {
      const root = join(folder, "root");
      await mkdir(root);
      await writeFile(join(root, "a.txt"), "hello");
      await writeFile(join(root, "huge"), "");
      await truncate(join(root, "huge"), HUGE);
      let stderr = "/dev/full";
      let reader: fs.promises.FileHandle | null = null;
      if (flags !== null) {
        stderr = join(folder, "stderr");
        spawnSync("mkfifo", [stderr]);
        reader = await open(stderr, flags | fs.constants.O_NONBLOCK);
        if (flags === fs.constants.O_RDWR) fill(reader.fd);
      }
      // What waits for a reader is waited for as long as a download.
      const timeout = flags === fs.constants.O_RDWR ? "100ms" : "60s";
      const args = ["serve", "-p", "0", "--engine", "node", "-w", workers, "--timeout", timeout, root];
      const { child, ended } = start(args, {}, shell(`exec "$@" 2> '${stderr}'`));
      const pid = child.pid as number;
      try {
        let port = 0;
        let said = "";
        await until("its port", async () => (port = (await portOf(pid)) ?? 0) > 0);
        assert.is(await ask(port, "/a.txt"), "200 hello");
        if (flags === fs.constants.O_RDONLY) {
          // Each worker listens by then.
          await until("its words", async () => /^bytes /m.test((said += await some(reader))));
          await reader?.close();
        }
        if (workers === "2") {
          const [dead = 0] = await childrenOf(pid);
          process.kill(dead, "SIGKILL");
          const others = async () => (await childrenOf(pid)).filter((child) => child !== dead).length;
          await until("another worker", async () => !(await childrenOf(pid)).includes(dead) && (await others()) === 2);
        } else await fail(port, pid);
        if (flags === fs.constants.O_RDWR) child.kill("SIGTERM");
        else await download(port, () => child.kill("SIGTERM"));
        assert.is((await within(ended, "its end")).signal, "SIGTERM");
      } finally {
        child.kill("SIGKILL");
        await ended;
        if (flags !== fs.constants.O_RDONLY) await reader?.close();
      }
    }));
}

/** What a pipe has at the moment. */
async function some(reader: fs.promises.FileHandle | null): Promise<string> {
  const got = await reader?.read().catch(() => null); // EAGAIN
  return got?.buffer.toString("latin1", 0, got.bytesRead) ?? "";
}

/** A download during which something happens that ends the server; all of it arrives. */
async function download(port: number, act: () => void): Promise<void> {
  const [res] = (await once(http.get({ port, path: "/huge" }), "response")) as [http.IncomingMessage];
  act();
  await until("no new connections", () => refused(port));
  let bytes = 0;
  for await (const part of res) bytes += part.length;
  assert.is(bytes, HUGE);
}

/** Writes until a pipe takes no more. */
function fill(fd: number): void {
  try {
    for (;;) fs.writeSync(fd, "x".repeat(4096));
  } catch {}
}

test.run();
