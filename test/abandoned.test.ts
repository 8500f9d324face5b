// SENDOFF_ABANDONED=destroy: a piped file whose destination has closed is closed; one that anybody else uses is left alone.

import { spawn } from "node:child_process";
import { once } from "node:events";
import fs, { createReadStream } from "node:fs";
import path from "node:path";
import { PassThrough, pipeline } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as assert from "uvu/assert";
import { abandonedOf, destroyAbandoned } from "../host/register/abandoned.js";
import { IMPORT, RUN, runtime } from "./lib/runtime.js";
import { suite } from "./lib/suite.js";
import { folder, within } from "./lib/web.js";

const test = suite("abandoned");
const MIB = 1 << 20;
const SIZE = 3 * MIB;
const { root, remove } = folder({ file: SIZE });
const file = path.join(root, "file");
const long = path.join(root, "long");
fs.writeFileSync(long, "");
fs.truncateSync(long, 64 * MIB); // more than the buffers of both ends of a connection take
test.after(remove);

const turns = async (n = 3) => {
  for (let i = 0; i < n; i++) await new Promise((next) => setImmediate(next));
};

interface Scene {
  stream: fs.ReadStream;
  target: PassThrough;
}

/** A stream in the middle of its file: its destination is full. */
async function piped(options?: object): Promise<Scene> {
  const stream = createReadStream(file, options);
  const target = new PassThrough();
  stream.pipe(target);
  while (!target.writableNeedDrain) await turns(1);
  return { stream, target };
}

/** Plays it, and says whether the stream was destroyed by us. */
async function destroyed(play: (undo: () => void) => Promise<fs.ReadStream>): Promise<boolean> {
  let count = 0;
  const undo = destroyAbandoned((n) => {
    count = n;
  });
  let played: fs.ReadStream | undefined;
  try {
    played = await play(undo);
    await turns();
    if (count > 0) assert.ok(played.destroyed);
    return count > 0;
  } finally {
    undo();
    const stream = played;
    if (stream !== undefined && !stream.closed) {
      const closed = new Promise((resolve) => stream.once("close", resolve));
      stream.destroy();
      await within(closed, "close");
    }
  }
}

const closing: Record<string, [boolean, (scene: Scene) => unknown]> = {
  "its destination is destroyed": [true, ({ target }) => target.destroy()],
  "its destination fails": [true, ({ target }) => target.on("error", () => {}).destroy(new Error("no"))],
  "it is destroyed by a listener of 'close'": [
    false,
    ({ stream, target }) => target.on("close", () => stream.destroy()).destroy(),
  ],
  "it is piped elsewhere by a listener of 'close'": [
    false,
    ({ stream, target }) => target.on("close", () => stream.pipe(new PassThrough())).destroy(),
  ],
  "it is piped elsewhere by a promise of the same turn": [
    false,
    async ({ stream, target }) => {
      const closed = once(target, "close").then(() => {});
      target.destroy();
      await closed;
      stream.pipe(new PassThrough());
    },
  ],
  "it is resumed": [false, ({ stream, target }) => target.on("close", () => stream.resume()).destroy()],
  "it has a second destination": [
    false,
    ({ stream, target }) => {
      stream.pipe(new PassThrough());
      target.destroy();
    },
  ],
  "it has a 'data' listener": [
    false,
    ({ stream, target }) => {
      stream.on("data", () => {});
      target.destroy();
    },
  ],
  "it has a 'data' listener, and is paused": [
    false,
    ({ stream, target }) => {
      stream.on("data", () => {});
      target.on("close", () => stream.pause()).destroy();
    },
  ],
  "it has a 'readable' listener": [
    false,
    ({ stream, target }) => {
      stream.on("readable", () => {});
      target.destroy();
    },
  ],
  "it was unpiped before": [
    false,
    ({ stream, target }) => {
      stream.unpipe(target);
      target.destroy();
    },
  ],
};
for (const [name, [expected, play]] of Object.entries(closing)) {
  test(`${expected ? "destroyed" : "left alone"}: ${name}`, async () => {
    const found = await destroyed(async () => {
      const scene = await piped();
      const closed = once(scene.target, "close").catch(() => {});
      await play(scene);
      await within(closed, "close");
      return scene.stream;
    });
    assert.is(found, expected);
  });
}

test("left alone: autoClose: false", async () => {
  const found = await destroyed(async () => {
    const { stream, target } = await piped({ autoClose: false });
    target.destroy();
    await turns();
    return stream;
  });
  assert.is(found, false);
});

test("left alone: it has ended", async () => {
  const found = await destroyed(async () => {
    const { stream, target } = await piped();
    target.resume();
    await within(once(target, "close"), "close");
    assert.is(target.writableFinished, true);
    return stream;
  });
  assert.is(found, false);
});

test("left alone: a pipeline, which destroys it itself", async () => {
  const found = await destroyed(async () => {
    const stream = createReadStream(file);
    const target = new PassThrough();
    const failed = new Promise((resolve) => pipeline(stream, target, resolve));
    await once(target, "readable");
    target.destroy();
    assert.match(String(await within(failed, "pipeline")), /Premature close/);
    return stream;
  });
  assert.is(found, false);
});

test("destroyed: its destination had closed before it was piped", async () => {
  const found = await destroyed(async () => {
    const target = new PassThrough().on("error", () => {});
    target.destroy();
    await once(target, "close");
    const stream = createReadStream(file);
    stream.pipe(target);
    return stream;
  });
  assert.is(found, true);
});

test("a destination that outlives its streams keeps no listener, and after the undo nothing is destroyed", async () => {
  const target = new PassThrough();
  target.resume();
  const listeners = () => target.eventNames().map((name) => [name, target.listenerCount(name)]);
  const before = listeners();
  const found = await destroyed(async (undo) => {
    for (let i = 0; i < 20; i++) {
      const stream = createReadStream(file, { end: 9 });
      stream.pipe(target, { end: false });
      await within(once(stream, "close"), "close");
    }
    assert.equal(listeners(), before);
    undo();
    assert.is(Object.hasOwn(fs.ReadStream.prototype, "pipe"), false);
    const scene = await piped();
    scene.target.destroy();
    await turns();
    assert.is(scene.stream.destroyed, false);
    return scene.stream;
  });
  assert.is(found, false);
});

test("SENDOFF_ABANDONED is leave or destroy", () => {
  for (const value of [undefined, "", "leave"]) assert.is(abandonedOf(value), false);
  assert.is(abandonedOf("destroy"), true);
  assert.throws(() => abandonedOf("1"), /SENDOFF_ABANDONED must be leave or destroy \(got '1'\)/);
});

/** A server of pipes whose clients go away. */
async function abort(times: number, env: NodeJS.ProcessEnv): Promise<{ streams: number; left: number; told: string }> {
  const modules = ["../host/register/index.js", "../../test/fixtures/abandons.mjs"];
  const [register = "", program = ""] = modules.map((name) => fileURLToPath(new URL(name, import.meta.url)));
  const preload = runtime === "bun" ? register : pathToFileURL(register).href;
  const child = spawn(process.execPath, [...RUN, IMPORT, preload, program, long, String(times)], {
    env: { ...process.env, NODE_NO_WARNINGS: "1", SENDOFF_MODE: "", SENDOFF_DEBUG: "1", ...env },
  });
  let stdout = "";
  let told = "";
  child.stdout.on("data", (part) => (stdout += part));
  child.stderr.on("data", (part) => (told += part));
  await within(once(child, "close"), "the server", 100_000).finally(() => child.kill("SIGKILL"));
  return { ...JSON.parse(stdout || "{}"), told };
}

const linux = process.platform === "linux" && runtime === "node" ? null : "reads /proc/self/fd of a node:http server";
for (const mode of ["auto", "copy"]) {
  test.unless(linux, `1,000 aborted pipes leave no fd, SENDOFF_MODE=${mode}`, async () => {
    const { streams, left, told } = await abort(1000, { SENDOFF_ABANDONED: "destroy", SENDOFF_MODE: mode });
    assert.ok(streams > 500, String(streams));
    assert.is(left, 0);
    assert.match(told, /streams destroyed because their destination had closed: 100\n/);
  });
}

test.unless(linux, "without it each fd stays open, as with Node alone", async () => {
  const { streams, left, told } = await abort(20, {});
  assert.is(left, streams);
  assert.not.match(told, /destroyed/);
});

test.run();
