// npm test -- http: each program of examples/, as its own process, asked by real clients.

import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http, { type IncomingMessage, type RequestOptions } from "node:http";
import net from "node:net";
import path from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { capabilities } from "sendoff";
import * as assert from "uvu/assert";
import { same } from "./lib/bytes.js";
import { until } from "./lib/command.js";
import { type Example, filesOpen, library, missing, start } from "./lib/example.js";
import { suite } from "./lib/suite.js";
import { folder, within } from "./lib/web.js";

/** More than the buffers of both ends of a connection take: a reader that stops holds the server up. */
const SIZE = 32 << 20;
/** For a test as a whole, in ms. */
const LATE = 120_000;

const files = folder({ "big.bin": SIZE, "text.txt": "a\nb\r\nc\n", empty: 0, ".hidden": "hidden" });
const scratch = folder({});
const big = fs.readFileSync(path.join(files.root, "big.bin"));
const cut = `${"x".repeat((64 << 10) - 1)}\r\n\n`; // its CR is the last byte of a read
fs.writeFileSync(path.join(files.root, "cut.txt"), cut);
process.once("exit", () => {
  files.remove();
  scratch.remove();
});

const { native } = capabilities();
const run = promisify(execFile);
const { error: noCurl, stdout: protocols = "" } = spawnSync("curl", ["--version"], { encoding: "utf8" });
const curl = (...args: string[]) => run("curl", ["--silent", "--show-error", "--fail", ...args]);

let scratchFiles = 0;
const scratchFile = () => path.join(scratch.root, `got-${scratchFiles++}`);

/**
 * Nearly all goes by the kernel: what the runtime writes are headers and doorbells. And cold pages, so that
 * somebody else who needs the memory can spoil a download, but hardly five.
 */
async function byKernel(example: Example, download: () => Promise<void>): Promise<void> {
  const tries: number[] = [];
  while (tries.length < 5) {
    await download();
    const copied = await example.copied(SIZE, tries.length);
    if (!native || copied < SIZE / 4) return;
    tries.push(copied);
  }
  assert.unreachable(`of ${SIZE} bytes were copied: ${tries}`);
}

/** A suite around one running example. */
function about(name: string) {
  const test = suite(`examples/${name}.js`);
  let example: Example;
  if (missing === null) {
    test.before(async () => {
      example = await start(name, files.root, scratch.root);
    });
    test.after(async () => {
      example.kill("SIGKILL");
      await example.ended;
    });
  }
  const reason = (curled: string | false) => {
    if (missing !== null) return missing;
    if (curled === false) return null;
    return noCurl || !protocols.includes(curled) ? `no curl for ${curled}` : null;
  };
  const add = (what: string, body: (example: Example) => Promise<void>, curled: string | false = false) => {
    const why = reason(curled);
    if (why !== null) test.skip(`${what} (${why})`);
    else test(what, () => within(body(example), what, LATE));
  };
  /** With a process of its own, which the test ends. */
  const alone = (what: string, body: (example: Example) => Promise<void>) =>
    add(what, async () => {
      const own = await start(name, files.root, scratch.root);
      try {
        await body(own);
      } finally {
        own.kill("SIGKILL");
        await own.ended;
      }
    });
  return { add, alone, run: () => test.run() };
}

// HTTP

/** A response whose body has not been read; the connection is the request's own. */
async function ask(url: URL, options: RequestOptions = {}): Promise<IncomingMessage> {
  const req = http.request(url, { agent: false, ...options }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  return res;
}

async function body(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Reads the beginning, and no more. */
async function begin(stream: Readable): Promise<Buffer> {
  await once(stream, "readable");
  return stream.read();
}

/** By where its files are. */
const SITES = { http: "", express: "", "express, res.download": "../download/", fastify: "", koa: "" };

for (const [title, place] of Object.entries(SITES)) {
  const { add, alone, run } = about(title.split(",")[0] as string);
  const at = (example: Example, name: string) => new URL(place + name, example.url);

  add(`${title}: a whole file, by the kernel`, async (example) => {
    await byKernel(example, async () => same(await body(await ask(at(example, "big.bin"))), big));
  });

  add(`${title}: fetch`, async (example) => {
    const got = await fetch(at(example, "big.bin"));
    assert.is(got.status, 200);
    same(Buffer.from(await got.arrayBuffer()), big);
  });

  add(
    `${title}: curl, whole and resumed`,
    async (example) => {
      const [whole, part] = [scratchFile(), scratchFile()];
      await curl("-o", whole, at(example, "big.bin").href);
      same(fs.readFileSync(whole), big, "whole");
      fs.writeFileSync(part, big.subarray(0, 12_345_677));
      await curl("-C", "-", "-o", part, at(example, "big.bin").href);
      same(fs.readFileSync(part), big, "resumed");
    },
    "http",
  );

  add(`${title}: ranges`, async (example) => {
    const rows: [string, number, number][] = [
      ["0-0", 0, 1],
      ["4097-2000000", 4097, 2_000_001],
      [`${SIZE - 5}-`, SIZE - 5, SIZE],
      ["-7", SIZE - 7, SIZE],
    ];
    for (const [range, from, to] of rows) {
      const res = await ask(at(example, "big.bin"), { headers: { Range: `bytes=${range}` } });
      assert.is(res.statusCode, 206, range);
      assert.is(res.headers["content-range"], `bytes ${from}-${to - 1}/${SIZE}`);
      same(await body(res), big.subarray(from, to), range);
    }
    const res = await ask(at(example, "big.bin"), { headers: { Range: `bytes=${SIZE}-` } });
    assert.is(res.statusCode, 416);
    assert.is(res.headers["content-range"], `bytes */${SIZE}`);
    res.resume();
  });

  add(`${title}: HEAD`, async (example) => {
    const res = await ask(at(example, "big.bin"), { method: "HEAD" });
    assert.is(res.statusCode, 200);
    assert.is(res.headers["content-length"], String(SIZE));
    assert.is((await body(res)).length, 0);
  });

  add(`${title}: 304`, async (example) => {
    const { headers } = await ask(at(example, "big.bin"), { method: "HEAD" });
    const etag = headers.etag as string;
    const res = await ask(at(example, "big.bin"), { headers: { "If-None-Match": etag } });
    assert.is(res.statusCode, 304);
    assert.is((await body(res)).length, 0);
    const changed = await ask(at(example, "text.txt"), { headers: { "If-None-Match": etag } });
    assert.is(changed.statusCode, 200);
    assert.is(String(await body(changed)), "a\nb\r\nc\n");
  });

  add(`${title}: what is not there, and what is nobody's business`, async (example) => {
    for (const name of ["none", ".hidden", "..%2fpackage.json", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "none/none"]) {
      const res = await ask(at(example, name));
      assert.ok(res.statusCode === 404 || res.statusCode === 403, `${name}: ${res.statusCode}`);
      assert.not.match(String(await body(res)), files.root, "no path of the server's is told");
    }
    const res = await ask(at(example, "none"), { method: "DELETE" });
    assert.ok(res.statusCode === 404 || res.statusCode === 405, String(res.statusCode));
    res.resume();
  });

  add(`${title}: an empty file`, async (example) => {
    const res = await ask(at(example, "empty"));
    assert.is(res.statusCode, 200);
    assert.is(res.headers["content-length"], "0");
    assert.is((await body(res)).length, 0);
  });

  add(`${title}: clients that go away`, async (example) => {
    for (let i = 0; i < 10; i++) {
      const res = await ask(at(example, "big.bin"));
      await begin(res);
      res.destroy();
    }
    same(await body(await ask(at(example, "big.bin"))), big);
    await until("the files are closed", () => filesOpen(example.pid, files.root) === 0);
    assert.is(example.stderr(), "", "and nobody is bothered with it");
  });

  alone(`${title}: SIGTERM during a download`, async (example) => {
    const res = await ask(at(example, "big.bin"));
    const first = await begin(res);
    example.kill("SIGTERM");
    await until("it has heard the signal", () => example.stderr().includes("SIGTERM"));
    same(Buffer.concat([first, await body(res)]), big);
    assert.is(await example.ended, "SIGTERM", example.stderr());
  });

  run();
}

// FTP

interface Client {
  access(options: { host: string; port: number }): Promise<unknown>;
  downloadTo(to: string, from: string, offset?: number): Promise<unknown>;
  list(): Promise<{ name: string; size: number }[]>;
  close(): void;
}

async function connect({ url }: Example): Promise<Client> {
  const { Client } = (await library("basic-ftp/dist/index.js")) as { Client: new () => Client };
  const client = new Client();
  await client.access({ host: url.hostname, port: Number(url.port) });
  return client;
}

/** The control connection by hand: one command, one reply, and what comes without being asked for. */
class Control {
  readonly socket: net.Socket;
  readonly #replies: AsyncIterator<string>;

  constructor({ url }: Example) {
    this.socket = net.connect(Number(url.port), url.hostname);
    this.#replies = replies(this.socket);
  }

  async reply(): Promise<string> {
    return (await this.#replies.next()).value ?? "closed";
  }

  async say(command: string): Promise<string> {
    this.socket.write(`${command}\r\n`);
    return this.reply();
  }

  async login(): Promise<this> {
    assert.match(await this.reply(), /^220 /);
    assert.match(await this.say("USER anonymous"), /^(230|331) /);
    assert.match(await this.say("PASS guest"), /^2(30|02) /);
    return this;
  }

  /** A data connection that nobody reads from yet. */
  async data(): Promise<net.Socket> {
    const port = /\|\|\|(\d+)\|/.exec(await this.say("EPSV"))?.[1];
    const socket = net.connect(Number(port), this.socket.remoteAddress as string).pause();
    await once(socket, "connect");
    return socket;
  }
}

/** The last line of each reply. */
async function* replies(socket: net.Socket): AsyncGenerator<string, undefined> {
  let text = "";
  for await (const part of socket.setEncoding("latin1")) {
    const lines = (text + part).split("\r\n");
    text = lines.pop() as string;
    yield* lines.filter((line) => /^\d{3} /.test(line));
  }
}

const ODD = 12_345_677;
const { add, alone, run: runFtp } = about("ftp");
const remote = ({ url }: Example) => new URL("big.bin", url).href;

add("ftp: a whole file by basic-ftp, by the kernel", async (example) => {
  const client = await connect(example);
  const to = scratchFile();
  await byKernel(example, async () => {
    await client.downloadTo(to, "big.bin");
    same(fs.readFileSync(to), big);
  });
  const names = (await client.list()).map(({ name, size }) => `${name} ${size}`);
  assert.ok(names.includes(`big.bin ${SIZE}`), String(names));
  client.close();
});

add("ftp: resumed by basic-ftp, and again and again", async (example) => {
  const client = await connect(example);
  for (const offset of [ODD, 1, SIZE - 1, SIZE]) {
    const to = scratchFile();
    fs.writeFileSync(to, big.subarray(0, offset));
    await client.downloadTo(to, "big.bin", offset);
    same(fs.readFileSync(to), big, `from ${offset}`);
    fs.rmSync(to);
  }
  const to = scratchFile();
  for (let i = 0; i < 50; i++) await client.downloadTo(to, "text.txt");
  assert.is(fs.readFileSync(to, "utf8"), "a\nb\r\nc\n");
  client.close();
});

add(
  "ftp: a whole file by curl",
  async (example) => {
    const to = scratchFile();
    await curl("-o", to, remote(example));
    same(fs.readFileSync(to), big);
  },
  "ftp",
);

add(
  "ftp: resumed by curl",
  async (example) => {
    const to = scratchFile();
    fs.writeFileSync(to, big.subarray(0, ODD));
    await curl("-C", "-", "-o", to, remote(example));
    same(fs.readFileSync(to), big);
  },
  "ftp",
);

add(
  "ftp: active mode, by curl",
  async (example) => {
    const to = scratchFile();
    await curl("--ftp-port", "-", "-o", to, remote(example));
    same(fs.readFileSync(to), big);
  },
  "ftp",
);

add("ftp: two clients at once", async (example) => {
  const clients = await Promise.all([connect(example), connect(example)]);
  const got = clients.map(scratchFile);
  await Promise.all(clients.map((client, i) => client.downloadTo(got[i] as string, "big.bin")));
  for (const client of clients) client.close();
  for (const file of got) same(fs.readFileSync(file), big);
});

add("ftp: ABOR in the middle, and then the whole file", async (example) => {
  const control = await new Control(example).login();
  await control.say("TYPE I");
  const data = await control.data();
  assert.match(await control.say("RETR big.bin"), /^150 /);
  assert.match(await control.say("ABOR"), /^426 /);
  assert.match(await control.reply(), /^226 /);
  const got = await body(data);
  assert.ok(got.length < SIZE, "not all of it");
  same(got, big.subarray(0, got.length), "what came");

  const again = await control.data();
  assert.match(await control.say("RETR big.bin"), /^150 /);
  same(await body(again), big);
  assert.match(await control.reply(), /^226 /);
  assert.match(await control.say("ABOR"), /^226 /, "nothing to abort");
  control.socket.destroy();
});

add("ftp: clients that go away", async (example) => {
  const control = await new Control(example).login();
  for (let i = 0; i < 5; i++) {
    const data = await control.data();
    assert.match(await control.say("RETR big.bin"), /^150 /);
    data.destroy();
    assert.match(await control.reply(), /^426 /);
  }
  control.socket.destroy();
  for (let i = 0; i < 5; i++) {
    const both = await new Control(example).login();
    const data = await both.data();
    assert.match(await both.say("RETR big.bin"), /^150 /);
    both.socket.destroy();
    data.destroy();
  }
  const client = await connect(example);
  const to = scratchFile();
  await client.downloadTo(to, "big.bin");
  client.close();
  same(fs.readFileSync(to), big);
  await until("the files are closed", () => filesOpen(example.pid, files.root) === 0);
  assert.is(example.stderr(), "");
});

add("ftp: refusals", async (example) => {
  const control = await new Control(example).login();
  const refused = async (command: string, code: RegExp) => {
    const data = await control.data();
    assert.match(await control.say(command), code, command);
    assert.is((await body(data)).length, 0, `${command}: the data connection is closed`);
  };
  await refused("RETR none", /^550 /);
  await refused("RETR ../../../../../../etc/passwd", /^550 /);
  await refused("RETR /", /^550 /);
  await refused("RETR", /^501 /);
  assert.match(await control.say(`REST ${SIZE + 1}`), /^350 /);
  await refused("RETR big.bin", /^554 /);
  for (let i = 0; i < 50; i++) assert.match(await control.say("RETR big.bin"), /^425 /, "no data connection");
  assert.match(await control.say("STOR mine"), /^502 /);
  // REST was for that one download.
  const data = await control.data();
  assert.match(await control.say("RETR big.bin"), /^150 /);
  control.socket.write("RETR text.txt\r\n");
  same(await body(data), big, "a second one does not come in between");
  assert.match(await control.reply(), /^226 /);
  assert.match(await control.reply(), /^425 /);
  control.socket.destroy();
});

add("ftp: TYPE A", async (example) => {
  const control = await new Control(example).login();
  for (const [type, name, want] of [
    ["A", "text.txt", "a\r\nb\r\nc\r\n"],
    ["A", "cut.txt", cut.replace("\r\n\n", "\r\n\r\n")],
    ["A", "empty", ""],
    ["I", "text.txt", "a\nb\r\nc\n"],
  ] as const) {
    assert.match(await control.say(`TYPE ${type}`), /^200 /);
    const data = await control.data();
    assert.match(await control.say(`RETR ${name}`), /^150 /);
    same(await body(data), Buffer.from(want), `${name} by TYPE ${type}`);
    assert.match(await control.reply(), /^226 /);
  }
  await control.say("TYPE A");
  const data = await control.data();
  await control.say("REST 1");
  assert.match(await control.say("RETR text.txt"), /^554 /);
  data.destroy();
  control.socket.destroy();
});

alone("ftp: SIGTERM during a download", async (example) => {
  const idle = await new Control(example).login();
  const control = await new Control(example).login();
  const data = await control.data();
  assert.match(await control.say("RETR big.bin"), /^150 /);
  const first = await begin(data);
  example.kill("SIGTERM");
  assert.match(await idle.reply(), /^421 /);
  same(Buffer.concat([first, await body(data)]), big);
  assert.match(await control.reply(), /^226 /);
  assert.match(await control.reply(), /^421 /);
  assert.is(await example.ended, "SIGTERM", example.stderr());
});

runFtp();
