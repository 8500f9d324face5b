// Where the C library is looked for on each system and architecture, and what is said where none is found.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Capabilities } from "sendoff";
import * as assert from "uvu/assert";
import { bind, wanted } from "../host/libc/bind.js";
import { load } from "../host/libc/libc.js";
import { type System, systemOf } from "../host/libc/system.js";
import { runNode } from "./lib/child.js";
import { tempFolder } from "./lib/files.js";
import { row, test } from "./lib/suite.js";

const ROOT = new URL("../../", import.meta.url);

const KNOWN = [
  ["linux", "x64"],
  ["linux", "arm64"],
  ["linux", "riscv64"],
  ["linux", "loong64"],
  ["darwin", "x64"],
  ["darwin", "arm64"],
  ["freebsd", "x64"],
  ["freebsd", "arm64"],
] as const;

const UNKNOWN = [
  ["linux", "mips64el"],
  ["linux", "mipsel"],
  ["linux", "arm"],
  ["linux", "ia32"],
  ["linux", "ppc64"],
  ["linux", "s390x"],
  ["linux", "sparc64"],
  ["darwin", "ia32"],
  ["freebsd", "ia32"],
] as const;

test("each known system has its library's names", () => {
  const libraries = KNOWN.map(([platform, arch]) => (systemOf(platform, arch) as System).libraries);
  assert.equal(libraries, [
    [null, "libc.so.6", "libc.musl-x86_64.so.1"],
    [null, "libc.so.6", "libc.musl-aarch64.so.1"],
    [null, "libc.so.6", "libc.musl-riscv64.so.1"],
    [null, "libc.so.6", "libc.musl-loongarch64.so.1"],
    [null, "/usr/lib/libSystem.B.dylib"],
    [null, "/usr/lib/libSystem.B.dylib"],
    [null, "libc.so.7"],
    [null, "libc.so.7"],
  ]);
});

test("others have a reason in place of it", () => {
  for (const [platform, arch] of UNKNOWN) {
    assert.is(systemOf(platform, arch), `no native sendfile on ${platform} ${arch}`);
  }
  for (const platform of ["win32", "aix", "sunos", "openbsd", "android"]) {
    assert.is(systemOf(platform, "x64"), `no native sendfile on ${platform}`);
  }
});

test("the libraries are tried in their order, until one has what is looked for", () => {
  const tried: (string | null)[] = [];
  const found = load([null, "a", "b", "c"], (library) => {
    tried.push(library);
    if (library !== "b") throw new Error(`${library} is not there\nand more`);
    return "opened";
  });
  assert.is(found, "opened");
  assert.equal(tried, [null, "a", "b"]);
});

test("where none has, every reason is said", () => {
  assert.throws(
    () =>
      load([null, "libc.so.6"], (library) => {
        throw library === null ? new Error("static\nsecond line") : "no such file";
      }),
    (error: Error) => error.message === "no C library: the process itself (static), libc.so.6 (no such file)",
  );
});

const POSIX = ["send", "lseek", "getsockopt", "setsockopt"];

/** By binding and system. */
const LOOP = [
  "accept4",
  "close",
  "epoll_create1",
  "epoll_ctl",
  "epoll_wait",
  "eventfd",
  "eventfd_read",
  "eventfd_write",
  "fcntl",
  "pread",
  "recv",
  "shutdown",
  "statx",
];
const WANTED = [
  ["koffi", "linux", ["sendfile", "preadv2", ...POSIX, "syscall", ...LOOP]],
  ["node:ffi", "linux", ["sendfile", "preadv2", ...POSIX, "syscall", ...LOOP]],
  ["bun:ffi", "linux", ["sendfile", "preadv2", ...POSIX, "syscall", ...LOOP]],
  ["Deno.dlopen", "linux", ["sendfile", "preadv2", ...POSIX, "syscall", ...LOOP, "getsockname", "getpeername"]],
  ["koffi", "darwin", ["sendfile", ...POSIX]],
  ["node:ffi", "freebsd", ["sendfile", ...POSIX]],
] as const;

test("each binding looks for these functions and no others, and docs/guide/security.md has them", () => {
  const page = readFileSync(new URL("docs/guide/security.md", ROOT), "utf8");
  for (const [binding, system, symbols] of WANTED) {
    const found = wanted(binding, system).map(({ symbol }) => symbol);
    assert.equal(found.sort(), [...symbols].sort(), `${binding} on ${system}`);
    for (const symbol of found) assert.match(page, new RegExp(`^\\| .*\`${symbol}\`.* \\|`, "m"));
  }
});

test("a binding hands over addresses, NULL and numbers of 64 bits as its own; what the library has not answers -1", () => {
  const given: [string, unknown[]][] = [];
  const functions = bind(
    {
      name: "koffi",
      find(symbol) {
        if (symbol === "preadv2") throw new Error("not found");
        if (symbol === "send") return null;
        return (...args) => {
          given.push([symbol, args]);
          return 7n;
        };
      },
      at: (offset) => (offset === null ? 0n : 0x10000n + BigInt(offset)),
      wide: (value) => BigInt(value),
      missing: () => -1,
    },
    "linux",
  );
  assert.is(functions.sendfile(3, 4, 16, 100), 7);
  assert.is(functions.sendfile(3, 4, null, 100), 7);
  assert.is(functions.lseek(5, 2 ** 40, 0), 7);
  assert.is(functions.openat2(-100, 32, 64, 24), 7);
  assert.equal(given, [
    ["sendfile", [3, 4, 0x10010n, 100n]],
    ["sendfile", [3, 4, 0n, 100n]],
    ["lseek", [5, 2n ** 40n, 0]],
    ["syscall", [437n, -100, 0x10020n, 0x10040n, 24n]],
  ]);
  assert.is(functions.preadv2(3, 16, 1, 0, 8), -1);
  assert.is(functions.send(3, 16, 1, 0), -1);
  assert.is(functions.sendfileDarwin, undefined);
});

/** musl's dynamic linker on this machine, where there is one: it knows its own library by both names. */
const musl = existsSync(
  `/lib/ld-musl-${(systemOf(process.platform, process.arch) as System).libraries?.[2]?.slice(10, -5)}.so.1`,
)
  ? spawnSync("musl-gcc", ["--version"]).error
    ? "there is no musl-gcc"
    : null
  : "there is no musl";

row(
  "musl's linker finds its library by each of the names, with sendfile in it",
  async (t) => {
    const folder = tempFolder(t);
    const names = (systemOf("linux", process.arch) as System).libraries.map((name) =>
      name === null ? "0" : `"${name}"`,
    );
    const source = `#include <dlfcn.h>
      int main(void) {
        const char *names[] = {${names}};
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
          void *library = dlopen(names[i], RTLD_NOW);
          if (!library || !dlsym(library, "sendfile") || !dlsym(library, "__errno_location")) return i + 1;
        }
        return 0;
      }`;
    writeFileSync(join(folder, "names.c"), source);
    const compiled = spawnSync("musl-gcc", ["-o", join(folder, "names"), join(folder, "names.c")], {
      encoding: "utf8",
    });
    assert.is(compiled.status, 0, compiled.stderr);
    const { status } = spawnSync(join(folder, "names"));
    assert.is(status, 0, `candidate ${status}`);
  },
  musl,
);

const koffi = new URL("node_modules/koffi/package.json", ROOT);
const unfound = existsSync(koffi) ? null : "koffi is not installed";
test.unless(unfound, "koffi is prebuilt for each known system and architecture", () => {
  const { optionalDependencies } = JSON.parse(readFileSync(koffi, "utf8"));
  for (const [platform, arch] of KNOWN) {
    assert.ok(optionalDependencies[`@koromix/koffi-${platform}-${arch}`], `${platform} ${arch}`);
  }
});

test("koffi has musl's binary where docs/guide/systems.md says so", () => {
  const installed = new URL(`node_modules/@koromix/koffi-linux-${process.arch}/`, ROOT);
  if (!existsSync(installed)) return;
  const folders = readdirSync(installed).filter((name) => existsSync(new URL(`${name}/koffi.node`, installed)));
  const musl = ["x64", "arm64"].includes(process.arch);
  assert.is(folders.filter((name) => name.startsWith("linux_")).length, 1, folders.join());
  assert.is(folders.filter((name) => name.startsWith("musl_")).length, musl ? 1 : 0, folders.join());
});

/** What a process says that believes to be elsewhere. */
async function elsewhere(platform: string, arch: string): Promise<Capabilities> {
  const lines = `
    Object.defineProperty(process, "platform", { value: ${JSON.stringify(platform)} });
    Object.defineProperty(process, "arch", { value: ${JSON.stringify(arch)} });
    const { capabilities } = await import(${JSON.stringify(new URL("build/host/runtimes/node/index.js", ROOT).href)});
    console.log(JSON.stringify(capabilities()));`;
  const { stdout, stderr } = await runNode(["--input-type=module", "-e", lines]);
  assert.ok(stdout !== "", stderr);
  return JSON.parse(stdout) as Capabilities;
}

row("a process of an unknown architecture copies, and says so", async () => {
  const found = await elsewhere("linux", "mips64el");
  assert.is(found.native, false);
  assert.is(found.reason, "no native sendfile on linux mips64el");
  assert.is((await elsewhere("sunos", "x64")).reason, "no native sendfile on sunos");
});

test.run();
