// What is written in C, by the machine's own compiler.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Compiles a source into `folder`, once; returns the program's path. @param {URL} source @param {string} folder */
export function compiled(source, folder) {
  const binary = join(folder, basename(source.pathname, ".c"));
  if (!existsSync(binary)) execFileSync("cc", ["-O2", "-o", binary, fileURLToPath(source)], { stdio: "inherit" });
  return binary;
}
