// npm test -- network: transfers over networks that are slow, lose, reorder, and end, and to receivers that stall
// and vanish. Sender and receiver are processes of their own, each in a network namespace of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { capabilities, type Mode, type SendfileOptions } from "sendoff";
import * as assert from "uvu/assert";
import { pattern } from "./lib/bytes.js";
import { tempFolder } from "./lib/files.js";
import { type Cleanup, row, test } from "./lib/suite.js";
import { lacks, noWire, Wire } from "./lib/wire.js";

const MODES: Mode[] = capabilities().native ? ["native", "copy"] : ["copy"];
const MIB = 1 << 20;
/** More than all buffers on the way hold, so that a transfer to nobody can't be over. */
const HUGE = 64 * MIB;

/** A program of test/fixtures/network, in a namespace, and the lines of JSON that it says. */
class Program {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(cleanup: Cleanup, space: string, name: string, args: string[]) {
    const file = fileURLToPath(new URL(`./fixtures/network/${name}.js`, import.meta.url));
    // exec, not fork: its pid is the program's own.
    const command = ["netns", "exec", space, process.execPath, "--no-warnings", file, ...args];
    this.child = spawn("ip", command, { stdio: ["ignore", "pipe", "inherit"] });
    this.#lines = createInterface(this.child.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]();
    cleanup.after(async () => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return;
      this.child.kill("SIGKILL");
      await once(this.child, "exit");
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: each program says what it says
  async said(): Promise<any> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("it ended without a word");
    return JSON.parse(value);
  }
}

interface Play {
  wire: Wire;
  data: Buffer;
  sender: Program;
  receiver: Program;
}

/** Lays a wire, and lets one side send to the other. */
async function play(
  cleanup: Cleanup,
  size: number,
  options: SendfileOptions,
  shape: string[] = [],
  stall: number | null = null,
): Promise<Play> {
  const wire = await Wire.lay(...shape);
  cleanup.after(() => wire.remove());
  const data = pattern(size);
  const file = `${tempFolder(cleanup)}/file`;
  writeFileSync(file, data);
  const sender = new Program(cleanup, wire.near, "sender", [wire.host, file, JSON.stringify(options)]);
  const { port } = await sender.said();
  const receiver = new Program(cleanup, wire.far, "receiver", [
    wire.host,
    String(port),
    ...(stall ? [String(stall)] : []),
  ]);
  assert.ok((await receiver.said()).connected);
  return { wire, data, sender, receiver };
}

/** All of it arrives as it is, and both sides count the same. */
async function arrives({ data, sender, receiver }: Play, mode: Mode): Promise<void> {
  const got = await receiver.said();
  assert.is(got.bytes, data.length);
  assert.is(got.digest, createHash("sha256").update(data).digest("hex"));
  const { sent, code, native, leaked } = await sender.said();
  assert.is(code, undefined);
  assert.is(sent, data.length);
  assert.ok(leaked <= 0, "descriptors"); // the socket's own may be gone already
  if (mode === "native") assert.ok(native > data.length / 2, `${native} bytes by the kernel`);
  else assert.is(native, 0);
}

/** It fails with this code, and says exactly what the kernel has taken. */
async function fails({ data, sender }: Play, code: string): Promise<number> {
  const said = await sender.said();
  assert.is(said.code, code, said.message);
  assert.ok(said.sent > 0 && said.sent < data.length, `${said.sent} bytes`);
  // `bytesWritten` counts what was said too, also what never left: in a living socket's queue it counts as sent.
  assert.is(said.sent, said.taken);
  assert.ok(said.leaked <= 0, "descriptors");
  return said.sent;
}

const SLOW = ["tbf", "rate", "1mbit", "burst", "16kb", "latency", "200ms"];
const NETWORKS: Record<string, string[]> = {
  "1 Mbit/s": SLOW,
  "20 ms of delay": ["netem", "delay", "20ms", "5ms"],
  "3 % of loss": ["netem", "delay", "2ms", "loss", "3%"],
  reordering: ["netem", "delay", "5ms", "reorder", "25%", "50%"],
  "delay, loss, reordering and 20 Mbit/s": [
    "netem",
    "delay",
    "5ms",
    "2ms",
    "loss",
    "1%",
    "reorder",
    "10%",
    "rate",
    "20mbit",
  ],
};

for (const [name, shape] of Object.entries(NETWORKS)) {
  const reason = await lacks(...shape);
  for (const mode of MODES) {
    // The timeout is far below what the whole takes over the slow link: a slow reader that reads is no stall.
    row(
      `${name}: every byte arrives, and no timeout fires, ${mode}`,
      async (t) => {
        const size = shape === SLOW ? 640 * 1024 : 4 * MIB;
        await arrives(await play(t, size, { mode, timeout: 3000 }, shape), mode);
      },
      reason,
    );
  }
}

for (const mode of MODES) {
  row(
    `an unhindered wire: every byte arrives, ${mode}`,
    async (t) => {
      await arrives(await play(t, 16 * MIB, { mode, timeout: 10_000 }), mode);
    },
    noWire,
  );

  row(
    `a black hole in the middle: the timeout, ${mode}`,
    async (t) => {
      const playing = await play(t, HUGE, { mode, timeout: 1000 }, [], MIB);
      await playing.receiver.said(); // a MiB is there
      playing.wire.swallow();
      const sent = await fails(playing, "ERR_SENDFILE_TIMEOUT");
      assert.ok(sent >= MIB);
    },
    noWire,
  );

  row(
    `a black hole in the middle: the deadline, ${mode}`,
    async (t) => {
      const playing = await play(t, HUGE, { mode, deadline: 2000 }, [], MIB);
      await playing.receiver.said();
      playing.wire.swallow();
      await fails(playing, "ERR_SENDFILE_DEADLINE");
    },
    noWire,
  );

  row(
    `the deadline over a slow link that moves all the time, ${mode}`,
    async (t) => {
      await fails(await play(t, HUGE, { mode, deadline: 2000, timeout: 60_000 }, SLOW), "ERR_SENDFILE_DEADLINE");
    },
    await lacks(...SLOW),
  );

  row(
    `a receiver that stalls: the timeout, ${mode}`,
    async (t) => {
      const playing = await play(t, HUGE, { mode, timeout: 1000 }, [], MIB);
      await fails(playing, "ERR_SENDFILE_TIMEOUT");
    },
    noWire,
  );

  row(
    `a receiver that is killed: the connection is closed, ${mode}`,
    async (t) => {
      const playing = await play(t, HUGE, { mode, timeout: 30_000 }, [], MIB);
      await playing.receiver.said();
      playing.receiver.child.kill("SIGKILL");
      const { code, sent, leaked } = await playing.sender.said();
      assert.is(code, "ERR_SENDFILE_CLOSED");
      assert.ok(sent > 0 && sent < HUGE);
      assert.ok(leaked <= 0, "descriptors"); // the socket's own may be gone already
    },
    noWire,
  );

  row(
    `an interface that goes down: the timeout, ${mode}`,
    async (t) => {
      const playing = await play(t, HUGE, { mode, timeout: 1000 }, [], MIB);
      await playing.receiver.said();
      playing.wire.unplug();
      await fails(playing, "ERR_SENDFILE_TIMEOUT");
    },
    noWire,
  );
}

test.run();
