// Both halves together: transfers on the way out.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Child, run } from "./lib/ending.js";

const test = suite("drain");
const SIZE = 32 << 20;
const folder = mkdtempSync(join(tmpdir(), "sendoff-drain-"));
const file = join(folder, "file");
writeFileSync(file, Buffer.alloc(SIZE, 7));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function client({ lines }: Child): Socket {
  const port = Number(/^port (\d+)$/m.exec(lines().join("\n"))?.[1]);
  return connect(port, "127.0.0.1")
    .on("error", () => {})
    .pause();
}

const start = (timeout: number, act: (child: Child, socket: Socket) => Promise<void>) => {
  let socket: Socket;
  const ended = run("../drain.mjs", {
    args: [file, String(timeout)],
    act: async (child) => {
      socket = client(child);
      await child.said("begun");
      await act(child, socket);
    },
  });
  return ended.finally(() => socket?.destroy());
};

test("a running transfer finishes, a new one does not begin, and the process dies by the signal", async () => {
  let received = 0;
  const { lines, status, stderr } = await start(60_000, async ({ process, said }, socket) => {
    process.kill("SIGTERM");
    process.kill("SIGUSR2");
    await said("late ERR_SENDFILE_ABORTED");
    socket.on("data", (bytes) => (received += bytes.length)).resume();
  });
  assert.equal(received, SIZE, stderr);
  const told = lines.filter((line) => !line.startsWith("port"));
  assert.equal(told.sort(), ["begun", "closed", "late ERR_SENDFILE_ABORTED", "listener", `sent ${SIZE}`].sort());
  assert.ok(lines.indexOf(`sent ${SIZE}`) < lines.indexOf("listener"), "others come after the exit functions");
  assert.is(status, "SIGTERM");
});

test("one that stalls fails after the timeout, with what was sent", async () => {
  const { lines, status } = await start(1, async ({ process }) => void process.kill("SIGINT"));
  assert.ok(lines.includes("ERR_SENDFILE_ABORTED some"), lines.join("; "));
  assert.is(status, "SIGINT");
});

test.run();
