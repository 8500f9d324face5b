// The server in C, compiled by the machine's own compiler.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Compiles it into `folder`; it serves the files in `root`.
 *
 * @param {string} folder
 * @param {string} root
 * @returns {Promise<{ argv: string[] }>}
 */
export async function bare(folder, root) {
  const binary = join(folder, "bare");
  const source = fileURLToPath(new URL("bare.c", import.meta.url));
  execFileSync("cc", ["-O2", "-o", binary, source], { stdio: "inherit" });
  return { argv: [binary, root] };
}
