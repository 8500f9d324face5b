// The systems whose sendfile(2) is known: where their C library is found, and their numbers. All of it is
// data, so that a test can lend the numbers of one system to a library that runs on another.

import { constants, endianness } from "node:os";

export interface System {
  readonly name: "linux" | "darwin" | "freebsd";
  /** C libraries to try, in this order; null is the process itself. */
  readonly libraries: readonly (string | null)[];
  /** The function that returns errno's address. */
  readonly errnoLocation: string;
  /** Names and numbers of its errors. */
  readonly errno: Readonly<Record<string, number>>;
}

/**
 * The supported architectures. All are 64-bit and little-endian, because calls pass 64-bit numbers and linear
 * memory is little-endian; on Linux they use its generic numbers of socket options, flags and errors, which mips,
 * alpha, sparc and parisc don't.
 */
const ARCHS: { readonly [platform: string]: { readonly [arch: string]: string } } = {
  linux: { x64: "x86_64", arm64: "aarch64", riscv64: "riscv64", loong64: "loongarch64" },
  darwin: { x64: "x86_64", arm64: "arm64" },
  freebsd: { x64: "amd64", arm64: "aarch64" },
};

/** The system of a process, by Node's names; or why it has no native calls. */
export function systemOf(platform: string, arch: string): System | string {
  const machine = ARCHS[platform]?.[arch];
  if (ARCHS[platform] === undefined) return `no native sendfile on ${platform}`;
  if (machine === undefined || endianness() !== "LE") return `no native sendfile on ${platform} ${arch}`;
  const { errno } = constants;
  if (platform === "darwin" || platform === "freebsd") {
    const library = platform === "darwin" ? "/usr/lib/libSystem.B.dylib" : "libc.so.7";
    return { name: platform, libraries: [null, library], errnoLocation: "__error", errno };
  }
  // A loaded library is found by its name; only the name tells musl's from glibc's.
  const libraries = [null, "libc.so.6", `libc.musl-${machine}.so.1`];
  return { name: "linux", libraries, errnoLocation: "__errno_location", errno };
}
