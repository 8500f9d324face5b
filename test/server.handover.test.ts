// One process takes over the listening socket of another one, or of a service manager: nobody who connects is refused, and
// nobody who asks goes without an answer.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createFileServer, type HandOverOptions, listenFds } from "sendoff/server";
import * as assert from "uvu/assert";
import { until } from "./lib/connection.js";
import { COMMAND } from "./lib/exit-process.js";
import { ENGINES, folder, noLoop, onBun, onDeno, SMALL, serve } from "./lib/file-server.js";
import { tempFolder } from "./lib/files.js";
import { type Cleanup, test } from "./lib/suite.js";

const FIXTURE = fileURLToPath(new URL("../../test/fixtures/succeeding-server.mjs", import.meta.url));

const noFd = onDeno ? "Deno's net.Server can't listen on an fd" : null;
const bunTellsNone = onBun ? "Bun's http.Server does not tell the fd of its socket" : null;

interface Told {
  pid: number;
  address: net.AddressInfo | string | null;
  metrics?: number;
  name?: string;
  left: string[];
  again: number;
}

/** A program that serves; all that take over from it tell on its stdout, too. */
function start(t: Cleanup, env: NodeJS.ProcessEnv, command = COMMAND, fds: number[] = []) {
  const [program = "", ...args] = command;
  const child: ChildProcess = spawn(program, [...args, FIXTURE], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit", ...fds],
  });
  const told: Told[] = [];
  let rest = "";
  child.stdout?.on("data", (text: Buffer) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) told.push(JSON.parse(line));
  });
  const exited = once(child, "exit");
  t.after(() => {
    for (const { pid } of told) end(pid, "SIGKILL");
    child.kill("SIGKILL");
  });
  return {
    child,
    exited,
    /** What the n-th of them says. */
    async told(n: number): Promise<Told> {
      await until(() => told.length > n || (n === 0 && child.exitCode !== null));
      return told[n] as Told;
    },
  };
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {} // it has ended
}

/** One that nobody has waited for is not. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Asks by kept-alive connections, again and again. */
function clients(t: Cleanup, count: number, to: http.RequestOptions) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: count });
  let answered = 0;
  let over = false;
  t.after(() => {
    over = true;
    agent.destroy();
  });
  const failed: unknown[] = [];
  const ask = () =>
    new Promise<void>((resolve) => {
      const fail = (error: unknown) => {
        failed.push(error);
        resolve();
      };
      http
        .get({ ...to, agent, path: "/small.bin" }, (res) => {
          let length = 0;
          res.on("error", fail).on("data", (chunk: Buffer) => (length += chunk.length));
          res.on("end", () => {
            if (res.statusCode !== 200 || length !== SMALL.length) failed.push(`${res.statusCode} ${length}`);
            answered++;
            resolve();
          });
        })
        .on("error", fail);
    });
  const all = Array.from({ length: count }, async () => {
    while (!over) await ask();
  });
  return {
    failed,
    /** Some more answers. */
    async more(): Promise<void> {
      const before = answered;
      await until(() => answered >= before + 5 * count || failed.length > 0);
    },
    async end(): Promise<void> {
      over = true;
      await Promise.all(all);
    },
  };
}

const bodyOf = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();

for (const engine of ENGINES) {
  test.unless(
    noFd ?? (engine === "node" ? bunTellsNone : null),
    `${engine}: a new process takes over, and then another one: no request fails`,
    async (t) => {
      const hasMetrics = bunTellsNone === null;
      const env = { ROOT: folder(t), ENGINE: engine, ...(hasMetrics ? { METRICS: "yes" } : {}) };
      const { exited, told } = start(t, env);
      const { address, metrics, ...one } = await told(0);
      assert.equal([one.left, one.name], [[], undefined]);
      const { port } = address as net.AddressInfo;
      const asking = clients(t, 16, { port, host: "127.0.0.1" });
      await asking.more();
      let { pid } = one;
      for (const n of [1, 2]) {
        process.kill(pid, "SIGUSR2");
        const next = await told(n);
        assert.equal([next.left, next.name, next.again], [[], "http", 0]);
        assert.is((next.address as net.AddressInfo).port, port);
        assert.is(next.metrics, metrics);
        await until(() => !isAlive(pid));
        await asking.more();
        pid = next.pid;
        if (hasMetrics) assert.match(await bodyOf(metrics as number, "/metrics"), /^sendoff_draining 0$/m);
        assert.is(await bodyOf(port, "/healthz"), "ok\n");
      }
      assert.equal(await exited, [0, null]);
      await asking.end();
      assert.equal(asking.failed, []);
      process.kill(pid, "SIGTERM");
      await until(() => !isAlive(pid));
    },
  );

  test.unless(
    noFd ?? (engine === "node" ? bunTellsNone : null),
    `${engine}: a new process that ends, or says nothing, takes nothing over`,
    async (t) => {
      const { server, port } = await serve(t, folder(t), { engine, health: "/healthz" });
      const hand = (program: string, within = 60_000) =>
        server.handOver({ command: process.execPath, args: ["-e", program], within }).then(
          () => "taken over",
          ({ message }) => message,
        );
      assert.is(await hand("process.exit(3)"), "the new process ended (status 3)");
      assert.is(await hand("setTimeout(() => {}, 1e6)", 1), "the new process did not serve within 1 ms");
      const missing = server.handOver({ command: join(tempFolder(t), "none") });
      assert.match(await missing.catch(({ code }) => code), /ENOENT/);
      assert.is(await bodyOf(port, "/healthz"), "ok\n");
      assert.is(server.stats().draining, false);
      const late = hand("setTimeout(() => {}, 1e6)");
      await new Promise(setImmediate); // it has begun
      await server.close();
      assert.is(await late, "the server was closed meanwhile");
      assert.match(await hand(""), /does not listen/);
    },
  );

  test.unless(
    noFd ?? (engine === "node" ? bunTellsNone : null),
    `${engine}: one new process at a time, with options that close() takes, of a server that is not being closed`,
    async (t) => {
      const { server } = await serve(t, folder(t), { engine });
      const marker = join(tempFolder(t), "begun");
      const args = ["-e", `fs.writeFileSync(${JSON.stringify(marker)}, ""); setTimeout(() => {}, 1e6)`];
      const hand = (options: HandOverOptions = {}) =>
        server.handOver({ command: process.execPath, args, ...options }).then(
          () => "taken over",
          ({ message }) => message,
        );
      assert.match(await hand({ idle: -1 }), /^idle must be/);
      assert.match(await hand({ upgraded: 1 as never }), /^upgraded must be/);
      const under = hand();
      assert.is(await hand(), "another process is being started already");
      await until(() => fs.existsSync(marker));
      fs.rmSync(marker);
      assert.is(await hand(), "another process is being started already");
      const closed = server.close();
      assert.is(await under, "the server was closed meanwhile");
      await closed;
      const other = createFileServer(folder(t), { engine });
      await other.listen({ port: 0, host: "127.0.0.1" });
      const late = other.handOver({ command: process.execPath, args }).catch(({ message }) => message);
      await other.close();
      assert.match(await late, /does not listen/);
      assert.not(fs.existsSync(marker));
    },
  );

  test.unless(
    noFd ?? (onBun ? "Bun throws another error" : null),
    `${engine}: without an fd for a new process the server goes on`,
    async (t) => {
      const program = `
        import * as fs from "node:fs";
        import { createFileServer } from "sendoff/server";
        const server = createFileServer(".", { engine: "${engine}", health: "/healthz" });
        const { port } = await server.listen({ port: 0, host: "127.0.0.1" });
        const ask = async () => (await fetch("http://127.0.0.1:" + port + "/healthz")).text();
        await ask();
        const fds = [];
        try {
          for (;;) fds.push(fs.openSync("/dev/null"));
        } catch {}
        const code = await server.handOver().then(() => "none", (error) => error.code);
        for (const fd of fds) fs.closeSync(fd);
        process.stdout.write(code + " " + (await ask()));
        process.exit();`;
      const args = ["-c", 'ulimit -n 256; exec "$0" "$@"', process.execPath, "--input-type=module", "-e", program];
      const child = spawn("/bin/sh", args, { stdio: ["ignore", "pipe", "inherit"] });
      t.after(() => child.kill("SIGKILL"));
      assert.is(await text(child.stdout), "EMFILE ok\n");
    },
  );

  test.unless(
    noFd ?? (engine === "node" ? bunTellsNone : null),
    `${engine}: a socket of systemd's is served, and left open for others`,
    async (t) => {
      // A server of a process that has ended since: its socket goes on.
      const listener = net.createServer().listen(0, "127.0.0.1");
      await once(listener, "listening");
      const { port } = listener.address() as net.AddressInfo;
      const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
      const env = { ROOT: folder(t), ENGINE: engine, LISTEN_FDS: "1", LISTEN_FDNAMES: "files" };
      const activated = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', ...COMMAND];
      const both = [start(t, env, activated, [fd]), start(t, env, activated, [fd])] as const;
      const told = await Promise.all(both.map((one) => one.told(0)));
      await new Promise((done) => listener.close(done));
      for (const { address, left, name, again } of told) {
        assert.equal([(address as net.AddressInfo).port, left, name, again], [port, [], "files", 0]);
      }
      both[0].child.kill("SIGTERM");
      assert.equal(await both[0].exited, [0, null]);
      for (let i = 0; i < 10; i++) assert.is(await bodyOf(port, "/healthz"), "ok\n");
    },
  );
}

test.unless(noLoop ?? noFd, "the name of a Unix socket is handed over with it", async (t) => {
  const path = join(tempFolder(t), "socket");
  const { exited, told } = start(t, { ROOT: folder(t), ENGINE: "loop", SOCKET: path });
  assert.is((await told(0)).address, path);
  const asking = clients(t, 4, { socketPath: path });
  await asking.more();
  process.kill((await told(0)).pid, "SIGUSR2");
  const { address, pid } = await told(1);
  assert.is(address, path);
  assert.equal(await exited, [0, null]);
  await asking.more();
  await asking.end();
  assert.equal(asking.failed, []);
  process.kill(pid, "SIGTERM");
  await until(() => !isAlive(pid));
  const [error] = await once(net.connect(path), "error").catch((thrown) => [thrown]);
  assert.is((error as NodeJS.ErrnoException).code, "ENOENT");
});

test.unless(
  noFd === null ? "it can listen on an fd" : null,
  "a runtime that can't listen on an fd says so",
  async (t) => {
    const { server } = await serve(t, folder(t), {});
    assert.match(await server.handOver().catch(({ message }) => message), /can't listen on an fd/);
    const listens = createFileServer(".").listen({ fd: 0 } as net.ListenOptions);
    assert.match(await listens.then(String, ({ message }) => message), /can't listen on an fd/);
  },
);

test("sockets of another process are not taken, and their variables are removed", () => {
  const set = { LISTEN_FDS: "1", LISTEN_PID: String(process.ppid), LISTEN_FDNAMES: "x", SENDOFF_HANDED_OVER: "1 9" };
  Object.assign(process.env, set);
  assert.equal(listenFds(), []);
  for (const name of Object.keys(set)) assert.is(process.env[name], undefined);
  for (const [fds, pid] of [
    ["0", process.pid],
    ["-1", process.pid],
    ["x", process.pid],
    ["1e9999", process.pid],
    ["100000000", process.pid],
    ["1", ""],
  ] as const) {
    Object.assign(process.env, { LISTEN_FDS: fds, LISTEN_PID: String(pid) });
    assert.equal(listenFds(), [], `${fds} ${pid}`);
  }
});

test.run();
