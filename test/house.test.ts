// Who may import whom. The core knows no runtime, a host knows the core by its numbers and its module, the rooms of the
// host stand in one direction, and only runtimes/ knows where it runs.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import * as assert from "uvu/assert";
import { test } from "./lib/suite.js";

const ROOT = new URL("../../", import.meta.url);

interface File {
  /** From the root of the project: host/index.ts. */
  path: string;
  /** Without comments. */
  code: string;
  lines: number;
  /** Files of the project, by their paths. */
  imports: string[];
  /** Anything else: node:fs, koffi. */
  packages: string[];
}

/** import and export from, a bare import, import(), require(). A type is an import too. */
const IMPORT = /\bfrom\s*["']([^"']+)["']|\bimport\s*["']([^"']+)["']|\b(?:import|require)\s*\(\s*["']([^"']+)["']/g;

function read(folder: string, recursive = true): File[] {
  const root = new URL(`${folder}/`, ROOT);
  if (!existsSync(root)) return [];
  const names = readdirSync(root, { recursive, encoding: "utf8" });
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
          ? "host/runtimes/node/adapter.ts"
          : `${posix.join(posix.dirname(path), name).replace(/\.[jt]s$/, "")}.ts`;
      return {
        path,
        code,
        lines: source.split("\n").length - 1,
        imports: said.filter(inside).map(target),
        packages: said.filter((name) => !inside(name)),
      };
    });
}

const assembly = read("assembly");
const host = read("host");
const cli = read("cli");
const all = [...assembly, ...host, ...cli];
const tests = ["test", "test/lib"].flatMap((folder) => read(folder, false));

/** The host of this process, `#process`: whoever needs one asks for it, and gets its runtime's own. */
const HOST = "host/runtimes/node/adapter.ts";
const LOADER = "@assemblyscript/loader";

const names = (files: File[]) => files.map(({ path }) => path).sort();

/** Every import that is not allowed, as "from -> to". */
function forbidden(files: File[], allowed: (to: string, from: string) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports.filter((to) => !allowed(to, file.path)).map((to) => `${file.path} -> ${to}`),
  );
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
  assert.equal(declare.map((file) => file.path).sort(), ["assembly/env.ts", "assembly/wasi/preview1.ts"]);
  for (const [path, module] of [
    ["assembly/env.ts", "env"],
    ["assembly/wasi/preview1.ts", "wasi_snapshot_preview1"],
  ]) {
    const { code } = assembly.find((file) => file.path === path) as File;
    for (const [, name] of code.matchAll(/@external\("(\w+)"/g)) assert.is(name, module, path);
  }
  // sys.ts chooses; run.ts and serve.ts call, and so does the command, where it does a host's work.
  assert.equal(users("assembly/env.ts"), ["assembly/sys.ts"]);
  assert.equal(users("assembly/sys.ts"), ["assembly/run.ts", "assembly/serve.ts", "assembly/wasi/start.ts"]);
});

test("assembly/: what the command is made of, the core does not know", () => {
  const command = /^assembly\/(command\/|preview1\.ts|wasi\.ts)/;
  assert.equal(
    forbidden(assembly, (to, from) => !command.test(to) || command.test(from) || from === "assembly/sys.ts"),
    [],
  );
  assert.equal(users("assembly/index.ts"), []);
});

/**
 * The rooms of host/, and which of the others each may import. The files beside them (errors, core, validate, …) are
 * anybody's; `index.ts` and `common.ts`, which make a host of the rooms, are for runtimes/ alone.
 */
const ROOMS: Record<string, string[]> = {
  libc: [],
  queue: [],
  source: ["libc"],
  transfer: ["libc", "queue", "source"],
  http: ["libc", "queue", "source", "transfer"],
  exit: [],
  loop: ["libc"],
  server: ["libc", "queue", "source", "transfer", "http", "loop"],
  register: ["libc", "queue", "source", "transfer", "http", "server"],
  runtimes: ["libc", "queue", "source", "transfer", "exit", "loop"],
};

/** The room of a file of host/: null where it stands beside them. */
const roomOf = (path: string) => /^host\/([^/]+)\//.exec(path)?.[1] ?? null;

test("host/ imports itself, and of assembly/ only the numbers; each room what stands before it", () => {
  const allowed = (to: string, from: string) => {
    const [room, other] = [roomOf(from), roomOf(to)];
    if (to === "assembly/abi.ts" || to === HOST) return true;
    if (!to.startsWith("host/") || room === other) return to.startsWith("host/");
    if (other === null) return room === "runtimes" || !/^host\/(index|common)\.ts$/.test(to);
    return room === null || ROOMS[room]?.includes(other) === true;
  };
  assert.equal(forbidden(host, allowed), []);
  assert.equal([...new Set(host.map(({ path }) => roomOf(path)))].filter(Boolean).sort(), Object.keys(ROOMS).sort());
});

test("host/: only runtimes/ names a runtime", () => {
  const runtimes = /\b(Deno|Bun)\.(?!dlopen")|["']bun(:\w+)?["']|\bfrom ["'](koffi|node:ffi)["']/;
  for (const { path, code } of host) if (roomOf(path) !== "runtimes") assert.not.match(code, runtimes, path);
});

test("host/: one file instantiates the core, and one drives a transfer of it", () => {
  const boots = host.filter(({ code, packages }) => packages.includes(LOADER) || /\bWebAssembly\b/.test(code));
  assert.equal(names(boots), ["host/core.ts"]);
  const drives = host.filter(({ code }) => /\btransfer_\w/.test(code));
  assert.equal(names(drives), ["host/core.ts", "host/transfer/driver.ts"]); // the first declares what there is
});

test("cli/ imports itself, the package by its name, and of host/ what is nobody else's", () => {
  const allowed = (to: string) => to.startsWith("cli/") || (to.startsWith("host/") && !/\/index\.ts$/.test(to));
  assert.equal(forbidden(cli, allowed), []);
});

test("no file of the product is longer than 400 lines", () => {
  const long = all.filter(({ lines }) => lines > 400).map(({ path }) => path);
  assert.equal(long, []);
});

test("test/: every file has its tests from lib/suite.ts, where they are watched", () => {
  const users = tests.filter(({ code }) => /\bfrom "uvu"/.test(code));
  assert.equal(
    users.map(({ path }) => path),
    ["test/lib/suite.ts"],
  );
});

test("docs/internals/pitfalls.md: each row is in the tests that it names, and each number in a test is a row", () => {
  const page = readFileSync(new URL("docs/internals/pitfalls.md", ROOT), "utf8");
  const rows = new Map(
    [...page.matchAll(/^\| ([TES]\d+) \|.*\| ([^|]*) \|$/gm)].map(([, number = "", files = ""]) => [number, files]),
  );
  assert.ok(rows.size > 50);
  const text = (file: string) => readFileSync(new URL(`test/${file}.test.ts`, ROOT), "utf8");
  for (const [number, files] of rows) {
    for (const [, file = ""] of files.matchAll(/`([\w.]+)`/g)) {
      assert.match(text(file), new RegExp(`["\`].*\\b${number}\\b`), `${file} has no test of ${number}`);
    }
  }
  for (const { path, code } of tests) {
    for (const [, number = ""] of code.matchAll(/\b(?:row|test)\(\s*["`]([TES]\d+) /g))
      assert.ok(rows.has(number), `${path}: ${number}`);
  }
});

test("no import cycles", () => {
  assert.is(cycle(assembly), null);
  assert.is(cycle(host), null);
  assert.is(cycle(cli), null);
});

test.run();
