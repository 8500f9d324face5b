// The access log of a loop: text in a ring between two threads, addresses of clients, and lines while the main thread is
// busy.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { host, serverRuntime } from "#process";
import type { Core } from "../host/core.js";
import { type Format, logLine } from "../host/loop/log-line.js";
import { Peer } from "../host/loop/peer.js";
import { Ring } from "../host/loop/ring.js";
import { FileServer } from "../host/server/server.js";
import { folder, get, NODE, noLoop, talk } from "./lib/file-server.js";
import { type Cleanup, test } from "./lib/suite.js";

test("a ring: text comes in order, across its end too; what does not fit is lost, and counted, with one gap", () => {
  const memory = Ring.room();
  const [writer, reader] = [new Ring(memory), new Ring(memory)];
  const line = (i: number) => `${i} ${"x".repeat((i * 7919) % 100_003)}\n`;
  let written = 0;
  const write = () => writer.write(line(written++));
  const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i)).join("");
  assert.is(write(), true, "the reader is told");
  assert.is(write(), false, "once");
  assert.ok(reader.read().text === lines(0, 2));
  assert.equal(reader.read(), { text: "", lost: 0 });
  for (let from = 2; from < 400; from = written) {
    assert.is(write(), true);
    while (written - from < 37) write();
    const { text, lost } = reader.read();
    assert.is(lost, 0);
    assert.ok(text === lines(from, written), `from ${from}`);
  }
  const from = written;
  while (written - from < 200) write();
  writer.write("short\n");
  const { text, lost } = reader.read();
  assert.ok(lost > 1 && lost < 200);
  assert.ok(text === lines(from, written + 1 - lost), "and nothing behind the first that was lost");
  assert.is(writer.write("again\n"), true);
  assert.equal(reader.read(), { text: "again\n", lost: 0 });
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

/** A server that is a loop, and its log. */
async function logged(t: Cleanup, options: net.ListenOptions, format: Format = "common", root = folder(t)) {
  const log = { text: "", lost: 0 };
  const write = (lines: string) => {
    log.text += lines;
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
    while (server.stats().requests === 0) await talk(address.port, [get("/small.bin")]);
    server.readLog();
    for (const [times, length] of [
      [50, 10],
      [2000, 2900],
    ] as const) {
      log.text = "";
      // This thread waits for the client, and the client for the loop.
      const args = ["-e", CLIENT, String(address.port), String(times), String(length)];
      assert.is(spawnSync(NODE, args, { encoding: "utf8" }).stdout, String(times));
      assert.is(log.text, "");
      server.readLog();
      const numbers = [...log.text.matchAll(/"GET \/small\.bin\?(\d+)x+ HTTP\/1\.1" 200 4096\n/g)].map(([, i]) =>
        Number(i),
      );
      assert.equal(
        numbers,
        Array.from({ length: times - log.lost }, (_, i) => i),
      );
      assert.is(log.text.split("\n").length, numbers.length + 1);
    }
    assert.ok(log.lost > 500 && log.lost < 1000, `${log.lost}`);
    log.text = "";
    await talk(address.port, [get("/small.bin")]);
    await server.close();
    assert.match(log.text, /^127\.0\.0\.1 .* 200 4096\n$/, "it goes on");
  },
);

test.unless(noLoop, "a field has no blanks around it; thousands of them within take no time", async (t) => {
  const { server, log, address } = await logged(t, { port: 0, host: "127.0.0.1" }, "combined");
  while (server.stats().requests === 0) await talk(address.port, [get("/small.bin")]);
  server.readLog();
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
