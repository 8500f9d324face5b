// Runtimes for another architecture, by qemu-user, and for another C library: what they need of the system, beside npm's
// packages, and what is compiled for them.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What it prints; null if it can't be run. */
function run(command, ...args) {
  const { status, stdout } = spawnSync(command, args, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? stdout : null;
}

/** Compiles a library. Throws where that fails: what it needs is there. */
function compile(cc, source, library, ...options) {
  const { status, stderr } = spawnSync(cc, ["-shared", "-fPIC", "-O2", "-o", library, source, ...options], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
}

const here = process.platform === "linux" && process.arch === "x64" ? null : "only on Linux, x64";

/** Each: why it can't run here, or null; and what is to be done before. */
export const arm64 = {
  lacks() {
    if (here !== null) return here;
    const [, version = null] = /version (\d+)/.exec(run("qemu-aarch64", "--version") ?? "") ?? [];
    if (version === null) return "there is no qemu-aarch64";
    if (Number(version) < 10) return `qemu-aarch64 ${version} has no openat2(2), as 10 has`;
    if (run("aarch64-linux-gnu-gcc", "--version") === null) return "there is no aarch64-linux-gnu-gcc";
    if (!existsSync("/usr/aarch64-linux-gnu/lib/libstdc++.so.6")) return "there is no libstdc++ for arm64";
    return null;
  },
  prepare: () => compile("aarch64-linux-gnu-gcc", "test/arm64/preadv2.c", "build/preadv2.so"),
};

const LIBRARIES = ["libstdc++.so.6", "libgcc_s.so.1"].map((name) => `/usr/lib/x86_64-linux-gnu/${name}`);

export const musl = {
  lacks() {
    if (here !== null) return here;
    if (!existsSync("/lib/ld-musl-x86_64.so.1")) return "there is no musl";
    if (!LIBRARIES.every(existsSync)) return "there is no libstdc++";
    return run("cc", "--version") === null ? "there is no cc" : null;
  },
  prepare() {
    mkdirSync(join(ROOT, "build/musl"), { recursive: true });
    for (const path of LIBRARIES) copyFileSync(path, join(ROOT, "build/musl", path.slice(path.lastIndexOf("/") + 1)));
    compile("cc", "test/musl/glibc.c", "build/musl/ld-linux-x86-64.so.2", "-nostdlib");
  },
};
