// Installs the packages of a folder by its lock file, where they are missing or older than it. The benches and some
// suites of tests have packages of their own.
//
//   node install.js FOLDER...

import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL(".", import.meta.url));

/** When npm has installed a folder's packages, and when its lock file changed: ms, or -1. */
function time(...path) {
  return statSync(join(ROOT, ...path), { throwIfNoEntry: false })?.mtimeMs ?? -1;
}

/** Resolves to null, or to why they are not there. */
export async function install(folder) {
  if (time(folder, "node_modules/.package-lock.json") >= time(folder, "package-lock.json")) return null;
  const windows = process.platform === "win32";
  const npm = spawn("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], {
    cwd: ROOT,
    stdio: "inherit",
    shell: windows, // npm is a script there
  });
  return new Promise((resolve) => {
    npm.once("error", ({ message }) => resolve(`npm: ${message}`));
    npm.once("close", (status) => resolve(status === 0 ? null : `npm ci --prefix ${folder}: ${status}`));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const folder of process.argv.slice(2)) {
    const missing = await install(folder);
    if (missing === null) continue;
    console.error(missing);
    process.exitCode = 1;
  }
}
