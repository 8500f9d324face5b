// npm test -- http: apps of Express, Koa, Fastify and ws, unchanged and in processes of their own, behind the files of
// SENDOFF_FILES.

import { once } from "node:events";
import { createRequire } from "node:module";
import { relative } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { until } from "./lib/connection.js";
import { echoed } from "./lib/echoed.js";
import { answersOf, folder, get, noLoop, talk, undated } from "./lib/file-server.js";
import { type Registered, registered } from "./lib/registered.js";
import { type Cleanup, test } from "./lib/suite.js";

const load = createRequire(new URL("../../examples/package.json", import.meta.url));

const MODES = noLoop === null ? ["auto", "copy"] : ["copy"];

interface App extends Registered {
  readonly port: number;
}

async function start(t: Cleanup, name: string, mode: string): Promise<App> {
  const SENDOFF_FILES = `/static=${relative(process.cwd(), folder(t))}`;
  const app = registered(t, "apps.mjs", name, { SENDOFF_FILES, SENDOFF_MODE: mode });
  await until(() => (app.out().includes("\n") && /, by .*\n/.test(app.err())) || app.child.exitCode !== null);
  assert.match(app.out(), /^\d+\n$/, app.err());
  assert.match(app.err(), mode === "auto" ? /, by a loop\n/ : /, by its own thread: SENDOFF_MODE=copy\n/);
  return { ...app, port: Number(app.out()) };
}

for (const mode of MODES) {
  for (const name of ["express", "koa", "fastify"]) {
    test(`${name}, SENDOFF_MODE=${mode}: files, its own answers, and its end`, async (t) => {
      const { port, child, ended, err } = await start(t, name, mode);
      await echoed(port);
      child.kill("SIGTERM");
      assert.is(await ended, 0, err());
    });
  }

  test(`ws, SENDOFF_MODE=${mode}: messages, a file beside them, and its end`, async (t) => {
    const { port, child, ended, err } = await start(t, "ws", mode);
    const client = new (load("ws").WebSocket)(`ws://127.0.0.1:${port}/chat`);
    t.after(() => client.terminate());
    assert.is(String((await once(client, "message"))[0]), "hello 127.0.0.1");
    const sent = Buffer.alloc(1 << 20, "0123456789");
    client.send(sent);
    assert.ok(sent.equals((await once(client, "message"))[0]));
    assert.is(answersOf(undated(await talk(port, [get("/static/sub/")])))[0]?.body, "<p>sub</p>\n");
    const closed = once(client, "close");
    child.kill("SIGTERM");
    assert.is((await closed)[0], 1001);
    assert.is(await ended, 0, err());
  });
}

test.run();
