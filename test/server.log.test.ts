// The access log of a loop: text in a ring between two threads, addresses of clients, and lines while the main thread is
// busy.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import type { MessagePort } from "node:worker_threads";
import * as assert from "uvu/assert";
import { host, serverRuntime } from "#process";
import type { Core } from "../host/core.js";
import { Facts } from "../host/loop/facts.js";
import { Journal } from "../host/loop/journal.js";
import { type Format, logLine } from "../host/loop/log-line.js";
import { Peer } from "../host/loop/peer.js";
import { Ring } from "../host/loop/ring.js";
import { FileServer } from "../host/server/server.js";
import { random } from "./lib/bytes.js";
import { until } from "./lib/connection.js";
import { BUILDS, type Build } from "./lib/core.js";
import { folder, get, NODE, noLoop, talk } from "./lib/file-server.js";
import { heads } from "./lib/request-heads.js";
import { type Cleanup, test } from "./lib/suite.js";

test("a ring: text comes in order, across its end too; what does not fit is lost, and counted, with one gap", () => {
  const memory = Ring.room();
  const [writer, reader] = [new Ring(memory), new Ring(memory)];
  const line = (i: number) => `${i} ${"x".repeat((i * 7919) % 100_003)}\n`;
  let written = 0;
  const put = (text: string) => writer.write(Buffer.from(text), 1);
  const take = () => {
    const { lines, lost } = reader.read();
    return { text: lines.toString(), lost };
  };
  const write = () => put(line(written++));
  const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i)).join("");
  assert.is(write(), true, "the reader is told");
  assert.is(write(), false, "once");
  assert.ok(take().text === lines(0, 2));
  assert.equal(take(), { text: "", lost: 0 });
  for (let from = 2; from < 400; from = written) {
    assert.is(write(), true);
    while (written - from < 37) write();
    const { text, lost } = take();
    assert.is(lost, 0);
    assert.ok(text === lines(from, written), `from ${from}`);
  }
  const from = written;
  while (written - from < 200) write();
  put("short\n");
  const { text, lost } = take();
  assert.ok(lost > 1 && lost < 200);
  assert.ok(text === lines(from, written + 1 - lost), "and nothing behind the first that was lost");
  assert.is(put("again\n"), true);
  assert.equal(take(), { text: "again\n", lost: 0 });
});

test("the address of a client, as inet_ntop(3) and URLs have it", () => {
  const memory = { buffer: new ArrayBuffer(4096) };
  const peer = new Peer({ memory, scratch: () => 1024 } as unknown as Core);
  const bytes = new Uint8Array(memory.buffer, 1024, 28);
  const textOf = (family: number, at: number, address: readonly number[]) => {
    peer.reset();
    bytes[0] = family;
    bytes.set(address, at);
    return peer.text();
  };
  assert.is(peer.reset().text(), "-");
  assert.is(textOf(1, 8, []), "-", "a Unix socket");
  assert.is(textOf(2, 4, [192, 0, 2, 10]), "192.0.2.10");
  assert.is(textOf(10, 8, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 10]), "192.0.2.10");
  const draw = [0, 0, 0, 1, 0x10, 0xa0, 0xabcd];
  for (let i = 0; i < 7 ** 5; i++) {
    const words = Array.from({ length: 8 }, (_, at) => draw[Math.floor(i / 7 ** (at % 5)) % 7] as number);
    const six = textOf(
      10,
      8,
      words.flatMap((word) => [word >> 8, word & 255]),
    );
    const url = `http://[${words.map((word) => word.toString(16)).join(":")}]`;
    assert.is(`[${six}]`, new URL(url).hostname, url);
  }
});

test("no line is too long to be written in one piece", () => {
  const long = ["a", '"', "\\", "\x01", "\xff", "\u2028"].map((c) => c.repeat(9000));
  for (const target of long) {
    for (const field of long) {
      for (const format of ["common", "combined", "json"] as const) {
        const line = logLine(format, {
          ...{
            host: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            time: Date.now(),
            ms: 1e9 / 7,
            method: "UNSUBSCRIBE",
            target,
          },
          ...{ version: "1.1", status: 200, bytes: Number.MAX_SAFE_INTEGER, referer: field, userAgent: field },
        });
        assert.match(line, /^[\x20-\x7e]{1000,4095}\n$/);
        if (format === "json") JSON.parse(line);
      }
    }
  }
});

test("a line that is copied as bytes is the one that is made as text: heads by chance, in both formats", () => {
  const core = (BUILDS[1] as Build).boot({ recv: () => 0 });
  const values = ['a"b', "a\\b", "a\tb", "", "-", "a".repeat(400), "a".repeat(401)];
  const targets = ["/", `/${"a".repeat(2969)}`, `/${"a".repeat(2970)}`, "/?a=%22"];
  const byChance = heads(random(3));
  let recognized = 0;
  for (const format of ["common", "combined"] as const) {
    const special = targets.flatMap((target) =>
      values.flatMap((a) => values.map((b) => get(target, `Referer: ${a}`, `User-Agent: ${b}`))),
    );
    const next = () => special.pop() ?? byChance();
    const memory = Ring.room();
    const [ring, told] = [new Ring(memory), [] as unknown[]];
    const port = { postMessage: (message: unknown) => told.push(message) } as unknown as MessagePort;
    const journal = new Journal({ ...core, connection_sending: () => 0 }, { format, trust: null, memory }, port);
    const facts = new Facts(core);
    const bytes = new Uint8Array(core.memory.buffer);
    journal.peer.reset();
    bytes.set([2, 0, 0, 0, 192, 0, 2, 1], journal.peer.address);
    journal.opened(1);
    const second = Math.floor(Date.now() / 1000);
    const read = () => {
      journal.flush();
      return ring
        .read()
        .lines.toString("latin1")
        .replace(/\[[^\]]+\]/, "[]");
    };
    for (let i = 0; i < 3000; i++) {
      const head = Buffer.from(next(), "latin1");
      const at = core.request_input();
      bytes.set(head.subarray(0, 8192), at);
      if (head.length > 8192 || core.request_recognize(at, at + head.length) === 0) continue;
      recognized++;
      facts.refreshed();
      const answer = [1, facts, `HTTP/1.1 ${200 + (i % 250)} OK\r\n\r\n`, 0, i % 3 === 0 ? 0 : i ** 4] as const;
      journal.begin(...answer, second);
      journal.done();
      const copied = read();
      journal.begin(...answer, second);
      journal.later(...answer);
      journal.end(1);
      assert.is(copied, read());
      assert.match(copied, /^192\.0\.2\.1 - - \[\] "(GET|HEAD) \/[ -~]*" \d{3} (\d+|-)( "[ -~]*" "[ -~]*")?\n$/);
    }
    assert.equal(told[0], { type: "logged" });
    const head = Buffer.from(get("/"), "latin1");
    bytes.set(head, core.request_input());
    assert.ok(core.request_recognize(core.request_input(), core.request_input() + head.length) > 0);
    for (const time of [1e9, 1e9 + 59, 2e9]) {
      journal.begin(1, facts, "HTTP/1.1 200 OK\r\n\r\n", 0, 1, time);
      journal.done();
      journal.flush();
      const [, day, clock] = /\[([^:]+):(\S+)/.exec(ring.read().lines.toString("latin1")) as unknown as string[];
      assert.is(Date.parse(`${(day as string).replaceAll("/", " ")} ${clock}`), time * 1000);
    }
  }
  assert.ok(recognized > 1000, String(recognized));
});

/** A server that is a loop, and its log. */
async function logged(t: Cleanup, options: net.ListenOptions, format: Format = "common", root = folder(t)) {
  const log = { text: "", lost: 0 };
  const write = (lines: Buffer) => {
    log.text += lines.toString("latin1");
  };
  const lost = (lines: number) => {
    log.lost += lines;
  };
  const inside = { log: { format, write, lost } };
  const server = new FileServer(host().shared, serverRuntime, root, { engine: "loop" }, inside);
  t.after(() => server.close({ timeout: 0 }));
  const address = await server.listen(options);
  return { server, log, address };
}

test.unless(
  noLoop,
  "clients by IPv6 and by a Unix socket have a line, with what each has for an address",
  async (t) => {
    const ask = (options: net.NetConnectOpts) =>
      new Promise((done) => net.connect(options).on("close", done).resume().end(get("/small.bin")));
    const path = join(folder(t), "socket");
    for (const [listens, connects, peer] of [
      [{ path }, { path }, "-"],
      [{ host: "::", port: 0 }, { host: "127.0.0.1" }, "127.0.0.1"],
      [{ host: "::1", port: 0 }, { host: "::1" }, "::1"],
    ] as const) {
      if ("host" in listens && !hasIPv6()) continue;
      const { server, log, address } = await logged(t, listens);
      for (let i = 0; i < 2; i++) await ask({ ...connects, port: address.port } as net.NetConnectOpts);
      await server.close();
      const line = `${peer} - - [] "GET /small.bin HTTP/1.1" 200 4096\n`;
      const whole = log.text.replace(/\[[^\]]+\]/g, "[]");
      assert.ok(whole === line || whole === line + line, whole); // the first may have been handed over
    }
  },
);

/** The loop knows the file, and what it has answered so far is in the log: a line is written behind its answer. */
async function warm(server: FileServer, log: { text: string }, port: number): Promise<void> {
  while (server.stats().requests === 0) await talk(port, [get("/small.bin")]);
  await until(() => {
    server.readLog();
    return log.text.split("\n").length - 1 === server.stats().requests;
  });
}

function hasIPv6(): boolean {
  return fs.existsSync("/proc/net/if_inet6") && fs.readFileSync("/proc/net/if_inet6", "utf8").includes("lo");
}

/** Asks for a target with so long a query, so many times, and prints how many answers were whole. */
const CLIENT = `
const [port, times, length] = process.argv.slice(1).map(Number);
const socket = require("node:net").connect(port, "127.0.0.1");
const request = i => \`GET /small.bin?\${String(i).padEnd(length, "x")} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\`;
let bytes = 0, answers = 0, size = 0;
socket.write(request(answers));
socket.on("data", chunk => {
  size ||= chunk.indexOf("\\r\\n\\r\\n") + 4 + 4096;
  if ((bytes += chunk.length) < size) return;
  bytes = 0;
  if (++answers < times) return socket.write(request(answers));
  process.stdout.write(String(answers));
  socket.destroy();
});`;

test.unless(
  noLoop,
  "while the main thread is blocked, all are answered; lines wait, and those beyond 4 MiB are counted",
  async (t) => {
    const { server, log, address } = await logged(t, { port: 0, host: "127.0.0.1" });
    await warm(server, log, address.port);
    for (const [times, length] of [
      [50, 10],
      [2000, 2900],
    ] as const) {
      log.text = "";
      // This thread waits for the client, and the client for the loop.
      const args = ["-e", CLIENT, String(address.port), String(times), String(length)];
      assert.is(spawnSync(NODE, args, { encoding: "utf8" }).stdout, String(times));
      assert.is(log.text, "");
      const read = () => {
        server.readLog();
        return [...log.text.matchAll(/"GET \/small\.bin\?(\d+)x+ HTTP\/1\.1" 200 4096\n/g)].map(([, i]) => Number(i));
      };
      await until(() => read().length + log.lost === times); // the turn of the last answer is over
      const numbers = read();
      assert.equal(
        numbers,
        Array.from({ length: times - log.lost }, (_, i) => i),
      );
      assert.is(log.text.split("\n").length, numbers.length + 1);
    }
    assert.ok(log.lost > 500 && log.lost < 1000, `${log.lost}`);
    log.text = "";
    // No batch is due before the end.
    const { setTimeout } = globalThis;
    t.after(() => Object.assign(globalThis, { setTimeout }));
    const late = (call: () => void, ms: number) => setTimeout(call, ms === 10 ? 100_000 : ms);
    Object.assign(globalThis, { setTimeout: late });
    await talk(address.port, [get("/small.bin")]);
    await server.close();
    assert.match(log.text, /^127\.0\.0\.1 .* 200 4096\n$/, "it goes on");
  },
);

test.unless(noLoop, "a field has no blanks around it; thousands of them within take no time", async (t) => {
  const { server, log, address } = await logged(t, { port: 0, host: "127.0.0.1" }, "combined");
  await warm(server, log, address.port);
  log.text = "";
  const fields = (referer: string) => [`referer:${referer}`, "User-Agent: \t "];
  await talk(address.port, [get("/small.bin", ...fields(" \t a \t b \t "))]);
  const blank = get("/small.bin", ...fields(`a${" ".repeat(7900)}b`));
  for (let i = 0; i < 2000; i++) await talk(address.port, [blank]);
  await server.close();
  const [one = "", ...others] = log.text.trimEnd().split("\n");
  assert.match(one, /" 200 4096 "a \\x09 b" ""$/);
  assert.is(others.length, 2000);
  for (const line of others) assert.match(line, /" 200 4096 "a {399}\.\.\." ""$/);
});

test.run();
