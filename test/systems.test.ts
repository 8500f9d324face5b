// Where the C library is looked for on each system and architecture, and what is said where none is found.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Capabilities } from "sendoff";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { load } from "../host/syscalls/libc.js";
import { type System, systemOf } from "../host/syscalls/system.js";
import { runNode } from "./lib/child.js";
import { tempFolder } from "./lib/files.js";
import { row } from "./lib/scene.js";

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

test("koffi is prebuilt for each known system and architecture", () => {
  const koffi = new URL("node_modules/koffi/package.json", ROOT);
  if (!existsSync(koffi)) return;
  const { optionalDependencies } = JSON.parse(readFileSync(koffi, "utf8"));
  for (const [platform, arch] of KNOWN) {
    assert.ok(optionalDependencies[`@koromix/koffi-${platform}-${arch}`], `${platform} ${arch}`);
  }
});

test("koffi has musl's binary where docs/systems.md says so", () => {
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
    const { capabilities } = await import(${JSON.stringify(new URL("build/host/node.js", ROOT).href)});
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
