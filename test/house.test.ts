// Who may import whom. The core knows no runtime, a host knows the core by its numbers and its
// module, and only the front doors know where they run.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ROOT = new URL("../../", import.meta.url);

interface File {
  /** From the root of the project: host/index.ts. */
  path: string;
  /** Without comments. */
  code: string;
  /** Files of the project, by their paths. */
  imports: string[];
  /** Anything else: node:fs, koffi. */
  packages: string[];
}

/** import and export from, a bare import, import(), require(). A type is an import too. */
const IMPORT = /\bfrom\s*["']([^"']+)["']|\bimport\s*["']([^"']+)["']|\b(?:import|require)\s*\(\s*["']([^"']+)["']/g;

function read(folder: string): File[] {
  const root = new URL(`${folder}/`, ROOT);
  if (!existsSync(root)) return [];
  const names = readdirSync(root, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".ts"))
    .map((name) => {
      const source = readFileSync(new URL(name, root), "utf8");
      const path = posix.join(folder, name.replaceAll("\\", "/")).replace(/\.d\.ts$/, ".ts");
      const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$|\s\/\/ .*$/gm, "");
      const said = [...code.matchAll(IMPORT)].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
      const inside = (name: string) => name.startsWith(".") || name === "#process";
      const target = (name: string) =>
        name === "#process"
          ? "host/process/node.ts"
          : `${posix.join(posix.dirname(path), name).replace(/\.[jt]s$/, "")}.ts`;
      return {
        path,
        code,
        imports: said.filter(inside).map(target),
        packages: said.filter((name) => !inside(name)),
      };
    });
}

const assembly = read("assembly");
const host = read("host");
const cli = read("cli");
const all = [...assembly, ...host, ...cli];

/** Runtimes by the names of their front doors; and what binds libc. */
const DOORS = /^host\/(node|deno|bun)\.ts$/;
/** The host of a process, which the front doors share: `#process`, by the runtime's condition. */
const PROCESS = /^host\/process\/(node|deno|bun)\.ts$/;
const BINDINGS = /^host\/syscalls\/(index|koffi|node-ffi|bun|bun-ffi|deno)\.ts$/;

/** Every import that is not allowed, as "from -> to". */
function forbidden(files: File[], allowed: (to: string, from: string) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports.filter((to) => !allowed(to, file.path)).map((to) => `${file.path} -> ${to}`),
  );
}

/** The files that `paths` reach. */
function reach(paths: string[]): Set<string> {
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    all.find((file) => file.path === path)?.imports.forEach(visit);
  };
  paths.forEach(visit);
  return seen;
}

/** The first cycle found, as "a -> b -> a"; null where there is none. */
function cycle(files: File[]): string | null {
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): string | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path].join(" -> ");
    if (done.has(path)) return null;
    const imports = files.find((file) => file.path === path)?.imports ?? [];
    for (const to of imports) {
      const found = visit(to, [...trail, path]);
      if (found !== null) return found;
    }
    done.add(path);
    return null;
  };
  for (const { path } of files) {
    const found = visit(path, []);
    if (found !== null) return found;
  }
  return null;
}

test("the imports are seen", () => {
  const of = (path: string) => all.find((file) => file.path === path);
  assert.ok(of("assembly/index.ts")?.imports.includes("assembly/transfer.ts"));
  assert.ok(of("host/core.ts")?.imports.includes("assembly/abi.ts"));
  assert.ok(of("host/core.ts")?.packages.includes("@assemblyscript/loader"));
  const paths = new Set(all.map((file) => file.path));
  assert.equal(
    forbidden(all, (to) => paths.has(to)),
    [],
    "every import is of a file that was read",
  );
});

test("assembly/ imports nothing but itself", () => {
  assert.equal(
    forbidden(assembly, (to) => to.startsWith("assembly/")),
    [],
  );
  for (const { path, packages } of assembly) assert.equal(packages, [], path);
});

/** Who imports a file, in assembly/. */
const users = (path: string) =>
  assembly
    .filter((file) => file.imports.includes(path))
    .map((file) => file.path)
    .sort();

test("assembly/: one file for each module declares imports, and one makes the core's system calls", () => {
  const declare = assembly.filter((file) => file.code.includes("@external"));
  assert.equal(declare.map((file) => file.path).sort(), ["assembly/env.ts", "assembly/preview1.ts"]);
  for (const [path, module] of [
    ["assembly/env.ts", "env"],
    ["assembly/preview1.ts", "wasi_snapshot_preview1"],
  ]) {
    const { code } = assembly.find((file) => file.path === path) as File;
    for (const [, name] of code.matchAll(/@external\("(\w+)"/g)) assert.is(name, module, path);
  }
  // sys.ts chooses; run.ts calls, and so does the command, where it does a host's work.
  assert.equal(users("assembly/env.ts"), ["assembly/sys.ts"]);
  assert.equal(users("assembly/sys.ts"), ["assembly/command/start.ts", "assembly/run.ts"]);
});

test("assembly/: what the command is made of, the core does not know", () => {
  const command = /^assembly\/(command\/|preview1\.ts|wasi\.ts)/;
  assert.equal(
    forbidden(assembly, (to, from) => !command.test(to) || command.test(from) || from === "assembly/sys.ts"),
    [],
  );
  assert.equal(users("assembly/index.ts"), []);
});

test("host/ imports itself, and of assembly/ only the numbers", () => {
  assert.equal(
    forbidden(host, (to) => to.startsWith("host/") || to === "assembly/abi.ts"),
    [],
  );
});

test("host/: one file instantiates the core", () => {
  for (const { path, code, packages } of host) {
    const boots = packages.includes("@assemblyscript/loader") || /\bWebAssembly\b/.test(code);
    assert.is(boots, path === "host/core.ts", path);
  }
});

test("host/: one file drives a transfer of the core", () => {
  const drive = host.filter(({ code }) => /\btransfer_\w/.test(code)).map(({ path }) => path);
  assert.equal(drive.sort(), ["host/core.ts", "host/transfer/driver.ts"]); // the first declares what there is
});

test("host/: nothing behind a front door imports it", () => {
  assert.equal(
    forbidden(host, (to) => !DOORS.test(to)),
    [],
  );
});

test("host/: only the host of a process chooses a binding of libc", () => {
  assert.equal(
    forbidden(host, (to, from) => !BINDINGS.test(to) || PROCESS.test(from) || from === "host/syscalls/index.ts"),
    [],
  );
});

test("host/index.ts and host/sendfile.ts name no runtime, nor does what they import", () => {
  const reached = reach(["host/index.ts", "host/sendfile.ts"]);
  assert.equal(
    [...reached].filter((path) => DOORS.test(path) || BINDINGS.test(path)),
    [],
  );
  const runtimes = /\bDeno\b|\bBun\b|["']bun(:\w+)?["']|["']koffi["']|["']node:ffi["']|\bprocess\.(env|versions)\b/;
  for (const path of [
    "host/index.ts",
    "host/sendfile.ts",
    "host/transfer/transfer.ts",
    "host/turns.ts",
    "host/core.ts",
  ]) {
    const file = host.find((file) => file.path === path) as File;
    assert.not.match(file.code, runtimes, path);
  }
});

test("cli/ imports itself and host/", () => {
  assert.equal(
    forbidden(cli, (to) => to.startsWith("cli/") || to.startsWith("host/")),
    [],
  );
});

test("no import cycles", () => {
  assert.is(cycle(assembly), null);
  assert.is(cycle(host), null);
  assert.is(cycle(cli), null);
});

test.run();
