// docs/internals/porting.md: the adapter is taken from the page, counted, checked by the compiler, whole and with
// each piece missing, and sends files for a runtime called Acme: Node, seen through a keyhole.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Adapter, createHost, type Host, type Progress, type SendfileOptions } from "sendoff/host";
import * as assert from "uvu/assert";
import { pattern, same } from "./lib/bytes.js";
import { type ConnectionOptions, collect, connect, take } from "./lib/connection.js";
import { failure } from "./lib/failure.js";
import { openFd, tempFile } from "./lib/files.js";
import { runtime } from "./lib/runtime.js";
import { type Cleanup, row, test } from "./lib/suite.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MOST_LINES = 60;

const page = fs.readFileSync(join(ROOT, "docs/internals/porting.md"), "utf8");

/** The block of the page that begins with the name of its file. */
function block(name: string): string {
  const found = page.match(new RegExp(`^\`\`\`ts\\n// ${name}\\n([^]*?)^\`\`\`$`, "m"));
  assert.ok(found, `the page has a block ${name}`);
  return found[1] as string;
}

const adapter = block("adapter.ts");

/** What can be left out, and the name that the compiler has to miss. */
const PIECES: [name: string, line: string][] = [
  ["now", "  now: () => acme.milliseconds(),\n"],
  ["defer", "  defer: (next) => acme.later(next),\n"],
  ["open", "  open: (memory, frame) => linux(openLibc(acme, memory.buffer), memory, frame),\n"],
  ["write", "      write: (bytes) => socket.write(bytes),\n"],
  ["fd", "      fd: () => socket.fd,\n"],
  ["closed", "      closed: () => !socket.open,\n"],
  ["open", "      open: () => file.size(),\n"],
  ["read", "      read: (position, length) => file.slice(position, length),\n"],
  ["fd", "      fd: () => file.fd,\n"],
  ["base", "    base,\n"],
  ["lseek", "    lseek,\n"],
  ["errno", "    errno: () => acme.errno(),\n"],
];

/** A project that has the package from npm, and only its own name for it. */
const folder = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), "sendoff-porting-"));
test.after(() => fs.rmSync(folder, { recursive: true, force: true }));

interface AcmeModule {
  adapterOf(acme: object): Adapter;
  openHost(acme: object): Host<unknown, unknown>;
}

/** The compiler's complaints; the adapter is left in `out`. */
function compile(): string {
  fs.mkdirSync(join(folder, "node_modules"));
  fs.symlinkSync(ROOT, join(folder, "node_modules/sendoff"), "dir");
  const compilerOptions = {
    ...{ target: "ES2022", module: "nodenext", strict: true, skipLibCheck: true, outDir: "out", rootDir: "." },
    ...{ types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] },
  };
  const files: Record<string, string> = {
    "package.json": '{ "type": "module" }',
    "tsconfig.json": JSON.stringify({ compilerOptions, include: ["*.ts"] }),
    "acme.ts": block("acme.ts"),
    "adapter.ts": adapter,
  };
  for (const [i, [, line]] of PIECES.entries()) {
    assert.is(adapter.split(line).length, 2, `the page has this line once: ${line}`);
    files[`without${i}.ts`] = adapter.replace(line, "");
  }
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(join(folder, name), text);
  const tsc = createRequire(import.meta.url)
    .resolve("typescript/package.json")
    .replace("package.json", "bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", ".", "--pretty", "false"], { cwd: folder });
  return `${stdout}${stderr}`;
}

const off = runtime === "node" ? null : "the adapter is compiled and run by Node";
const complaints = off === null ? compile() : "";

row(
  `the adapter has at most ${MOST_LINES} lines`,
  async () => {
    const lines = adapter.trimEnd().split("\n").length;
    assert.ok(lines <= MOST_LINES, `${lines} lines`);
  },
  off,
);

row(
  "it compiles",
  async () => {
    assert.not.match(complaints, /^(adapter|acme)\.ts/m);
    const others = complaints.split("\n").filter((line) => /error TS/.test(line) && !/^without\d+\.ts/.test(line));
    assert.equal(others, []);
  },
  off,
);

for (const [i, [name, line]] of PIECES.entries()) {
  row(
    `without ${line.trim()} it does not compile`,
    async () => {
      const found = complaints.split(/^(?=\S)/m).filter((text) => text.startsWith(`without${i}.ts`));
      assert.ok(
        found.some((text) => text.includes(`'${name}' is missing`)),
        found.join("") || "no complaint",
      );
    },
    off,
  );
}

/** Acme's connections and files, and its way into the C library, over Node's. */
class Connection {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }
  get open(): boolean {
    return !this.#socket.destroyed;
  }
  get fd(): number {
    return (this.#socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1;
  }
  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve(bytes.length)));
    });
  }
}

class Document {
  constructor(readonly fd: number) {}

  async size(): Promise<number> {
    return fs.fstatSync(this.fd).size;
  }
  async slice(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, fs.readSync(this.fd, bytes, 0, length, position));
  }
}

const acme = {
  isConnection: (value: unknown) => value instanceof Connection,
  isDocument: (value: unknown) => value instanceof Document,
  readFile: (path: URL) => fs.readFileSync(path),
  milliseconds: () => performance.now(),
  later: (next: () => void) => setImmediate(next),
};

const TYPES: Record<string, string> = { i32: "int32", i64: "int64", u32: "uint32", u64: "uint64" };

/** koffi is Acme's foreign function interface; null where it is not installed. */
function foreign(): object | null {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
    const libc = koffi.load(null);
    return {
      symbol: (name: string, result: string, ...parameters: string[]) =>
        libc.func(
          name,
          TYPES[result] as string,
          parameters.map((type) => TYPES[type] as string),
        ),
      address: (buffer: ArrayBuffer) => Number(koffi.address(buffer)),
      errno: () => koffi.errno(),
    };
  } catch {
    return null;
  }
}

const ffi = process.platform === "linux" ? foreign() : null;
const DATA = pattern(24 * 1024 * 1024 + 3);

const compiled = (): Promise<AcmeModule> => import(pathToFileURL(join(folder, "out/adapter.js")).href);

async function hostOf(lent: object): Promise<Host<unknown, unknown>> {
  return (await compiled()).openHost({ ...acme, ...lent });
}

for (const mode of ["native", "copy"] as const) {
  const skip = off ?? (ffi === null ? "no koffi to play the foreign function interface" : null);

  async function scene(t: Cleanup, options: ConnectionOptions = {}) {
    const { near, far } = await connect(t, options);
    const host = await hostOf(ffi as object);
    const fd = openFd(t, tempFile(t, DATA));
    const connection = new Connection(near);
    const send = (options: SendfileOptions = {}) => host.sendfile(connection, new Document(fd), { ...options, mode });
    return { near, far, host, send };
  }

  for (const over of ["tcp", "unix"] as const) {
    row(
      `files and ranges, one after the other, with header and trailer, ${over}, ${mode}`,
      async (t) => {
        const { near, far, send } = await scene(t, { over });
        const bytes = collect(far);
        let last: Progress | undefined;
        const first = send({ onProgress: (progress) => (last = progress) });
        const header = Buffer.from("<");
        const second = send({ offset: 4097, count: 500_001, header, trailer: Buffer.from(">") });
        assert.equal([await first, await second], [DATA.length, 500_001]);
        near.end();
        const range = DATA.subarray(4097, 504_098);
        same(await bytes, Buffer.concat([DATA, header, range, Buffer.from(">")]));
        const { native, doorbell, cold, copied } = last as Progress;
        assert.is(native + doorbell + cold + copied, DATA.length);
        assert.is(native > DATA.length / 2, mode === "native");
      },
      skip,
    );
  }

  row(
    `a slow reader, ${mode}`,
    async (t) => {
      const { near, far, send } = await scene(t);
      const sending = send();
      const parts: Buffer[] = [];
      for (let i = 0; i < 8; i++) parts.push(await take(far, 1024 * 1024));
      const rest = collect(far);
      assert.is(await sending, DATA.length);
      near.end();
      same(Buffer.concat([...parts, await rest]), DATA);
    },
    skip,
  );

  row(
    `a reader that goes, one that stands still, and an abort, ${mode}`,
    async (t) => {
      const { far, send } = await scene(t, { over: "unix" });
      const stalled = await failure(send({ timeout: 30 }));
      assert.is(stalled.code, "ERR_SENDFILE_TIMEOUT");
      assert.is((await failure(send({ signal: AbortSignal.timeout(1) }))).code, "ERR_SENDFILE_ABORTED");
      const gone = failure(send());
      far.destroy();
      assert.is((await gone).code, "ERR_SENDFILE_CLOSED");
      assert.is((await failure(send())).code, "ERR_SENDFILE_CLOSED");
    },
    skip,
  );
}

row(
  "its capabilities say how libc is called",
  async () => {
    const { native, binding, mode } = (await hostOf(ffi as object)).capabilities();
    assert.equal([native, binding, mode], [true, "acme", "auto"]);
  },
  off ?? (ffi === null ? "no koffi to play the foreign function interface" : null),
);

row(
  "with a reason in place of native calls everything is copied",
  async (t) => {
    const { adapterOf } = await compiled();
    const core = fs.readFileSync(new URL(import.meta.resolve("sendoff/core.wasm")));
    const host = createHost<unknown, unknown>(core, { ...adapterOf(acme), open: () => "Acme can't" });
    const { native, reason, binding } = host.capabilities();
    assert.equal([native, reason, binding], [false, "Acme can't", null]);
    const { near, far } = await connect(t);
    const bytes = collect(far);
    const document = new Document(openFd(t, tempFile(t, DATA)));
    assert.is(await host.sendfile(new Connection(near), document), DATA.length);
    assert.match(
      (await failure(host.sendfile(new Connection(near), document, { mode: "native" }))).message,
      /Acme can't/,
    );
    near.end();
    same(await bytes, DATA);
  },
  off,
);

test.run();
