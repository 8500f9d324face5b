// What only Deno has: its connections and files natively, and its permissions. The rows that every runtime
// has are run over a Deno.Conn by conformance.test.ts.

import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { capabilities, type File, type Progress, type SendfileOptions, sendfile } from "sendoff";
import * as assert from "uvu/assert";
import { host } from "#process";
import { pattern, same } from "./lib/bytes.js";
import { type Outcome, runNode } from "./lib/child.js";
import { type ConnectionOptions, collect, connect as connectBy, still, take } from "./lib/connection.js";
import { outOf } from "./lib/deno-connection.js";
import { failure } from "./lib/failure.js";
import { fdCount, tempFile, tempFolder } from "./lib/files.js";
import { runtime } from "./lib/runtime.js";
import { Cleanup, row as declare, test } from "./lib/suite.js";

const elsewhere = runtime === "deno" ? null : "for Deno";
const row = (name: string, body: (t: Cleanup) => Promise<void>) => declare(name, body, elsewhere);

interface FsFile {
  seekSync(offset: number, whence: number): number;
  close(): void;
}
const { Deno } = globalThis as unknown as { Deno: { openSync(path: string): FsFile } };

const MIB = 1 << 20;
const DATA = pattern(3 * MIB + 12_345);

async function connect(t: Cleanup, options: ConnectionOptions = {}) {
  const { near, far } = await connectBy(t, { ...options, kind: "Deno.Conn" });
  return { near, far, conn: outOf(near) };
}

function openFile(t: Cleanup, path: string): FsFile & File {
  const file = Deno.openSync(path);
  t.after(() => {
    try {
      file.close();
    } catch {} // the test closed it
  });
  return file as FsFile & File;
}

row("native calls are there", async () => {
  assert.is(capabilities().binding, "Deno.dlopen");
  assert.match(capabilities().libc as string, /^(glibc \d|musl)/);
  assert.is(host().shared.auto, process.env.SENDOFF_MODE || "auto");
});

for (const over of ["tcp", "tcp6"] as const) {
  for (const side of ["server", "client"] as const) {
    row(`a Deno.Conn goes natively: ${over}, ${side}`, async (t) => {
      const { near, far, conn } = await connect(t, { over, side });
      const bytes = collect(far);
      let last: Progress | undefined;
      const options: SendfileOptions = { mode: "native", onProgress: (progress) => (last = progress) };
      assert.is(await sendfile(conn, tempFile(t, DATA), options), DATA.length);
      near.end();
      same(await bytes, DATA);
      const { native = 0, doorbell = 0, copied } = last ?? {};
      assert.is(native + doorbell, DATA.length);
      assert.ok(native > doorbell);
      assert.is(copied, 0);
    });
  }
}

for (const over of ["unix", "tls"] as const) {
  row(`a Deno.Conn over ${over} is copied to`, async (t) => {
    const { conn, far } = await connect(t, { over });
    const bytes = take(far, DATA.length + 2);
    let last: Progress | undefined;
    const [header, trailer] = [Buffer.from("<"), Buffer.from(">")];
    const options: SendfileOptions = { header, trailer, onProgress: (progress) => (last = progress) };
    assert.is(await sendfile(conn, tempFile(t, DATA), options), DATA.length);
    same(await bytes, Buffer.concat([header, DATA, trailer]));
    assert.is(last?.native, 0);
    const error = await failure(sendfile(conn, tempFile(t, DATA), { mode: "native" }));
    assert.is(error.code, "ERR_SENDFILE_NOT_AVAILABLE");
  });
}

for (const mode of ["native", "copy"] as const) {
  row(`writes before, and two transfers at once, keep their order, ${mode}`, async (t) => {
    const { near, far, conn } = await connect(t);
    const bytes = collect(far);
    const before = pattern(5 * MIB, 2);
    near.write(before);
    await Promise.resolve(); // its first part has begun
    const path = tempFile(t, DATA);
    const all = [
      sendfile(conn, path, { mode, header: Buffer.from("1") }),
      sendfile(conn, path, { mode, offset: 5, count: 7, trailer: Buffer.from("2") }),
      sendfile(conn, path, { mode }),
    ];
    // That part is out before; the rest of it is a later write.
    assert.equal(await Promise.all(all), [DATA.length, 7, DATA.length]);
    near.end();
    const got = await bytes;
    const parts = [Buffer.from("1"), DATA, DATA.subarray(5, 12), Buffer.from("2"), DATA];
    assert.is(got.length, before.length + parts.reduce((sum, { length }) => sum + length, 0));
    same(got.subarray(0, 1000), before.subarray(0, 1000));
  });

  row(`a stalled transfer: timeout, abort, and the connection goes on, ${mode}`, async (t) => {
    const { near, far, conn } = await connect(t);
    const path = tempFile(t, DATA);
    fs.truncateSync(path, 64 * MIB);
    const late = await failure(sendfile(conn, path, { mode, timeout: 50 }));
    assert.is(late.code, "ERR_SENDFILE_TIMEOUT");
    const controller = new AbortController();
    const sending = failure(sendfile(conn, path, { mode, signal: controller.signal }));
    await still(() => near.bytesWritten);
    controller.abort();
    assert.is((await sending).code, "ERR_SENDFILE_ABORTED");
    const bytes = collect(far);
    assert.is(await sendfile(conn, path, { mode, count: 1000 }), 1000);
    near.end();
    assert.ok((await bytes).length >= late.sent + 1000);
  });

  row(`close() of ours ends a transfer in its doorbell, and those behind it, ${mode}`, async (t) => {
    const { near, conn } = await connect(t);
    const path = tempFile(t, DATA);
    fs.truncateSync(path, 64 * MIB);
    const sendings = [1, 2, 3].map(() => failure(sendfile(conn, path, { mode })));
    await still(() => near.bytesWritten);
    near.destroy();
    for (const { code } of await Promise.all(sendings)) assert.is(code, "ERR_SENDFILE_CLOSED");
    assert.is((await failure(sendfile(conn, path, { mode }))).code, "ERR_SENDFILE_CLOSED");
  });

  row(`a Deno.FsFile: its position is left behind the last byte, ${mode}`, async (t) => {
    const { near, far, conn } = await connect(t);
    const file = openFile(t, tempFile(t, DATA));
    const bytes = collect(far);
    file.seekSync(77, 0);
    assert.is(await sendfile(conn, file, { mode, offset: 1000, count: 2 * MIB }), 2 * MIB);
    assert.is(file.seekSync(0, 1), 1000 + 2 * MIB);
    assert.is(await sendfile(conn, file, { mode }), DATA.length);
    assert.is(file.seekSync(0, 1), DATA.length);
    near.end();
    same(await bytes, Buffer.concat([DATA.subarray(1000, 1000 + 2 * MIB), DATA]));
  });

  row(`a Deno.FsFile that is closed in the middle: nothing of a stranger's is sent, ${mode}`, async (t) => {
    const { near, far, conn } = await connect(t);
    const path = tempFile(t, DATA);
    fs.truncateSync(path, 64 * MIB);
    const file = openFile(t, path);
    const sending = failure(sendfile(conn, file, { mode }));
    await still(() => near.bytesWritten);
    file.close();
    const secret = tempFile(t, Buffer.alloc(64 * MIB, "S"));
    const strangers = [1, 2, 3].map(() => openFile(t, secret));
    const bytes = collect(far);
    const { sent } = await sending;
    near.end();
    const got = await bytes;
    assert.is(got.includes("SSSSSSSS"), false);
    assert.ok(sent <= got.length);
    assert.is(strangers.length, 3);
  });
}

row("a file that is no regular one, and the end of one that is open, as by path", async (t) => {
  const { near, far, conn } = await connect(t);
  const bytes = collect(far);
  const wanted = fs.readFileSync("/proc/version");
  assert.is(await sendfile(conn, openFile(t, "/proc/version")), wanted.length);
  assert.is((await failure(sendfile(conn, openFile(t, "/proc")))).code, "EISDIR");
  near.end();
  same(await bytes, wanted);
});

row("the number of a closed connection is another's: not a byte goes there", async (t) => {
  const path = tempFile(t, DATA);
  for (let i = 0; i < 10; i++) {
    const closed = await connect(t);
    closed.near.destroy();
    const strangers = await Promise.all([1, 2, 3].map(() => connect(t)));
    assert.is((await failure(sendfile(closed.conn, path))).code, "ERR_SENDFILE_CLOSED");
    for (const { near, far } of strangers) {
      const bytes = collect(far);
      near.end();
      same(await bytes, Buffer.alloc(0));
    }
  }
});

row("no fd stays open: paths, connections of both kinds, aborts", async (t) => {
  const path = tempFile(t, DATA);
  for (let i = 0; i < 30; i++) {
    const line = new Cleanup();
    const { near, far } = await connectBy(line, { kind: i % 2 === 0 ? "Deno.Conn" : "node:net" });
    const controller = new AbortController();
    const sending = sendfile(outOf(near), path, { signal: controller.signal }).catch(() => {});
    if (i % 3 === 0) controller.abort();
    else await take(far, 1000);
    controller.abort();
    await sending;
    await line.end();
  }
  assert.is(fdCount(path), 0);
});

// Permissions, in a process of its own. Nobody is there to answer a prompt.

const program = fileURLToPath(new URL("../../test/fixtures/deno.mjs", import.meta.url));
const READ = "--allow-read";

function run(t: Cleanup, flags: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const path = tempFile(t, pattern(1_000_000));
  return runNode([program, path], { flags: ["run", "--no-lock", "--allow-net", ...flags], env });
}

row("without --allow-ffi everything is copied, and nobody is asked or warned", async (t) => {
  const { code, stdout, stderr } = await run(t, [READ]);
  assert.is(stderr, "");
  assert.is(code, 0);
  assert.equal(JSON.parse(stdout), {
    native: false,
    reason: "Deno.dlopen: no permission (--allow-ffi)",
    mode: "ERR_SENDFILE_NOT_AVAILABLE",
    position: 1_000_000,
    got: 2_000_000,
    http: 1_000_000,
  });
});

row("with --allow-ffi it is native, with as little else", async (t) => {
  const { code, stdout, stderr } = await run(t, [READ, "--allow-ffi"]);
  assert.is(stderr, "");
  assert.is(code, 0);
  const { native, reason, mode, got } = JSON.parse(stdout);
  assert.equal([native, reason, mode, got], [true, null, 1_000_000, 3_000_000]);
});

row("SENDOFF_FFI and SENDOFF_MODE are read where that was granted", async (t) => {
  const reason = async (flags: string[], env: NodeJS.ProcessEnv) => {
    const { stdout, stderr } = await run(t, [READ, "--allow-ffi", ...flags], env);
    assert.is(stderr, "");
    return JSON.parse(stdout).reason;
  };
  assert.is(await reason(["--allow-env"], { SENDOFF_FFI: "none" }), "SENDOFF_FFI=none");
  assert.is(await reason(["--allow-env=SENDOFF_MODE"], { SENDOFF_MODE: "copy" }), "SENDOFF_MODE=copy");
  assert.is(await reason([], { SENDOFF_FFI: "none", SENDOFF_MODE: "copy" }), null);
});

row("what may not be read is a SendfileError with a reason", async (t) => {
  const here = fileURLToPath(new URL("../../", import.meta.url));
  const { code, stderr } = await run(t, [`--allow-read=${here}`]);
  assert.is(code, 1);
  assert.match(stderr, /SendfileError|Requires read access to/);
});

row("without --allow-read bytes are sent, and exit functions run", async () => {
  const unread = fileURLToPath(new URL("../../test/fixtures/unread.mjs", import.meta.url));
  const { code, stdout, stderr } = await runNode([unread], { flags: ["run", "--no-lock", "--allow-net"] });
  assert.is(stderr, "");
  assert.is(code, 0);
  assert.is(stdout, "sent 5\ngot hello\nexit 0\n");
});

// A project of somebody's, with the package in its node_modules as npm puts it there.

const RIGHT = `import { type Capabilities, onExit, type SendfileError, type SendfileOptions, sendfile } from "sendoff";
import type { respond } from "sendoff/http";

const options: SendfileOptions = { offset: 1, mode: "native" };
const conn: Deno.Conn = await Deno.connect({ port: 1 });
const unix: Deno.UnixConn = await Deno.connect({ transport: "unix", path: "/tmp/socket" });
const file: Deno.FsFile = await Deno.open("file");
const sent: number = await sendfile(conn, file, options);
await sendfile(await Deno.connectTls({ port: 1 }), "file");
await sendfile(unix, new URL("file:///file"));
onExit(() => {}, { timeout: 1 });
export type Both = [Capabilities, SendfileError, typeof respond];
export { sent };
`;

const WRONG = `import { sendfile } from "sendoff";
export const first = await sendfile(await Deno.connect({ port: 1 }), "file", { offset: "1" });
export const second = await sendfile(Deno.listen({ port: 1 }), "file");
`;

row("installed, it is found by the condition deno, and its types hold under deno check", async (t) => {
  const folder = tempFolder(t);
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const installed = join(folder, "node_modules/sendoff");
  for (const part of ["package.json", "build/host", "build/assembly", "build/core.wasm"]) {
    fs.cpSync(join(root, part), join(installed, part), { recursive: true });
  }
  fs.symlinkSync(join(root, "node_modules/@assemblyscript"), join(folder, "node_modules/@assemblyscript"));
  fs.writeFileSync(join(folder, "package.json"), '{ "type": "module", "dependencies": { "sendoff": "*" } }');
  const deno = (text: string, ...flags: string[]) => {
    fs.writeFileSync(join(folder, "program.ts"), text);
    return runNode(["program.ts"], { cwd: folder, flags: [...flags, "--no-lock"] });
  };
  const right = await deno(RIGHT, "check");
  assert.is(right.code, 0, right.stderr);
  const wrong = await deno(WRONG, "check");
  assert.is(wrong.code, 1);
  assert.match(wrong.stderr, /Found 2 errors/);
  const found = await deno(
    'import { capabilities } from "sendoff"; import "sendoff/http"; console.log(capabilities().binding);',
    "run",
    "-A",
  );
  assert.is(found.stderr, "");
  assert.is(found.stdout, "Deno.dlopen\n");
});

row("the command works", async (t) => {
  const command = fileURLToPath(new URL("../cli/sendoff.js", import.meta.url));
  const { code, stdout, stderr } = await runNode([command, "info", "--json"], { flags: ["run", "-A", "--no-lock"] });
  assert.is(stderr, "");
  assert.is(code, 0);
  assert.is(JSON.parse(stdout).binding, "Deno.dlopen");
  const sent = await runNode([command, "send", tempFile(t, DATA)], { flags: ["run", "-A", "--no-lock"] });
  assert.is(sent.code, 0, sent.stderr);
});

test.run();
