// The core with one constant of assembly/chunk.ts changed, built into a temp folder.

import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * @param {string} folder
 * @param {string} constant COPY, SMALL, …
 * @param {number} bytes
 * @returns {string} the path of the module
 */
export function coreWith(folder, constant, bytes) {
  const source = join(folder, `${constant}-${bytes}`);
  cpSync(join(ROOT, "assembly"), source, { recursive: true });
  const chunk = join(source, "chunk.ts");
  const before = readFileSync(chunk, "utf8");
  const line = new RegExp(`^((?:export )?const ${constant}: i64 = ).*;$`, "m");
  if (!line.test(before)) throw new Error(`${constant} is not where it was in assembly/chunk.ts`);
  writeFileSync(chunk, before.replace(line, `$1${bytes};`));

  const config = JSON.parse(readFileSync(join(ROOT, "asconfig.json"), "utf8"));
  config.entries = ["index.ts"];
  config.options.initialMemory = 16; // room for a larger scratch area
  writeFileSync(join(source, "asconfig.json"), JSON.stringify(config));
  const asc = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
  const core = `${source}.wasm`;
  execFileSync(process.execPath, [asc, "--target", "release", "--outFile", core], { cwd: source, stdio: "inherit" });
  return core;
}
