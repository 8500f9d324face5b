// close(2) fails (EIO, EDQUOT) though every byte was read: nothing waits for ever, what stands behind goes on, the fd is
// closed once, and the error is told once, by the promise or else by a warning of the process.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { capabilities, type Mode } from "sendoff";
import * as assert from "uvu/assert";
import { respond } from "../host/http/respond.js";
import { serveStatic as serve } from "../host/http/static.js";
import { readerSource } from "../host/source/reader.js";
import { pattern, same } from "./lib/bytes.js";
import { runNode } from "./lib/child.js";
import { collect, connect, until } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { faultyHost } from "./lib/faulty.js";
import { tempFile, tempFolder } from "./lib/files.js";
import { lacks } from "./lib/runtime.js";
import { serving } from "./lib/serving.js";
import { type Cleanup, row, test } from "./lib/suite.js";
import { site } from "./lib/web.js";

const MIB = 1024 * 1024;
const { native } = capabilities();
const MODES: Mode[] = native ? ["native", "copy"] : ["copy"];
const replaced = lacks("live imports of node:fs");

interface Fault {
  /** How often a file of ours was closed. */
  closes: number;
  /** What the process was warned of. */
  readonly warnings: (Error & { code?: string })[];
}

/** From now on each close of this file fails: the fd is gone, and an error says that it could not be. */
function failing(t: Cleanup, path: string): Fault {
  const { closeSync } = fs;
  const fault: Fault = { closes: 0, warnings: [] };
  const onWarning = (warning: Error) => void fault.warnings.push(warning);
  const { ino } = fs.statSync(path);
  fs.closeSync = (fd) => {
    const ours = fs.fstatSync(fd).ino === ino;
    closeSync(fd);
    if (!ours) return;
    fault.closes++;
    throw Object.assign(new Error("EIO: i/o error, close"), { code: "EIO", errno: -5, syscall: "close" });
  };
  syncBuiltinESMExports();
  process.on("warning", onWarning);
  t.after(() => {
    fs.closeSync = closeSync;
    syncBuiltinESMExports();
    process.off("warning", onWarning);
  });
  return fault;
}

/** Warnings are told in a later tick. */
const later = () => new Promise((resolve) => setImmediate(resolve));

for (const mode of MODES) {
  for (const size of [0, 1, 3 * MIB]) {
    if (mode === "native" && size === 0) continue;
    row(
      `a transfer of ${size} bytes: all arrive, what stands behind it goes, and the promise says so, ${mode}`,
      async (t) => {
        const { sendfile, drain } = faultyHost();
        const bytes = pattern(size);
        const path = tempFile(t, bytes);
        const { near, far } = await connect(t);
        const fault = failing(t, path);
        const all = collect(far);
        const options = { mode, header: Buffer.from("<"), trailer: Buffer.from(">") };
        const error = failure(sendfile(near, path, options));
        const other = sendfile(near, bytes);
        near.end("B");
        const { name, code, syscall, errno, sent } = await error;
        assert.equal(
          { name, code, syscall, errno, sent },
          { name: "SendfileError", code: "EIO", syscall: "close", errno: -5, sent: size },
        );
        assert.is(await other, size);
        same(await all, Buffer.concat([Buffer.from("<"), bytes, Buffer.from(">"), bytes, Buffer.from("B")]));
        await drain({}); // nobody is taken for running
        assert.is(fault.closes, 1);
        await later();
        assert.equal(fault.warnings, []);
      },
      replaced,
    );
  }
}

row(
  "a transfer that has failed tells that, and the close is a warning; so is one that comes after the end",
  async (t) => {
    const { sendfile, drain } = faultyHost();
    const path = tempFile(t, pattern(3 * MIB));
    const fault = failing(t, path);
    const stop = new AbortController();
    const idle = new Writable({ write() {} });
    const error = failure(sendfile(idle, path, { signal: stop.signal }));
    await until(() => idle.writableLength === 0); // its turn has come, and it reads
    stop.abort();
    assert.is((await error).code, "ERR_SENDFILE_ABORTED");
    await until(() => fault.warnings.length > 0); // a read may have been under way
    await drain({});
    assert.is(fault.closes, 1);
    assert.is(fault.warnings.length, 1);
    assert.is(fault.warnings[0]?.name, "SendfileError");
    assert.is(fault.warnings[0]?.code, "EIO");
  },
  replaced,
);

row("a file of a runtime's own, whose close() or seek() throws", async (t) => {
  const bytes = pattern(100_000);
  const read = (t: "close" | "seek") =>
    readerSource({
      open: () => bytes.length,
      read: async (position, length) => bytes.subarray(position, position + length),
      fd: () => -1,
      [t]: () => {
        throw undefined;
      },
    });
  const { shared } = faultyHost();
  for (const what of ["close", "seek"] as const) {
    const { near, far } = await connect(t);
    const all = collect(far);
    const { sendfile } = await import("../host/transfer/sendfile.js");
    const error = failure(sendfile({ ...shared, source: () => read(what) }, near, null));
    near.end("B");
    const { message, sent } = await error;
    assert.is(message, "undefined was thrown");
    assert.is(sent, bytes.length);
    same(await all, Buffer.concat([bytes, Buffer.from("B")]));
  }
});

/** Asks one after the other on one connection, and gives what came. */
async function ask(port: number, requests: [path: string, headers?: Record<string, string>, method?: string][]) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const answers: { status: number | undefined; length: string | undefined; body: Buffer }[] = [];
  for (const [path, headers = {}, method = "GET"] of requests) {
    const request = http.request({ host: "127.0.0.1", port, path, headers, method, agent }).end();
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    const body = await collect(answer);
    answers.push({ status: answer.statusCode, length: answer.headers["content-length"], body });
    assert.is(request.reusedSocket, answers.length > 1);
    await new Promise((resolve) => setImmediate(resolve)); // the socket is free in a later tick
  }
  agent.destroy();
  return answers;
}

for (const size of [1000, 3 * MIB]) {
  for (const mode of MODES) {
    row(
      `a response of ${size} bytes is whole, its connection goes on, and the promise says so, ${mode}`,
      async (t) => {
        const { shared, drain } = faultyHost();
        const bytes = pattern(size);
        const path = tempFile(t, bytes);
        const fault = failing(t, path);
        const told: unknown[] = [];
        const at = await site((req, res) => {
          if (req.url === "/next") return void res.end("next");
          respond(shared, req, res, path, { mode }).catch(({ code, syscall, sent }) =>
            told.push([req.method, code, syscall, sent]),
          );
        });
        const [head, whole, next] = await ask(at.port, [["/", {}, "HEAD"], ["/"], ["/next"]]);
        assert.is(head?.length, String(size));
        same(whole?.body as Buffer, bytes);
        assert.is(next?.body.toString(), "next");
        await drain({});
        await at.close();
        assert.equal(told, [
          ["HEAD", "EIO", "close", 0],
          ["GET", "EIO", "close", size],
        ]);
        assert.is(fault.closes, 2);
        await later();
        assert.equal(fault.warnings, []);
      },
      replaced,
    );
  }
}

for (const symlinks of ["inside", "follow"] as const) {
  row(
    `static files, symlinks: '${symlinks}': all are answered on one connection, and each failure is a warning`,
    async (t) => {
      const { shared } = faultyHost();
      const root = tempFolder(t);
      const path = `${root}/a.txt`;
      fs.writeFileSync(path, "x".repeat(5000));
      const fault = failing(t, path);
      const told: unknown[] = [];
      const files = serve(shared, root, { symlinks });
      const at = await site((req, res) =>
        files(req, res, (error) => {
          told.push((error as { statusCode?: number }).statusCode);
          res.writeHead(416).end();
        }),
      );
      const answers = await ask(at.port, [
        ["/a.txt"],
        ["/a.txt", {}, "HEAD"],
        ["/a.txt"], // known by now, and opened without a thread where that can be had
        ["/a.txt", { Range: "bytes=1-3" }],
        ["/a.txt", { Range: "bytes=9000-" }],
        ["/a.txt", { "If-Modified-Since": "Tue, 01 Jan 2999 00:00:00 GMT" }],
        ["/a.txt"],
      ]);
      await at.close();
      assert.equal(
        answers.map(({ status, body }) => [status, body.length]),
        [
          [200, 5000],
          [200, 0],
          [200, 5000],
          [206, 3],
          [416, 0],
          [304, 0],
          [200, 5000],
        ],
      );
      assert.equal(told, [416]);
      await later();
      assert.is(fault.warnings.length, fault.closes);
      // Those of bodies; what closes behind the program's back has fs.closeSync as it was, and is traced below.
      assert.ok(fault.closes >= 4 || (symlinks === "follow" && !native), `${fault.closes} closes`);
      for (const { code } of fault.warnings) assert.is(code, "EIO");
    },
    replaced,
  );
}

row(
  "a file of /proc, which is read before it is sent",
  async (t) => {
    const { shared } = faultyHost();
    const fault = failing(t, "/proc/self/status");
    const at = await site((req, res) => void respond(shared, req, res, "/proc/self/status"));
    const [answer] = await ask(at.port, [["/"]]);
    assert.match(answer?.body.toString(), /^Name:/);
    await at.close();
    await later();
    assert.is(fault.warnings.length, 1);
  },
  replaced ?? (fs.existsSync("/proc/self/status") ? null : "no /proc here"),
);

// The kernel's own failure, in a process of its own.

const tracer = (path: string) =>
  `strace -D -f -qq -o /dev/null -P ${path} -e trace=close -e inject=close:error=EIO`.split(" ");
const traced = spawnSync("strace", [...tracer("/dev/null").slice(1), process.execPath, "-e", "console.log('traced')"], {
  encoding: "utf8",
});
const noTracer = traced.stdout === "traced\n" ? null : "no strace on this machine, or it may trace nobody";
const untold = lacks("what close(2) fails with") ?? noTracer;

row(
  "strace: sendfile() and a pipe under register tell it as pipeline() does, and the socket goes on",
  async (t) => {
    const path = tempFile(t, pattern(3 * MIB));
    const program = fileURLToPath(new URL("../../test/fixtures/close.mjs", import.meta.url));
    const [words = "", ...flags] = [...tracer(path), process.execPath];
    const wanted = [`EIO close ${3 * MIB}: ${3 * MIB + 1}`, `EIO close undefined: ${3 * MIB + 1}`, ""].join("\n");
    for (const register of [[], ["--import", "sendoff/register"]]) {
      const { stdout, stderr } = await runNode([program, path], { node: words, flags: [...flags, ...register] });
      assert.is(stdout, wanted, stderr);
    }
  },
  untold,
);

row(
  "strace: `sendoff serve` lives",
  async (t) => {
    const root = tempFolder(t);
    fs.writeFileSync(`${root}/a.txt`, "hello");
    const server = await serving([root], {}, (usual) => [...tracer(`${root}/a.txt`), ...usual]);
    t.after(() => server.child.kill("SIGKILL"));
    const answers = await ask(server.port, [
      ["/a.txt", {}, "HEAD"],
      ["/a.txt"],
      ["/a.txt", { "If-None-Match": "*" }],
      ["/a.txt"],
    ]);
    assert.equal(
      answers.map(({ status, body }) => `${status} ${body}`),
      ["200 ", "200 hello", "304 ", "200 hello"],
    );
    const { signal } = await server.stop();
    assert.is(signal, "SIGTERM");
  },
  noTracer,
);

test.run();
