// `sendoff serve` that is restarted: it drains, and hands its socket over.

import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { COMMAND as CLI, run } from "./lib/command.js";
import { until } from "./lib/connection.js";
import { COMMAND } from "./lib/exit-process.js";
import { noLoop, onBun, onDeno } from "./lib/file-server.js";
import { tempFolder } from "./lib/files.js";
import { serving } from "./lib/serving.js";
import { type Cleanup, test } from "./lib/suite.js";

const noFd = onDeno ? "Deno's net.Server can't listen on an fd" : null;
const bunTellsNone = onBun ? "Bun's http.Server, and so a port of metrics, does not tell the fd of its socket" : null;
const ENGINES = noLoop === null ? ["loop", "node"] : ["node"];

function folder(t: Cleanup): string {
  const root = tempFolder(t);
  fs.writeFileSync(join(root, "a.txt"), "a file\n");
  return root;
}

const text = async (url: string) => (await fetch(url)).text();
const statusOf = async (url: string) => (await fetch(url)).status;

for (const engine of ENGINES) {
  test(`${engine}: SIGTERM fails --health, and takes connections for --drain-delay; a second signal ends it`, async (t) => {
    const { child, ended, url } = await serving([
      "-q",
      "--engine",
      engine,
      "--health",
      "/up",
      "--drain-delay",
      "60s",
      folder(t),
    ]);
    t.after(() => child.kill("SIGKILL"));
    assert.is(await statusOf(`${url}up`), 200);
    child.kill("SIGTERM");
    while ((await statusOf(`${url}up`)) !== 503) assert.is(child.exitCode, null);
    assert.is(await text(`${url}a.txt`), "a file\n");
    // One that comes too soon is taken for the same.
    const again = setInterval(() => process.kill(child.pid as number, "SIGTERM"), 100); // Deno's child.kill() does it once
    child.once("exit", () => clearInterval(again));
    assert.is((await ended).signal, "SIGTERM");
  });

  test(`${engine}: Ctrl-C waits for no balancer`, async (t) => {
    const { child, ended, url } = await serving(["-q", "--engine", engine, "--drain-delay", "10m", folder(t)]);
    t.after(() => child.kill("SIGKILL"));
    assert.is(await text(`${url}a.txt`), "a file\n");
    child.kill("SIGINT");
    assert.is((await ended).signal, "SIGINT");
  });

  test(`${engine}: --metrics tells where they are`, async (t) => {
    const { stop, stderr, url } = await serving(["--engine", engine, "--metrics", "0", folder(t)]);
    t.after(stop);
    await text(`${url}a.txt`);
    const [, at = ""] = /^metrics: (http:\/\/127\.0\.0\.1:\d+\/metrics)$/m.exec(stderr()) ?? [];
    const metrics = await text(at);
    assert.match(metrics, new RegExp(`^sendoff_requests_total\\{engine="${engine}",code="2xx"\\} 1$`, "m"));
    assert.match(metrics, /^sendoff_log_lines_lost_total 0$/m);
  });

  test.unless(
    noFd ?? bunTellsNone,
    `${engine}: SIGUSR2 starts it anew on the same socket; it ends with 0`,
    async (t) => {
      const [program = "", ...args] = [
        ...COMMAND,
        CLI,
        "serve",
        "-p",
        "0",
        "-q",
        "--engine",
        engine,
        "--metrics",
        "0",
        folder(t),
      ];
      const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
      const group = -(child.pid as number);
      t.after(() => {
        try {
          process.kill(group, "SIGKILL");
        } catch {} // they have ended
      });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (more: string) => (stderr += more));
      const exited = once(child, "exit");
      const urls = () => stderr.match(/^ {2}http:\S+$(?=[\s\S]*?engine: )/gm) ?? [];
      await until(() => urls().length === 1);
      child.kill("SIGUSR2");
      assert.equal(await exited, [0, null]);
      const [one = "", two] = urls();
      assert.is(two, one, stderr);
      const metrics = stderr.match(/^metrics: \S+$/gm) ?? [];
      assert.is(metrics.length, 2);
      assert.is(metrics[0], metrics[1]);
      assert.not.match(stderr, /stopping/);
      assert.is(await text(`${one.trim()}a.txt`), "a file\n");
    },
  );

  test.unless(
    noFd ?? (engine === "node" ? bunTellsNone : null),
    `${engine}: systemd's socket takes the place of --port`,
    async (t) => {
      const listener = net.createServer().listen(0, "127.0.0.1");
      await once(listener, "listening");
      const { port } = listener.address() as net.AddressInfo;
      const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
      const start = (fds: number[]) => {
        const serve = [...COMMAND, CLI, "serve", "-q", "--engine", engine, folder(t)];
        const child = spawn("/bin/sh", ["-c", 'LISTEN_PID=$$ exec "$0" "$@"', ...serve], {
          env: { ...process.env, LISTEN_FDS: String(fds.length) },
          stdio: ["ignore", "ignore", "pipe", ...fds],
        });
        t.after(() => child.kill("SIGKILL"));
        let stderr = "";
        child.stderr?.setEncoding("utf8").on("data", (more: string) => (stderr += more));
        return { child, exited: once(child, "exit"), stderr: () => stderr };
      };
      const one = start([fd]);
      const two = start([fd, fd]);
      await until(() => /engine: /.test(one.stderr()));
      assert.equal(await two.exited, [1, null]);
      assert.match(two.stderr(), /LISTEN_FDS has 2/);
      await new Promise((done) => listener.close(done));
      assert.match(one.stderr(), new RegExp(`^  http://127\\.0\\.0\\.1:${port}/$`, "m"));
      assert.is(await text(`http://127.0.0.1:${port}/a.txt`), "a file\n");
      one.child.kill("SIGTERM");
      assert.equal(await one.exited, [null, "SIGTERM"]);
    },
  );
}

test("what can't be is refused", async (t) => {
  const root = folder(t);
  for (const [args, words] of [
    [["--health", "up"], /--health must be a target/],
    [["--health", "/up?x"], /--health must be a target/],
    [["--drain-delay", "soon"], /--drain-delay must be a time/],
    [["--metrics", "x"], /--metrics must be a whole number/],
    [["--metrics", "0", "--workers", "2"], /--metrics are of one process/],
  ] as const) {
    const { status, stderr } = await run(["serve", "-p", "0", ...args, root]);
    assert.is(status, 2, stderr);
    assert.match(stderr, words);
  }
});

test.run();
