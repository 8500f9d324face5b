// npm run build: what is in build/. The core by asc, in four builds, and its bytes as a module; host, command and tests by
// tsc, beside that. Each is built only if its sources have changed: by their content, because git changes their times.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const BUILT = "build/built.json";

/** Files below a folder, by their paths from the root, in a lasting order. */
function files(folder) {
  const entries = existsSync(join(ROOT, folder)) ? readdirSync(join(ROOT, folder), { withFileTypes: true }) : [];
  return entries
    .filter(({ name }) => name !== "node_modules")
    .flatMap((entry) => (entry.isDirectory() ? files(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
    .sort();
}

const typescript = (path) => path.endsWith(".ts");
const CORE = ["build/core.debug.wasm", "build/core.wasm", "build/core.wasi.debug.wasm", "build/core.wasi.wasm"];
const EMBEDDED = "build/host/wasm.js";
const modules = ["host", "cli", "test"].flatMap(files).filter(typescript).concat("assembly/abi.ts");
const compiled = (path) => [`build/${path.replace(/\.ts$/, ".js")}`, `build/${path.replace(/\.ts$/, ".d.ts")}`];

/** @type {{ name: string, sources: string[], outputs: string[], build(): Promise<void> }[]} */
const PARTS = [
  {
    name: "core",
    sources: [
      ...files("assembly").filter(typescript),
      ...[
        "asconfig.json",
        "asconfig.wasi.json",
        "package.json",
        "build.js",
        "node_modules/assemblyscript/package.json",
      ],
    ],
    outputs: [...CORE, EMBEDDED],
    build: core,
  },
  {
    name: "modules",
    sources: [
      ...modules,
      ...["tsconfig.json", "package.json", "build.js"],
      ...["typescript", "@types/node", "uvu"].map((name) => `node_modules/${name}/package.json`),
    ],
    outputs: modules.filter((path) => !path.endsWith(".d.ts")).flatMap(compiled),
    build: tsc,
  },
];

/** In one process, one after the other: a compiler that has warmed up takes a fraction of the time. */
async function core() {
  const { default: asc } = await import("assemblyscript/asc");
  const command = ["assembly/wasi/start.ts", "--config", "asconfig.wasi.json"];
  for (const source of [["assembly/index.ts"], command]) {
    for (const target of ["debug", "release"]) {
      const { error } = await asc.main([...source, "--target", target], {
        stdout: process.stdout,
        stderr: process.stderr,
      });
      if (error !== null) throw error;
    }
  }
  embed();
}

/** Writes build/core.wasm and the version into a module: a bundler takes a module along, and a file it does not know of it leaves behind. */
function embed() {
  const text = readFileSync(join(ROOT, "build/core.wasm"), "base64");
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  mkdirSync(join(ROOT, "build/host"), { recursive: true });
  writeFileSync(
    join(ROOT, EMBEDDED),
    `// build/core.wasm, written by build.js.

import { Buffer } from "node:buffer";

export const wasm = () => Buffer.from("${text}", "base64");
export const version = "${version}";
`,
  );
}

async function tsc() {
  const child = spawn(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], {
    stdio: "inherit",
  });
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal ?? code));
  });
  if (status !== 0) throw new Error(`tsc: ${status}`);
  // What a source that is gone was compiled to would be published, and tested.
  const wanted = new Set([EMBEDDED, ...PARTS.flatMap(({ outputs }) => outputs)]);
  for (const path of ["assembly", "host", "cli", "test"].flatMap((folder) => files(`build/${folder}`))) {
    if (!wanted.has(path)) rmSync(join(ROOT, path));
  }
}

function digest(paths) {
  const hash = createHash("sha256");
  for (const path of paths)
    hash
      .update(`${path}\0`)
      .update(existsSync(path) ? readFileSync(path) : "")
      .update("\0");
  return hash.digest("hex");
}

process.chdir(ROOT);
const built = existsSync(BUILT) ? JSON.parse(readFileSync(BUILT, "utf8")) : {};
const results = await Promise.allSettled(
  PARTS.map(async ({ name, sources, outputs, build }) => {
    const now = digest(sources); // before it is built: what changes meanwhile is built the next time
    if (built[name] === now && outputs.every((path) => existsSync(path))) return;
    await build();
    built[name] = now;
  }),
);
mkdirSync("build", { recursive: true });
writeFileSync(BUILT, `${JSON.stringify(built, null, 2)}\n`);
for (const { reason } of results) {
  if (reason === undefined) continue;
  console.error(`build.js: ${reason.message}`);
  process.exitCode = 1;
}
